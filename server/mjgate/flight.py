"""The submits of this process that have begun and must be finished."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from mjgate.errors import Unavailable

T = TypeVar("T")


class Flight:
    """Runs each submit as a task of its own: a client that hangs up changes nothing.

    `cut` breaks what still waits for an upstream, so that it lands with an unknown outcome.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self.draining = False
        self.cut: Callable[[], Awaitable[None]] | None = None

    @property
    def empty(self) -> bool:
        return not self._tasks

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which goes on should the caller be cancelled.

        Raises:
            Unavailable: the process is stopping.
        """
        if self.draining:
            work.close()
            raise Unavailable("The gateway is stopping. Send it again.")
        landed: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._fly(work, landed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await landed

    async def landed(self, timeout: float | None = None) -> bool:
        """Waits for all of them, at most `timeout` seconds; says whether all have landed."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout)
        return not self._tasks

    async def _fly(self, work: Coroutine[Any, Any, T], landed: asyncio.Future[T]) -> None:
        try:
            result = await work
        except asyncio.CancelledError:
            landed.cancel()
            raise
        except Exception as error:
            if not landed.done():
                landed.set_exception(error)
        else:
            if not landed.done():
                landed.set_result(result)
