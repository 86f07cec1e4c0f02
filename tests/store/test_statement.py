"""One statement on a connection of its own, whatever happens to the connection."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from mjgate.store.connect import connect
from mjgate.store.database import Store
from mjgate.store.statement import Statement
from tests.store.rows import terminate

DOUBLE = "select n, n * 2, 'é' from unnest($1::bigint[]) n"
SLOW = "select pg_sleep($1::float8)"
LONG = "select length($1), repeat('x', $2::int)"
NAME = "statement"


@pytest.fixture
async def double(store: Store) -> AsyncIterator[Statement]:
    statement = await Statement.prepare(await connect(store.uri, NAME), DOUBLE)
    yield statement
    await statement.close()


async def test_rows_come_as_python_values(double: Statement) -> None:
    assert [(1, 2, "é"), (2**40, 2**41, "é")] == await double.run([b"{1,1099511627776}"])
    assert [] == await double.run([b"{}"])
    assert [] == await double.run([None])


async def test_a_refused_run_raises_its_error_and_the_next_one_works(double: Statement) -> None:
    with pytest.raises(psycopg.errors.InvalidTextRepresentation, match="nonsense"):
        await double.run([b"nonsense"])
    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
        await double.run([b"{9223372036854775807}"])

    assert [(3, 6, "é")] == await double.run([b"{3}"])


async def test_a_connection_is_set_to_notice_a_host_that_vanishes(store: Store) -> None:
    connection = await connect(store.uri, NAME)
    settings = connection.info.get_parameters()
    await connection.close()

    assert ("10", "20000") == (settings["keepalives_idle"], settings["tcp_user_timeout"])


async def test_a_statement_that_cannot_be_prepared_leaves_no_connection(store: Store) -> None:
    connection = await connect(store.uri, NAME)

    with pytest.raises(psycopg.errors.UndefinedTable):
        await Statement.prepare(connection, "select from nowhere")

    assert connection.closed


async def test_parameters_and_rows_beyond_a_socket_buffer_arrive_whole(store: Store) -> None:
    statement = await Statement.prepare(await connect(store.uri, NAME), LONG)
    size = 20 * 1024 * 1024

    [(received, sent)] = await statement.run([b"y" * size, str(size).encode()])
    await statement.close()

    assert (size, "x" * size) == (received, sent)


async def test_a_connection_that_is_ended_fails_the_run_that_waits(store: Store) -> None:
    statement = await Statement.prepare(await connect(store.uri, NAME), SLOW)
    waiting = asyncio.create_task(statement.run([b"60"]))
    async with asyncio.timeout(20):
        while not terminate(store.uri, f"mjgate {NAME}"):
            await asyncio.sleep(0.01)

    with pytest.raises(psycopg.OperationalError):
        await waiting
    with pytest.raises(psycopg.OperationalError):
        await statement.run([b"0"])
    await statement.close()


async def test_a_connection_that_ended_meanwhile_fails_the_next_run(
    store: Store, double: Statement
) -> None:
    assert 1 == terminate(store.uri, f"mjgate {NAME}")

    with pytest.raises(psycopg.OperationalError):
        await double.run([b"{1}"])


async def test_closing_ends_a_run_that_waits(store: Store) -> None:
    statement = await Statement.prepare(await connect(store.uri, NAME), SLOW)
    waiting = asyncio.create_task(statement.run([b"60"]))
    await asyncio.sleep(0)

    await statement.close()

    with pytest.raises(psycopg.OperationalError, match="closed"):
        await waiting
