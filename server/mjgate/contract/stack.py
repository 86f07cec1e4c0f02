"""Connexion's middleware with every layer compiled for one contract."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from connexion.middleware.lifespan import Lifespan, LifespanMiddleware
from connexion.middleware.main import ConnexionMiddleware
from connexion.resolver import Resolver
from starlette.types import ASGIApp

from mjgate.contract.address import Network
from mjgate.contract.call import Authenticate, Handler
from mjgate.contract.dispatch import Dispatcher
from mjgate.contract.document import Document
from mjgate.contract.envelope import Envelope
from mjgate.contract.operation import Operation
from mjgate.contract.routing import Routing
from mjgate.contract.security import Security
from mjgate.contract.validation import Validation


def stack(
    document: Document,
    operations: Sequence[Operation],
    handlers: Mapping[str, Handler[Any]],
    *,
    authenticate: Authenticate[Any],
    trusted: Collection[Network],
    label: Callable[[Any], str],
    pages: Mapping[str, ASGIApp],
    below: Mapping[str, ASGIApp] | None = None,
    lifespan: Lifespan,
    most_bytes: int,
) -> ConnexionMiddleware:
    """The application of a contract; `pages` are served beside it, outside its rules.

    So is all `below` a first segment of the path, whatever its method.
    `trusted` are the proxies whose word is taken for where a request comes from.
    """
    layers: list[Any] = [
        partial(Envelope, label=label),
        partial(Routing, operations=operations, pages=pages, below=below or {}),
        partial(Security, authenticate=authenticate, trusted=trusted),
        partial(Validation, most_bytes=most_bytes),
        LifespanMiddleware,
    ]
    app = ConnexionMiddleware(
        Dispatcher(handlers),
        middlewares=layers,
        lifespan=lifespan,
        resolver=Resolver(handlers.__getitem__),
    )
    app.add_api(document.spec)
    return app
