"""A send to an upstream: what is written before it, and after it."""

import hashlib
from enum import StrEnum
from typing import Any, Final

import orjson
from msgspec import Struct

from mjgate.domain.task import NOT_START, Phase


class Claim(Struct, frozen=True, gc=False):
    """A key that a client gave its request, and the hash of the request in hexadecimal.

    Whoever comes with the key again gets the first answer.
    """

    key: str
    request: str


def claim_of(key: str, operation: str, body: Any) -> Claim:
    """The claim of a key for a request; how its JSON is written makes no difference."""
    canonical = orjson.dumps([operation, body], option=orjson.OPT_SORT_KEYS)
    return Claim(key, hashlib.sha256(canonical).hexdigest())


class Conclusion(Struct, frozen=True, gc=False):
    """What the request of a key was answered; without a status the key is free again."""

    key: str
    status: int | None = None
    answer: Any = None


class Intent(Struct, frozen=True, gc=False):
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
    price_version: int = 0
    claim: Claim | None = None


class Settlement(Struct, frozen=True, gc=False):
    """What the send came to; `phase` is running, unknown or rejected."""

    id: int
    channel: int
    phase: Phase
    deadline_s: float
    upstream_id: str | None = None
    status: str = NOT_START
    shares_upstream: bool = False
    claim: Conclusion | None = None


class Verdict(StrEnum):
    """What admission said to an intent.

    The last three are of its key: another request had it, its first request has no outcome yet,
    its first request was answered.
    """

    HELD = "held"
    TOKEN = "token"  # noqa: S105
    MODEL = "model"
    BUDGET = "budget"
    FLIGHT = "flight"
    RATE = "rate"
    REUSED = "reused"
    GOING = "going"
    GIVEN = "given"


class Decision(Struct, frozen=True, gc=False):
    """A verdict and what it comes with.

    `wait_ms` is when the rate has room again. `task`, `status` and `answer` are those of the
    first request of a key; without a status its outcome was never learned.
    """

    verdict: Verdict
    wait_ms: int = 0
    task: int | None = None
    status: int | None = None
    answer: Any = None


HELD: Final = Decision(Verdict.HELD)
