"""Counts over the whole database, for operators and metrics."""

from dataclasses import dataclass

from psycopg_pool import AsyncConnectionPool


@dataclass(frozen=True, slots=True)
class Census:
    """Tasks by phase; held and spent of all tokens in micro-dollars."""

    phases: dict[str, int]
    held: int
    spent: int


async def take_census(pool: AsyncConnectionPool) -> Census:
    async with pool.connection() as connection:
        cursor = await connection.execute("select phase, count(*) from tasks group by phase")
        phases = {phase: int(count) for phase, count in await cursor.fetchall()}
        cursor = await connection.execute(
            "select coalesce(sum(held), 0)::bigint, coalesce(sum(spent), 0)::bigint from tokens"
        )
        row = await cursor.fetchone()
    assert row is not None
    return Census(phases, int(row[0]), int(row[1]))
