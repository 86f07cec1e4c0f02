"""Locks that one process of a cluster holds; they end with its connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from psycopg import AsyncConnection, Connection, errors

from mjgate.store.connect import connect

_CHANNEL = 0x6D6A
_SERVES = 0x6D6A73657276
_DELIVERY = 0x6D6A64656C
_KEEPALIVE = (
    "select set_config('tcp_keepalives_idle', '10', false), "
    "set_config('tcp_keepalives_interval', '3', false), "
    "set_config('tcp_keepalives_count', '3', false)"
)


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that this process holds for as long as a connection lives."""

    connection: AsyncConnection

    async def check(self) -> None:
        """Proves that it is still held.

        Raises:
            OperationalError: the connection is gone, and the lock with it.
        """
        await self.connection.execute("select 1")


@asynccontextmanager
async def channel_lock(uri: str, channel: int) -> AsyncIterator[Lock | None]:
    """Whether this process alone follows a channel, for as long as the block lasts.

    Of a machine that is cut off, the database learns within twenty seconds.
    """
    async with await connect(uri, f"channel {channel}") as connection:
        yield Lock(connection) if await _try(connection, "%s, %s", _CHANNEL, channel) else None


@asynccontextmanager
async def delivery_lock(uri: str) -> AsyncIterator[Lock | None]:
    """Whether this process alone delivers callbacks, for as long as the block lasts."""
    async with await connect(uri, "deliveries") as connection:
        yield Lock(connection) if await _try(connection, "%s", _DELIVERY) else None


async def _try(connection: AsyncConnection, places: str, *numbers: int) -> bool:
    await connection.execute(_KEEPALIVE)
    statement = f"select pg_try_advisory_lock({places})"
    row = await (await connection.execute(statement.encode(), numbers)).fetchone()
    return bool(row and row[0])


async def say_serving(connection: AsyncConnection) -> None:
    """Says that a process serves this database, for as long as the connection lives."""
    await connection.execute("select pg_advisory_lock_shared(%s)", [_SERVES])


def nobody_serves(connection: Connection) -> bool:
    """Whether no process serves; then none begins to before this transaction has ended.

    The connection of one that has just ended may take a moment to be gone. Where one serves,
    this transaction is lost.
    """
    connection.execute("set local lock_timeout = '2s'")
    try:
        connection.execute("select pg_advisory_xact_lock(%s)", [_SERVES])
    except errors.LockNotAvailable:
        return False
    connection.execute("set local lock_timeout = 0")
    return True
