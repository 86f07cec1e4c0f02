"""Those who wait for a change of a task are told of it, whatever becomes of notifications."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from mjgate.domain.task import IN_PROGRESS, Task
from mjgate.store.database import Store
from mjgate.store.tasks import advance_tasks, bind_found
from mjgate.store.waiters import Seat, Waiters
from tests.harness import until
from tests.store.rows import query, running, terminate, token

LONG_S = 30.0
MOST = 100


@pytest.fixture
async def client(store: Store) -> int:
    """A token with the running tasks 1 to 3."""
    client = await token(store)
    for number in (1, 2, 3):
        await running(store, number, client)
    return client


@pytest.fixture
async def deaf(store: Store) -> AsyncIterator[Waiters]:
    """Waiters whom no notification reaches."""
    waiters = Waiters(store.pool)
    await waiters.start()
    yield waiters
    await waiters.stop()


async def read(store: Store, client: int, number: int) -> Task:
    task = await store.reader.task(client, number)
    assert task is not None
    return task


async def advance(store: Store, client: int, number: int) -> None:
    task = await read(store, client, number)
    changed = replace(task, status=IN_PROGRESS, progress=f"{task.version}%")
    assert {number} == await advance_tasks(store.pool, [changed])


async def told(waiters: Waiters, client: int, number: int, version: int) -> bool:
    with waiters.seat(client, number, MOST, MOST) as seat:
        assert seat is not None
        return await seat.told(version, LONG_S)


async def seated(waiters: Waiters, count: int) -> None:
    await until(lambda: len(waiters) == count)


async def test_a_change_is_told_to_those_who_wait_for_it_alone(store: Store, client: int) -> None:
    await until(lambda: store.changes.listening)
    version = (await read(store, client, 1)).version
    waits = [asyncio.create_task(told(store.waiters, client, n, version)) for n in (1, 1, 2)]
    await seated(store.waiters, 3)

    await advance(store, client, 1)

    assert [True, True] == await asyncio.gather(*waits[:2])
    assert not waits[2].done()
    await advance(store, client, 2)
    assert await waits[2]
    assert 0 == len(store.waiters)


async def test_a_change_that_nobody_tells_of_is_seen_all_the_same(
    store: Store, deaf: Waiters, client: int
) -> None:
    version = (await read(store, client, 1)).version
    waits = [asyncio.create_task(told(deaf, client, 1, version)) for _ in range(3)]
    await seated(deaf, 3)

    await advance(store, client, 1)

    assert [True] * 3 == await asyncio.gather(*waits)


async def test_a_task_that_is_found_again_is_seen(store: Store, client: int) -> None:
    query(store, "update tasks set phase = 'unknown', upstream_id = null where id = 1")
    wait = asyncio.create_task(told(store.waiters, client, 1, 2))
    await seated(store.waiters, 1)

    assert await bind_found(store.pool, 1, "theirs")

    assert await wait


async def test_a_task_that_is_no_more_is_told(store: Store, deaf: Waiters, client: int) -> None:
    wait = asyncio.create_task(told(deaf, client, 1, 2))
    await seated(deaf, 1)

    query(store, "delete from tasks where id = 1")

    assert await wait


async def test_a_notification_without_ids_has_all_looked_at(store: Store, client: int) -> None:
    await until(lambda: store.changes.listening)
    wait = asyncio.create_task(told(store.waiters, client, 1, 2))
    await seated(store.waiters, 1)

    query(store, "update tasks set version = 9 where id = 1")
    query(store, "select announce_tasks(array(select generate_series(1, 401)))")

    assert await wait


async def test_a_change_while_one_looks_oneself_is_told_afterwards() -> None:
    seat = Seat()
    seat.tell()

    assert await seat.told(1, LONG_S)
    assert not await seat.told(1, 0)


async def test_a_wait_ends_when_its_time_is_over(store: Store, client: int) -> None:
    with store.waiters.seat(client, 1, MOST, MOST) as seat:
        assert seat is not None
        assert not await seat.told(2, 0.01)


async def test_places_of_a_token_and_of_all_are_counted(store: Store) -> None:
    waiters = store.waiters
    with waiters.seat(1, 1, 2, 3) as first, waiters.seat(1, 2, 2, 3) as second:
        with waiters.seat(1, 1, 2, 3) as third, waiters.seat(2, 1, 2, 3) as other:
            assert first and second and other
            assert third is None
            with waiters.seat(3, 1, 2, 3) as one_too_many:
                assert one_too_many is None
        with waiters.seat(3, 1, 2, 3) as late:
            assert late
    assert 0 == len(waiters)


async def test_one_who_goes_away_frees_the_place(store: Store, client: int) -> None:
    wait = asyncio.create_task(told(store.waiters, client, 1, 2))
    await seated(store.waiters, 1)

    wait.cancel()

    await asyncio.wait([wait])
    assert 0 == len(store.waiters)


async def test_release_ends_all_waiting_and_lets_nobody_in(store: Store, client: int) -> None:
    waits = [asyncio.create_task(told(store.waiters, client, n, 2)) for n in (1, 1, 2)]
    await seated(store.waiters, 3)

    store.waiters.release()

    assert [False] * 3 == await asyncio.gather(*waits)
    with store.waiters.seat(client, 1, MOST, MOST) as seat:
        assert seat is None


async def test_after_an_outage_of_the_database_they_are_looked_at_again(
    store: Store, deaf: Waiters, client: int
) -> None:
    with capture_logs() as logs:
        query(store, "alter table tasks rename to away")
        wait = asyncio.create_task(told(deaf, client, 1, 2))
        await until(lambda: "waiting tasks are not looked at" in {log["event"] for log in logs})
        query(store, "alter table away rename to tasks")
        query(store, "update tasks set version = 9 where id = 1")

        assert await wait


async def test_a_listener_that_was_away_has_all_looked_at(store: Store, client: int) -> None:
    await until(lambda: store.changes.listening)
    wait = asyncio.create_task(told(store.waiters, client, 1, 2))
    await seated(store.waiters, 1)

    assert 1 == terminate(store.uri, "mjgate changes")
    await advance(store, client, 1)

    assert await wait


async def test_one_that_never_started_can_be_stopped(store: Store) -> None:
    await Waiters(store.pool).stop()
