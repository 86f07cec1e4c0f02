"""How much of the contract a run has asked about."""

from collections.abc import Iterator
from dataclasses import dataclass

from mjgate.conformance.verdict import Seen, Verdict

_PLURALS = {
    "status": "statuses",
    "parameter": "parameters",
    "keyword": "keywords",
    "security": "security",
}


@dataclass(frozen=True, slots=True)
class Share:
    """Of one kind of thing in the contract, how many were asked about."""

    kind: str
    """`operations`, `statuses`, `parameters`, `keywords` or `security`."""
    covered: int
    total: int
    missing: tuple[str, ...]
    """Those that were not, such as `GET /v1/key 500`."""


def coverage(verdict: Verdict) -> tuple[Share, ...]:
    """Operations first, then every kind of which the run kept account."""
    return tuple(share for share in _shares(verdict) if share.total)


def operations_of(verdict: Verdict) -> list[str]:
    """The operations that were asked or should have been, in the order of their paths."""
    asked = {operation for operation, _ in verdict.by_status}
    named = asked | {seen.operation for seen in verdict.seen}
    return sorted(named, key=lambda label: label.split(" ")[::-1])


def _shares(verdict: Verdict) -> Iterator[Share]:
    answered = {operation for (operation, _), times in verdict.by_status.items() if times}
    operations = [label for label in operations_of(verdict) if label]
    silent = tuple(label for label in operations if label not in answered)
    yield Share("operations", len(operations) - len(silent), len(operations), silent)
    for kind in dict.fromkeys([*_PLURALS, *(seen.kind for seen in verdict.seen)]):
        yield _share(kind, [seen for seen in verdict.seen if seen.kind == kind])


def _share(kind: str, seen: list[Seen]) -> Share:
    missing = tuple(f"{each.operation} {each.name}".strip() for each in seen if not each.covered)
    return Share(_PLURALS.get(kind, kind), len(seen) - len(missing), len(seen), missing)
