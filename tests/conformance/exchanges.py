"""Requests, answers and judgements for tests, in few words."""

import json
from collections.abc import Mapping
from typing import Any

from mjgate.conformance.contract_view import Contract
from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.oracle import Expectation, expect
from mjgate.conformance.rules import BY_NAME, Sight

CONTRACT = Contract.load()
TARGET = "http://server.example"
SENT_AS_JSON = {"Content-Type": "application/json"}
TASK: Mapping[str, Any] = {
    "action": "IMAGINE",
    "description": None,
    "failReason": None,
    "finishTime": None,
    "id": "1320098173412546",
    "imageUrl": None,
    "progress": "31%",
    "prompt": "Cat",
    "promptEn": "Cat",
    "properties": {},
    "startTime": None,
    "state": None,
    "status": "IN_PROGRESS",
    "submitTime": 1_795_408_020_562,
}
_ABSENT = object()


def request(
    method: str,
    path: str,
    body: Any = _ABSENT,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Request:
    """A request; a body that is no bytes is sent as JSON."""
    raw = None
    if body is not _ABSENT:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = {**(SENT_AS_JSON if raw is not None else {}), **(headers or {})}
    return Request(method, TARGET + path, tuple(pairs.items()), raw, **more)


def answer(status: int, body: Any = _ABSENT, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer with all that the contract wants of its headers."""
    raw = b"" if body is _ABSENT else body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = {"content-type": "application/json", "x-request-id": "given", **(headers or {})}
    return Answer(status, tuple((name, text) for name, text in pairs.items() if text), raw)


def error(status: int, slug: str, *pointers: str, **headers: str) -> Answer:
    """An error of the contract."""
    code = 3 if status == 404 else 4 if status < 500 else 9
    errors = [{"pointer": pointer, "message": "is wrong"} for pointer in pointers]
    body = {"code": code, "description": "", "result": None}
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return answer(status, body | {"properties": {"error": slug, "errors": errors}}, named)


def expected(asked: Request) -> Expectation:
    return expect(CONTRACT, asked)


def sight(asked: Request, answered: Answer, secrets: tuple[str, ...] = ()) -> Sight:
    said = expected(asked)
    label = said.operation.label if said.operation else None
    return Sight(Exchange(asked, answered, label), answered, said, CONTRACT, secrets)


def broken(rule: str, asked: Request, answered: Answer) -> list[str]:
    """How an answer breaks a rule."""
    return [each for each in judged(rule, asked, answered) if each is not None]


def judged(rule: str, asked: Request, answered: Answer) -> list[str | None]:
    """One for each time that the rule was applied; None where it held."""
    judge = BY_NAME[rule].judge
    assert judge is not None
    secrets = ("the-token-of-tests",)
    return [each.text if each else None for each in judge(sight(asked, answered, secrets))]
