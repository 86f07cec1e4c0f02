"""Asks an upstream which dialect it speaks, without submitting anything.

A GET on `/mj/submit/change`: novicezk has the route and answers 405, the fork with buttons
has none and answers 404, new-api serves its page and names itself in a header.
"""

from mjgate.domain.channel import Channel, Dialect
from mjgate.domain.outcome import Reply
from mjgate.upstream.transport import Transport

_PATH = "/mj/submit/change"


async def probe_dialect(transport: Transport, channel: Channel) -> Dialect | None:
    """The dialect, None where the answer fits none.

    Raises:
        SendError: the upstream did not answer.
    """
    return _dialect(await transport.get(channel, _PATH))


def _dialect(reply: Reply) -> Dialect | None:
    if reply.status == 405:
        return Dialect.NOVICEZK
    if reply.status == 404:
        return Dialect.BUTTONS
    return Dialect.NEW_API if reply.status == 200 and reply.body is None else None
