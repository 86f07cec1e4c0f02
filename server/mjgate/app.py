"""Builds the application: the only place that puts parts together."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.types import ASGIApp

from mjgate.config import Config
from mjgate.contract.call import Handler, Whence
from mjgate.contract.document import Document, load_document
from mjgate.contract.operation import Operation, compile_operations
from mjgate.contract.publish import contract_pages
from mjgate.contract.stack import stack
from mjgate.domain.token import Token
from mjgate.errors import ConfigError, Forbidden, Unauthorized
from mjgate.flight import Flight
from mjgate.gallery import open_gallery
from mjgate.gate import Gate
from mjgate.handlers import health, notify, pictures, statements, tasks
from mjgate.jobs import Jobs
from mjgate.store.cipher import Cipher
from mjgate.store.database import open_store
from mjgate.upstream.transport import Transport
from mjgate.upstream.upstreams import Upstreams

_CUT_S = 1.0
HANDLERS = {"statements": statements, "tasks": tasks}
"""One word, four places: tag, module, folder of the client, test."""


def create_app(
    config: Config, uri: str, cipher: Cipher, flight: Flight | None = None, origin: str = ""
) -> ASGIApp:
    """The application on the database at `uri`, whose schema is up to date.

    `origin` is where it listens; what it is called there unless MJGATE_PUBLIC_URL is set.

    Raises:
        ConfigError: the contract and the handlers do not fit.
    """
    document = load_document()
    operations = compile_operations(document.spec)
    return stack(
        document,
        operations,
        find_handlers(operations),
        authenticate=_authenticate,
        trusted=config.trusted_proxies,
        label=_label,
        pages=_pages(document),
        below={"notify": notify.notify},
        lifespan=partial(_lifespan, config, uri, cipher, flight or Flight(), origin),
        most_bytes=config.max_body,
    )


def find_handlers(operations: tuple[Operation, ...]) -> dict[str, Handler[Gate]]:
    """The function of each operation: its tag is the module, its id the name.

    Raises:
        ConfigError: an operation has none.
    """
    found = {}
    for operation in operations:
        handler = getattr(HANDLERS.get(operation.tag), operation.id, None)
        if handler is None:
            raise ConfigError(f"handlers.{operation.tag}.{operation.id} is missing")
        found[operation.id] = handler
    return found


@asynccontextmanager
async def open_gate(
    config: Config, uri: str, cipher: Cipher, flight: Flight, origin: str = ""
) -> AsyncIterator[Gate]:
    """The gate of a serving process, with its background work."""
    async with (
        open_store(uri, cipher, config.queue_limit) as store,
        open_gallery(config, origin) as gallery,
    ):
        transport = Transport(config.upstream_timeout, config.keepalive)
        gate = Gate(config, store, Upstreams(transport), gallery, flight)
        flight.cut, flight.release = transport.close, store.waiters.release
        jobs = Jobs(uri, gate)
        await jobs.start()
        try:
            yield replace(gate, background=jobs)
        finally:
            await flight.landed(timeout=0 if flight.draining else config.drain_timeout)
            flight.draining = True
            store.waiters.release()
            await transport.close()
            await flight.landed(timeout=_CUT_S)
            await jobs.stop()


@asynccontextmanager
async def _lifespan(
    config: Config, uri: str, cipher: Cipher, flight: Flight, origin: str, _app: Any
) -> AsyncIterator[Mapping[str, Gate]]:
    async with open_gate(config, uri, cipher, flight, origin) as gate:
        yield {"gate": gate}


async def _authenticate(state: Mapping[str, Gate], key: str, whence: Whence) -> Token | None:
    """The token of a key.

    Raises:
        Unauthorized: it has expired.
        Forbidden: it may not be used from where the request comes.
    """
    gate = state["gate"]
    token = await gate.store.token(key)
    if token is None or (token.expires_ms is None and token.addresses is None):
        return token
    if token.expired(gate.clock()):
        raise Unauthorized("The token has expired.")
    if token.addresses is not None and not token.admits(whence()):
        raise Forbidden("This token may not be used from this address.")
    return token


def _label(token: Token) -> str:
    return token.label


def _pages(document: Document) -> dict[str, ASGIApp]:
    return {
        **contract_pages(document),
        "/healthz": health.healthz,
        "/readyz": health.readyz,
        "/metrics": health.metrics,
        "/mj/image/{id}": pictures.image,
    }
