"""Taking up what a process left behind."""

from dataclasses import replace

from structlog.testing import capture_logs

from mjgate.domain.task import Phase
from mjgate.gate import Gate
from mjgate.services.sweep import sweep
from mjgate.store.tasks import fetch_tasks
from tests.services.gates import client
from tests.store.rows import PRICE, intent, ledger, money, query, settled

NOW = 1_800_000_000_000


async def test_a_send_that_was_left_is_unknown_and_its_hold_stays(gate: Gate) -> None:
    owner = await client(gate)
    await gate.store.writer.admit(intent(1, owner.id, send_s=-1))
    await gate.store.writer.admit(intent(2, owner.id))

    with capture_logs() as logs:
        assert [1] == await sweep(gate)

    assert [("unknown",), ("sending",)] == query(gate.store, "select phase from tasks order by id")
    assert (2 * PRICE, 0) == money(gate.store, owner.id)
    assert [[1]] == [line["tasks"] for line in logs]


async def test_overdue_tasks_fail_and_their_holds_are_released(gate: Gate) -> None:
    owner = await client(gate)
    for number in range(3):
        await gate.store.writer.admit(intent(number, owner.id))
    await gate.store.writer.settle(settled(0, upstream_id="a", deadline_s=-1))
    await gate.store.writer.settle(settled(1, Phase.UNKNOWN, deadline_s=-1))
    await gate.store.writer.settle(settled(2, upstream_id="c"))

    assert [1] == await sweep(replace(gate, clock=lambda: NOW))

    tasks = sorted(await fetch_tasks(gate.store.pool, owner.id, [0, 1, 2]), key=lambda t: t.id)
    assert ["FAILURE", "FAILURE", "NOT_START"] == [task.status for task in tasks]
    assert ("上游任务超时", NOW, None) == (
        tasks[0].fail_reason,
        tasks[0].finish_ms,
        tasks[0].progress,
    )
    assert ["deadline", "deadline", None] == [task.ended_by for task in tasks]
    assert (PRICE, 0) == money(gate.store, owner.id)
    assert [(0, "release"), (1, "release")] == sorted(ledger(gate.store)[3:])


async def test_more_than_one_batch_is_ended(gate: Gate) -> None:
    owner = await client(gate)
    query(
        gate.store,
        "insert into tasks (id, token_id, channel_id, action, model, price, phase, marker, "
        "send_deadline, deadline, status, submit_ms) select n, %s, 1, 'IMAGINE', 'm', 0, "
        "'running', 'm', now(), now() - interval '1 s', 'NOT_START', 1 "
        "from generate_series(1, 1100) n",
        owner.id,
    )

    assert [] == await sweep(gate)

    assert [(1100,)] == query(gate.store, "select count(*) from tasks where status = 'FAILURE'")


async def test_a_task_that_cannot_be_ended_does_not_hold_up_the_sweep(gate: Gate) -> None:
    owner = await client(gate)
    for number in (1, 2):
        await gate.store.writer.admit(intent(number, owner.id))
        await gate.store.writer.settle(settled(number, upstream_id=f"u{number}", deadline_s=-1))
    query(
        gate.store,
        "alter table tasks add constraint poison check (id <> 1 or status <> 'FAILURE')",
    )

    with capture_logs() as logs:
        assert [1] == await sweep(gate)

    assert [("NOT_START",), ("FAILURE",)] == query(
        gate.store, "select status from tasks order by id"
    )
    assert {1} == {line["task"] for line in logs}


async def test_what_was_used_is_added_up(gate: Gate) -> None:
    owner = await client(gate)
    query(
        gate.store,
        "insert into ledger (token_id, kind, held_delta, spent_delta, created_at) "
        "values (%s, 'adjust', 0, 5, now() - interval '1 hour')",
        owner.id,
    )

    for _ in range(2):
        await sweep(gate)

    assert [(owner.id, 5)] == query(gate.store, "select token_id, spent from usage_totals")


async def test_a_second_sweep_changes_nothing(gate: Gate) -> None:
    owner = await client(gate)
    await gate.store.writer.admit(intent(1, owner.id))
    await gate.store.writer.settle(settled(1, upstream_id="a", deadline_s=-1))

    for _ in range(3):
        await sweep(gate)

    assert [(1, "hold"), (1, "release")] == ledger(gate.store)
