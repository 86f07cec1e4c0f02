"""Task ids: 16 digits below 2^53, in blocks from one sequence, unique across machines."""

import asyncio

from psycopg_pool import AsyncConnectionPool

BLOCK = 1000
_REFILL_AT = BLOCK // 2


class Ids:
    """Hands out ids; fetches the next block before the last one is used up."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._next = 0
        self._end = 0
        self._spare: asyncio.Task[int] | None = None

    async def take(self) -> int:
        while self._next == self._end:
            await self._turn()
        taken = self._next
        self._next += 1
        if self._spare is None and self._end - self._next < _REFILL_AT:
            self._spare = asyncio.create_task(self._fetch(), name="ids")
        return taken

    async def _turn(self) -> None:
        if self._spare is None or _failed(self._spare):
            self._spare = asyncio.create_task(self._fetch(), name="ids")
        spare = self._spare
        start = await asyncio.shield(spare)
        if self._spare is spare:
            self._next, self._end, self._spare = start, start + BLOCK, None

    async def _fetch(self) -> int:
        async with self._pool.connection() as connection:
            cursor = await connection.execute("select nextval('task_ids')")
            row = await cursor.fetchone()
            assert row is not None
            return int(row[0])


def _failed(fetch: asyncio.Task[int]) -> bool:
    return fetch.done() and fetch.exception() is not None
