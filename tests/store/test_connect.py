"""A connection of the pool is one that lives."""

import select

import psycopg
from psycopg_pool import AsyncConnectionPool

from mjgate.store.database import open_pool
from tests.harness import until
from tests.store.rows import query_at, terminate

ALIVE = "select from pg_stat_activity where pid = %s"


async def backend(pool: AsyncConnectionPool) -> int:
    async with pool.connection() as connection:
        return connection.info.backend_pid


async def test_a_connection_that_has_ended_is_replaced(database: str) -> None:
    async with open_pool(database, size=1) as pool:
        ended = await backend(pool)
        assert 1 == terminate(database, "mjgate")
        await until(lambda: [] == query_at(database, ALIVE, ended))
        assert ended != await backend(pool)


async def test_a_connection_that_was_told_something_is_still_one(database: str) -> None:
    async with open_pool(database, size=1) as pool:
        async with pool.connection() as connection:
            await connection.execute("listen news")
            same = connection.info.backend_pid
            with psycopg.connect(database, autocommit=True) as other:
                other.execute("notify news")
            await until(lambda: _hears(connection))
        assert same == await backend(pool)


def _hears(connection: psycopg.AsyncConnection) -> bool:
    """Whether something waits to be read."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
