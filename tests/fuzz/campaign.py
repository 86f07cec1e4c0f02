"""One run of Schemathesis over a server, and what it has really asked and checked."""

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies
from schemathesis import AuthContext, Case, Config, HookContext, Response
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.failures import Failure as SchemathesisFailure
from schemathesis.core.result import Ok
from schemathesis.engine import StopReason, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.schemas import BaseSchema

from tests.contract.document import faults
from tests.fuzz import checks
from tests.fuzz.faults import WORD, failing
from tests.fuzz.words import RULES, parsed, tame

SETTINGS = Path(__file__).with_name("schemathesis.toml")
_FORMS = (("mj-api-secret", ""), ("Authorization", "Bearer "))
_BAD_REQUEST_IDS = ("two words", "x" * 129, "caf\xe9")
_BODIES = {
    checks.IMAGINE: "ImagineRequest",
    checks.CHANGE: "ChangeRequest",
    checks.LIST: "ListRequest",
}
_QUESTIONS = ("from", "to", "cursor")
"""Parameters of a query that are seldom right by chance."""
_NUMBER = re.compile(rb"(?<![0-9])[0-9]{13,20}(?![0-9])")


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that an answer has broken, and how to ask again."""

    rule: str
    text: str
    curl: str = ""

    def __str__(self) -> str:
        return "\n  ".join(filter(None, (f"{self.rule}: {self.text}", self.curl)))


@dataclass
class Tally:
    """What was asked, by operation and status; what came of it."""

    seed: int
    sent: int = 0
    checked: Counter[tuple[str, int]] = field(default_factory=Counter)
    faulty: int = 0
    """Checked cases that asked the sandbox for a fault."""
    rules: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    """Good requests answered by 2xx, by operation."""
    forms: Counter[str] = field(default_factory=Counter)
    """2xx by the header that had the token."""
    submitted: set[int] = field(default_factory=set)
    numbers: set[int] = field(default_factory=set)
    """What in an answer may be an id."""
    failures: dict[tuple[str, str], Failure] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        """Requests that were answered and checked."""
        return self.checked.total()

    def fail(self, rule: str, text: str, curl: str = "") -> None:
        """Keeps one failure of a kind."""
        self.failures.setdefault((rule, text.partition("\n")[0]), Failure(rule, text, curl))


def settings(seed: int, max_examples: int) -> Config:
    config = Config.from_path(SETTINGS)
    config.update(seed=seed, max_failures=None)
    config.projects.default.generation.update(max_examples=max_examples)
    return config


def attack(schema: BaseSchema, token: str, seed: int, words: Sequence[str]) -> Tally:
    """Runs all phases over a schema; the tally holds every failure, also what was not reached.

    `words` ask for faults of the sandbox behind the server; every other prompt has one.
    """
    _prepare(schema, token, words)
    tally = Tally(seed)
    for event in from_schema(schema).execute():
        _hear(tally, event)
    _miss(tally, schema)
    return tally


def enabled(config: Config) -> list[str]:
    """The names of the checks that run."""
    load_all_checks()
    ours = config.projects.default.checks
    names = (check.__name__ for check in CHECKS.get_all())
    return sorted(name for name in names if ours.get_by_name(name=name).enabled)


def _prepare(schema: BaseSchema, token: str, words: Sequence[str]) -> None:
    drawn = strategies.sampled_from([""] * max(1, len(words)) + list(words))

    def flatmap_case(context: HookContext, case: Case[Any]) -> Any:
        if case.meta is None or not case.meta.generation.mode.is_positive:
            return strategies.just(case)
        return strategies.builds(_bent, strategies.just(case), strategies.booleans(), drawn)

    def filter_failure(
        context: HookContext, failure: SchemathesisFailure, case: Case[Any], response: Response
    ) -> bool:
        match failure:
            case RejectedPositiveData():
                return not rightly_refused(response)
            case AcceptedNegativeData():
                return not rightly_accepted(case.operation.path, response)
        return True

    schema.hook(flatmap_case)
    schema.hook(filter_failure)
    schema.auth(refresh_interval=None)(_identity(token))


def _bent(case: Case[Any], wild: bool, word: str) -> Case[Any]:
    """A good request, half of the time without what only words refuse."""
    if isinstance(case.body, dict):
        body = case.body if wild else tame(case.body)
        case.body = failing(body, word) if case.operation.path == checks.IMAGINE else body
    if not wild and case.path_parameters:
        case.path_parameters = tame(dict(case.path_parameters))
    if not wild and case.query:
        case.query = {name: text for name, text in case.query.items() if name not in _QUESTIONS}
    return case


def rightly_refused(response: Response) -> bool:
    """Whether a request that fits the schema was refused for a rule that only words can say."""
    if response.status_code == 422:
        return "Idempotency-Key" in response.request.headers
    if response.status_code != 400:
        return False
    said = [each["message"] for each in response.json()["properties"]["errors"]]
    broken = checks.refusable(response) + checks.doubtful(response)
    if "%00" in (response.request.url or ""):
        broken.append(next(iter(RULES)))
    return bool(said) and set(said) <= set(broken)


def rightly_accepted(path: str, response: Response) -> bool:
    """Whether a body that was meant to be bad came out good.

    A link that puts an id into a spoilt body can mend it, and Schemathesis does not look again.
    """
    schema = _BODIES.get(path)
    body = parsed(response.request.body)
    return schema is not None and not faults(schema, body) and not checks.refusable(response)


def _identity(token: str) -> type[Any]:
    """Gives each request the token in one of its two forms, and an id, good or bad or none."""

    class Identity:
        def get(self, case: Case[Any], context: AuthContext) -> str:
            return token

        def set(self, case: Case[Any], data: str, context: AuthContext) -> None:
            digest = zlib.crc32(repr((case.method, case.path_parameters, case.body)).encode())
            name, prefix = _FORMS[digest % len(_FORMS)]
            case.headers[name] = prefix + data
            kind = digest // len(_FORMS) % 8
            if kind < len(_BAD_REQUEST_IDS):
                case.headers["X-Request-Id"] = _BAD_REQUEST_IDS[kind]
            elif kind > len(_BAD_REQUEST_IDS):
                case.headers["X-Request-Id"] = f"fuzz-{digest:x}"

    return Identity


def _hear(tally: Tally, event: events.EngineEvent) -> None:
    match event:
        case events.ScenarioFinished(recorder=recorder):
            _count(tally, recorder)
        case events.NonFatalError(info=info, label=label):
            tally.fail("error", f"{label}: {info.title}: {info.message}", info.code_sample or "")
        case events.FatalError(exception=exception):
            tally.fail("error", repr(exception))
        case events.SchemaAnalysisWarnings(warnings=found):
            for warning in found:
                tally.fail("warning", f"{warning.kind}: {warning.message}")
        case events.EngineFinished(failures=failures, stop_reason=reason):
            for failure in failures:
                tally.fail("after the run", failure.message)
            if reason is not StopReason.COMPLETED:
                tally.fail("error", f"stopped early: {reason}")


def _count(tally: Tally, recorder: ScenarioRecorder) -> None:
    for case_id, interaction in recorder.interactions.items():
        response = interaction.response
        if response is None:
            continue
        tally.sent += 1
        tally.numbers.update(map(int, _NUMBER.findall(response.content)))
        results = recorder.checks.get(case_id)
        if results:
            _judge(tally, recorder.cases[case_id].value, response, results)


def _judge(tally: Tally, case: Case[Any], response: Response, results: Any) -> None:
    label, status = case.operation.label, response.status_code
    tally.checked[label, status] += 1
    tally.faulty += WORD.encode() in checks.sent_in(response)
    if 200 <= status < 300 and case.method.upper() == case.operation.method.upper():
        tally.accepted[label] += 1
        tally.forms.update(name for name, _ in _FORMS if name in response.request.headers)
    tally.submitted.update(
        int(each) for each in checks.submitted_in(response) if checks.is_id(each)
    )
    for result in results:
        tally.rules[result.name] += 1
        if result.failure_info is not None:
            failure = result.failure_info.failure
            text = f"{label} {status}: {failure.title}: {failure.message}"
            tally.fail(result.name, text, result.failure_info.code_sample)


def _miss(tally: Tally, schema: BaseSchema) -> None:
    """Nothing checked, nothing accepted: a run that could not fail has not passed."""
    for label in _labels(schema):
        if not tally.accepted[label]:
            tally.fail("coverage", f"{label} has never answered 2xx: is the token good?")
    for name, _ in _FORMS:
        if not tally.forms[name]:
            tally.fail("coverage", f"nothing was accepted with {name}")
    assert schema.config._parent is not None
    for rule in enabled(schema.config._parent):
        if not tally.rules[rule]:
            tally.fail("coverage", f"the check {rule} has never run")


def _labels(schema: BaseSchema) -> list[str]:
    """The operations; one that Schemathesis cannot read is an error that it reports itself."""
    return [found.ok().label for found in schema.get_all_operations() if isinstance(found, Ok)]
