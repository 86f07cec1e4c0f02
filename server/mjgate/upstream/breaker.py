"""A circuit breaker for each channel: repeated faults open it, it closes by itself."""

import time
from collections.abc import Callable

THRESHOLD = 5
_FIRST_S = 5.0
_LONGEST_S = 60.0
_MOST_DOUBLINGS = 10


class Breaker:
    """Counts faults in a row; an open channel is left out until its time is up.

    After that one fault opens it again, for twice as long. Faults while it is open are those
    of requests that had begun before: they tell nothing new.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._faults: dict[int, int] = {}
        self._until: dict[int, float] = {}

    def open_channels(self) -> set[int]:
        if not self._until:
            return set()
        now = self._clock()
        return {channel for channel, until in self._until.items() if until > now}

    def failed(self, channel: int) -> None:
        now = self._clock()
        if self._until.get(channel, now) > now:
            return
        faults = self._faults.get(channel, 0) + 1
        self._faults[channel] = faults
        if faults >= THRESHOLD:
            doublings = min(faults - THRESHOLD, _MOST_DOUBLINGS)
            self._until[channel] = now + min(_FIRST_S * 2**doublings, _LONGEST_S)

    def worked(self, channel: int) -> None:
        if channel in self._faults:
            del self._faults[channel]
            self._until.pop(channel, None)
