"""Holds a request to its operation; the body is read and parsed once."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from connexion.middleware.request_validation import RequestValidationMiddleware
from connexion.spec import Specification
from starlette.types import ASGIApp, Receive, Scope, Send

from mjgate.contract.call import Call
from mjgate.contract.headers import headers
from mjgate.contract.operation import JSON, Operation
from mjgate.contract.parse import parse_body
from mjgate.contract.routing import OPERATION
from mjgate.contract.schema import broken
from mjgate.contract.security import CLIENT
from mjgate.errors import NotJson, TooLarge

CALL = "mjgate.call"
_NONE: Mapping[str, Any] = {}
_DRAINED_BODIES = 4
_DRAIN_S = 5.0


class ClientGone(Exception):
    """Raised when the client hung up before its request was whole."""


class Validation(RequestValidationMiddleware):
    """Connexion's request validation with each operation compiled."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self.app = app
        self._most = most_bytes

    def add_api(self, specification: Specification, *_: Any, **kwargs: Any) -> Any:
        """Connexion hands over what was compiled already."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope[CALL] = await self._call(scope, receive)
        await self.app(scope, receive, send)

    async def _call(self, scope: Scope, receive: Receive) -> Call:
        operation: Operation = scope[OPERATION]
        parameters = operation.parameters.read(scope) if operation.parameters else _NONE
        if operation.body is None:
            return Call(scope[CLIENT], parameters, receive=receive)
        _check_media_type(scope)
        raw = await _read(scope, receive, self._most)
        body = parse_body(raw)
        if not operation.body.accepts(body):
            raise broken(operation.body.violations(body))
        return Call(scope[CLIENT], parameters, body, raw, receive)


def _check_media_type(scope: Scope) -> None:
    given = headers(scope).get(b"content-type", b"")
    if given == b"application/json":
        return
    text = given.decode("latin-1")
    kind, *parameters = (part.strip().lower() for part in text.split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    if kind == JSON and all(charset in ("utf-8", "utf8") for charset in charsets):
        return
    shown = text[:100] if text.isprintable() and text else "nothing"
    raise NotJson(f"The body must be sent as {JSON} in UTF-8; Content-Type says {shown}.")


async def _read(scope: Scope, receive: Receive, most: int) -> bytes:
    """The body, never more than `most` bytes of it in memory."""
    if _declared(scope) > most:
        raise await _too_large(scope, receive, most)
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await _next(receive)
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        more = message.get("more_body", False)
        if size > most:
            chunks.clear()
            raise await _too_large(scope, receive if more else None, most)
    return b"".join(chunks)


def _declared(scope: Scope) -> int:
    return int(headers(scope).get(b"content-length", 0))


async def _too_large(scope: Scope, receive: Receive | None, most: int) -> TooLarge:
    """The refusal, once the client can see it: while it still sends it does not look.

    A client that waits for our go-ahead is answered at once, and its connection is closed:
    the next bytes on it would be taken for the body.
    """
    text = f"The body is larger than {most} bytes."
    if headers(scope).get(b"expect", b"").lower() == b"100-continue" and _declared(scope) > most:
        return TooLarge(text, headers={"Connection": "close"})
    if receive is not None:
        await _drain(receive, most * _DRAINED_BODIES)
    return TooLarge(text)


async def _drain(receive: Receive, most: int) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            while most > 0:
                message = await _next(receive)
                most -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return


async def _next(receive: Receive) -> Mapping[str, Any]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message
