"""The gate: what every verb needs, as its first argument."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mjgate.config import Config
from mjgate.flight import Flight
from mjgate.store.database import Store
from mjgate.upstream.upstreams import Upstreams


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _nobody(_channel: int) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Gate:
    """Settings, database, upstreams and clock of one process.

    `clock` gives milliseconds since 1970; `follow` says that a channel has tasks to follow.
    """

    config: Config
    store: Store
    upstreams: Upstreams
    flight: Flight = field(default_factory=Flight)
    clock: Callable[[], int] = _now_ms
    follow: Callable[[int], None] = _nobody
    rng: random.Random = field(default_factory=random.SystemRandom)
