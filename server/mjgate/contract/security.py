"""Finds who is asking: the schemes of an operation in order, the first good one wins."""

from collections.abc import Collection
from functools import partial
from typing import Any

from connexion.middleware.security import SecurityMiddleware
from connexion.spec import Specification
from starlette.types import ASGIApp, Receive, Scope, Send

from mjgate.contract.address import Network, client_address
from mjgate.contract.call import Authenticate
from mjgate.contract.headers import headers
from mjgate.contract.operation import Operation, Scheme
from mjgate.contract.routing import OPERATION
from mjgate.errors import Unauthorized

CLIENT = "mjgate.client"
_MOST_KEY = 512


class Security(SecurityMiddleware):
    """Connexion's security with each operation's schemes compiled."""

    def __init__(
        self, app: ASGIApp, authenticate: Authenticate[Any], trusted: Collection[Network]
    ) -> None:
        self.app = app
        self._authenticate = authenticate
        self._trusted = trusted

    def add_api(self, specification: Specification, *_: Any, **kwargs: Any) -> Any:
        """Connexion hands over what was compiled already."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope[CLIENT] = await self._client(scope, scope[OPERATION])
        await self.app(scope, receive, send)

    async def _client(self, scope: Scope, operation: Operation) -> Any:
        """Who is asking.

        Raises:
            Unauthorized: no scheme has a key, or none of the keys is good.
        """
        whence = partial(client_address, scope, self._trusted)
        shown = False
        for scheme in operation.schemes:
            key = _key(scope, scheme)
            shown = shown or bool(key)
            if key and len(key) <= _MOST_KEY:
                client = await self._authenticate(scope["state"], key, whence)
                if client is not None:
                    return client
        reason = (
            "The token is wrong or was revoked."
            if shown
            else "No token. Send mj-api-secret: <token> or Authorization: Bearer <token>."
        )
        raise Unauthorized(reason)


def _key(scope: Scope, scheme: Scheme) -> str:
    """What stands in the scheme's header after its prefix; blank for nothing."""
    text = headers(scope).get(scheme.header, b"").decode("latin-1").strip()
    size = len(scheme.prefix)
    return text[size:].strip() if text[:size].lower() == scheme.prefix else ""
