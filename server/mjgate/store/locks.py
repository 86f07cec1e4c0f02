"""Locks that one process of a cluster holds; they end with its connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection, Connection, errors

from mjgate.store.connect import connect

_CHANNEL = 0x6D6A
_SERVES = 0x6D6A73657276
_DELIVERY = 0x6D6A64656C


@asynccontextmanager
async def channel_lock(uri: str, channel: int) -> AsyncIterator[bool]:
    """Whether this process alone follows a channel, for as long as the block lasts."""
    async with await connect(uri, f"channel {channel}") as connection:
        yield await _try(connection, "%s, %s", _CHANNEL, channel)


@asynccontextmanager
async def delivery_lock(uri: str) -> AsyncIterator[bool]:
    """Whether this process alone delivers callbacks, for as long as the block lasts."""
    async with await connect(uri, "deliveries") as connection:
        yield await _try(connection, "%s", _DELIVERY)


async def _try(connection: AsyncConnection, places: str, *numbers: int) -> bool:
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
