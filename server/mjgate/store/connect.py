"""How this program connects to PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection

_TIMEOUT_S = 5


async def connect(uri: str, name: str) -> AsyncConnection:
    """A connection of its own, in autocommit; `name` is what operators see it as."""
    connection = await AsyncConnection.connect(
        uri, autocommit=True, connect_timeout=_TIMEOUT_S, application_name=f"mjgate {name}"
    )
    async with prepared(connection):
        await tune(connection)
    return connection


@asynccontextmanager
async def prepared(connection: AsyncConnection) -> AsyncIterator[None]:
    """Closes a new connection that the block could not make ready."""
    try:
        yield
    except BaseException:
        await connection.close()
        raise


async def tune(connection: AsyncConnection) -> None:
    """Plans are kept for the life of a connection: one made while a table was small would
    read all of it for ever after."""
    await connection.execute("set enable_seqscan = off")
