"""How this program connects to PostgreSQL."""

from psycopg import AsyncConnection

_TIMEOUT_S = 5


async def connect(uri: str, name: str) -> AsyncConnection:
    """A connection of its own, in autocommit; `name` is what operators see it as."""
    connection = await AsyncConnection.connect(
        uri, autocommit=True, connect_timeout=_TIMEOUT_S, application_name=f"mjgate {name}"
    )
    await tune(connection)
    return connection


async def tune(connection: AsyncConnection) -> None:
    """Plans are kept for the life of a connection: one made while a table was small would
    read all of it for ever after."""
    await connection.execute("set enable_seqscan = off")
