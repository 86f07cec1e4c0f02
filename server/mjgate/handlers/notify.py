"""Where upstreams post tasks that changed; it stands outside the contract."""

import asyncio
import contextlib

from starlette.types import Receive, Scope, Send

from mjgate.contract.routing import no_such_path, other_method
from mjgate.contract.send import send_bytes
from mjgate.gate import Gate
from mjgate.services.hint import channel_of, hint

_MOST_BYTES = 1024 * 1024
_READ_S = 5.0


async def notify(scope: Scope, receive: Receive, send: Send) -> None:
    """204 at the address of a channel, whatever is posted there; anywhere else there is nothing."""
    gate: Gate = scope["state"]["gate"]
    if scope["method"] != "POST":
        await other_method(scope, send, ("POST",))
        return
    channel = channel_of(gate, scope["path"])
    if channel is None:
        raise no_such_path()
    hint(gate, channel, await _read(receive))
    await send_bytes(send, 204, [], b"")


async def _read(receive: Receive) -> bytes:
    """The body; nothing of one that is larger than any task, or does not come to its end."""
    chunks: list[bytes] = []
    size, more = 0, True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_READ_S):
            while more and size <= _MOST_BYTES:
                message = await receive()
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                more = message.get("more_body", False)
    return b"" if more or size > _MOST_BYTES else b"".join(chunks)
