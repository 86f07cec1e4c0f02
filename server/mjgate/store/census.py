"""Counts over the whole database, for operators and metrics."""

from dataclasses import dataclass

from psycopg_pool import AsyncConnectionPool

_WAITING = """
select count(*), coalesce(extract(epoch from clock_timestamp() - min(since)), 0)::float8
from deliveries where state = 'waiting'
"""


@dataclass(frozen=True, slots=True)
class Census:
    """Tasks by phase; held and spent of all tokens in micro-dollars.

    `callbacks` wait to be delivered, the oldest of them for `oldest_s` seconds. Pictures by
    state, and the bytes of those that are kept.
    """

    phases: dict[str, int]
    held: int
    spent: int
    callbacks: int
    oldest_s: float
    pictures: dict[str, int]
    kept_bytes: int


async def take_census(pool: AsyncConnectionPool) -> Census:
    async with pool.connection() as connection:
        cursor = await connection.execute("select phase, count(*) from tasks group by phase")
        phases = {phase: int(count) for phase, count in await cursor.fetchall()}
        cursor = await connection.execute(
            "select coalesce(sum(held), 0)::bigint, coalesce(sum(spent), 0)::bigint from tokens"
        )
        row = await cursor.fetchone()
        cursor = await connection.execute(_WAITING)
        waiting = await cursor.fetchone()
        assert waiting is not None
        callbacks, oldest_s = waiting
        cursor = await connection.execute(
            "select state, count(*), coalesce(sum(size), 0)::bigint from pictures group by state"
        )
        states = await cursor.fetchall()
    assert row is not None
    pictures = {state: int(count) for state, count, _ in states}
    kept = sum(size for _, _, size in states)
    return Census(phases, int(row[0]), int(row[1]), callbacks, oldest_s, pictures, kept)
