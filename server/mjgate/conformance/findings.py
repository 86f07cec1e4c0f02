"""Collects what a run finds, in bounded space: one failure of each kind, and counts."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from mjgate.conformance.exchange import Exchange
from mjgate.conformance.profile import Profile, Waiver
from mjgate.conformance.rules import Rule
from mjgate.conformance.verdict import Failure, Seen, Waived

MOST_FAILURES = 500
MOST_NOTES = 100
MOST_KEPT = 256 * 1024
"""Bytes of an answer that are kept with a failure."""
TOO_MANY = "it was broken in more ways than are kept"


@dataclass(slots=True)
class Findings:
    """What was judged so far. `cases` counts exchanges, `applied` rules."""

    profile: Profile
    rules: dict[str, Rule]
    cases: int = 0
    by_status: Counter[tuple[str, int]] = field(default_factory=Counter)
    applied: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(rule, operation) -> times."""
    found: dict[tuple[str, str, str], Failure] = field(default_factory=dict)
    waived: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(name, rule) of a waiver -> times."""
    notes: dict[str, None] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    """What is said as one note each, such as how often the server asked to wait."""
    good: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    bad: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(operation, kind, name) of `Seen` -> requests."""

    def asks(self, rule: str) -> bool:
        return rule not in self.profile.unasked

    def held(self, rule: str, operation: str = "") -> None:
        if self.asks(rule):
            self.applied[rule, operation] += 1

    def broke(
        self,
        rule: str,
        operation: str,
        text: str,
        where: str,
        exchanges: tuple[Exchange, ...],
        story: str = "",
    ) -> None:
        """Keeps the shortest way to a failure, and counts the others.

        Beyond `MOST_FAILURES` ways one more stands for the rest of a rule at an operation, so that
        a baseline that knows the others does not excuse what it has never seen.
        """
        if not self.asks(rule):
            return
        self.applied[rule, operation] += 1
        if exchanges and self._lets_pass(rule, exchanges[-1], text):
            return
        exchanges = tuple(map(_cut, exchanges))
        failure = Failure(rule, operation, text, where, exchanges, story=story)
        before = self.found.get(failure.key)
        if before is None and len(self.found) >= MOST_FAILURES:
            self.counts["failures were not kept one by one, since there are too many"] += 1
            failure = replace(failure, text=TOO_MANY)
            before = self.found.get(failure.key)
        if before is not None and _size(before.exchanges) <= _size(exchanges):
            failure = before
        times = before.times + 1 if before else 1
        self.found[failure.key] = replace(failure, times=times)

    def note(self, text: str) -> None:
        if len(self.notes) < MOST_NOTES:
            self.notes[text] = None

    def failures(self) -> tuple[Failure, ...]:
        """In the order of the rules."""
        order = {name: number for number, name in enumerate(self.rules)}
        return tuple(
            sorted(self.found.values(), key=lambda each: (order.get(each.rule, 999), each.key))
        )

    def waivers(self) -> tuple[Waived, ...]:
        """Every waiver of the profile, those that were not needed with 0."""
        return tuple(
            Waived(
                each.name, each.rule, each.reason, each.source, self.waived[each.name, each.rule]
            )
            for each in self.profile.waivers
        )

    def seen(self, all_: Iterable[tuple[str, str, str]]) -> tuple[Seen, ...]:
        """All that might be seen, with how often it was."""
        keys = dict.fromkeys([*all_, *sorted(self.good), *sorted(self.bad)])
        return tuple(Seen(*key, self.good[key], self.bad[key]) for key in keys)

    def totals(self) -> dict[str, int]:
        """Every rule of the profile -> how often it was applied."""
        totals = dict.fromkeys(filter(self.asks, self.rules), 0)
        for (rule, _), times in self.applied.items():
            totals[rule] += times
        return totals

    def said(self) -> tuple[str, ...]:
        return (*self.notes, *(f"{n} {what}" for what, n in sorted(self.counts.items())))

    def _lets_pass(self, rule: str, exchange: Exchange, text: str) -> bool:
        for waiver in self._waivers(rule):
            if waiver.applies(exchange, text):
                self.waived[waiver.name, waiver.rule] += 1
                return True
        return False

    def _waivers(self, rule: str) -> Iterator[Waiver]:
        return (each for each in self.profile.waivers if each.rule == rule)


def _cut(exchange: Exchange) -> Exchange:
    """With no more of its answer than is kept."""
    answer = exchange.answer
    if answer is None or len(answer.body) <= MOST_KEPT:
        return exchange
    return replace(exchange, answer=replace(answer, body=answer.body[:MOST_KEPT]))


def _size(exchanges: tuple[Exchange, ...]) -> tuple[int, int]:
    """How hard a failure is to read."""
    text = sum(len(each.request.url) + len(each.request.body or b"") for each in exchanges)
    headers = sum(len(value) for each in exchanges for _, value in each.request.headers)
    return len(exchanges), text + headers
