"""Schemathesis' own engine over our application: all its phases, stateful by the contract's links.

It draws, links and applies its own checks. What was really sent and what came is held to the rules
of `mjgate conformance` as well.
"""

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies
from schemathesis import AuthContext, Case, Config, HookContext
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok
from schemathesis.engine import StopReason, events, from_schema
from schemathesis.engine.recorder import Interaction, ScenarioRecorder
from schemathesis.schemas import BaseSchema

from mjgate.conformance import words
from mjgate.conformance.contract_view import IMAGINE
from mjgate.conformance.exchange import Answer, Exchange, Request, headers_of
from mjgate.conformance.memory import Memory
from mjgate.conformance.oracle import expect
from mjgate.conformance.rules import RULES, Rule, Sight
from tests.conformance.exchanges import CONTRACT
from tests.fuzz.faults import failing
from tests.fuzz.habits import NOTHING_LEAKS, Ledger, expects_faults

SETTINGS = Path(__file__).with_name("schemathesis.toml")
_FORMS = (("mj-api-secret", ""), ("Authorization", "Bearer "))
_QUESTIONS = ("from", "to", "cursor")
"""Parameters of a query that are seldom right by chance."""
_JUDGING: Sequence[Rule] = tuple(rule for rule in (*RULES, NOTHING_LEAKS) if rule.judge)


@dataclass
class Tally:
    """What was asked, by operation and status; what came of it."""

    token: str = field(repr=False)
    checked: Counter[tuple[str, int]] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    """How often each check and each rule was applied."""
    accepted: Counter[str] = field(default_factory=Counter)
    """Answers of 2xx, by operation."""
    forms: Counter[str] = field(default_factory=Counter)
    """2xx by the header that had the token."""
    linked: int = 0
    """Answers to requests that a link has led to."""
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    """One of a kind, with the command that shows it."""
    ledger: Ledger = field(default_factory=Ledger)
    memory: Memory = field(default_factory=Memory)

    @property
    def cases(self) -> int:
        return self.checked.total()

    def fail(self, rule: str, text: str, curl: str = "") -> None:
        self.failures.setdefault((rule, text.partition("\n")[0]), f"{rule}: {text}\n  {curl}")


def settings(seed: int, max_examples: int) -> Config:
    config = Config.from_path(SETTINGS)
    config.update(seed=seed, max_failures=None)
    config.projects.default.generation.update(max_examples=max_examples)
    return config


def attack(
    schema: BaseSchema, token: str, faults: Sequence[str], ledger: Ledger | None = None
) -> Tally:
    """Runs all phases over a schema; the tally holds every failure, also what was not reached.

    `faults` are words that ask the sandbox behind the server for one; every other prompt has one.
    """
    _prepare(schema, token, faults)
    tally = Tally(token, ledger=ledger or Ledger())
    for event in from_schema(schema).execute():
        _hear(tally, event)
    for missed in _missed(tally, schema):
        tally.fail("coverage", missed)
    return tally


def enabled(config: Config) -> list[str]:
    """The names of the checks that run."""
    load_all_checks()
    ours = config.projects.default.checks
    names = (check.__name__ for check in CHECKS.get_all())
    return sorted(name for name in names if ours.get_by_name(name=name).enabled)


def _prepare(schema: BaseSchema, token: str, faults: Sequence[str]) -> None:
    drawn = strategies.sampled_from([""] * max(1, len(faults)) + list(faults))

    def flatmap_case(context: HookContext, case: Case[Any]) -> Any:
        if case.meta is None or not case.meta.generation.mode.is_positive:
            return strategies.just(case)
        return strategies.builds(_bent, strategies.just(case), strategies.booleans(), drawn)

    schema.hook(flatmap_case)
    schema.auth(refresh_interval=None)(_identity(token))


def _bent(case: Case[Any], wild: bool, fault: str) -> Case[Any]:
    """A good request, half of the time without what only words refuse."""
    if isinstance(case.body, dict):
        body = case.body if wild else words.tame(case.body)
        case.body = failing(body, fault) if case.operation.path == IMAGINE else body
    if not wild and case.path_parameters:
        case.path_parameters = words.tame(dict(case.path_parameters))
    if not wild and case.query:
        case.query = {name: text for name, text in case.query.items() if name not in _QUESTIONS}
    return case


def _identity(token: str) -> type[Any]:
    """Gives each request the token in one of its two forms."""

    class Identity:
        def get(self, case: Case[Any], context: AuthContext) -> str:
            return token

        def set(self, case: Case[Any], data: str, context: AuthContext) -> None:
            digest = zlib.crc32(repr((case.method, case.path_parameters, case.body)).encode())
            name, prefix = _FORMS[digest % len(_FORMS)]
            case.headers[name] = prefix + data

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
        exchange = _exchange(interaction, tally.token)
        if exchange is None:
            continue
        expected = expect(CONTRACT, exchange.request)
        tally.ledger.listen(exchange, expected)
        results = recorder.checks.get(case_id)
        if results:
            node = recorder.cases[case_id]
            tally.linked += node.parent_id is not None
            _judge(tally, node.value.operation.label, exchange)
            for result in results:
                tally.rules[result.name] += 1
                if result.failure_info is not None:
                    failure = result.failure_info.failure
                    text = f"{exchange}: {failure.title}: {failure.message}"
                    tally.fail(result.name, text, result.failure_info.code_sample)


def _exchange(interaction: Interaction, token: str) -> Exchange | None:
    asked, response = interaction.request, interaction.response
    if response is None:
        return None
    texts = {name: ", ".join(values) for name, values in asked.headers.items()}
    form = next((name for name, _ in _FORMS if name in texts), _FORMS[0][0])
    shown = texts.get(form, "").removeprefix("Bearer ")
    sender = "token" if shown == token else "bad" if shown else "none"
    pairs = [(name, value) for name, values in response.headers.items() for value in values]
    request = Request(asked.method, asked.uri, tuple(headers_of(texts)), asked.body, sender, form)
    answer = Answer(
        response.status_code,
        tuple((name.lower(), value) for name, value in pairs),
        response.content,
    )
    operation = expect(CONTRACT, request).operation
    return Exchange(request, answer, operation.label if operation else None)


def _judge(tally: Tally, label: str, exchange: Exchange) -> None:
    assert exchange.answer is not None
    status, request = exchange.answer.status, exchange.request
    tally.checked[label, status] += 1
    if 200 <= status < 300 and exchange.operation == label:
        tally.accepted[label] += 1
        tally.forms[request.form] += 1
    sight = Sight(exchange, exchange.answer, expect(CONTRACT, request), CONTRACT, (tally.token,))
    for rule in _JUDGING:
        if rule.name == "no_server_error" and status > 500 and expects_faults(request):
            continue
        assert rule.judge is not None
        for broken in rule.judge(sight):
            tally.rules[rule.name] += 1
            if broken is not None:
                tally.fail(rule.name, f"{exchange}: {broken.text}", request.curl())
    for task in sight.tasks:
        back = tally.memory.went_back(task, exchange)
        if back is not None:
            tally.fail("tasks_go_forward", f"{exchange}: {back.text}", request.curl())


def _missed(tally: Tally, schema: BaseSchema) -> Iterator[str]:
    """Nothing checked, nothing accepted: a run that could not fail has not passed."""
    for found in schema.get_all_operations():
        if isinstance(found, Ok) and not tally.accepted[found.ok().label]:
            yield f"{found.ok().label} has never answered 2xx: is the token good?"
    for name, _ in _FORMS:
        if not tally.forms[name]:
            yield f"nothing was accepted with {name}"
    if not tally.linked:
        yield "no link was followed"
    assert schema.config._parent is not None
    for check in enabled(schema.config._parent):
        if not tally.rules[check]:
            yield f"the check {check} has never run"
