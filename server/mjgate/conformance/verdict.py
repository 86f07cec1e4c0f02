"""What a run has found, as every report shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from mjgate.conformance.exchange import Exchange

PASSED, FAILED, COULD_NOT_RUN = 0, 1, 2


class CannotRun(Exception):
    """Raised where nothing can be said of a server; `str()` says why and what to do."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that was broken, once for each way of breaking it."""

    rule: str
    operation: str
    """Such as `POST /mj/submit/imagine`; empty where it belongs to none."""
    text: str
    """What was wrong, one line, the same for the same fault: without ids, times or drawn values."""
    where: str
    """A JSON pointer into the contract, such as `#/components/schemas/Task/required`."""
    exchanges: tuple[Exchange, ...] = ()
    """What led to it, oldest first; the last is the one that broke the rule."""
    times: int = 1
    case: str = ""
    """The file it was stored in, relative to the folder of the report; empty where it was not."""
    story: str = ""
    """The story in which it was broken; empty for none."""
    detail: str = ""
    """More for a person than `text`, such as what an exception said; it may hold what was drawn."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two failures one, and what a baseline remembers."""
        return self.rule, self.operation, self.text


@dataclass(frozen=True, slots=True)
class Known:
    """A failure that a baseline excuses until a day."""

    failure: Failure
    reason: str
    expires: date
    """The last day on which it is excused, in UTC."""


@dataclass(frozen=True, slots=True)
class Waived:
    """A deviation that the profile lets pass, and how often it was seen."""

    name: str
    """Of the waiver, such as `errors-are-200`."""
    rule: str
    reason: str
    source: str
    """Where it is known from, such as `novicezk 2.6.3, measured`."""
    times: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """How often one thing of the contract was asked about."""

    operation: str
    kind: str
    """`status`, `parameter`, `keyword` or `security`."""
    name: str
    """`200`; `header Prefer`; `ImagineRequest/prompt minLength`; `mj-api-secret`."""
    good: int = 0
    """Answers (status, security) or requests that kept it."""
    bad: int = 0
    """Requests that broke it on purpose; always 0 for a status."""

    @property
    def covered(self) -> bool:
        return bool(self.good or self.bad)


@dataclass(frozen=True, slots=True)
class Verdict:
    """All of a run. `failures` decide; `known` are those that a baseline still excuses."""

    target: str
    profile: str
    contract: str
    """The version of the contract that was asked for."""
    seed: int
    cases: int = 0
    """Answers that were judged."""
    by_status: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """(operation, status) -> answers."""
    rules: Mapping[str, int] = field(default_factory=dict)
    """Every rule of the profile -> how often it was applied; 0 is said aloud."""
    applied: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(rule, operation) -> how often it was applied there; the operation as a failure names it."""
    sentences: Mapping[str, str] = field(default_factory=dict)
    """Every rule of the profile -> what it asks, in one sentence."""
    failures: tuple[Failure, ...] = ()
    known: tuple[Known, ...] = ()
    waived: tuple[Waived, ...] = ()
    seen: tuple[Seen, ...] = ()
    submits: int = 0
    """Submits that the server accepted."""
    allowance: int | None = None
    """How many it might accept; None where nothing that can be accepted was sent."""
    notes: tuple[str, ...] = ()
    """What a reader must know: what was not asked and why, how often the server asked to wait."""
    took_ms: int = 0
    ended: str = ""
    """Why not all was asked, such as `the server went away after 12 answers`; else empty."""
    interrupted: bool = False
    """Whether a person or a machine has ended it: then it may have failed, and has not passed."""
    least: float = 100.0
    """Percent of the judged answers that must be right (`--fail-under`); 100 allows no failure."""

    @property
    def wrong(self) -> int:
        """Answers that broke a rule; one that broke two counts twice, known failures do not."""
        return min(self.cases, sum(failure.times for failure in self.failures))

    @property
    def right(self) -> float:
        """Percent of the judged answers that were not wrong; 0 where none was judged."""
        return 100.0 * (self.cases - self.wrong) / self.cases if self.cases else 0.0

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed, 2 where nothing was checked, or not all and nothing was wrong."""
        if not self.cases:
            return COULD_NOT_RUN
        passed = not self.failures if self.least >= 100 else self.right >= self.least
        if passed and self.interrupted:
            return COULD_NOT_RUN
        return PASSED if passed else FAILED
