"""Those who wait for a change of a task.

Notifications tell them; and once a second one query looks at all their tasks, so that a
notification that was lost, or a change that sends none, costs a second.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from psycopg_pool import AsyncConnectionPool

from mjgate.log import logger

_LOOK_EVERY_S = 1.0
_VERSIONS = "select id, version from tasks where id = any(%s) and phase <> 'rejected'"


class Seat:
    """The place of one who waits.

    What happens while he looks at the task himself is told as soon as he waits again.
    """

    __slots__ = ("_news", "over", "version")

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self.version: int | None = None
        self.over = False

    async def told(self, version: int, seconds: float) -> bool:
        """Whether there was news, within so many seconds, of the task that has this version."""
        self.version = version
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
            self._news.clear()
            return not self.over
        return False

    def tell(self) -> None:
        self._news.set()

    def close(self) -> None:
        """Ends the waiting for good."""
        self.over = True
        self._news.set()


class Waiters:
    """All who wait in this process, by the task they wait for."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._seats: dict[int, set[Seat]] = {}
        self._of_token: Counter[int] = Counter()
        self._count = 0
        self._somebody = asyncio.Event()
        self._hurry = asyncio.Event()
        self._released = False
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return self._count

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="waiters")

    async def stop(self) -> None:
        self.release()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @contextmanager
    def seat(self, token: int, task: int, most_of_token: int, most: int) -> Iterator[Seat | None]:
        """A place for as long as the block lasts; None where there are as many as may be."""
        if self._released or self._of_token[token] >= most_of_token or self._count >= most:
            yield None
            return
        seat = Seat()
        self._count += 1
        self._of_token[token] += 1
        self._seats.setdefault(task, set()).add(seat)
        self._somebody.set()
        try:
            yield seat
        finally:
            self._leave(token, task, seat)

    def hear(self, ids: Sequence[int] | None) -> None:
        """These tasks have changed; None for any of them."""
        if ids is None:
            self._hurry.set()
            return
        for task in ids:
            self._tell(task)

    def release(self) -> None:
        """Ends all waiting: this process is about to stop."""
        self._released = True
        for seats in self._seats.values():
            for seat in seats:
                seat.close()

    def _leave(self, token: int, task: int, seat: Seat) -> None:
        self._count -= 1
        self._of_token[token] -= 1
        if not self._of_token[token]:
            del self._of_token[token]
        seats = self._seats[task]
        seats.discard(seat)
        if not seats:
            del self._seats[task]
        if not self._seats:
            self._somebody.clear()

    def _tell(self, task: int) -> None:
        for seat in self._seats.get(task, ()):
            seat.tell()

    async def _run(self) -> None:
        while True:
            await self._somebody.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._hurry.wait()
            self._hurry.clear()
            try:
                await self._look(list(self._seats))
            except Exception as error:
                logger().warning("waiting tasks are not looked at", why=type(error).__name__)
                await asyncio.sleep(_LOOK_EVERY_S)

    async def _look(self, tasks: Collection[int]) -> None:
        """Tells those whose task has another version than they know, or is no more."""
        if not tasks:
            return
        async with self._pool.connection() as connection:
            cursor = connection.cursor(binary=True)
            await cursor.execute(_VERSIONS, [tasks], prepare=True)
            versions: dict[int, int] = dict(await cursor.fetchall())
        for task in tasks:
            for seat in self._seats.get(task, ()):
                if seat.version is not None and seat.version != versions.get(task):
                    seat.tell()
