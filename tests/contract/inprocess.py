"""The same contract under Connexion as it comes, and under ours: both in process."""

import copy
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from connexion.apps.asynchronous import AsyncApp
from connexion.resolver import Resolver
from starlette.types import ASGIApp

from mjgate.contract.call import Answer, Call, Handler
from mjgate.contract.document import Document
from mjgate.contract.operation import compile_operations
from mjgate.contract.stack import stack
from tests.contract.document import CONTRACT, DOCUMENT

KEY = "good"
_NO_GATE = {"gate": None}


def _example(path: str, name: str) -> dict[str, Any]:
    answer = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    return answer["examples"][name]["value"]  # type: ignore[no-any-return]


TASK = _example("/mj/task/{id}/fetch", "running")
ANSWERS: dict[str, Any] = {
    "submit_imagine": {"code": 1, "description": "", "properties": {}, "result": "1"},
    "submit_change": {"code": 1, "description": "", "properties": {}, "result": "1"},
    "fetch_task": TASK,
    "list_tasks": [TASK],
    "fetch_key": _example("/v1/key", "limited"),
    "fetch_usage": _example("/v1/usage", "first"),
}


def by_secret(key: str, required_scopes: Any = None) -> dict[str, str] | None:
    return {"sub": "test"} if key == KEY else None


def by_bearer(token: str) -> dict[str, str] | None:
    return by_secret(token)


def stock() -> ASGIApp:
    spec = copy.deepcopy(DOCUMENT)
    schemes = spec["components"]["securitySchemes"]
    schemes["secret"]["x-apikeyInfoFunc"] = f"{__name__}.by_secret"
    schemes["bearer"]["x-bearerInfoFunc"] = f"{__name__}.by_bearer"
    logging.getLogger("connexion").setLevel(logging.CRITICAL)
    app: Any = AsyncApp("stock")
    app.add_api(spec, resolver=Resolver(_stock_handler))
    return app  # type: ignore[no-any-return]


def _stock_handler(operation: str) -> Any:
    async def handler(**_: Any) -> Any:
        return ANSWERS[operation], 200

    return handler


def ours(
    handlers: Mapping[str, Handler[Any]] | None = None,
    pages: Mapping[str, ASGIApp] | None = None,
    most_bytes: int = 16 * 1024 * 1024,
) -> ASGIApp:
    """The contract with handlers that answer what is good, but for those that are given."""
    operations = compile_operations(DOCUMENT)
    good = {operation.id: _handler(operation.id) for operation in operations}
    return stack(
        Document(CONTRACT.read_bytes(), DOCUMENT),
        operations,
        {**good, **(handlers or {})},
        authenticate=_authenticate,
        trusted=(),
        label=str,
        pages=pages or {},
        lifespan=_lifespan,
        most_bytes=most_bytes,
    )


def _handler(operation: str) -> Handler[Any]:
    async def handler(gate: Any, call: Call) -> Answer:
        return Answer(200, ANSWERS[operation])

    return handler


async def _authenticate(_: Any, key: str, _whence: Any) -> str | None:
    return key if key == KEY else None


@asynccontextmanager
async def _lifespan(_: Any) -> AsyncIterator[dict[str, None]]:
    yield {"gate": None}


@dataclass(frozen=True)
class Answered:
    """What an application sent."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    body: bytes | Sequence[bytes] = b"",
    headers: Mapping[str, str] | None = None,
    state: Mapping[str, Any] | None = None,
) -> Answered:
    """One request over ASGI; pieces of a body end with a client that hangs up."""
    whole = isinstance(body, bytes)
    pieces = [body] if isinstance(body, bytes) else list(body)
    messages = [{"type": "http.request", "body": piece, "more_body": not whole} for piece in pieces]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({**scope(method, path, headers or {}), "state": state or _NO_GATE}, receive, send)
    named = {} if not sent else {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    content = b"".join(message["body"] for message in sent[1:])
    return Answered(sent[0]["status"] if sent else 0, named, content)


def scope(method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """The scope of a request; what stands after a `?` is its query."""
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": _NO_GATE,
    }
