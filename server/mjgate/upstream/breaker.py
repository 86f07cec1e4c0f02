"""A circuit breaker for each upstream: repeated faults open it, it closes by itself."""

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

THRESHOLD = 5
_FIRST_S = 5.0
_LONGEST_S = 60.0
_MOST_DOUBLINGS = 10


K = TypeVar("K", bound=Hashable)


class Breaker(Generic[K]):
    """Counts faults in a row; who has too many is left out until its time is up.

    After that one fault opens it again, for twice as long. Faults while it is open are those
    of requests that had begun before: they tell nothing new.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._faults: dict[K, int] = {}
        self._until: dict[K, float] = {}

    def open(self) -> set[K]:
        """Who is left out now."""
        if not self._until:
            return set()
        now = self._clock()
        return {each for each, until in self._until.items() if until > now}

    def failed(self, whose: K) -> None:
        now = self._clock()
        if self._until.get(whose, now) > now:
            return
        faults = self._faults.get(whose, 0) + 1
        self._faults[whose] = faults
        if faults >= THRESHOLD:
            doublings = min(faults - THRESHOLD, _MOST_DOUBLINGS)
            self._until[whose] = now + min(_FIRST_S * 2**doublings, _LONGEST_S)

    def worked(self, whose: K) -> None:
        if whose in self._faults:
            del self._faults[whose]
            self._until.pop(whose, None)
