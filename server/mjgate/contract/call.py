"""A request after the contract was enforced, and its answer."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from msgspec import Struct, field
from starlette.types import Message, Receive

from mjgate.contract.address import Address

G = TypeVar("G")


async def _hung_up() -> Message:
    return {"type": "http.disconnect"}


class Call(Struct, frozen=True):
    """One request. `client` is who authenticated; `raw` the body as received.

    `parameters` are by name as the contract writes it, whole numbers as int; an optional one
    that was not given and has no default is absent. `receive` tells when the client hangs up.
    """

    client: Any
    parameters: Mapping[str, Any]
    body: Any = None
    raw: bytes = b""
    receive: Receive = _hung_up


class Answer(Struct, frozen=True):
    """A status and a body to be sent as JSON; 204 and 304 have none."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[G, Call], Awaitable[Answer]]
Whence = Callable[[], Address | None]
"""Where a request comes from, for those who ask; None where it cannot be known."""
Authenticate = Callable[[G, str, Whence], Awaitable[Any]]
