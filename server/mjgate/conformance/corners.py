"""Requests that every run sends, whatever is drawn: the corners of each operation.

None of them can be accepted by a server of this kind, but for `good`, which needs an allowance
where it submits.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from mjgate.conformance.contract_view import CHANGE, FETCH, IMAGINE, LIST, USAGE, Operation
from mjgate.conformance.exchange import Request
from mjgate.conformance.session import Session

OTHER_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")
UNKNOWN_PATHS = ("/mj", "/mj/task", "/mj/task/list", "/mjgate-has-no-such-path", "/v1/keys")
_DEEP = 200
_MOST_IDS = 10_000


def corners(session: Session) -> Iterator[Request]:
    """All of them, the plain ones first."""
    operations = [
        each for each in session.contract.operations if each.label not in session.profile.absent
    ]
    for operation in operations:
        yield from _good(session, operation)
    for operation in operations:
        yield from _tokens(session, operation)
        yield from _methods(session, operation)
        yield from _request_ids(session, operation)
        yield from _queries(session, operation)
        yield from _broken_bodies(session, operation)
    for path in UNKNOWN_PATHS:
        yield session.request("GET", path)
        yield session.request("GET", path, sender="none")


def good_body(session: Session, operation: Operation) -> Any:
    """The least that an operation takes; of a submit it may draw a picture."""
    return {
        IMAGINE: {"prompt": "a red fox in the snow"},
        CHANGE: {"action": "REROLL", "taskId": session.nowhere},
        LIST: {"ids": [session.nowhere]},
    }.get(operation.path)


def address(session: Session, operation: Operation) -> str:
    """The path of an operation, with an id that no server has."""
    return operation.path.replace("{id}", quote(session.nowhere))


def _plain(session: Session, operation: Operation, body: Any = None, **more: Any) -> Request:
    """A request of an operation, a submit with nothing to draw unless `body` says otherwise."""
    path = more.pop("path", address(session, operation))
    if operation.body is None:
        return session.request(operation.method, path, **more)
    if body is None:
        body = {} if operation.path == IMAGINE else good_body(session, operation)
    return session.request(operation.method, path, body, **more)


def _good(session: Session, operation: Operation) -> Iterator[Request]:
    body = good_body(session, operation)
    for form in operation.forms:
        yield _plain(session, operation, body, form=form)
    # An imagine without a prompt is wrong, and no less found at its path.
    body = None if operation.path == IMAGINE else body
    yield _plain(session, operation, body, path=address(session, operation) + "/")
    if operation.body is not None:
        more = {"Content-Type": "application/json; charset=utf-8"}
        yield _plain(session, operation, body, headers=more)
    if operation.path == LIST:
        for ids in ([], None, [int(session.nowhere)]):
            yield _plain(session, operation, {"ids": ids})
        yield _plain(session, operation, {"unknown": {"field": 1}})
    if operation.path == USAGE:
        for limit in (1, 1000):
            yield _plain(session, operation, path=f"{USAGE}?limit={limit}")
    if operation.path == FETCH:
        yield _plain(session, operation, path="/mj/task/mjgate-nowhere-1/fetch")


def _tokens(session: Session, operation: Operation) -> Iterator[Request]:
    yield _plain(session, operation, sender="none")
    for form in operation.forms:
        yield _plain(session, operation, sender="bad", form=form)


def _methods(session: Session, operation: Operation) -> Iterator[Request]:
    match = session.contract.match(operation.path)
    for method in OTHER_METHODS:
        if match is not None and method not in match.operations:
            yield session.request(method, address(session, operation))


def _request_ids(session: Session, operation: Operation) -> Iterator[Request]:
    for given in ("mjgate-1", "two words", "x" * 129, "caf\xe9"):
        yield _plain(session, operation, headers={"X-Request-Id": given})


def _queries(session: Session, operation: Operation) -> Iterator[Request]:
    if operation.path == USAGE:
        for query in _QUERIES:
            yield session.request(operation.method, f"{operation.path}?{query}")


_QUERIES = (
    "limit=1",
    "limit=1000&from=2026-01-31&to=2026-02-01",
    "unknown=1",
    "limit=0",
    "limit=1001",
    "limit=ten",
    "limit=1.0",
    "limit=",
    "cursor=0",
    "cursor=-1",
    "cursor=next",
    "cursor=9007199254740992",
    "from=today",
    "from=2026-13-01",
    "to=2026-1-1",
    "to=2026-02-01T00:00:00Z",
)


def _broken_bodies(session: Session, operation: Operation) -> Iterator[Request]:
    if operation.body is None:
        return
    field = {IMAGINE: "state", CHANGE: "state", LIST: "more"}[operation.path]
    rest = {} if operation.path == IMAGINE else good_body(session, operation)
    text = json.dumps(rest)
    for raw in (
        b"",
        b"{",
        b"[1,",
        b"nul",
        b"\xff\xfe",
        b'"\xff"',
        b"{'a': 1}",
        b"NaN",
        b"[1,]",
        b"{}{}",
    ):
        yield _plain(session, operation, raw)
    for odd in ("\\u0000", "\\ud800"):
        yield _plain(session, operation, _with(text, field, f'"{odd}"'))
    yield _plain(session, operation, _with(text, field, str(2**63)))
    yield _plain(session, operation, _with(text, field, "[" * _DEEP + "]" * _DEEP))
    wholes: tuple[Any, ...] = (None, 1, "text", [], True)
    for whole in wholes:
        yield _plain(session, operation, json.dumps(whole).encode())
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        yield _plain(session, operation, text.encode(), headers={"Content-Type": kind})
    if operation.path == IMAGINE:
        prompts: tuple[Any, ...] = (None, "", " ", "\t\n", [], {})
        for prompt in prompts:
            yield _plain(session, operation, {"prompt": prompt})
    if operation.path == LIST:
        yield _plain(session, operation, {"ids": [session.nowhere] * (_MOST_IDS + 1)})
    if operation.path == CHANGE:
        yield from (_plain(session, operation, rest | more) for more in _BAD_CHANGES)
        for hook in (*_BAD_HOOKS, *_GOOD_HOOKS):
            yield _plain(session, operation, rest | {"notifyHook": hook})
    if operation.submits:
        for key in ("", "two words", "x" * 256, "caf\xe9"):
            yield _plain(session, operation, rest, headers={"Idempotency-Key": key})


_GOOD_HOOKS: tuple[Any, ...] = (
    "",
    " ",
    None,
    "http://hooks.example.org:8080/a?b=c#d",
    "https://example.org",
)
_BAD_HOOKS: tuple[Any, ...] = (
    "ftp://example.org/",
    "example.org/hook",
    "http://",
    "http://user:secret@example.org/",
    "https://example.org/a b",
    "javascript:alert(1)",
    "https://example.org/" + "x" * 2048,
    1,
    [],
)
_BAD_CHANGES: tuple[dict[str, Any], ...] = (
    {"action": "UPSCALE"},
    {"action": "UPSCALE", "index": 0},
    {"action": "VARIATION", "index": 5},
    {"action": "VARIATION", "index": "1"},
    {"action": "UPSCALE", "index": None},
    {"action": "BLEND"},
    {"action": None},
    {"action": 1},
    {"taskId": None},
    {"taskId": ""},
    {"taskId": []},
    {"taskId": {}},
    {"taskId": -1},
)


def _with(text: str, field: str, value: str) -> bytes:
    """A JSON object with one more field, whose value no Python object has."""
    more = ", " if text != "{}" else ""
    return f'{text[:-1]}{more}"{field}": {value}}}'.encode()
