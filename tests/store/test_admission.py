"""Admission, from the design: what a token may do holds exactly, whoever asks at once.

In order of arrival; one that is refused uses up nothing; all of it on the locked token row.
"""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from mjgate.domain.send import HELD, Claim, Conclusion, Decision, Verdict, claim_of
from mjgate.domain.task import FAILURE, SUCCESS, Phase
from mjgate.domain.token import new_key
from mjgate.store.claims import recall
from mjgate.store.database import Store
from mjgate.store.tasks import advance_tasks, fetch_tasks, mark_unknown
from mjgate.store.tokens import add_token, set_token
from mjgate.store.writer import Writer
from tests.harness import until
from tests.soak.admission import overlap
from tests.store.rows import (
    PRICE,
    intent,
    ledger,
    locked,
    money,
    query,
    running,
    settled,
    waiting,
)

ANSWER = {"code": 1, "description": "提交成功", "properties": {}, "result": "1"}


async def limited(store: Store, budget: int | None = None, **limits: Any) -> int:
    """The id of a new token that may do so much."""
    key = new_key()
    return (await add_token(store.pool, key, key, budget, **limits)).id


async def admit(store: Store, *intents: Any) -> list[Decision]:
    """What is said to intents of one batch."""
    return await asyncio.gather(*(store.writer.admit(each) for each in intents))


def said(decisions: list[Decision]) -> list[str]:
    return [str(decision.verdict) for decision in decisions]


def claimed(key: str = "k", body: Any = None) -> Claim:
    return claim_of(key, "submit_imagine", body)


def keys(store: Store) -> list[Any]:
    return query(store, "select key, task_id, status from idempotency order by key")


async def test_the_first_that_fit_are_held_in_order_of_arrival(store: Store) -> None:
    client = await limited(store, budget=10)

    decided = await admit(store, *(intent(n, client, price) for n, price in enumerate((8, 5, 2))))

    assert ["held", "budget", "held"] == said(decided)
    assert (10, 0) == money(store, client)


async def test_one_refused_by_any_limit_uses_up_none_of_the_others(store: Store) -> None:
    client = await limited(
        store, budget=10, rate_per_minute=3, most_in_flight=3, models=["mj_imagine"]
    )
    asked = [(8, "mj_imagine"), (1, "mj_blend"), (5, "mj_imagine"), *[(1, "mj_imagine")] * 3]

    decided = await admit(
        store, *(intent(n, client, price, model=model) for n, (price, model) in enumerate(asked))
    )

    assert ["held", "model", "budget", "held", "held", "budget"] == said(decided)
    assert (10, 0) == money(store, client)


async def test_tokens_of_one_batch_do_not_count_for_each_other(store: Store) -> None:
    poor, slow, free = [
        await limited(store, budget=2 * PRICE),
        await limited(store, rate_per_minute=2),
        await limited(store),
    ]

    decided = await admit(store, *(intent(n, (poor, slow, free, 999)[n % 4]) for n in range(4 * 4)))

    assert ["held"] * 2 + ["budget"] * 2 == said(decided[0::4])
    assert ["held"] * 2 + ["rate"] * 2 == said(decided[1::4])
    assert ["held"] * 4 == said(decided[2::4])
    assert ["token"] * 4 == said(decided[3::4])
    assert [(2 * PRICE, 0), (2 * PRICE, 0), (4 * PRICE, 0)] == [
        money(store, each) for each in (poor, slow, free)
    ]


@pytest.mark.parametrize(
    ("models", "good", "bad"),
    [
        (["mj_imagine"], ["mj_imagine"], ["mj_imagin", "mj_imagine2", "MJ_IMAGINE"]),
        (["mj_up*", "swap_face"], ["mj_upscale", "mj_up", "swap_face"], ["mj_imagine", "swap"]),
        (["*"], ["mj_imagine", ""], []),
        (["*_a*e"], ["mj_are", "_ae"], ["mjxare", "mj_ar"]),
        (["a%b", "c\\d"], ["a%b", "c\\d"], ["axb", "cd"]),
        ([], [], ["mj_imagine"]),
    ],
)
async def test_a_token_may_use_the_models_that_its_names_fit(
    store: Store, models: list[str], good: list[str], bad: list[str]
) -> None:
    client = await limited(store, models=models)

    decided = await admit(
        store, *(intent(n, client, model=model) for n, model in enumerate([*good, *bad]))
    )

    assert ["held"] * len(good) + ["model"] * len(bad) == said(decided)


async def test_an_expired_token_is_refused(store: Store) -> None:
    past = await limited(store, expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    future = await limited(store, expires_at=datetime(2099, 1, 1, tzinfo=UTC))

    assert ["token", "held"] == said(await admit(store, intent(1, past), intent(2, future)))
    assert (0, 0) == money(store, past)


async def test_a_place_in_flight_is_free_when_its_task_ends_and_not_before(store: Store) -> None:
    client = await limited(store, most_in_flight=3)
    await admit(store, *(intent(n, client) for n in (1, 2, 3)))

    await store.writer.settle(settled(1, upstream_id="a"))
    await store.writer.settle(settled(2, Phase.UNKNOWN))
    assert ["flight"] == said(await admit(store, intent(4, client)))

    await store.writer.settle(settled(3, Phase.REJECTED))
    assert ["held", "flight"] == said(await admit(store, intent(5, client), intent(6, client)))

    ended = await fetch_tasks(store.pool, client, [1, 2])
    await advance_tasks(store.pool, [replace(task, status=FAILURE) for task in ended])
    assert ["held", "held", "flight"] == said(
        await admit(store, *(intent(n, client) for n in (7, 8, 9)))
    )
    assert (3 * PRICE, 0) == money(store, client)


async def test_a_rate_is_a_bucket_that_fills_evenly(store: Store) -> None:
    client = await limited(store, rate_per_minute=6)

    assert Counter(held=6, rate=3) == Counter(
        said(await admit(store, *(intent(n, client) for n in range(9))))
    )

    later(store, client, 5)
    [refused] = await admit(store, intent(10, client))
    assert Verdict.RATE is refused.verdict
    assert 0 < refused.wait_ms <= 5000

    later(store, client, 5)
    assert ["held", "rate"] == said(await admit(store, intent(11, client), intent(12, client)))

    later(store, client, 3600)
    assert Counter(held=6, rate=1) == Counter(
        said(await admit(store, *(intent(n, client) for n in range(20, 27))))
    )


async def test_a_rate_that_no_second_holds_evenly_lets_its_whole_bucket_through(
    store: Store,
) -> None:
    for count in (1, 7, 11, 13, 59, 487):
        client = await limited(store, rate_per_minute=count)
        batch = [intent(count * 1000 + n, client) for n in range(count + 1)]

        decided = await admit(store, *batch)

        assert Counter(held=count, rate=1) == Counter(said(decided))
        assert decided[-1].wait_ms <= 60_000 / count + 1


async def test_a_budget_of_a_period_begins_anew_with_the_next_one(store: Store) -> None:
    client = await limited(store, budget=2 * PRICE, period="daily")
    await running(store, 1, client)
    await running(store, 2, client)
    assert ["budget"] == said(await admit(store, intent(3, client)))

    yesterday(store)
    assert ["held", "held", "budget"] == said(
        await admit(store, *(intent(n, client) for n in (4, 5, 6)))
    )

    assert (2 * PRICE, 0) == money(store, client)


@pytest.mark.parametrize("tight", [False, True])
async def test_what_was_held_in_an_older_period_is_charged_and_released_there(
    store: Store, tight: bool
) -> None:
    client = await limited(store, budget=3 * PRICE, period="daily")
    await running(store, 1, client)
    await running(store, 2, client)
    await store.writer.admit(intent(3, client))
    yesterday(store)
    await admit(store, *(intent(n, client) for n in range(10, 14 if tight else 13)))

    await store.writer.settle(settled(3, Phase.REJECTED))
    first, second = sorted(await fetch_tasks(store.pool, client, [1, 2]), key=lambda t: t.id)
    await advance_tasks(
        store.pool, [replace(first, status=SUCCESS), replace(second, status=FAILURE)]
    )

    assert (3 * PRICE, 0) == money(store, client)
    assert [(0, PRICE, 6), (3 * PRICE, 0, 3)] == query(
        store,
        "select sum(held_delta)::bigint, sum(spent_delta)::bigint, count(*) from ledger "
        "group by period order by period",
    )
    assert [(3,)] == query(store, "select in_flight from tokens")


async def test_a_price_is_kept_with_its_version(store: Store) -> None:
    client = await limited(store)
    await store.writer.admit(intent(1, client, price_version=7))

    assert [(PRICE, 7)] == query(store, "select price, price_version from tasks")


async def test_a_key_is_taken_with_its_intent_and_answered_with_its_outcome(store: Store) -> None:
    client = await limited(store)
    claim = claimed()
    assert await recall(store.pool, client, claim) is None

    assert [HELD] == await admit(store, intent(1, client, claim=claim))
    assert Verdict.GOING is (await recall(store.pool, client, claim)).verdict  # type: ignore[union-attr]
    await store.writer.settle(settled(1, upstream_id="a", claim=Conclusion(claim.key, 200, ANSWER)))

    again = Decision(Verdict.GIVEN, 0, 1, 200, ANSWER)
    assert [again] == await admit(store, intent(2, client, claim=claim))
    assert again == await recall(store.pool, client, claim)
    assert [(1, "hold")] == ledger(store)


async def test_of_one_key_in_one_batch_the_first_is_held(store: Store) -> None:
    client = await limited(store)

    decided = await admit(
        store,
        intent(1, client, claim=claimed()),
        intent(2, client),
        intent(3, client, claim=claimed()),
        intent(4, client, claim=claimed(body="another")),
        intent(5, client, claim=claimed("other")),
    )

    assert ["held", "held", "going", "reused", "held"] == said(decided)
    assert [("k", 1, None), ("other", 5, None)] == keys(store)
    assert (3 * PRICE, 0) == money(store, client)


async def test_keys_of_two_tokens_have_nothing_to_do_with_each_other(store: Store) -> None:
    first, second = await limited(store), await limited(store)

    assert ["held", "held"] == said(
        await admit(store, intent(1, first, claim=claimed()), intent(2, second, claim=claimed()))
    )


async def test_a_key_that_was_refused_is_free(store: Store) -> None:
    client = await limited(store, budget=2)

    decided = await admit(
        store, intent(1, client, 3, claim=claimed()), intent(2, client, 2, claim=claimed())
    )

    assert ["budget", "held"] == said(decided)
    assert [("k", 2, None)] == keys(store)


async def test_a_key_is_answered_whatever_has_become_of_its_token(store: Store) -> None:
    client = await limited(store, budget=PRICE, rate_per_minute=1, most_in_flight=1)
    await store.writer.admit(intent(1, client, claim=claimed()))
    await store.writer.settle(settled(1, upstream_id="a", claim=Conclusion("k", 200, ANSWER)))

    assert ["given"] == said(await admit(store, intent(2, client, claim=claimed())))


async def test_a_send_that_may_be_repeated_frees_its_key(store: Store) -> None:
    client = await limited(store)
    await store.writer.admit(intent(1, client, claim=claimed()))

    await store.writer.settle(settled(1, Phase.REJECTED, claim=Conclusion("k")))

    assert [] == keys(store)
    assert ["held"] == said(await admit(store, intent(2, client, claim=claimed())))


async def test_a_refusal_that_reached_the_upstream_is_kept(store: Store) -> None:
    client = await limited(store)
    await store.writer.admit(intent(1, client, claim=claimed()))

    await store.writer.settle(settled(1, Phase.REJECTED, claim=Conclusion("k", 502, {"a": 1})))

    assert Decision(Verdict.GIVEN, 0, 1, 502, {"a": 1}) == await recall(
        store.pool, client, claimed()
    )


async def test_a_key_whose_process_died_names_its_task(store: Store) -> None:
    client = await limited(store)
    await store.writer.admit(intent(1, client, claim=claimed(), send_s=-1))

    named = Decision(Verdict.GIVEN, 0, 1, None, None)
    assert [named] == await admit(store, intent(2, client, claim=claimed()))
    await mark_unknown(store.pool, 600)
    assert [named] == await admit(store, intent(3, client, claim=claimed()))


async def test_a_repeated_outcome_does_not_change_the_answer_of_a_key(store: Store) -> None:
    client = await limited(store)
    await store.writer.admit(intent(1, client, claim=claimed()))
    await store.writer.settle(settled(1, upstream_id="a", claim=Conclusion("k", 200, ANSWER)))

    await store.writer.settle(settled(1, Phase.UNKNOWN, claim=Conclusion("k", 504, {})))
    await store.writer.settle(settled(1, Phase.REJECTED, claim=Conclusion("k")))

    assert [("k", 1, 200)] == keys(store)


async def test_a_key_of_an_intent_that_nobody_waited_for_is_free(store: Store) -> None:
    client = await limited(store)
    async with locked(store, client) as lock:
        waiter = asyncio.create_task(store.writer.admit(intent(1, client, claim=claimed())))
        await until(lambda: waiting(store))
        waiter.cancel()
        await lock.commit()

    await until(lambda: ledger(store) == [(1, "hold"), (1, "release")])
    assert [] == keys(store)


async def test_two_processes_that_come_with_one_key_hold_once(store: Store) -> None:
    client = await limited(store)
    other = Writer(store.uri, 500)
    await other.start()

    decided = await asyncio.gather(
        *(
            writer.admit(intent(n, client, claim=claimed()))
            for n, writer in enumerate([store.writer, other] * 50)
        )
    )
    await other.stop()

    assert Counter(held=1, going=99) == Counter(said(decided))
    assert (PRICE, 0) == money(store, client)


async def test_limits_that_are_set_hold_for_the_next_submit(store: Store) -> None:
    account = await add_token(store.pool, "ann", "mj-1")
    await admit(store, intent(1, account.id), intent(2, account.id))

    await set_token(store.pool, "ann", {"budget": 2 * PRICE})
    assert ["budget"] == said(await admit(store, intent(3, account.id)))
    await set_token(store.pool, "ann", {"budget": None, "most_in_flight": 2})
    assert ["flight"] == said(await admit(store, intent(4, account.id)))
    await set_token(store.pool, "ann", {"most_in_flight": None})
    assert ["held"] == said(await admit(store, intent(5, account.id)))


async def test_overlapping_batches_of_two_processes_are_decided_as_if_one_came_first(
    store: Store,
) -> None:
    """A hundred rounds of what `make soak` does ten thousand times."""
    assert 100 == await overlap(store.uri, 100, seed=7)


def later(store: Store, token: int, seconds: float) -> None:
    """As if so much time had passed for the rate of a token."""
    query(
        store,
        "update tokens set rate_tat = rate_tat - %s * interval '1 s' where id = %s",
        seconds,
        token,
    )


def yesterday(store: Store) -> None:
    """As if all that was done so far had been done the day before."""
    for table, column in (("tokens", "period_start"), ("tasks", "period"), ("ledger", "period")):
        query(store, f"update {table} set {column} = {column} - 1")


@pytest.mark.parametrize("keyed", [False, True])
async def test_no_counter_is_lost_where_tasks_end_while_others_are_admitted(
    store: Store, keyed: bool
) -> None:
    """An admission that decides by counters from before a charge would write them back."""
    client = await limited(store, budget=10_000 * PRICE)
    numbers = iter(range(10_000))

    async def submit() -> list[int]:
        some = [next(numbers) for _ in range(10)]
        await admit(
            store,
            *(intent(n, client, claim=claimed(str(n)) if keyed else None) for n in some),
        )
        await asyncio.gather(*(store.writer.settle(settled(n, upstream_id=f"up{n}")) for n in some))
        return some

    async def end(some: list[int]) -> None:
        tasks = await fetch_tasks(store.pool, client, some)
        await advance_tasks(store.pool, [replace(each, status=SUCCESS) for each in tasks])

    drawn = [await submit(), await submit()]
    for _ in range(30):
        ending = [asyncio.create_task(end(some)) for some in drawn]
        drawn = list(await asyncio.gather(submit(), submit()))
        await asyncio.gather(*ending)

    assert (20 * PRICE, 600 * PRICE) == money(store, client)
