"""Draws requests from the contract with Schemathesis; a session sends and judges them.

Schemathesis knows how to keep and to break each word of a schema. What it draws is sent by our
session and judged by its own bytes, so no other opinion of an answer is asked for.
"""

import json
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from requests import PreparedRequest
from schemathesis import Case, Config, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema

from mjgate.conformance import words
from mjgate.conformance.allowance import NOWHERE, Withheld, costly, harmless
from mjgate.conformance.contract_view import FETCH, IMAGINE, LIST, Contract
from mjgate.conformance.exchange import Request, headers_of
from mjgate.conformance.oracle import json_of
from mjgate.conformance.session import Session

Take = Callable[[Case[Any]], None]
ROUND = 200
"""Cases that Hypothesis draws before it starts anew, so that it never remembers many."""
_FORMS = ("mj-api-secret", "Authorization")
_BAD_REQUEST_IDS = ("two words", "x" * 129, "caf\xe9")
_QUESTIONS = ("from", "to", "cursor")
"""Parameters of a query that are seldom right by chance."""
_HOOKS = ("", " ", None, "http://hooks.example.org/a?b=c", "https://127.0.0.1:9/hook")
_KEYED = 0.3
_MOST_MATCHED = 255
"""Letters of a text that is drawn by its pattern."""
_OURS = frozenset(
    (
        "user-agent",
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "x-schemathesis-testcaseid",
    )
)


def generate(session: Session, seed: int, max_examples: int) -> None:
    """Sends what is drawn: examples, the edges of each schema, and `max_examples` by chance.

    Raises Ended where the session's run is over.
    """
    sends = Sender(session, seed).send
    if session.habits.deck is not None:
        for case in session.habits.deck:
            sends(case)
    else:
        _draw_all(session.contract, seed, max_examples, session.profile.absent, sends)


def deck(contract: Contract, seed: int, max_examples: int) -> Sequence[Case[Any]]:
    """All that a run would draw, for several runs of one process (`Habits.deck`)."""
    cases: list[Case[Any]] = []
    _draw_all(contract, seed, max_examples, frozenset(), cases.append)
    return cases


def _draw_all(
    contract: Contract, seed: int, max_examples: int, absent: frozenset[str], take: Take
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = Drawn(contract, absent, take)
        for operation in drawn.operations:
            drawn.examples(operation)
            drawn.edges(operation)
        for number, size in enumerate(_rounds(max_examples)):
            for operation in drawn.operations:
                drawn.chance(operation, seed + number, size)


def _rounds(max_examples: int) -> Iterator[int]:
    while max_examples > 0:
        yield min(ROUND, max_examples)
        max_examples -= ROUND


class Drawn:
    """Cases of the contract, handed on as they are drawn."""

    def __init__(self, contract: Contract, absent: frozenset[str], take: Take) -> None:
        self._take = take
        self._strategies: dict[tuple[str, GenerationMode], st.SearchStrategy[Any]] = {}
        self.schema = load(contract)
        self.operations = [
            found.ok()
            for found in self.schema.get_all_operations()
            if isinstance(found, Ok) and found.ok().label not in absent
        ]

    def examples(self, operation: APIOperation[Any, Any, Any, Any]) -> None:
        for strategy in operation.get_strategies_from_examples():
            self._draw(strategy, 0, 1)

    def edges(self, operation: APIOperation[Any, Any, Any, Any]) -> None:
        """One case for each word of the schemas kept, and broken."""
        cases = self.schema.iter_coverage_cases(
            operation,
            generation_modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE],
            generation_config=self.schema.config.generation,
        )
        for case in cases:
            self._take(case)

    def chance(self, operation: APIOperation[Any, Any, Any, Any], seed: int, size: int) -> None:
        """As many good cases by chance as bad ones, `size` in all."""
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            self._draw(self._strategy(operation, mode), seed, (size + 1) // 2)

    def _strategy(
        self, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode
    ) -> st.SearchStrategy[Any]:
        """Made once: to make one takes as long as to draw hundreds of cases from it."""
        found = self._strategies.get((operation.label, mode))
        if found is None:
            found = operation.as_strategy(generation_mode=mode)
            self._strategies[operation.label, mode] = found
        return found

    def _draw(self, strategy: st.SearchStrategy[Any], seed: int, size: int) -> None:
        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=size,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(case=strategy)
        def drawn(case: Any) -> None:
            self._take(case)

        # An operation without parameters and body has nothing that can be broken.
        with suppress(Unsatisfiable):
            drawn()


class Sender:
    """Sends cases through a session, and bends them to what it knows."""

    def __init__(self, session: Session, seed: int) -> None:
        self._session = session
        self._random = random.Random(seed)  # noqa: S311

    def send(self, case: Case[Any]) -> None:
        request = self._bent(case)
        if request is None:
            return
        try:
            self._session.ask(request)
        except Withheld:
            return

    def _bent(self, case: Case[Any]) -> Request | None:
        """The request of a case, sometimes with ids that exist and without what words refuse."""
        wild = self._random.random() < 0.5
        if case.meta is not None and case.meta.generation.mode.is_positive and not wild:
            case = _tame(case, self._random)
        request = request_of(case, self._session.target, self._random)
        if request is None:
            return None
        request = self._with_ids(case.operation.path, request)
        return self._session.habits.bend(request, self._random.getrandbits(32))

    def _with_ids(self, path: str, request: Request) -> Request:
        """Ids that are known, or that exist nowhere, in place of drawn ones."""
        known = self._session.memory.ids(request.sender)
        exists = known and self._random.random() < 0.7
        some = self._random.choice(known) if exists else str(self._random.choice(NOWHERE))
        if path == FETCH and self._random.random() < 0.5:
            return replace(request, url=self._session.target + FETCH.replace("{id}", some))
        if request.body is None:
            return request
        body = _object(request.body)
        if path == IMAGINE:
            return request if body is None else self._unpriced(request, body)
        if body is None or (not exists and not _needs_id(self._session, request)):
            return request
        if path == LIST and isinstance(body.get("ids"), list) and self._random.random() < 0.5:
            return replace(request, body=_json({**body, "ids": [*body["ids"][:5], some]}))
        task_id = body.get("taskId")
        if isinstance(task_id, str | int) and not isinstance(task_id, bool):
            return replace(request, body=_json({**body, "taskId": type(task_id)(some)}))
        return request

    def _unpriced(self, request: Request, body: dict[str, Any]) -> Request:
        """A submit that asks for no picture, where none may be asked for: the rest is tested so."""
        if not _needs_id(self._session, request):
            return request
        return replace(request, body=_json({**body, "prompt": ""}))


def load(contract: Contract) -> BaseSchema:
    """The contract as Schemathesis reads it."""
    config = Config()
    project = config.projects.default
    project.generation.update(
        modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE],
        with_security_parameters=False,
        allow_x00=True,
        codec="utf-8",
    )
    drawable = _drawable(json_of(_json(contract.spec)))
    loaded: BaseSchema = schemathesis.openapi.from_dict(drawable, config=config)
    return loaded


def _drawable(node: Any) -> Any:
    """The contract without the patterns of long texts: to draw by them takes seconds each.

    What breaks them is among the corners, and each request is judged by the whole contract.
    """
    if isinstance(node, list):
        return [_drawable(each) for each in node]
    if not isinstance(node, dict):
        return node
    most = node.get("maxLength")
    long = isinstance(most, int) and most > _MOST_MATCHED
    return {key: _drawable(value) for key, value in node.items() if not (long and key == "pattern")}


def request_of(case: Case[Any], target: str, chance: random.Random) -> Request | None:
    """A case as it goes out; None for one that HTTP cannot carry."""
    try:
        parts = case.as_transport_kwargs(base_url=target)
        prepared = PreparedRequest()
        prepared.prepare(**parts)
    except (ValueError, UnicodeError, OSError):
        return None
    body = prepared.body
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    assert raw is None or isinstance(raw, bytes)
    texts = {name: _text(value) for name, value in prepared.headers.items()}
    headers = [(k, v) for k, v in headers_of(texts) if k.lower() not in _OURS]
    digest = chance.getrandbits(16)
    kind = digest % 8
    if kind < len(_BAD_REQUEST_IDS):
        headers.append(("X-Request-Id", _BAD_REQUEST_IDS[kind]))
    elif kind > len(_BAD_REQUEST_IDS):
        headers.append(("X-Request-Id", f"drawn-{digest:x}"))
    sender = "token" if digest & 0xF00 else ("none" if digest & 0x1000 else "bad")
    form = _FORMS[digest >> 8 & 1]
    assert prepared.method is not None
    assert prepared.url is not None
    return Request(prepared.method, prepared.url, tuple(headers), raw, sender, form)


def _tame(case: Case[Any], chance: random.Random) -> Case[Any]:
    """A good case without what is refused for a word, or for a pattern that was not drawn.

    The case itself stays as it is: it may be sent again.
    """
    body = case.body
    if isinstance(body, dict):
        body = words.tame(body)
        if "notifyHook" in body:
            body["notifyHook"] = chance.choice(_HOOKS)
    # A drawn key is seldom new: most are the contract's own example.
    keyed = chance.random() < _KEYED
    headers = {k: v for k, v in case.headers.items() if keyed or k.lower() != "idempotency-key"}
    return case.operation.Case(  # type: ignore[no-any-return]
        method=case.method,
        path_parameters=words.tame(dict(case.path_parameters)),
        headers=headers,
        query={name: text for name, text in case.query.items() if name not in _QUESTIONS},
        body=body,
        media_type=case.media_type,
    )


def _needs_id(session: Session, request: Request) -> bool:
    """Whether a submit can only be sent with an id that exists nowhere."""
    return costly(request) and not harmless(request) and not session.may_submit()


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = json_of(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
