"""Tasks in the database."""

from typing import Any

from msgspec.structs import replace
from structlog.testing import capture_logs

from mjgate.domain.task import CANCEL, DEADLINE, FAILURE, IN_PROGRESS, SUCCESS, Phase
from mjgate.store.channels import add_channel
from mjgate.store.database import Store
from mjgate.store.tasks import (
    Followed,
    accepted_since,
    advance_tasks,
    channels_with_work,
    fetch_tasks,
    find_bound,
    find_parent,
    followed_tasks,
    has_work,
    mark_unknown,
    move_task,
    overdue_tasks,
)
from tests.store.rows import PRICE, intent, ledger, money, query, running, settled, token


async def followed(store: Store, since_us: int = 0) -> dict[int, Followed]:
    ids = [number for number, _ in await accepted_since(store.pool, 1, since_us, 1000)]
    return {each.task.id: each for each in await followed_tasks(store.pool, ids)}


async def test_ends_are_charged_or_released(store: Store) -> None:
    client = await token(store)
    for number in (1, 2, 3, 4):
        await running(store, number, client)
    known = await followed(store)
    ends = {1: SUCCESS, 2: FAILURE, 3: CANCEL, 4: IN_PROGRESS}

    written = await advance_tasks(
        store.pool, [replace(known[n].task, status=status) for n, status in ends.items()]
    )

    assert {1, 2, 3, 4} == written
    assert (PRICE, PRICE) == money(store, client)
    assert [(1, "charge"), (2, "release"), (3, "release")] == sorted(ledger(store)[4:])
    assert [4] == list(await followed(store))


async def test_a_task_that_changed_since_it_was_read_stays(store: Store) -> None:
    client = await token(store)
    await running(store, 1, client)
    task = (await followed(store))[1].task
    newer = replace(task, status=IN_PROGRESS, progress="62%")
    assert {1} == await advance_tasks(store.pool, [newer])

    assert set() == await advance_tasks(store.pool, [replace(newer, progress="31%")])
    assert set() == await advance_tasks(store.pool, [replace(task, status=SUCCESS)])

    assert [("62%", task.version + 1)] == query(store, "select progress, version from tasks")
    assert (PRICE, 0) == money(store, client)


async def test_an_end_is_paid_once(store: Store) -> None:
    client = await token(store)
    await running(store, 1, client)
    task = (await followed(store))[1].task

    for status in (SUCCESS, SUCCESS, FAILURE):
        await advance_tasks(store.pool, [replace(task, status=status)])

    assert (0, PRICE) == money(store, client)
    assert [(1, "hold"), (1, "charge")] == ledger(store)


async def test_a_late_success_is_given_and_free(store: Store) -> None:
    client = await token(store)
    await running(store, 1, client)
    task = (await followed(store))[1].task
    ended = replace(task, status=FAILURE, fail_reason="late", ended_by=DEADLINE)
    assert {1} == await advance_tasks(store.pool, [ended])
    assert set() == await advance_tasks(store.pool, [replace(ended, version=3, status=CANCEL)])

    late = replace(ended, version=3, status=SUCCESS, fail_reason=None, image_url="http://a")
    assert {1} == await advance_tasks(store.pool, [late])
    assert set() == await advance_tasks(store.pool, [replace(late, version=4, image_url="b")])

    assert [replace(late, version=4)] == await fetch_tasks(store.pool, client, [1])
    assert [("ended",)] == query(store, "select phase from tasks")
    assert (0, 0) == money(store, client)
    assert [(1, "hold"), (1, "release")] == ledger(store)


async def test_a_failure_of_the_upstream_is_final(store: Store) -> None:
    client = await token(store)
    await running(store, 1, client)
    failed = replace((await followed(store))[1].task, status=FAILURE)
    await advance_tasks(store.pool, [failed])

    assert set() == await advance_tasks(store.pool, [replace(failed, version=3, status=SUCCESS)])


async def test_one_bad_row_harms_no_other(store: Store) -> None:
    client = await token(store)
    for number in range(100):
        await running(store, number, client)
    query(store, "alter table tasks add constraint poison check (image_url <> 'poison')")
    bad: dict[int, dict[str, Any]] = {
        7: {"image_url": "poison"},
        8: {"image_url": "a\0b"},
        9: {"start_ms": 2**63},
        10: {"start_ms": 2**64},
        11: {"properties": {"finalPrompt": "\0"}},
        12: {"fail_reason": "\ud800"},
    }
    known = await followed(store)
    ended = [replace(each.task, status=SUCCESS) for each in known.values()]
    changed = [replace(task, **bad.get(task.id, {})) for task in ended]
    buttons: dict[int, list[Any]] = {n: [{"customId": "MJ"}] for n in range(20)}
    buttons[13] = [{"style": 10**40}]

    with capture_logs() as logs:
        written = await advance_tasks(store.pool, changed, buttons)

    refused = {*bad, 13}
    assert set(range(100)) - refused == written
    assert refused == {line["task"] for line in logs if line["event"] == "task refused"}
    assert (7 * PRICE, 93 * PRICE) == money(store, client)
    assert [([{"customId": "MJ"}],), (None,)] == query(
        store, "select buttons from tasks where id in (0, 20) order by id"
    )


async def test_running_tasks_are_met_with_what_following_needs(store: Store) -> None:
    client = await token(store)
    await running(store, 1, client)
    await running(store, 2, client, parent=1)
    known = await followed(store)

    assert [("up1", None, None), ("up2", 1, "up1")] == [
        (each.upstream_id, each.parent_id, each.parent_upstream_id) for each in known.values()
    ]
    assert all(590 < each.left_s <= 600 for each in known.values())
    [(number, moment_us)] = await accepted_since(store.pool, 1, 0, 1)
    assert (1, known[1].accepted_s) == (number, moment_us / 1e6)
    assert [2] == [task for task, _ in await accepted_since(store.pool, 1, moment_us, 9, after=1)]
    assert [] == await accepted_since(store.pool, 2, 0, 10)


async def test_of_tasks_accepted_at_one_moment_each_is_on_one_page(store: Store) -> None:
    client = await token(store)
    for number in (1, 2, 3):
        await running(store, number, client)
    query(store, "update tasks set accepted_at = '2026-01-01 00:00:00.123457+00'")

    [first, second] = await accepted_since(store.pool, 1, 0, 2)
    rest = await accepted_since(store.pool, 1, second[1], 2, second[0])

    assert [1, 2, 3] == [number for number, _ in (first, second, *rest)]
    assert 1 == len({moment_us for _, moment_us in (first, second, *rest)})


async def test_work_is_found_by_channel(store: Store) -> None:
    client = await token(store)
    await store.writer.admit(intent(1, client))
    assert ([], False) == (await channels_with_work(store.pool), await has_work(store.pool, 1))

    await store.writer.settle(settled(1, upstream_id="a"))

    assert ([1], True) == (await channels_with_work(store.pool), await has_work(store.pool, 1))


async def test_tasks_are_fetched_by_their_own_token_alone(store: Store) -> None:
    client, other = await token(store), await token(store)
    await running(store, 1, client)
    await running(store, 2, other)
    await store.writer.admit(intent(3, client))
    await store.writer.settle(settled(3, Phase.REJECTED))

    assert [1] == [task.id for task in await fetch_tasks(store.pool, client, [1, 2, 3, 4])]


async def test_parents_are_found_by_their_own_token_alone(store: Store) -> None:
    client, other = await token(store), await token(store)
    await running(store, 1, client)

    parent = await find_parent(store.pool, client, 1)

    assert parent is not None
    assert (1, 1, "running", "NOT_START", "up1", "a fox", None) == (
        parent.id,
        parent.channel,
        parent.phase,
        parent.status,
        parent.upstream_id,
        parent.prompt,
        parent.buttons,
    )
    assert await find_parent(store.pool, other, 1) is None


async def test_bound_tasks_are_found_by_channel_and_token(store: Store) -> None:
    client, other = await token(store), await token(store)
    await running(store, 1, client)

    assert 1 == await find_bound(store.pool, client, 1, "up1")
    assert await find_bound(store.pool, other, 1, "up1") is None
    assert await find_bound(store.pool, client, 2, "up1") is None


async def test_only_a_task_that_is_being_sent_moves(store: Store) -> None:
    client = await token(store)
    await store.writer.admit(intent(1, client))
    await running(store, 2, client)

    for number in (1, 2):
        await move_task(store.pool, number, 9)

    assert [(9,), (1,)] == query(store, "select channel_id from tasks order by id")


async def test_a_send_past_its_deadline_is_unknown(store: Store) -> None:
    client = await token(store)
    await store.writer.admit(intent(1, client, send_s=-1))
    await store.writer.admit(intent(2, client))
    await running(store, 3, client, send_s=-1)

    assert [1] == await mark_unknown(store.pool, 600)

    assert ["unknown", "sending", "running"] == [
        phase for (phase,) in query(store, "select phase from tasks order by id")
    ]
    assert [(True,)] == query(
        store, "select deadline between now() + '9 min' and now() + '10 min' from tasks where id=1"
    )
    assert (3 * PRICE, 0) == money(store, client)


async def test_an_unknown_task_has_the_deadline_of_its_channel(store: Store) -> None:
    client = await token(store)
    settings = {"dialect": "novicezk", "priority": 0, "weight": 1, "state": "enabled"}
    settings |= {"base_url": "http://a", "models": ["midjourney"], "deadline_s": 60}
    await add_channel(store.pool, store.cipher, "one", settings)
    [(where,)] = query(store, "select id from channels")
    await store.writer.admit(intent(1, client, channel=where, send_s=-1))

    await mark_unknown(store.pool, 600)

    assert [(True,)] == query(store, "select deadline between now() and now() + '1 min' from tasks")


async def test_an_answer_that_comes_after_all_still_counts(store: Store) -> None:
    client = await token(store)
    await store.writer.admit(intent(1, client, send_s=-1))
    await mark_unknown(store.pool, 600)

    await store.writer.settle(settled(1, upstream_id="late"))

    assert [("running", "late")] == query(store, "select phase, upstream_id from tasks")


async def test_overdue_tasks_are_those_past_their_own_deadline(store: Store) -> None:
    client = await token(store)
    for number in (1, 2):
        await store.writer.admit(intent(number, client))
    await store.writer.settle(settled(1, upstream_id="a", deadline_s=-1))
    await store.writer.settle(settled(2, upstream_id="b"))

    assert [1] == [task.id for task in await overdue_tasks(store.pool, 10)]
