"""Tasks that finished long ago are deleted; what their money came to stays provable."""

import psycopg
import pytest
from msgspec.structs import replace

from mjgate.domain.send import Claim, Conclusion
from mjgate.domain.task import DEADLINE, FAILURE, SUCCESS, Phase
from mjgate.domain.usage import Total
from mjgate.store.audit import audit
from mjgate.store.claims import recall
from mjgate.store.database import Store
from mjgate.store.ledger import list_entries
from mjgate.store.retention import forget_tasks
from mjgate.store.tasks import advance_tasks, fetch_tasks
from mjgate.store.usage import fold_usage, sum_entries
from mjgate.store.usage import list_entries as usage_lines
from tests.store.rows import PRICE, intent, ledger, money, query, running, settled, token
from tests.store.test_usage import EVER

DAYS, MANY = 30, 100
CLAIM = Claim("k", "00" * 32)


async def ended(store: Store, owner: int, number: int, status: str = SUCCESS, **more: str) -> None:
    """A task that ran and has ended now."""
    await running(store, number, owner, price_version=0)
    [task] = await fetch_tasks(store.pool, owner, [number])
    await advance_tasks(store.pool, [replace(task, status=status, **more)])


def aged(store: Store, days: float = DAYS + 1, *numbers: int) -> None:
    """As if so many days had gone by since these tasks finished, or all."""
    query(
        store,
        "update tasks set ended_at = ended_at - %s * interval '1 day', "
        "accepted_at = accepted_at - %s * interval '1 day' "
        "where %s::bigint[] = '{}' or id = any(%s::bigint[])",
        days,
        days,
        list(numbers),
        list(numbers),
    )


def left(store: Store) -> list[int]:
    return [number for (number,) in query(store, "select id from tasks order by id")]


async def mixed(store: Store) -> int:
    """A token with a task for each way to finish, 1 to 4."""
    owner = await token(store)
    await ended(store, owner, 1)
    await ended(store, owner, 2, FAILURE)
    await ended(store, owner, 3, FAILURE, ended_by=DEADLINE)
    await store.writer.admit(intent(4, owner))
    await store.writer.settle(settled(4, Phase.REJECTED))
    return owner


async def test_what_finished_long_ago_goes_and_its_ledger_stays(store: Store) -> None:
    owner = await mixed(store)
    entries = ledger(store)
    aged(store)
    await ended(store, owner, 5)

    assert 4 == await forget_tasks(store.pool, DAYS, MANY)

    assert [5] == left(store)
    assert entries == ledger(store)[:8]
    assert (0, 2 * PRICE) == money(store, owner)
    assert ["charge", "hold"] == [
        entry.kind for entry in await list_entries(store.pool, 10, task=1)
    ]
    assert 0 == await forget_tasks(store.pool, DAYS, MANY)


async def test_what_has_not_finished_stays_however_old_it_is(store: Store) -> None:
    owner = await token(store)
    await store.writer.admit(intent(1, owner))
    await running(store, 2, owner)
    await store.writer.admit(intent(3, owner))
    await store.writer.settle(settled(3, Phase.UNKNOWN))
    aged(store, 1000)

    assert 0 == await forget_tasks(store.pool, DAYS, MANY)


async def test_the_oldest_go_first_and_no_more_than_are_asked_for(store: Store) -> None:
    owner = await token(store)
    for number, days in ((1, 40), (2, 60), (3, 50), (4, 29)):
        await ended(store, owner, number)
        aged(store, days, number)

    assert 2 == await forget_tasks(store.pool, DAYS, 2)
    assert [1, 4] == left(store)
    assert 1 == await forget_tasks(store.pool, DAYS, 2)
    assert [4] == left(store)


async def test_nothing_goes_within_a_day_whatever_is_asked_for(store: Store) -> None:
    owner = await mixed(store)
    aged(store, 0.9)
    assert 0 == await forget_tasks(store.pool, 0, MANY)

    aged(store, 0.2)
    assert 4 == await forget_tasks(store.pool, 0, MANY)
    assert (0, PRICE) == money(store, owner)


@pytest.mark.parametrize("phase", ["sending", "unknown", "running"])
async def test_the_parent_of_a_task_that_has_not_ended_stays(store: Store, phase: str) -> None:
    owner = await token(store)
    await ended(store, owner, 1)
    await running(store, 2, owner, parent=1)
    query(store, "update tasks set phase = %s where id = 2", phase)
    aged(store)
    assert 0 == await forget_tasks(store.pool, DAYS, MANY)

    query(store, "update tasks set phase = 'running' where id = 2")
    [task] = await fetch_tasks(store.pool, owner, [2])
    await advance_tasks(store.pool, [replace(task, status=SUCCESS)])
    assert 1 == await forget_tasks(store.pool, DAYS, MANY)
    assert [2] == left(store)


async def test_a_task_stays_while_its_callback_waits_and_takes_all_with_it(store: Store) -> None:
    owner = await token(store)
    for number in (1, 2):
        await ended(store, owner, number)
    query(store, "update tasks set hook = 'http://hook', image_url = 'http://picture'")
    query(store, "select queue_deliveries(array[1, 2]), keep_pictures(array[1, 2])")
    query(store, "update deliveries set state = 'delivered' where task_id = 2")
    query(
        store,
        "insert into attempts (task_id, claim, version, outcome, ms, made_at) "
        "select n, 1, 1, 'failed', 1, now() from generate_series(1, 2) n",
    )
    aged(store)
    assert 1 == await forget_tasks(store.pool, DAYS, MANY)
    assert [1] == left(store)
    for table in ("deliveries", "attempts"):
        assert [(1,)] == query(store, f"select task_id from {table}")
    assert [(1, "waiting"), (2, "dropped")] == query(
        store, "select task_id, state from pictures order by task_id"
    )

    query(store, "update deliveries set state = 'given up'")
    assert 1 == await forget_tasks(store.pool, DAYS, MANY)
    assert [] == query(store, "select task_id from deliveries")


async def test_a_task_that_another_transaction_is_about_is_left_for_later(store: Store) -> None:
    owner = await token(store)
    for number in (1, 2):
        await ended(store, owner, number)
    aged(store)
    async with await psycopg.AsyncConnection.connect(store.uri) as other:
        await other.execute("select from tasks where id = 1 for update")
        assert 1 == await forget_tasks(store.pool, DAYS, MANY)
        assert [1] == left(store)

    assert 1 == await forget_tasks(store.pool, DAYS, MANY)


async def test_the_audit_proves_a_ledger_whose_tasks_were_deleted(store: Store) -> None:
    await mixed(store)
    assert await fold_usage(store.pool, 0, margin_s=0)
    aged(store)
    assert 4 == await forget_tasks(store.pool, DAYS, MANY)

    found = await audit(store.pool)

    assert ([], 0, 8) == (found.breaches, found.tasks, found.entries)


@pytest.mark.parametrize(
    ("statements", "rule"),
    [
        ("delete from past_tasks where id = 2", "entry"),
        ("update ledger set spent_delta = 1 where task_id = 2 and kind = 'release'", "amount"),
        ("update ledger set period = '2026-01-01' where task_id = 2", "account"),
        ("delete from ledger where task_id = 2 and kind = 'hold'", "hold"),
        ("delete from ledger where task_id = 2 and kind = 'release'", "end"),
        ("update past_tasks set status = 'FAILURE' where id = 1", "charge"),
        ("update past_tasks set status = 'IN_PROGRESS' where id = 2", "phase"),
        ("update past_tasks set model = 'mj_upscale' where id = 1", "price"),
    ],
)
async def test_what_is_wrong_with_a_deleted_task_is_still_a_fault(
    store: Store, statements: str, rule: str
) -> None:
    await mixed(store)
    aged(store)
    await forget_tasks(store.pool, DAYS, MANY)

    query(store, statements)

    assert rule in [breach.rule.name for breach in (await audit(store.pool)).breaches]


@pytest.mark.parametrize("folded", ["before", "after", "never"])
async def test_usage_is_the_same_after_its_tasks_were_deleted(store: Store, folded: str) -> None:
    owner = await mixed(store)
    await ended(store, owner, 5)
    query(store, "update tasks set model = 'mj_zoom' where id = 5")
    if folded == "before":
        assert await fold_usage(store.pool, 0, margin_s=0)
    totals = await sum_entries(store.pool, owner, EVER)
    lines = await usage_lines(store.pool, owner, EVER, None, MANY)
    aged(store)

    assert 5 == await forget_tasks(store.pool, DAYS, MANY)
    if folded == "after":
        assert await fold_usage(store.pool, 0, margin_s=0)

    assert totals == await sum_entries(store.pool, owner, EVER)
    assert [
        Total("mj_imagine", 4, 1, 3, PRICE),
        Total("mj_zoom", 1, 1, 0, PRICE),
    ] == totals[1]
    assert lines == await usage_lines(store.pool, owner, EVER, None, MANY)


async def test_the_key_of_a_task_that_was_deleted_never_starts_another(store: Store) -> None:
    """Only a clock set forward gets here: keys are forgotten within a day, tasks after one."""
    owner = await token(store)
    await store.writer.admit(intent(1, owner, claim=CLAIM))
    done = Conclusion("k", 200, {"code": 1})
    await store.writer.settle(settled(1, upstream_id="a", claim=done))
    [task] = await fetch_tasks(store.pool, owner, [1])
    await advance_tasks(store.pool, [replace(task, status=SUCCESS)])
    aged(store)
    assert 1 == await forget_tasks(store.pool, DAYS, MANY)

    decision = await recall(store.pool, owner, CLAIM)

    assert decision is not None
    assert ({"code": 1}, []) == (decision.answer, (await audit(store.pool)).breaches)


async def test_a_deleted_task_is_not_found(store: Store) -> None:
    owner = await token(store)
    await ended(store, owner, 1)
    aged(store)
    await forget_tasks(store.pool, DAYS, MANY)

    assert [] == await fetch_tasks(store.pool, owner, [1])
    assert await store.reader.task(owner, 1) is None


async def test_old_tasks_are_found_by_their_index(store: Store) -> None:
    """Of many that finished only those that go are read."""
    owner = await token(store)
    query(
        store,
        "insert into tasks (id, token_id, channel_id, action, model, price, phase, marker, "
        "send_deadline, status, submit_ms, ended_at) select n, %s, 1, 'IMAGINE', 'm', 0, 'ended', "
        "'m', now(), 'SUCCESS', 1, now() - n * interval '1 hour' from generate_series(1, 5000) n",
        owner,
    )
    query(store, "analyze tasks")
    plan = query(
        store,
        "explain select id from tasks t where phase in ('ended', 'rejected') "
        "and coalesce(ended_at, accepted_at) < now() - interval '30 days' and not exists "
        "(select from tasks c where c.parent_id = t.id "
        "and c.phase in ('sending', 'unknown', 'running')) "
        "order by coalesce(ended_at, accepted_at) limit 500",
    )
    assert any("tasks_finished" in line for (line,) in plan), plan
    assert any("tasks_children" in line for (line,) in plan), plan
