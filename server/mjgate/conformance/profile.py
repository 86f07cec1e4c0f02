"""What a known server does otherwise than the contract, named one by one."""

from collections.abc import Callable
from dataclasses import dataclass

from mjgate.conformance.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Waiver:
    """One deviation. A failure of `rule` whose exchange `applies` is counted, not reported."""

    name: str
    rule: str
    reason: str
    source: str
    applies: Callable[[Exchange, str], bool] = lambda exchange, text: True
    """Given the exchange that broke the rule and the failure's text."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What one kind of server is held to."""

    name: str
    title: str
    unasked: frozenset[str] = frozenset()
    """Rules that are not applied at all, such as those of what the seed does not document."""
    absent: frozenset[str] = frozenset()
    """Operations that it does not have; they are not asked for."""
    waivers: tuple[Waiver, ...] = ()
