"""Deliveries: what is to be told of a task, and what an attempt to tell it came to."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How the newest state of a task stands with its receiver."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GONE = "gone"
    GIVEN_UP = "given up"
    REFUSED = "refused"


class Result(StrEnum):
    """What an attempt came to; SAME is none: the receiver has that body already."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"
    REFUSED = "refused"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a receiver answered, or why it did not.

    `answer` is the first kilobyte, `wait_s` what its Retry-After asks for.
    """

    status: int | None
    ms: int
    error: str | None = None
    answer: str | None = None
    wait_s: float | None = None

    @property
    def result(self) -> Result:
        if self.status is None:
            return Result.FAILED
        if 200 <= self.status < 300:
            return Result.DELIVERED
        return Result.GONE if self.status == 410 else Result.FAILED


@dataclass(frozen=True, slots=True)
class Outcome:
    """An attempt, as it is booked. `digest` is that of the body, in hexadecimal."""

    task: int
    claim: int
    version: int
    result: Result
    digest: str
    status: int | None = None
    ms: int = 0
    error: str | None = None
    answer: str | None = None
    wait_s: float | None = None
