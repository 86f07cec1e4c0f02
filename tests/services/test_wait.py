"""Waiting for a change of a task."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs

from mjgate.domain.task import DEADLINE, FAILURE, IN_PROGRESS, SUCCESS, Task
from mjgate.errors import StoreDown
from mjgate.gate import Gate
from mjgate.services.wait import Look, wait
from mjgate.store.tasks import advance_tasks
from tests.harness import until
from tests.services.gates import open_gate
from tests.store.rows import running, token

LONG_S = 30.0


def having(version: int) -> Callable[[Task], bool]:
    return lambda task: task.version == version


async def client_with_a_task(gate: Gate) -> tuple[int, Task]:
    client = await token(gate.store)
    await running(gate.store, 1, client)
    task = await gate.store.reader.task(client, 1)
    assert task is not None
    return client, task


async def advance(gate: Gate, task: Task, status: str = IN_PROGRESS, **more: Any) -> None:
    assert await advance_tasks(gate.store.pool, [structs.replace(task, status=status, **more)])


async def seated(gate: Gate, count: int = 1) -> None:
    await until(lambda: len(gate.store.waiters) == count)


async def test_a_task_that_is_another_already_is_answered_at_once(gate: Gate) -> None:
    client, task = await client_with_a_task(gate)
    assert Look(task, True) == await wait(gate, client, 1, having(task.version - 1), LONG_S)


async def test_a_task_is_answered_when_it_changes(gate: Gate) -> None:
    client, task = await client_with_a_task(gate)
    waiting = asyncio.create_task(wait(gate, client, 1, having(task.version), LONG_S))
    await seated(gate)

    await advance(gate, task)

    look = await waiting
    assert look.task is not None
    assert (IN_PROGRESS, task.version + 1, True) == (
        look.task.status,
        look.task.version,
        look.waited,
    )


async def test_a_task_that_does_not_change_is_answered_in_the_end(gate: Gate) -> None:
    client, task = await client_with_a_task(gate)
    assert Look(task, True) == await wait(gate, client, 1, having(task.version), 0.05)


async def test_news_that_are_none_are_waited_over(gate: Gate) -> None:
    client, task = await client_with_a_task(gate)
    waiting = asyncio.create_task(wait(gate, client, 1, lambda each: each.version < 4, LONG_S))
    await seated(gate)

    await advance(gate, task)
    await advance(gate, structs.replace(task, version=task.version + 1), progress="7%")

    look = await waiting
    assert look.task is not None
    assert "7%" == look.task.progress


async def test_no_task_is_not_waited_for(gate: Gate) -> None:
    client, _ = await client_with_a_task(gate)
    other = await token(gate.store)
    assert None is (await wait(gate, client, 9, having(1), LONG_S)).task
    assert None is (await wait(gate, other, 1, having(1), LONG_S)).task


async def test_a_task_that_has_ended_is_not_waited_for(gate: Gate) -> None:
    client, task = await client_with_a_task(gate)
    await advance(gate, task, SUCCESS)
    look = await wait(gate, client, 1, having(task.version + 1), LONG_S)
    assert look.task is not None
    assert (SUCCESS, False) == (look.task.status, look.waited)


async def test_a_task_that_we_have_ended_may_still_succeed(gate: Gate) -> None:
    client, task = await client_with_a_task(gate)
    await advance(gate, task, FAILURE, ended_by=DEADLINE)
    waiting = asyncio.create_task(wait(gate, client, 1, having(task.version + 1), LONG_S))
    await seated(gate)

    late = structs.replace(task, version=task.version + 1)
    await advance(gate, late, SUCCESS, ended_by=DEADLINE)

    look = await waiting
    assert look.task is not None
    assert (SUCCESS, True) == (look.task.status, look.waited)


@pytest.mark.parametrize("limits", [{"waits_per_token": 0}, {"waits": 0}])
async def test_where_too_many_wait_it_is_answered_at_once(
    database: str, limits: dict[str, int]
) -> None:
    async with open_gate(database, **limits) as gate:
        client, task = await client_with_a_task(gate)
        assert Look(task, False) == await wait(gate, client, 1, having(task.version), LONG_S)


async def test_a_process_that_stops_answers_as_it_is(gate: Gate) -> None:
    client, task = await client_with_a_task(gate)
    waiting = asyncio.create_task(wait(gate, client, 1, having(task.version), LONG_S))
    await seated(gate)

    gate.store.waiters.release()

    assert Look(task, False) == await waiting
    assert Look(task, False) == await wait(gate, client, 1, having(task.version), LONG_S)


async def test_a_database_out_of_reach_frees_the_place(gate: Gate) -> None:
    async def away(_token: int, _task: int) -> Task:
        raise StoreDown("gone")

    client, task = await client_with_a_task(gate)
    broken = SimpleNamespace(waiters=gate.store.waiters, reader=SimpleNamespace(task=away))
    with pytest.raises(StoreDown):
        await wait(replace(gate, store=broken), client, 1, having(task.version), LONG_S)  # type: ignore[arg-type]
    assert 0 == len(gate.store.waiters)
