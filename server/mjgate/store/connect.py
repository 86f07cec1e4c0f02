"""How this program connects to PostgreSQL."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection

_TIMEOUT_S = 5
KEEPALIVE: Mapping[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""libpq's settings by which a host that has vanished is noticed within twenty seconds."""


async def connect(uri: str, name: str) -> AsyncConnection:
    """A connection of its own, in autocommit; `name` is what operators see it as."""
    connection = await AsyncConnection.connect(
        uri,
        autocommit=True,
        connect_timeout=_TIMEOUT_S,
        application_name=f"mjgate {name}",
        **KEEPALIVE,
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
