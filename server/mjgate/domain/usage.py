"""Usage: what a token has held and spent, line by line and in total."""

from dataclasses import dataclass
from datetime import date

NO_PERIOD = date(1, 1, 1)
"""The period of a budget that has none."""


@dataclass(frozen=True, slots=True)
class Days:
    """The days of the calendar in UTC from the first to the last, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the ledger. Deltas are micro-dollars, times milliseconds since 1970."""

    id: int
    kind: str
    task_id: int | None
    model: str | None
    held_delta: int
    spent_delta: int
    period: date
    created_ms: int


@dataclass(frozen=True, slots=True)
class Total:
    """Entries added up: of a day, or of a model, '' for those of no task.

    `spent` is micro-dollars, the others are how many holds were made, charged and released.
    """

    of: date | str
    submitted: int
    charged: int
    released: int
    spent: int
