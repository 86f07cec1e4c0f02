"""What earlier answers have said of tasks, as much as later ones are held to."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mjgate.conformance.exchange import Exchange

STAGES = {"NOT_START": 0, "MODAL": 0, "SUBMITTED": 1, "IN_PROGRESS": 2}
ENDS = {"FAILURE": 3, "CANCEL": 3, "SUCCESS": 4}
"""A success may still come after a failure; nothing comes after a success."""
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
class Back:
    """How a task went back, and the exchange that showed it further on."""

    text: str
    before: Exchange | None


@dataclass(slots=True)
class Memory:
    """Bounded: the oldest tasks are forgotten."""

    tasks: OrderedDict[str, Look] = field(default_factory=OrderedDict)
    submitted: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)
    """(sender, id) of accepted submits."""

    def went_back(self, task: Mapping[str, Any], exchange: Exchange) -> "Back | None":
        """What of a task went back since it was last seen; remembers it where nothing did."""
        task_id, status, progress = (task.get(key) for key in ("id", "status", "progress"))
        if not isinstance(task_id, str) or not isinstance(status, str):
            return None
        small = exchange.answer is not None and len(exchange.answer.body) <= MOST_SHOWN
        now = Look(status, percent(progress), exchange if small else None)
        before = self.tasks.get(task_id)
        told = _back(before, now) if before else None
        if before is not None and told is not None:
            return Back(told, before.exchange)
        keep(self.tasks, task_id, now)
        return None

    def submit(self, sender: str, task_id: str) -> None:
        keep(self.submitted, (sender, task_id), None)

    def owns(self, sender: str, task_id: str) -> bool:
        return (sender, task_id) in self.submitted

    def ids(self, sender: str) -> list[str]:
        """The ids that a sender has got, the newest last."""
        return [task_id for owner, task_id in self.submitted if owner == sender]


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
