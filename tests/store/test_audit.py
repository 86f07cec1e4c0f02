"""Every rule of the audit sees the rows that break it; a life that was kept well breaks none."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from mjgate.domain.send import Claim, Conclusion
from mjgate.domain.task import CANCEL, DEADLINE, FAILURE, SUCCESS, Phase
from mjgate.errors import CommandError
from mjgate.store.audit import MOST_NAMED, Audit, Lowered, audit
from mjgate.store.database import Store
from mjgate.store.ledger import adjust
from mjgate.store.prices import set_prices
from mjgate.store.rules import PRICE as PRICE_RULE
from mjgate.store.rules import RULES
from mjgate.store.tasks import advance_tasks, fetch_tasks, mark_unknown
from mjgate.store.tokens import revoke_token
from tests.store.rows import PRICE, intent, query, running, settled

CLAIM = Claim("k", "00" * 32)


async def client(store: Store, label: str, budget: int | None = 2_000_000) -> int:
    [(number,)] = query(
        store,
        "insert into tokens (label, key_hash, hint, budget) values (%s, %s, '', %s) returning id",
        label,
        label.encode(),
        budget,
    )
    return int(number)


async def end(store: Store, token: int, number: int, status: str, **more: Any) -> None:
    [task] = await fetch_tasks(store.pool, token, [number])
    await advance_tasks(store.pool, [replace(task, status=status, **more)])


@pytest.fixture
async def lived(store: Store) -> int:
    """The token of a mixed life, `alice`: a task for each end there is, 1 to 9, and a key."""
    alice = await client(store, "alice")
    for number, status in ((1, SUCCESS), (2, FAILURE), (3, CANCEL)):
        await running(store, number, alice, price_version=0)
        await end(store, alice, number, status)
    await running(store, 4, alice, price_version=0)
    await end(store, alice, 4, FAILURE, ended_by=DEADLINE)
    await end(store, alice, 4, SUCCESS)
    await store.writer.admit(intent(5, alice, claim=CLAIM))
    await store.writer.settle(settled(5, Phase.REJECTED, claim=Conclusion("k", 200, {"code": 4})))
    await store.writer.admit(intent(6, alice))
    await store.writer.settle(settled(6, Phase.UNKNOWN))
    await store.writer.admit(intent(7, alice, send_s=-1))
    await mark_unknown(store.pool, 600)
    await store.writer.admit(intent(8, alice))
    await running(store, 9, alice)
    await adjust(store.pool, "alice", 50_000, "a picture drawn elsewhere")
    return alice


def broken(found: Audit) -> list[str]:
    return [breach.rule.name for breach in found.breaches]


async def test_a_ledger_without_a_row_is_proved(store: Store) -> None:
    assert Audit(0, 0, 0, [], [], [], 0) == await audit(store.pool)


async def test_a_mixed_life_is_proved(store: Store, lived: int) -> None:
    found = await audit(store.pool)
    assert ([], []) == (found.breaches, found.lowered)
    assert (1, 9, 9 + 5 + 1) == (found.tokens, found.tasks, found.entries)


async def test_a_life_through_days_and_prices_is_proved(store: Store) -> None:
    alice = await client(store, "alice", 2 * PRICE)
    query(store, "update tokens set period = 'daily'")
    for number in (1, 2):
        await running(store, number, alice)
    await end(store, alice, 1, SUCCESS)
    _a_day_passes(store)
    await set_prices(store.pool, {"mj_*": 2 * PRICE})
    await store.writer.admit(intent(3, alice, 2 * PRICE, price_version=1))
    await end(store, alice, 2, SUCCESS)
    await store.writer.settle(settled(3, Phase.REJECTED))
    await adjust(store.pool, "alice", 1, "a fee")
    await revoke_token(store.pool, "alice")

    assert [] == (await audit(store.pool)).breaches
    assert [("2026", 0, 1)] == query(
        store,
        "select '2026', held, spent from tokens "
        "where period_start = (now() at time zone 'UTC')::date",
    )


def _a_day_passes(store: Store) -> None:
    for statement in (
        "update tokens set period_start = period_start - 1",
        "update tasks set period = period - 1",
        "update ledger set period = period - 1",
    ):
        query(store, statement)


async def test_tasks_from_before_prices_had_versions_are_not_judged(
    store: Store, lived: int
) -> None:
    query(store, "update tasks set price_version = null, model = 'mj_gone'")
    assert [] == broken(await audit(store.pool))


BREAKS: list[tuple[str, str, str]] = [
    (
        "balance",
        "update tokens set spent = spent + 1",
        "the balance is not the sum|alice|None|None|0.4 held, 0.15 spent|0.4 held, 0.150001 spent",
    ),
    (
        "balance",
        "update tokens set held = held - 100000",
        "the balance is not the sum|alice|None|None|0.4 held, 0.15 spent|0.3 held, 0.15 spent",
    ),
    (
        "negative",
        "insert into ledger (token_id, kind, held_delta, spent_delta, period) "
        "values ({alice}, 'adjust', 0, -1, '2000-01-01')",
        "below zero in the period 2000-01-01|alice|None|None|nothing below 0|"
        "0 held, -0.000001 spent",
    ),
    (
        "flight",
        "update tokens set in_flight = in_flight + 1",
        "the count is not that of the tasks|alice|None|None|4|5",
    ),
    (
        "hold",
        "delete from ledger where task_id = 8; update tokens set held = held - 100000",
        "the task has not one hold|alice|8|None|1 hold|0",
    ),
    (
        "hold",
        "drop index ledger_hold; update tokens set held = held + 100000; "
        "insert into ledger (token_id, task_id, kind, held_delta, spent_delta) "
        "values ({alice}, 8, 'hold', 100000, 0)",
        "the task has not one hold|alice|8|None|1 hold|2",
    ),
    (
        "end",
        "delete from ledger where task_id = 2 and kind = 'release'; "
        "update tokens set held = held + 100000",
        "the task is ended|alice|2|None|1 charge or release|0",
    ),
    (
        "end",
        "delete from ledger where task_id = 5 and kind = 'release'; "
        "update tokens set held = held + 100000",
        "the task is rejected|alice|5|None|1 charge or release|0",
    ),
    (
        "end",
        "insert into ledger (token_id, task_id, kind, held_delta, spent_delta) "
        "values ({alice}, 9, 'charge', -100000, 100000); "
        "update tokens set held = held - 100000, spent = spent + 100000",
        "the task is running|alice|9|None|no charge or release|1",
    ),
    (
        "end",
        "drop index ledger_end; insert into ledger (token_id, task_id, kind, held_delta, "
        "spent_delta) values ({alice}, 2, 'release', -100000, 0); "
        "update tokens set held = held - 100000",
        "the task is ended|alice|2|None|1 charge or release|2",
    ),
    (
        "charge",
        "update ledger set kind = 'release', spent_delta = 0 where kind = 'charge'; "
        "update tokens set spent = spent - 100000",
        "the task is ended, SUCCESS|alice|1|*|charge|release",
    ),
    *(
        (
            "charge",
            f"update ledger set kind = 'charge', spent_delta = 100000 "
            f"where kind = 'release' and task_id = {task}; "
            "update tokens set spent = spent + 100000",
            f"the task is {how}|alice|{task}|*|release|charge",
        )
        for task, how in (
            (2, "ended, FAILURE"),
            (3, "ended, CANCEL"),
            (4, "ended, SUCCESS, ended by deadline"),
            (5, "rejected, NOT_START"),
        )
    ),
    (
        "amount",
        "update ledger set held_delta = held_delta + 1 where task_id = 8; "
        "update tokens set held = held + 1",
        "the hold moves another amount|alice|8|*|0.1 held, 0 spent|0.100001 held, 0 spent",
    ),
    (
        "amount",
        "update ledger set spent_delta = spent_delta - 1 where kind = 'charge'; "
        "update tokens set spent = spent - 1",
        "the charge moves another amount|alice|1|*|-0.1 held, 0.1 spent|-0.1 held, 0.099999 spent",
    ),
    (
        "amount",
        "update ledger set held_delta = 0 where kind = 'release' and task_id = 2; "
        "update tokens set held = held + 100000",
        "the release moves another amount|alice|2|*|-0.1 held, 0 spent|0 held, 0 spent",
    ),
    (
        "amount",
        "update ledger set held_delta = 1 where kind = 'adjust'; update tokens set held = held + 1",
        "the adjust moves another amount|alice|None|*|0 held, 0.05 spent|0.000001 held, 0.05 spent",
    ),
    (
        "account",
        "update ledger set period = '2000-01-01' where task_id = 8; "
        "update tokens set held = held - 100000",
        "the hold is in another account|alice|8|*|token {alice}, period 0001-01-01|"
        "token {alice}, period 2000-01-01",
    ),
    (
        "account",
        "update tasks set token_id = {bob} where id = 8; "
        "update tokens set in_flight = in_flight + case when id = {bob} then 1 else -1 end",
        "the hold is in another account|alice|8|*|token {bob}, period 0001-01-01|"
        "token {alice}, period 0001-01-01",
    ),
    (
        "entry",
        "delete from tasks where id = 2",
        "the hold has no task|alice|2|*|a task|one that is not there",
    ),
    (
        "entry",
        "insert into ledger (token_id, kind, held_delta, spent_delta) "
        "values ({alice}, 'hold', 0, 0)",
        "the hold has no task|alice|None|*|a task|none",
    ),
    (
        "entry",
        "update ledger set task_id = 1 where kind = 'adjust'",
        "the adjust has a task|alice|1|*|no task|a task",
    ),
    (
        "budget",
        "alter table tokens disable trigger note_budget; update tokens set budget = 450000",
        "the hold goes beyond the budget|alice|9|*|at most 0.45|0.5 with it",
    ),
    (
        "phase",
        "update tasks set status = 'IN_PROGRESS' where id = 2",
        "the status does not fit the phase|alice|2|None|an end|ended, IN_PROGRESS",
    ),
    (
        "phase",
        "update tasks set status = 'FAILURE' where id = 9",
        "the status does not fit the phase|alice|9|None|no end|running, FAILURE",
    ),
    (
        "phase",
        "update tasks set ended_by = 'lost' where id = 9",
        "the status does not fit the phase|alice|9|None|no end|running, NOT_START, ended by lost",
    ),
    (
        "upstream",
        "drop index tasks_upstream; update tasks set upstream_id = 'up1' where id in (2, 9)",
        "the tasks have one upstream id|alice|1|None|1 task|3 tasks of channel 1, 1 to 9",
    ),
    (
        "past",
        "insert into past_tasks select * from booked_tasks where id = 2",
        "the task was deleted and is there|alice|2|None|one of both|both, ended",
    ),
    (
        "key",
        "update idempotency set task_id = 77",
        "the key is of no task of its token|alice|77|None|a task of this token|none",
    ),
    (
        "key",
        "update idempotency set token_id = {bob}",
        "the key is of no task of its token|bob|5|None|a task of this token|one of another",
    ),
    (
        "usage",
        "insert into usage_folded values (now() + interval '1 day')",
        "*|alice|None|None|0 submitted, 0 charged, 0 released, 0.05 spent|"
        "0 submitted, 0 charged, 0 released, 0 spent",
    ),
    (
        "usage",
        "insert into usage_totals values ({alice}, '2026-01-01', 'mj_imagine', 2, 1, 0, 100000)",
        "the total of 2026-01-01, mj_imagine|alice|None|None|"
        "0 submitted, 0 charged, 0 released, 0 spent|2 submitted, 1 charged, 0 released, 0.1 spent",
    ),
    (
        "token",
        "delete from tokens where id = {alice}",
        "there is no such token|None|None|None|a token|entries without one",
    ),
    (
        "table",
        'insert into prices (prices) values (\'{{"mj_imagine": 0, "mj_zoom": -1}}\')',
        "version 1 has a price below zero|None|None|None|mj_zoom at 0 or more|-1",
    ),
    (
        "price",
        "update tasks set model = 'mj_upscale' where id = 8",
        "not the price of mj_upscale in version 0|alice|8|None|0.05|0.1",
    ),
    (
        "price",
        "update tasks set model = 'mj_zoom' where id = 8",
        "not the price of mj_zoom in version 0|alice|8|None|no such price|0.1",
    ),
    (
        "price",
        "update tasks set price_version = 5 where id = 8",
        "not the price of mj_imagine in version 5|alice|8|None|no such price|0.1",
    ),
]


@pytest.mark.parametrize(
    ("rule", "statements", "said"), BREAKS, ids=[f"{n}-{row[0]}" for n, row in enumerate(BREAKS)]
)
async def test_what_breaks_a_rule_is_named_by_this_rule_alone(
    store: Store, lived: int, rule: str, statements: str, said: str
) -> None:
    names = {"alice": lived}
    if "{bob}" in statements:
        names["bob"] = await client(store, "bob")
    for statement in statements.format(**names).split("; "):
        query(store, statement)

    found = await audit(store.pool)

    assert [rule] == broken(found)
    [breach] = found.breaches
    fault = breach.faults[0]
    shown = [fault.wrong, fault.token, fault.task, fault.entry, fault.expected, fault.found]
    expected = said.format(**names).split("|")
    assert expected == [
        "*" if part == "*" else str(value) for part, value in zip(expected, shown, strict=True)
    ]
    assert breach.total == len(breach.faults)


def test_every_rule_is_broken_by_a_test() -> None:
    assert {rule.name for rule in (*RULES, PRICE_RULE)} == {name for name, _, _ in BREAKS}


async def test_more_rows_than_are_named_are_counted(store: Store) -> None:
    alice = await client(store, "alice", None)
    await asyncio.gather(*(store.writer.admit(intent(n, alice)) for n in range(MOST_NAMED + 7)))
    query(store, "update tasks set status = 'SUCCESS'")

    [breach] = (await audit(store.pool)).breaches

    assert (MOST_NAMED + 7, MOST_NAMED) == (breach.total, len(breach.faults))
    assert list(range(MOST_NAMED)) == [fault.task for fault in breach.faults]


async def test_unknown_tasks_are_listed_by_their_deadline(store: Store, lived: int) -> None:
    query(store, "update tasks set deadline = '2027-01-01' where id = 7")
    query(store, "update tasks set deadline = '2026-01-01' where id = 6")

    found = await audit(store.pool)

    assert 2 == found.unknown_total
    assert [(6, "alice"), (7, "alice")] == [(each.task, each.token) for each in found.unknown]
    assert [("accepted_at",), ("send_deadline",)] == query(
        store,
        "select case when %s = accepted_at and id = 6 then 'accepted_at' "
        "when %s = send_deadline then 'send_deadline' end from tasks where phase = 'unknown' "
        "order by id",
        found.unknown[0].since,
        found.unknown[1].since,
    )


async def test_a_budget_that_was_lowered_is_a_note_and_no_fault(store: Store, lived: int) -> None:
    query(store, "update tokens set budget = 450000")
    found = await audit(store.pool)
    assert ([], [Lowered("alice", 450_000, 500_000)]) == (found.breaches, found.lowered)


async def test_a_hold_beyond_a_budget_that_was_lowered_before_is_a_fault(
    store: Store, lived: int
) -> None:
    query(store, "update tokens set budget = 450000")
    query(
        store,
        "insert into tasks (id, token_id, channel_id, action, model, price, phase, status, marker, "
        "submit_ms, send_deadline) values (10, %s, 1, '', '', 1, 'sending', 'NOT_START', '', 1, "
        "now())",
        lived,
    )
    query(
        store,
        "insert into ledger (token_id, task_id, kind, held_delta, spent_delta) "
        "values (%s, 10, 'hold', 1, 0)",
        lived,
    )
    query(store, "update tokens set held = held + 1, in_flight = in_flight + 1")

    assert ["budget"] == broken(await audit(store.pool))


async def test_one_token_is_judged_alone(store: Store, lived: int) -> None:
    await running(store, 10, await client(store, "bob"))
    query(store, "update tokens set spent = spent + 1 where id = %s", lived)

    bob = await audit(store.pool, "bob")
    assert ([], 1, 1, 1, []) == (bob.breaches, bob.tokens, bob.tasks, bob.entries, bob.unknown)
    assert ["balance"] == broken(await audit(store.pool, "alice"))


async def test_a_label_is_that_of_all_who_had_it(store: Store, lived: int) -> None:
    query(store, "update tokens set spent = spent + 1, revoked_at = now()")
    await client(store, "alice2")
    query(store, "update tokens set label = 'alice' where label = 'alice2'")

    found = await audit(store.pool, "alice")

    assert (2, ["balance"]) == (found.tokens, broken(found))


async def test_a_label_that_nobody_had_is_named(store: Store) -> None:
    with pytest.raises(CommandError, match="there is no token 'bob'"):
        await audit(store.pool, "bob")


async def test_an_audit_beside_submits_sees_one_moment(store: Store) -> None:
    alice = await client(store, "alice", None)
    numbers = iter(range(10_000))

    async def submit() -> None:
        for number in numbers:
            await running(store, number, alice)
            await end(store, alice, number, SUCCESS)
            if done.is_set():
                return

    done = asyncio.Event()
    submitting = [asyncio.create_task(submit()) for _ in range(8)]
    found = [await audit(store.pool) for _ in range(10)]
    done.set()
    await asyncio.gather(*submitting)

    assert [[]] * 10 == [broken(each) for each in found]
