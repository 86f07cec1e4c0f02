"""A run over an installed client: `run_client`."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from mjgate.conformance.client.draw import NO_BODY, Drawing, Question
from mjgate.conformance.client.habits import Habit, Habits
from mjgate.conformance.client.hostile import hostile
from mjgate.conformance.client.judge import RULES, Broken, judged, sent
from mjgate.conformance.client.mock import Answering, Arrival, Mock, mocking
from mjgate.conformance.client.near import near, near_everywhere
from mjgate.conformance.client.package import (
    TOKEN,
    WAYS,
    Called,
    Caller,
    Package,
    Unfit,
    installed,
    opened,
)
from mjgate.conformance.client.reply import Reply, as_json
from mjgate.conformance.contract_view import FETCH, Contract, Operation
from mjgate.conformance.exchange import Exchange, Request
from mjgate.conformance.redact import redacted
from mjgate.conformance.verdict import Failure, Seen, Verdict

PACKAGE = "mjgate_client"
EXAMPLES = 5
"""Replies drawn for each operation and status where nothing else is said."""
_IDS: tuple[str, ...] = (
    ".",
    "..",
    "...",
    "a/b",
    "../../x",
    "%2F",
    "%2e%2e",
    "?",
    "#",
    "a b",
    "a+b",
    ";",
)
_IDS += ("a&b=c", "\u732b 1", "\\", "%", "a\u0000b", "\u00e9", "x" * 64, ":", "@", "*", '"', "{id}")
_EVERYWHERE = (200, 400)
"""Statuses whose example is changed at each of its places."""
_FORMS = ("authorization", "mj-api-secret")
_QUESTIONS = 4
"""At least so many calls are drawn for each operation."""
_PLAIN = ("an example of the contract", "what the contract allows")
_FAULT = Reply("a fault", "odd", 500)


def run_client(
    package: str = PACKAGE,
    *,
    seed: int = 0,
    max_examples: int = EXAMPLES,
    operations: Collection[str] = (),
    drawing: Drawing | None = None,
) -> Verdict:
    """Asks an installed client for every operation and judges what it sends and what it makes of
    the replies of a mock.

    Args:
        package: The import name.
        seed: Draws the same again.
        max_examples: Replies drawn for each operation and status.
        operations: The ids of those that are asked for; all where none is named.
        drawing: Of the same seed, where one is there already.

    Raises:
        CannotRun: it is not installed, or no client of this kind.
    """
    begun = time.monotonic()
    found = installed(package)
    drawing = drawing or Drawing(Contract.load(), seed)
    run = _Run(found, drawing, max_examples)
    run.all(operations)
    verdict = run.verdict(round((time.monotonic() - begun) * 1000))
    return redacted(verdict, [TOKEN])


@dataclass(slots=True)
class _Tally:
    """What was judged, and the shortest way to each failure."""

    cases: int = 0
    by_status: Counter[tuple[str, int]] = field(default_factory=Counter)
    good: Counter[tuple[str, int]] = field(default_factory=Counter)
    applied: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: dict[tuple[str, str, str], Failure] = field(default_factory=dict)

    def fail(self, failure: Failure) -> None:
        known = self.failures.get(failure.key)
        if known is None:
            self.failures[failure.key] = failure
            return
        shorter = failure if _size(failure) < _size(known) else known
        self.failures[failure.key] = replace(shorter, times=known.times + failure.times)


class _Run:
    def __init__(self, package: Package, drawing: Drawing, examples: int) -> None:
        self._package = package
        self._contract = drawing.contract
        self._examples = examples
        self._chance = random.Random(drawing.seed)  # noqa: S311 - a run repeats by its seed
        self._drawing = drawing
        self._tally = _Tally()
        self._arrivals: list[Arrival] = []

    def all(self, operations: Collection[str]) -> None:
        with asyncio.Runner() as runner:
            with mocking(lambda _: _FAULT) as mock, ExitStack() as stack:
                callers = [self._caller(mock, runner, form, stack) for form in _FORMS]
                for operation in self._contract.operations:
                    if not operations or operation.id in operations:
                        self._operation(operation, mock, callers)
            self._habits(runner)

    def _habits(self, runner: asyncio.Runner) -> None:
        if any(self._missing(self._contract.operation(FETCH))):
            return
        for habit in Habits(self._package, self._contract, runner).all():
            self._habit(habit)

    def _habit(self, habit: Habit) -> None:
        self._tally.applied[habit.rule, habit.operation] += 1
        self._tally.cases += 1
        if habit.text:
            where = self._contract.operation(FETCH).where
            self._fail(habit.rule, habit.operation, habit.text, where, habit.detail, habit.reply)

    def verdict(self, took_ms: int) -> Verdict:
        tally = self._tally
        rules: Counter[str] = Counter(dict.fromkeys(RULES, 0))
        for (rule, _), times in tally.applied.items():
            rules[rule] += times
        return Verdict(
            target=self._package.label,
            profile="client",
            contract=self._contract.version,
            seed=self._drawing.seed,
            cases=tally.cases,
            by_status=dict(tally.by_status),
            rules=dict(rules),
            applied=dict(tally.applied),
            sentences=dict(RULES),
            failures=tuple(tally.failures.values()),
            seen=tuple(self._seen()),
            notes=tuple(self._notes(rules)),
            took_ms=took_ms,
        )

    def _seen(self) -> Iterator[Seen]:
        for operation in self._contract.operations:
            for status in operation.responses:
                good = self._tally.good[operation.label, status]
                yield Seen(operation.label, "status", str(status), good=good)

    def _notes(self, rules: Counter[str]) -> Iterator[str]:
        yield f"{self._package.root.__file__} was called; a mock on 127.0.0.1 has answered."
        if not rules["client_waits"]:
            yield "The client has no lib.wait_for: nobody has waited."

    def _operation(self, operation: Operation, mock: Mock, callers: Sequence[Caller]) -> None:
        rule = "client_has_operation"
        self._tally.applied[rule, operation.label] += 1
        missing = list(dict.fromkeys(self._missing(operation)))
        for text in missing:
            self._fail(rule, operation.label, text, operation.where)
        if missing:
            self._tally.cases += 1
            return
        questions = self._drawing.questions(operation, max(self._examples, _QUESTIONS))
        for number, reply in enumerate(self._replies(operation, mock.url)):
            question = _with_id(operation, questions[number % len(questions)], number)
            self._ask(operation, mock, callers[number // 4 % 2], reply, question, number)

    def _missing(self, operation: Operation) -> Iterator[str]:
        for way in WAYS:
            try:
                function = self._package.function(self._contract, operation, way)
                self._package.arguments(self._contract, operation, function, Question(NO_BODY))
            except Unfit as reason:
                yield str(reason)

    def _caller(self, mock: Mock, runner: asyncio.Runner, form: str, stack: ExitStack) -> Caller:
        options: dict[str, Any] = {}
        if form != "authorization":
            options = {"prefix": "", "auth_header_name": form}
        clients = {}
        for strict in (False, True):
            options["raise_on_unexpected_status"] = strict
            client = opened(self._package, runner, mock.url, **options)
            clients[strict] = stack.enter_context(client)
        return Caller(self._package, self._contract, self._arrivals, clients, runner, form)

    def _replies(self, operation: Operation, url: str) -> Iterator[Reply]:
        for status, response in operation.responses.items():
            if response.schema is None:
                yield Reply("a documented answer without a body", "valid", status, ())
                continue
            media = self._contract.at(response.schema.rpartition("/")[0])
            shown = [each["value"] for each in media.get("examples", {}).values()]
            for value in shown:
                yield Reply(_PLAIN[0], "valid", status, payload=as_json(value))
            for value in self._drawing.answers(response.schema, self._examples):
                yield Reply(_PLAIN[1], "valid", status, payload=as_json(value))
                made = near(self._contract, response.schema, value, self._chance)
                yield Reply(made.name, made.kind, status, payload=as_json(made.value))
            if status in _EVERYWHERE:
                for made in near_everywhere(
                    self._contract, response.schema, shown[0], self._chance
                ):
                    yield Reply(made.name, made.kind, status, payload=as_json(made.value))
            if status == 200:
                yield from hostile(shown[0], f"{url}/elsewhere")

    def _ask(
        self,
        operation: Operation,
        mock: Mock,
        caller: Caller,
        reply: Reply,
        question: Question,
        number: int,
    ) -> None:
        """One reply, strictly or not as its number says; what the contract allows in all four ways,
        the many others in two of them."""
        self._count(operation, reply)
        mock.answer = self._writing(reply)
        found: dict[tuple[str, str], list[tuple[Called, Broken]]] = {}
        for way in WAYS if reply.name in _PLAIN else WAYS[number % 2 :: 2]:
            try:
                called = caller.call(operation, way, number // 2 % 2 == 1, question)
            except Unfit as reason:
                rule = "client_sends_the_contract"
                self._fail(rule, operation.label, str(reason), operation.where)
                return
            for rule, broken in (
                *judged(self._package, self._contract, operation, reply, called),
                *sent(operation, question, caller.header, called),
            ):
                self._tally.applied[rule, operation.label] += 1
                for each in broken:
                    found.setdefault((each.rule, each.text), []).append((called, each))
        for (rule, text), calls in found.items():
            called, broken_one = calls[0]
            text += _only(called.way for called, _ in calls)
            request = self._request(operation, mock, called)
            self._fail(
                rule, operation.label, text, broken_one.where, broken_one.detail, reply, request
            )

    def _count(self, operation: Operation, reply: Reply) -> None:
        self._tally.cases += 1
        self._tally.by_status[operation.label, reply.status] += 1
        if reply.kind == "valid":
            self._tally.good[operation.label, reply.status] += 1

    def _writing(self, reply: Reply) -> Answering:
        def answer(arrival: Arrival) -> Reply:
            self._arrivals.append(arrival)
            return reply

        return answer

    def _request(self, operation: Operation, mock: Mock, called: Called) -> Request:
        if called.arrivals:
            return called.arrivals[0].request(mock.url)
        return Request(operation.method, mock.url + operation.path)

    def _fail(
        self,
        rule: str,
        operation: str,
        text: str,
        where: str,
        detail: str = "",
        reply: Reply | None = None,
        request: Request | None = None,
    ) -> None:
        exchanges: tuple[Exchange, ...] = ()
        if reply is not None:
            request = request or Request("GET", "/")
            exchanges = (Exchange(request, reply.answer, operation or None),)
        self._tally.fail(Failure(rule, operation, text, where, exchanges, detail=detail))


def _with_id(operation: Operation, question: Question, number: int) -> Question:
    """The question with an id that is hard to write in a path, as long as there are any."""
    names = [each.name for each in operation.parameters if each.place == "path"]
    hard = dict.fromkeys(names, _IDS[number]) if number < len(_IDS) else {}
    return replace(question, parameters={**question.parameters, **hard})


def _only(ways: Iterable[str]) -> str:
    """Which of the ways, where the others did not."""
    asynchronous = {way.startswith("asyncio") for way in ways}
    if len(asynchronous) > 1:
        return ""
    return " (asyncio alone)" if asynchronous == {True} else " (sync alone)"


def _size(failure: Failure) -> int:
    return sum(len(each.answer.body) for each in failure.exchanges if each.answer)
