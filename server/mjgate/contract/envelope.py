"""What every answer has: the one error shape, X-Request-Id, CORS, a log line, a count."""

import itertools
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mjgate.contract.call import Answer
from mjgate.contract.dispatch import check_answer
from mjgate.contract.headers import headers
from mjgate.contract.operation import Operation
from mjgate.contract.routing import OPERATION
from mjgate.contract.security import CLIENT
from mjgate.contract.send import send_answer, send_bytes
from mjgate.contract.validation import ClientGone
from mjgate.errors import ApiError, Fault, StoreDown, Unauthorized, Unavailable
from mjgate.log import logger, milliseconds, open_notes
from mjgate.metrics import requests

_ORIGIN = secrets.token_hex(10).encode()
_REQUEST_ID = re.compile(rb"[!-~]{1,128}")
_REQUEST_IDS = (b"%s-%x" % (_ORIGIN, number) for number in itertools.count(1))
_GONE = 499
_EXPOSED = (
    b"X-Request-Id, Retry-After, WWW-Authenticate, Idempotency-Replayed, ETag, Preference-Applied"
)
_CACHED_S = b"86400"


class Envelope:
    """The outermost layer; nothing passes it but answers."""

    def __init__(self, app: ASGIApp, label: Callable[[Any], str]) -> None:
        self.app = app
        self._label = label

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        sender = _Sender(send, scope)
        notes = open_notes()
        try:
            await self._answer(scope, receive, sender)
        finally:
            self._record(scope, sender, notes, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, sender: "_Sender") -> None:
        try:
            if _is_preflight(scope):
                await _answer_preflight(sender)
            else:
                await self.app(scope, receive, sender)
        except ApiError as error:
            await _send_error(scope, sender, error)
        except StoreDown:
            await _send_error(scope, sender, Unavailable("The database is out of reach.", 2))
        except ClientGone:
            sender.status = _GONE
        except Exception:
            logger().exception("fault", request_id=sender.request_id.decode())
            await _send_error(
                scope, sender, Fault("The gateway failed. Give the X-Request-Id to its operator.")
            )

    def _record(
        self, scope: Scope, sender: "_Sender", notes: dict[str, Any], seconds: float
    ) -> None:
        operation = scope.get(OPERATION)
        name = operation.id if operation else "none"
        requests(name, sender.status).inc()
        client = scope.get(CLIENT)
        logger().info(
            "request",
            request_id=sender.request_id.decode(),
            method=scope["method"],
            operation=name,
            status=sender.status,
            ms=milliseconds(seconds),
            token=self._label(client) if client is not None else None,
            **notes,
        )


class _Sender:
    """Adds our headers to the start of an answer, and remembers its status."""

    __slots__ = ("_send", "headers", "request_id", "started", "status")

    def __init__(self, send: Send, scope: Scope) -> None:
        self._send = send
        self.headers = headers(scope)
        self.status = 0
        self.started = False
        given = self.headers.get(b"x-request-id", b"")
        good = _REQUEST_ID.fullmatch(given)
        self.request_id: bytes = given if good else next(_REQUEST_IDS)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.started = message["status"], True
            message["headers"] = [*message["headers"], (b"x-request-id", self.request_id)]
            if b"origin" in self.headers:
                message["headers"].append((b"access-control-allow-origin", b"*"))
                message["headers"].append((b"access-control-expose-headers", _EXPOSED))
        await self._send(message)


async def _send_error(scope: Scope, sender: _Sender, error: ApiError) -> None:
    if sender.started:
        raise error
    operation: Operation | None = scope.get(OPERATION)
    own = dict(error.headers)
    if operation is not None and error.status == Unauthorized.status:
        own["WWW-Authenticate"] = operation.challenge
    answer = Answer(error.status, error.body(), own)
    if operation is not None:
        check_answer(operation, answer)
    await send_answer(sender, answer)


def _is_preflight(scope: Scope) -> bool:
    return (
        scope["method"] == "OPTIONS"
        and b"origin" in headers(scope)
        and b"access-control-request-method" in headers(scope)
    )


async def _answer_preflight(sender: _Sender) -> None:
    """Any origin, any header: a token is the only thing that opens this door."""
    wanted = sender.headers.get(b"access-control-request-headers", b"")
    allowed = [
        (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
        (b"access-control-max-age", _CACHED_S),
    ]
    if wanted:
        allowed.append((b"access-control-allow-headers", wanted))
    await send_bytes(sender, 204, allowed, b"")
