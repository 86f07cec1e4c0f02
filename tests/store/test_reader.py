"""Fetches that wait are one query."""

import asyncio

import psycopg
import pytest

from mjgate.domain.task import Phase
from mjgate.errors import StoreDown
from mjgate.store.database import Store
from mjgate.store.reader import Reader
from tests.store.rows import intent, query, running, settled, terminate, token


async def test_a_task_is_read_by_its_own_token_alone(store: Store) -> None:
    client, other = await token(store), await token(store)
    await running(store, 1, client)
    await store.writer.admit(intent(2, client))
    await store.writer.settle(settled(2, Phase.REJECTED))

    own, strange, rejected, missing = await asyncio.gather(
        store.reader.task(client, 1),
        store.reader.task(other, 1),
        store.reader.task(client, 2),
        store.reader.task(client, 3),
    )

    assert own is not None
    assert (1, "a fox", "NOT_START") == (own.id, own.prompt, own.status)
    assert [None, None, None] == [strange, rejected, missing]


async def test_what_was_written_is_read_at_once(store: Store) -> None:
    client = await token(store)
    for number in range(20):
        await store.writer.admit(intent(number, client))
        assert await store.reader.task(client, number) is not None


async def test_a_connection_that_was_ended_is_made_again(store: Store) -> None:
    client = await token(store)
    await running(store, 1, client)
    assert 1 == terminate(store.uri, "mjgate reader")

    assert await store.reader.task(client, 1) is not None


async def test_a_reader_that_goes_away_harms_nobody(store: Store) -> None:
    client = await token(store)
    await running(store, 1, client)
    reads = [asyncio.create_task(store.reader.task(client, 1)) for _ in range(3)]
    await asyncio.sleep(0)
    reads[1].cancel()

    done = await asyncio.gather(*reads, return_exceptions=True)

    assert [1, 1] == [
        task.id for task in (done[0], done[2]) if not isinstance(task, BaseException | None)
    ]


async def test_a_fault_is_told_to_all_that_wait_and_then_it_reads_on(store: Store) -> None:
    client = await token(store)
    await running(store, 1, client)
    query(store, "alter table tasks rename to away")
    reads = [asyncio.create_task(store.reader.task(client, 1)) for _ in range(3)]
    await asyncio.sleep(0)
    reads[0].cancel()

    done = await asyncio.gather(*reads, return_exceptions=True)

    assert [StoreDown, StoreDown] == [type(each) for each in done[1:]]
    query(store, "alter table away rename to tasks")
    assert await store.reader.task(client, 1) is not None


async def test_a_database_that_stays_away_is_said_so(store: Store, postgres: str) -> None:
    name = store.uri.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"alter database {name} allow_connections false".encode())
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s "
            "and application_name = 'mjgate reader'",
            [name],
        )

        with pytest.raises(StoreDown, match="not currently accepting connections"):
            await store.reader.task(1, 1)
        admin.execute(f"alter database {name} allow_connections true".encode())

    assert await store.reader.task(1, 1) is None


async def test_one_that_never_started_can_be_stopped(store: Store) -> None:
    await Reader(store.uri).stop()
