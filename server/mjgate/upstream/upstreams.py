"""The upstreams of one process: transport, breaker and dialects together."""

from dataclasses import dataclass, field
from typing import Any, Final

from mjgate.domain.channel import Channel, Dialect
from mjgate.domain.outcome import Reply
from mjgate.errors import SendError
from mjgate.upstream.breaker import Breaker
from mjgate.upstream.buttons import Buttons
from mjgate.upstream.newapi import NewApi
from mjgate.upstream.novicezk import Novicezk, Request
from mjgate.upstream.transport import Transport

DIALECTS: Final = {
    Dialect.NOVICEZK: Novicezk(),
    Dialect.BUTTONS: Buttons(),
    Dialect.NEW_API: NewApi(),
}


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Where requests go out."""

    transport: Transport
    breaker: Breaker[int] = field(default_factory=Breaker)

    async def send(self, channel: Channel, request: Request) -> Reply:
        """Sends once; a fault counts against the channel.

        Raises:
            NotSent: it may be sent elsewhere.
            Broken: what it did is unknown.
        """
        try:
            reply = await self.transport.post(channel, request.path, request.body)
        except SendError:
            self.breaker.failed(channel.id)
            raise
        if reply.status >= 500:
            self.breaker.failed(channel.id)
        else:
            self.breaker.worked(channel.id)
        return reply


def listed(channel: Channel, reply: Reply) -> list[Any]:
    """The tasks of a list, whatever each of them is.

    Raises:
        SendError: the answer is no list.
    """
    if reply.status != 200 or not isinstance(reply.body, list):
        raise SendError(f"{channel.name}: its list is none (HTTP {reply.status})")
    return reply.body


def dialect_of(channel: Channel) -> Novicezk:
    """How to speak on a channel whose dialect is known."""
    spoken = channel.spoken if channel.dialect is Dialect.AUTO else channel.dialect
    assert spoken is not None
    return DIALECTS[spoken]
