"""Time-outs for thousands of exchanges a second, told to a tenth of a second.

`asyncio.timeout` sets a timer for each, which costs more than all else that a time-out does. Here
one timer looks at all that are open.
"""

import asyncio
from types import TracebackType
from typing import Any

_LOOK_S = 0.1


class Deadlines:
    """The open time-outs of one event loop."""

    def __init__(self) -> None:
        self._open: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> "Deadline":
        """A block that is cut when its time is over.

        Raises:
            TimeoutError: it was cut, by this and by nobody else.
        """
        return Deadline(self, seconds)

    def enter(self, deadline: "Deadline", loop: asyncio.AbstractEventLoop) -> None:
        self._open.add(deadline)
        if self._timer is None:
            self._timer = loop.call_later(_LOOK_S, self._look, loop)

    def leave(self, deadline: "Deadline") -> None:
        self._open.discard(deadline)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for deadline in [each for each in self._open if each.ends <= now]:
            self._open.discard(deadline)
            deadline.cut()
        self._timer = loop.call_later(_LOOK_S, self._look, loop) if self._open else None


class Deadline:
    """One block of one task; it cancels as `asyncio.timeout` does."""

    __slots__ = ("_all", "_cancelling", "_is_over", "_task", "ends")

    def __init__(self, all_: Deadlines, seconds: float) -> None:
        self._all = all_
        self.ends = seconds
        self._is_over = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        loop = task.get_loop()
        self._task: asyncio.Task[Any] = task
        self._cancelling = task.cancelling()
        self.ends += loop.time()
        self._all.enter(self, loop)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._all.leave(self)
        is_ours = self._is_over and self._task.uncancel() <= self._cancelling
        if is_ours and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def cut(self) -> None:
        self._is_over = True
        self._task.cancel()
