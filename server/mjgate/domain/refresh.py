"""How often tasks are looked at, and when one is lost (design, section 6). Times are seconds."""

from dataclasses import dataclass
from typing import Final

QUICKEST_S: Final = 0.9
SLOWEST_S: Final = 10.0
MOST_LOOKS: Final = 7200
"""Tasks of a channel that are looked at in a second: beyond it each has its turn later."""
LATE_FOR_S: Final = 86_400.0
"""For how long a task that we ended is still asked for."""

_FRESH_S, _NEW_S = 72.0, 15.0
_ROOM = 1.1
"""What a crowd leaves to tasks that are new."""
_LATE_FIRST_S, _LATE_SLOWEST_S = 10.0, 3600.0
_LOST_AFTER = 3


def look_again_s(age_s: float, running: int = 0) -> float:
    """How long a running task of this age is left alone: most pictures take a minute.

    Where more are running on its channel than can be looked at so often, those that are new
    are looked at first.
    """
    wait_s = min(SLOWEST_S, QUICKEST_S * max(1.0, age_s / _FRESH_S))
    return wait_s if age_s < _NEW_S else max(wait_s, _ROOM * running / MOST_LOOKS)


def late_look_s(ended_s: float) -> float | None:
    """When a task that we ended `ended_s` ago is asked for next, in seconds since it ended.

    First after ten seconds, then at twice the distance each time, up to an hour; None after a
    day. The moments follow from the end alone, so they are the same for whoever asks.
    """
    moment_s = distance_s = _LATE_FIRST_S
    while moment_s <= ended_s:
        distance_s = min(2 * distance_s, _LATE_SLOWEST_S)
        moment_s += distance_s
    return moment_s if moment_s <= LATE_FOR_S else None


@dataclass(frozen=True, slots=True)
class Absence:
    """That an upstream did not know a task: how often, and when first and last."""

    first_s: float
    last_s: float
    times: int = 1

    def again(self, now_s: float) -> "Absence":
        return Absence(self.first_s, now_s, self.times + 1)

    def proves(self, for_s: float) -> bool:
        """Whether the task is lost: three times absent, over at least `for_s`."""
        return self.times >= _LOST_AFTER and self.last_s - self.first_s >= for_s
