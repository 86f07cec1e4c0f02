"""The submits of this process that have begun and must be finished."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from mjgate.errors import Unavailable

T = TypeVar("T")


class Flight:
    """Counts the submits that have begun.

    Each runs in the task of its request, which the server never cancels before all have landed:
    a client that hangs up changes nothing. `cut` breaks what still waits for an upstream, so
    that it lands with an unknown outcome; `release` answers those who only wait for something
    to change.
    """

    def __init__(self) -> None:
        self._begun = 0
        self._waiting: list[asyncio.Future[None]] = []
        self.draining = False
        self.cut: Callable[[], Awaitable[None]] | None = None
        self.release: Callable[[], None] | None = None

    @property
    def empty(self) -> bool:
        return not self._begun

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`.

        Raises:
            Unavailable: the process is stopping.
        """
        if self.draining:
            work.close()
            raise Unavailable("The gateway is stopping. Send it again.")
        self._begun += 1
        try:
            return await work
        finally:
            self._begun -= 1
            if not self._begun:
                self._tell()

    async def landed(self, timeout: float | None = None) -> bool:
        """Waits for all of them, at most `timeout` seconds; says whether all have landed."""
        if self._begun:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await asyncio.wait([waiting], timeout=timeout)
        return self.empty

    def _tell(self) -> None:
        for waiting in self._waiting:
            waiting.set_result(None)
        self._waiting.clear()
