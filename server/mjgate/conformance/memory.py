"""What earlier answers have said of tasks, as much as later ones are held to."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

from mjgate.conformance.exchange import Exchange

STAGES = {"NOT_START": 0, "MODAL": 0, "SUBMITTED": 1, "IN_PROGRESS": 2}
ENDS = {"FAILURE": 3, "CANCEL": 3, "SUCCESS": 4}
"""A success may still come after a failure; nothing comes after a success."""
TIMES = ("submitTime", "startTime", "finishTime")
"""Of a task, in the order in which they come."""
_COMPARED = ("action", "description", "failReason", "prompt", "promptEn", "state", *TIMES)
"""What list and fetch show alike; addresses may be signed anew, properties are of the upstream."""
MOST_TASKS = 10_000
MOST_SHOWN = 4096
"""Bytes of an answer that is kept as the last look at its tasks."""


@dataclass(frozen=True, slots=True)
class Look:
    """A task as it was last seen."""

    status: str
    percent: int
    exchange: Exchange | None = None
    """That showed it; None for one that shows much more."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What of a task must stay, as it was last seen."""

    times: Mapping[str, int]
    point: tuple[Any, Any]
    """Status and progress."""
    views: Mapping[str, Mapping[str, Any]]
    """Operation -> what it showed, of a task that has ended, at this point."""
    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True)
class Differs:
    """How a task is shown otherwise than before; None of `text` is that it is not."""

    rule: str
    text: str | None
    before: Exchange | None


@dataclass(frozen=True, slots=True)
class Back:
    """How a task went back, and the exchange that showed it further on."""

    text: str
    before: Exchange | None


@dataclass(slots=True)
class Memory:
    """Bounded: the oldest tasks are forgotten."""

    tasks: OrderedDict[str, Look] = field(default_factory=OrderedDict)
    shown: OrderedDict[str, Shown] = field(default_factory=OrderedDict)
    submitted: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)
    """(sender, id) of accepted submits."""

    def went_back(self, task: Mapping[str, Any], exchange: Exchange) -> "Back | None":
        """What of a task went back since it was last seen; remembers it where nothing did."""
        task_id, status, progress = (task.get(key) for key in ("id", "status", "progress"))
        if not isinstance(task_id, str) or not isinstance(status, str):
            return None
        now = Look(status, percent(progress), _small(exchange))
        before = self.tasks.get(task_id)
        told = _back(before, now) if before else None
        if before is not None and told is not None:
            return Back(told, before.exchange)
        keep(self.tasks, task_id, now)
        return None

    def differences(self, task: Mapping[str, Any], exchange: Exchange) -> Iterator[Differs]:
        """What was compared with an earlier look at a task, and how it differs."""
        task_id = task.get("id")
        if not isinstance(task_id, str):
            return
        before, now = self.shown.get(task_id), _shown(task, exchange)
        if before is not None:
            yield Differs("times_stay", _moved(before, now), before.exchange)
            if before.point == now.point:
                mine = now.views.get(exchange.operation or "")
                others = {k: v for k, v in before.views.items() if k != exchange.operation}
                for other in others.values() if mine else ():
                    yield Differs("views_agree", _unlike(other, mine), before.exchange)
                now = replace(now, views={**before.views, **now.views})
        keep(self.shown, task_id, now)

    def submit(self, sender: str, task_id: str) -> None:
        keep(self.submitted, (sender, task_id), None)

    def owns(self, sender: str, task_id: str) -> bool:
        return (sender, task_id) in self.submitted

    def ids(self, sender: str) -> list[str]:
        """The ids that a sender has got, the newest last."""
        return [task_id for owner, task_id in self.submitted if owner == sender]


def is_time(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(task: Mapping[str, Any], exchange: Exchange) -> Shown:
    # A time of 0 is none.
    times = {name: time for name in TIMES if is_time(time := task.get(name)) and time}
    ended = task.get("status") in ENDS
    view = {name: task.get(name) for name in _COMPARED}
    return Shown(
        times,
        (task.get("status"), task.get("progress")),
        {exchange.operation or "": view} if ended else {},
        _small(exchange),
    )


def _moved(before: Shown, now: Shown) -> str | None:
    """The first time that changed; the end of a failure that was none is another."""
    same = before.point[0] == now.point[0]
    for name, time in before.times.items():
        if now.times.get(name) != time and (same or name != "finishTime"):
            return f"{name} of a task changed"
    return None


def _unlike(one: Mapping[str, Any], other: Mapping[str, Any] | None) -> str | None:
    names = sorted(name for name in one if other is not None and one[name] != other[name])
    return f"a list and a fetch show another {', '.join(names)}" if names else None


def _small(exchange: Exchange) -> Exchange | None:
    """An exchange that is kept; None for one that shows much more."""
    small = exchange.answer is not None and len(exchange.answer.body) <= MOST_SHOWN
    return exchange if small else None


def percent(progress: Any) -> int:
    digits = progress.removesuffix("%") if isinstance(progress, str) else ""
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 5 else 0


def _back(before: Look, now: Look) -> str | None:
    ranks = STAGES | ENDS
    first, then = ranks.get(before.status, 0), ranks.get(now.status, 0)
    if then < first or (first == then == 3 and before.status != now.status):
        return f"from {before.status} to {now.status}"
    if now.percent < before.percent and now.status not in ("FAILURE", "CANCEL"):
        return "in its progress"
    return None


def keep(store: OrderedDict[Any, Any], key: Any, value: Any, most: int = MOST_TASKS) -> None:
    """Puts the newest last, and forgets the oldest where there are too many."""
    store[key] = value
    store.move_to_end(key)
    if len(store) > most:
        store.popitem(last=False)
