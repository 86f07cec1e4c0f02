"""Locks that one process of a cluster holds; they end with its connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mjgate.store.connect import connect

_CHANNEL = 0x6D6A


@asynccontextmanager
async def channel_lock(uri: str, channel: int) -> AsyncIterator[bool]:
    """Whether this process alone follows a channel, for as long as the block lasts."""
    async with await connect(uri, f"channel {channel}") as connection:
        cursor = await connection.execute(
            "select pg_try_advisory_lock(%s, %s)", [_CHANNEL, channel]
        )
        row = await cursor.fetchone()
        yield bool(row and row[0])
