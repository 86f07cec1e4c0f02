"""A send to an upstream: what is written before it, and after it."""

from dataclasses import dataclass
from enum import StrEnum

from mjgate.domain.task import NOT_START, Phase


@dataclass(frozen=True, slots=True)
class Intent:
    """A task before a byte goes out. `price` is micro-dollars, `send_s` the time to answer.

    `marker` is what the upstream gets as `state`: random, so that a task whose answer was
    lost can be found again.
    """

    id: int
    token: int
    channel: int
    action: str
    model: str
    price: int
    prompt: str | None
    description: str
    state: str | None
    hook: str | None
    marker: str
    submit_ms: int
    send_s: float
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the send came to; `phase` is running, unknown or rejected."""

    id: int
    channel: int
    phase: Phase
    deadline_s: float
    upstream_id: str | None = None
    status: str = NOT_START
    shares_upstream: bool = False


class Verdict(StrEnum):
    """What admission said to an intent."""

    HELD = "held"
    BUDGET = "budget"
    TOKEN = "token"  # noqa: S105
