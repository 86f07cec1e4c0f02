"""Channels: ways to an upstream, and which of them takes a submit."""

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from mjgate.domain.action import DOCUMENTED_MODEL


class Dialect(StrEnum):
    """How an upstream speaks; `AUTO` is asked of the upstream itself."""

    AUTO = "auto"
    NOVICEZK = "novicezk"
    BUTTONS = "buttons"
    NEW_API = "new-api"


class ChannelState(StrEnum):
    ENABLED = "enabled"
    DRAINING = "draining"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to an upstream. `dialect` is what was set, `spoken` what is in use.

    `deadline_s` is what its tasks have to end, in seconds; None where the default holds.
    """

    id: int
    name: str
    base_url: str
    key: str | None
    dialect: Dialect
    spoken: Dialect | None
    priority: int
    weight: int
    models: tuple[str, ...]
    state: ChannelState
    fault: str | None = None
    deadline_s: float | None = None

    def __repr__(self) -> str:
        return f"Channel({self.id}, {self.name!r}, {self.spoken or self.dialect})"

    def serves(self, model: str) -> bool:
        """Whether it takes a model; `midjourney` stands for all of them (`seed`)."""
        if model in self.models:
            return True
        return DOCUMENTED_MODEL in self.models and (model.startswith("mj_") or model == "swap_face")


def ranked(
    channels: Iterable[Channel], model: str, shunned: Collection[int], rng: random.Random
) -> list[Channel]:
    """The enabled channels that serve a model, in the order to try them.

    Higher priority first; within one priority at random, in proportion to weight.
    """
    able = [
        channel
        for channel in channels
        if channel.state is ChannelState.ENABLED
        and channel.serves(model)
        and channel.id not in shunned
    ]
    if len(able) < 2:
        return able
    return sorted(able, key=lambda channel: (-channel.priority, _draw(channel.weight, rng)))


def _draw(weight: int, rng: random.Random) -> float:
    """An exponential race: the smallest of such draws wins in proportion to weight."""
    return rng.expovariate(weight) if weight > 0 else float("inf")
