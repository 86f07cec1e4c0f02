"""What a kind of server does otherwise than the contract, as data: for runs, tests and readers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from mjgate.conformance.exchange import Exchange
from mjgate.conformance.profile import Profile, Waiver

Shows = Callable[[Exchange], bool]
"""Whether an exchange shows a deviation, and nothing else that is wrong in the same way."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing done otherwise. It breaks `rules`, and leaves out the headers `without`."""

    name: str
    reason: str
    source: str
    shows: Shows
    rules: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    """Headers: of `headers_match` and `error_shape` only their absence is let pass."""
    only: Mapping[str, str] = field(default_factory=dict)
    """Rule -> words of a failure, where it finds several things in one answer."""

    @property
    def breaks(self) -> tuple[str, ...]:
        """Every rule that it breaks."""
        return tuple(dict.fromkeys(waiver.rule for waiver in self.waivers()))

    def waivers(self) -> Iterator[Waiver]:
        for rule in self.rules:
            yield self._waiver(rule, partial(_says, self.shows, self.only.get(rule, "")))
        for rule in ("headers_match", "error_shape") if self.without else ():
            yield self._waiver(rule, partial(_is_without, self.shows, self.without))

    def _waiver(self, rule: str, applies: Callable[[Exchange, str], bool]) -> Waiver:
        return Waiver(self.name, rule, self.reason, self.source, applies)


@dataclass(frozen=True, slots=True)
class Omission:
    """A rule that is not asked at all, or an operation that is not there."""

    what: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Hidden:
    """A deviation that no request of a run can show, and why it cannot."""

    name: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Kind:
    """All that is known of one kind of server."""

    name: str
    title: str
    deviations: tuple[Deviation, ...] = ()
    unasked: tuple[Omission, ...] = ()
    absent: tuple[Omission, ...] = ()
    hidden: tuple[Hidden, ...] = ()

    @property
    def profile(self) -> Profile:
        """What a run holds it to."""
        return Profile(
            name=self.name,
            title=self.title,
            unasked=frozenset(each.what for each in self.unasked),
            absent=frozenset(each.what for each in self.absent),
            waivers=tuple(waiver for each in self.deviations for waiver in each.waivers()),
        )


def _says(shows: Shows, words: str, exchange: Exchange, text: str) -> bool:
    return words in text and shows(exchange)


def _is_without(shows: Shows, names: tuple[str, ...], exchange: Exchange, text: str) -> bool:
    absent = (f"has no {name}" for name in names)
    return any(text.endswith(words) for words in absent) and shows(exchange)
