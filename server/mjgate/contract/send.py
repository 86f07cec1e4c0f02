"""Sends an answer over ASGI in one go."""

from collections.abc import Iterable
from typing import Any

import orjson
from starlette.types import Send

from mjgate.contract.call import Answer

BODILESS = (204, 304)
_JSON = (b"content-type", b"application/json")


async def send_answer(send: Send, answer: Answer) -> None:
    headers = [(k.lower().encode(), v.encode()) for k, v in answer.headers.items()]
    if answer.status in BODILESS:
        await send_bytes(send, answer.status, headers, b"")
    else:
        await send_bytes(send, answer.status, [_JSON, *headers], orjson.dumps(answer.body))


async def send_bytes(
    send: Send, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes
) -> None:
    sent: list[Any] = [*headers]
    if status not in BODILESS:
        sent.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})
