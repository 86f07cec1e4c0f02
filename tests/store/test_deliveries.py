"""The queue of callbacks: what is due, whose turn it is, and what comes of it."""

from typing import Any

from msgspec.structs import replace

from mjgate.domain.delivery import Outcome, Result
from mjgate.store.database import Store
from mjgate.store.deliveries import Claimed, book_outcomes, claim_deliveries, hurry_deliveries
from mjgate.store.tasks import advance_tasks, fetch_tasks
from tests.store.rows import query, running, token

HOOK = "https://Example.org:8443/hook?secret=1"
RECEIVER = "https://example.org:8443"
SCHEDULE = (100.0, 200.0)


async def hooked(store: Store, number: int, owner: int, hook: str | None = HOOK) -> None:
    await running(store, number, owner, hook=hook)


async def move(store: Store, number: int, owner: int, **changes: Any) -> None:
    """The task goes on at its upstream."""
    [task] = await fetch_tasks(store.pool, owner, [number])
    assert {number} == await advance_tasks(store.pool, [replace(task, **changes)])


async def submitted(store: Store, number: int, owner: int, hook: str | None = HOOK) -> None:
    await hooked(store, number, owner, hook)
    await move(store, number, owner, status="SUBMITTED", progress="0%")


async def claim(
    store: Store, each: int = 9, most: int = 100, free: dict[str, int] | None = None
) -> list[Claimed]:
    return await claim_deliveries(store.pool, free or {}, each, {}, most, most, 30.0)


def came_to(claimed: Claimed, result: Result, **more: Any) -> Outcome:
    known: dict[str, Any] = {"digest": "ab" * 16, "ms": 5, **more}
    return Outcome(claimed.task.id, claimed.claim, claimed.task.version, result, **known)


async def book(store: Store, *outcomes: Outcome) -> None:
    await book_outcomes(store.pool, outcomes, SCHEDULE)


async def fail(store: Store, **more: Any) -> None:
    """Every delivery that is due is attempted in vain."""
    await book(store, *[came_to(each, Result.FAILED, **more) for each in await claim(store)])


def states(store: Store) -> list[Any]:
    return query(store, "select task_id, state, failures from deliveries order by task_id")


def waits(store: Store) -> list[int]:
    """Seconds until each is due, to the next ten."""
    return [
        round(seconds, -1)
        for (seconds,) in query(
            store,
            "select extract(epoch from due_at - now())::integer from deliveries order by task_id",
        )
    ]


def pass_time(store: Store, seconds: float) -> None:
    query(
        store,
        "update deliveries set due_at = due_at - s, planned_at = planned_at - s, "
        "not_before = not_before - s, attempted_at = attempted_at - s, "
        "leased_until = leased_until - s from (select %s * interval '1 s' as s) x",
        seconds,
    )


async def test_what_was_submitted_is_due_and_what_was_not_is_not(store: Store) -> None:
    owner = await token(store)
    for number in (1, 2, 3):
        await hooked(store, number, owner, None if number == 3 else HOOK)
    await move(store, 1, owner, status="SUBMITTED")
    await move(store, 2, owner, description="/imagine a fox")
    await move(store, 3, owner, status="SUBMITTED")

    [claimed] = await claim(store)

    assert (1, "SUBMITTED", HOOK, RECEIVER, None, owner) == (
        claimed.task.id,
        claimed.task.status,
        claimed.hook,
        claimed.receiver,
        claimed.told,
        claimed.token,
    )
    assert "secret" not in repr(claimed)


async def test_a_newer_state_replaces_one_that_was_not_delivered(store: Store) -> None:
    owner = await token(store)
    await submitted(store, 1, owner)
    await move(store, 1, owner, status="IN_PROGRESS", progress="31%")

    [claimed] = await claim(store)

    assert "31%" == claimed.task.progress
    await book(store, came_to(claimed, Result.DELIVERED))
    assert [(1, "delivered", 0)] == states(store)
    assert [] == await claim(store)


async def test_a_token_with_many_receivers_has_no_more_than_its_share(store: Store) -> None:
    greedy, other = await token(store), await token(store)
    for number in range(1, 5):
        await submitted(store, number, greedy, f"https://{number}.example.org/")
    await submitted(store, 5, other, "https://z.example.org/")

    claimed = await claim_deliveries(store.pool, {}, 9, {greedy: 1}, 3, 100, 30.0)

    assert [1, 2, 5] == sorted(each.task.id for each in claimed)


async def test_where_there_is_little_room_the_longest_due_come_first(store: Store) -> None:
    owner = await token(store)
    for number, host in ((1, "z"), (2, "a")):
        await submitted(store, number, owner, f"https://{host}.example.org/")

    assert [1] == [each.task.id for each in await claim(store, most=1)]


async def test_what_is_leased_is_nobody_else_s_until_the_lease_ends(store: Store) -> None:
    await submitted(store, 1, await token(store))
    [first] = await claim(store)
    assert [] == await claim(store)

    pass_time(store, 31)
    [second] = await claim(store)

    assert first.claim + 1 == second.claim


async def test_what_a_lost_lease_came_to_is_on_record_and_changes_nothing(store: Store) -> None:
    await submitted(store, 1, await token(store))
    [late] = await claim(store)
    pass_time(store, 31)
    [holder] = await claim(store)

    await book(store, came_to(late, Result.DELIVERED))
    assert [(1, "waiting", 0)] == states(store)
    assert [] == await claim(store)

    await book(store, came_to(holder, Result.DELIVERED))
    assert [(1, "delivered", 0)] == states(store)
    assert [(2,)] == query(store, "select count(*) from attempts")


async def test_an_attempt_that_is_booked_twice_counts_once(store: Store) -> None:
    await submitted(store, 1, await token(store))
    [claimed] = await claim(store)

    for _ in range(2):
        await book(store, came_to(claimed, Result.FAILED))

    assert [(1, "waiting", 1)] == states(store)
    assert [(1,)] == query(store, "select count(*) from attempts")


async def test_a_state_that_comes_during_an_attempt_is_due_after_it(store: Store) -> None:
    owner = await token(store)
    await submitted(store, 1, owner)
    [claimed] = await claim(store)
    await move(store, 1, owner, status="IN_PROGRESS", progress="31%")
    assert [] == await claim(store)

    await book(store, came_to(claimed, Result.DELIVERED))

    [newer] = await claim(store)
    assert ("31%", "ab" * 16) == (newer.task.progress, newer.told)


async def test_failures_follow_the_schedule_and_are_given_up_after_it(store: Store) -> None:
    await submitted(store, 1, await token(store))
    for failures, wait in enumerate(SCHEDULE, 1):
        await fail(store, status=500, error="no", answer="x")
        assert ([(1, "waiting", failures)], [wait]) == (states(store), waits(store))
        assert [] == await claim(store)
        pass_time(store, wait + 1)

    await fail(store)

    assert [(1, "given up", 3)] == states(store)
    assert [
        ("failed", 500, "no", "x"),
        ("failed", 500, "no", "x"),
        ("failed", None, None, None),
    ] == (query(store, "select outcome, status, error, answer from attempts order by claim"))


async def test_without_a_schedule_there_is_one_attempt(store: Store) -> None:
    await submitted(store, 1, await token(store))
    await book_outcomes(
        store.pool, [came_to(each, Result.FAILED) for each in await claim(store)], ()
    )
    assert [(1, "given up", 1)] == states(store)


async def test_while_attempts_fail_a_newer_state_waits_its_turn(store: Store) -> None:
    owner = await token(store)
    await submitted(store, 1, owner)
    await fail(store)

    await move(store, 1, owner, status="IN_PROGRESS", progress="31%")

    assert ([(1, "waiting", 1)], [100]) == (states(store), waits(store))
    pass_time(store, 101)
    assert ["31%"] == [each.task.progress for each in await claim(store)]


async def test_the_end_is_due_at_once_and_has_the_whole_schedule(store: Store) -> None:
    owner = await token(store)
    await submitted(store, 1, owner)
    await fail(store)
    await move(store, 1, owner, status="SUCCESS", progress="100%")
    assert ([(1, "waiting", 0)], [0]) == (states(store), waits(store))

    await fail(store)

    assert ([(1, "waiting", 1)], [100]) == (states(store), waits(store))


async def test_an_end_that_comes_during_a_failing_attempt_is_due_at_once(store: Store) -> None:
    owner = await token(store)
    await submitted(store, 1, owner)
    [claimed] = await claim(store)
    await move(store, 1, owner, status="FAILURE")

    await book(store, came_to(claimed, Result.FAILED))

    assert ([(1, "waiting", 0)], [0]) == (states(store), waits(store))
    assert ["FAILURE"] == [each.task.status for each in await claim(store)]


async def test_a_newer_state_of_one_that_was_given_up_begins_anew(store: Store) -> None:
    owner = await token(store)
    await submitted(store, 1, owner)
    query(store, "update deliveries set state = 'given up', failures = 3")

    await move(store, 1, owner, status="IN_PROGRESS", progress="31%")

    assert ([(1, "waiting", 0)], [0]) == (states(store), waits(store))


async def test_a_success_that_comes_late_is_told_too(store: Store) -> None:
    owner = await token(store)
    await submitted(store, 1, owner)
    await move(store, 1, owner, status="FAILURE", ended_by="deadline")
    [claimed] = await claim(store)
    await book(store, came_to(claimed, Result.DELIVERED))

    await move(store, 1, owner, status="SUCCESS", progress="100%")

    assert ["SUCCESS"] == [each.task.status for each in await claim(store)]


async def test_who_is_gone_or_refused_is_not_called_again(store: Store) -> None:
    owner = await token(store)
    for number in (1, 2):
        await submitted(store, number, owner)
    first, second = await claim(store)
    await book(store, came_to(first, Result.GONE), came_to(second, Result.REFUSED))

    for number in (1, 2):
        await move(store, number, owner, status="SUCCESS", progress="100%")

    assert [(1, "gone", 0), (2, "refused", 0)] == [(n, state, 0) for n, state, _ in states(store)]
    assert [] == await claim(store)


async def test_retry_after_is_waited_for_by_the_end_too(store: Store) -> None:
    owner = await token(store)
    await submitted(store, 1, owner)
    await fail(store, wait_s=500.0)
    assert [500] == waits(store)
    assert 0 == await hurry_deliveries(store.pool, {RECEIVER}, 300)

    await move(store, 1, owner, status="SUCCESS", progress="100%")

    assert [500] == waits(store)


async def test_a_body_that_the_receiver_has_is_no_attempt(store: Store) -> None:
    owner = await token(store)
    await submitted(store, 1, owner)
    [claimed] = await claim(store)
    await book(store, came_to(claimed, Result.SAME))

    assert [(1, "delivered", 0)] == states(store)
    assert [(0,)] == query(store, "select count(*) from attempts")


async def test_a_receiver_has_so_many_at_once_and_others_their_own(store: Store) -> None:
    owner = await token(store)
    for number in range(5):
        await submitted(store, number, owner, "http://a.example/x")
    await submitted(store, 5, owner, "http://b.example/x")
    await submitted(store, 6, owner, "http://c.example/x")

    claimed = await claim(store, each=2, free={"http://c.example": 0})

    assert [0, 1, 5] == sorted(each.task.id for each in claimed)
    assert [2, 3] == sorted(
        each.task.id
        for each in await claim(store, each=2, free={"http://b.example": 1, "http://c.example": -1})
    ), "leases do not count, the caller does"


async def test_no_more_are_claimed_than_there_is_room_for(store: Store) -> None:
    owner = await token(store)
    for number in range(5):
        await submitted(store, number, owner)

    assert 3 == len(await claim(store, most=3))
    assert 2 == len(await claim(store, most=3))


async def test_an_answer_makes_all_that_waits_for_the_receiver_due(store: Store) -> None:
    owner = await token(store)
    for number in range(3):
        await submitted(store, number, owner, "http://b.example/" if number == 2 else HOOK)
    await fail(store)

    assert 2 == await hurry_deliveries(store.pool, {RECEIVER}, 300)

    assert [0, 0, 100] == waits(store)


async def test_a_hurried_attempt_that_fails_takes_nothing_from_the_schedule(store: Store) -> None:
    await submitted(store, 1, await token(store))
    await fail(store)
    assert 1 == await hurry_deliveries(store.pool, {RECEIVER}, 300)

    await fail(store)

    assert ([(1, "waiting", 1)], [100]) == (states(store), waits(store))
    assert 0 == await hurry_deliveries(store.pool, {RECEIVER}, 300), "not with every answer"
    query(store, "update deliveries set attempted_at = now() - interval '301 s'")
    assert 1 == await hurry_deliveries(store.pool, {RECEIVER}, 300)
    await fail(store)
    pass_time(store, 101)
    await fail(store)
    assert ([(1, "waiting", 2)], [200]) == (states(store), waits(store))
    assert 1 == await hurry_deliveries(store.pool, {RECEIVER}, 300)


async def test_an_address_that_is_none_holds_up_no_change(store: Store) -> None:
    await submitted(store, 1, await token(store), "no address")

    assert [""] == [each.receiver for each in await claim(store)]
