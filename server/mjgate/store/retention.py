"""Tasks are deleted by age; the ledger and what proves it stay."""

from psycopg_pool import AsyncConnectionPool


async def forget_tasks(pool: AsyncConnectionPool, days: int, most: int) -> int:
    """Deletes tasks that finished so many days ago, the oldest first; returns how many.

    What is still needed stays, and what another transaction is about is left for later.
    """
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select forget_tasks(%s * interval '1 day', %s)", [days, most]
        )
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
