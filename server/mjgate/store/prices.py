"""Versions of the price table; a version is never edited."""

from collections.abc import Mapping
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.types.json import Json
from psycopg_pool import AsyncConnectionPool

from mjgate.domain.price import DOCUMENTED, PriceTable


async def current_prices(pool: AsyncConnectionPool) -> PriceTable:
    """The newest version; version 0 is the documented table."""
    async with pool.connection() as connection:
        return await _current(connection)


async def price_history(pool: AsyncConnectionPool) -> list[tuple[PriceTable, datetime | None]]:
    """All versions, oldest first, and when they were set: the documented one always was."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select version, prices, created_at from prices order by version"
        )
        set_since = [(PriceTable(*row[:2]), row[2]) for row in await cursor.fetchall()]
    return [(PriceTable(0, DOCUMENTED), None), *set_since]


async def set_prices(
    pool: AsyncConnectionPool, prices: Mapping[str, int]
) -> tuple[PriceTable, int]:
    """A new version of the whole table, in micro-dollars; none where nothing changes.

    Returns the table that was in force, and the version that is now.
    """
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("lock prices in share row exclusive mode")
        before = await _current(connection)
        if before.prices == prices:
            return before, before.version
        cursor = await connection.execute(
            "insert into prices (prices) values (%s) returning version", [Json(dict(prices))]
        )
        row = await cursor.fetchone()
    assert row is not None
    return before, int(row[0])


async def _current(connection: AsyncConnection) -> PriceTable:
    cursor = await connection.execute(
        "select version, prices from prices order by version desc limit 1"
    )
    row = await cursor.fetchone()
    return PriceTable(*row) if row else PriceTable(0, DOCUMENTED)
