"""Hints of upstreams on their way to whoever follows the channel, in this process or another.

A hint is worth nothing when it is late and nothing is lost with it: what comes within a tenth of
a second goes out as one notification, and what does not fit in it is dropped.
"""

import asyncio
from collections.abc import Mapping

import orjson
from psycopg_pool import AsyncConnectionPool

from mjgate.log import logger

HINTS = "mjgate_hints"
_GATHER_S = 0.1
_MOST_OF_CHANNEL = 50
_MOST_BYTES = 7000
"""PostgreSQL takes notifications below 8,000."""


class Hints:
    """What upstreams have told this process."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._waiting: dict[int, set[str]] = {}
        self._task: asyncio.Task[None] | None = None

    def give(self, channel: int, upstream_id: str) -> None:
        """Passes on that a task may have changed."""
        ids = self._waiting.setdefault(channel, set())
        if len(ids) < _MOST_OF_CHANNEL:
            ids.add(upstream_id)
        if self._task is None:
            self._task = asyncio.create_task(self._send(), name="hints")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _send(self) -> None:
        """Sends until nothing waits; an outage loses hints, and no more."""
        try:
            while self._waiting:
                await asyncio.sleep(_GATHER_S)
                waiting, self._waiting = self._waiting, {}
                await self._notify(waiting)
        except Exception as error:
            logger().warning("hints are lost", why=type(error).__name__)
        finally:
            self._task = None

    async def _notify(self, waiting: Mapping[int, set[str]]) -> None:
        async with self._pool.connection() as connection:
            await connection.execute("select pg_notify(%s, %s)", [HINTS, _written(waiting)])


def read_hints(payload: str) -> dict[int, list[str]]:
    """Upstream ids by channel; nothing where it is no notification of ours."""
    try:
        return {int(channel): ids for channel, ids in orjson.loads(payload).items()}
    except (AttributeError, ValueError):
        return {}


def _written(waiting: Mapping[int, set[str]]) -> str:
    """As much as fits in a notification, of each channel alike."""
    share = _MOST_BYTES // len(waiting)
    return orjson.dumps(
        {str(channel): _within(ids, share) for channel, ids in waiting.items()}
    ).decode()


def _within(ids: set[str], most: int) -> list[str]:
    kept: list[str] = []
    for each in ids:
        most -= len(orjson.dumps(each)) + 1
        if most < 0:
            break
        kept.append(each)
    return kept
