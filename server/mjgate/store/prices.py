"""Versions of the price table; a version is never edited."""

from collections.abc import Mapping

from psycopg.types.json import Json
from psycopg_pool import AsyncConnectionPool

from mjgate.domain.price import DOCUMENTED, PriceTable


async def current_prices(pool: AsyncConnectionPool) -> PriceTable:
    """The newest version; version 0 is the documented table."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select version, prices from prices order by version desc limit 1"
        )
        row = await cursor.fetchone()
    return PriceTable(*row) if row else PriceTable(0, DOCUMENTED)


async def set_prices(pool: AsyncConnectionPool, prices: Mapping[str, int]) -> int:
    """A new version of the whole table, in micro-dollars; returns its number."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "insert into prices (prices) values (%s) returning version", [Json(dict(prices))]
        )
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
