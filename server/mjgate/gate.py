"""The gate: what every verb needs, as its first argument."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from mjgate.config import Config
from mjgate.flight import Flight
from mjgate.gallery import Gallery
from mjgate.store.database import Store
from mjgate.upstream.upstreams import Upstreams


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Background(Protocol):
    """The background work of this process."""

    @property
    def alive(self) -> bool: ...

    def follow(self, channel: int) -> None:
        """Sees to it that the tasks of a channel are followed."""

    def deliver(self) -> None:
        """Says that there may be callbacks to deliver."""


class NoBackground:
    """In place of background work where there is none."""

    alive = True

    def follow(self, channel: int) -> None:
        return None

    def deliver(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Gate:
    """Settings, database, upstreams, pictures and clock of one process.

    `clock` gives milliseconds since 1970.
    """

    config: Config
    store: Store
    upstreams: Upstreams
    gallery: Gallery
    flight: Flight = field(default_factory=Flight)
    clock: Callable[[], int] = _now_ms
    background: Background = field(default_factory=NoBackground)
    rng: random.Random = field(default_factory=random.SystemRandom)
