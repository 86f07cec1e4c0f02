"""Waits for a change of a task, no longer than its client would."""

from collections.abc import Callable
from time import monotonic

from msgspec import Struct

from mjgate.domain.task import ENDS, Task
from mjgate.gate import Gate

MOST_S = 60


class Look(Struct, frozen=True):
    """A task, None where there is none, and whether a change of it was waited for."""

    task: Task | None
    waited: bool = False


async def wait(
    gate: Gate, token: int, number: int, seen: Callable[[Task], bool], seconds: float
) -> Look:
    """A task of a token once it is not as it was `seen`, or as it is after so many seconds.

    It waits for no task that has ended as its upstream says: that changes no more. One that we
    have ended may still succeed. Nor does it wait where too many wait already, and no longer
    than this process serves.

    Raises:
        StoreDown: the database stayed out of reach.
    """
    end = monotonic() + seconds
    most_of_token, most = gate.config.waits_per_token, gate.config.waits
    with gate.store.waiters.seat(token, number, most_of_token, most) as seat:
        while True:
            task = await gate.store.reader.task(token, number)
            if task is None or seat is None or not seen(task):
                return Look(task, seat is not None)
            if _is_final(task) or not await seat.told(task.version, end - monotonic()):
                return Look(task, not seat.over and not _is_final(task))


def _is_final(task: Task) -> bool:
    return task.status in ENDS and task.ended_by is None
