"""Runs the gateway: the database it owns, and one server that drains."""

import contextlib
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import uvicorn

from mjgate import log
from mjgate.app import create_app
from mjgate.config import Config
from mjgate.errors import ConfigError
from mjgate.flight import Flight
from mjgate.store.cipher import Cipher, secret_keys
from mjgate.store.embedded import Embedded
from mjgate.store.schema import migrate

_CONNECTIONS_S = 1
_CUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Base:
    """Where the data is: the database's address, and the keys of its secrets."""

    uri: str = field(repr=False)
    keys: str = field(repr=False)

    @property
    def cipher(self) -> Cipher:
        return Cipher(self.keys)


@contextmanager
def open_base(config: Config, *, keep: bool = False) -> Iterator[Base]:
    """The database, started if it is the embedded one, with the schema up to date.

    `keep` says that this process serves: the embedded server is restarted should it die.

    Raises:
        ConfigError: it cannot be reached or started, or a setting is wrong.
    """
    if config.database_url is not None:
        base = _base(config.database_url.get_secret_value(), config)
        migrate(base.uri)
        yield base
        return
    embedded = Embedded(config.data_dir)
    try:
        base = _base(embedded.start(), config)
        migrate(base.uri)
        if keep:
            embedded.watch()
        yield base
    finally:
        embedded.stop()


def _base(uri: str, config: Config) -> Base:
    data_dir = config.data_dir if config.embedded else None
    base = Base(uri, secret_keys(config.secret_key, data_dir))
    Cipher(base.keys)
    return base


class GateServer(uvicorn.Server):
    """A server that drains: on the first signal no new submit, those begun are finished.

    What an upstream has not answered when the time is up lands with an unknown outcome.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        settings: Config,
        base: Base,
        ready: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(config)
        self._settings = settings
        self._base = base
        self._ready = ready
        self._flight = Flight()
        self._deadline = 0.0

    def run(self, sockets: Any = None) -> None:
        log.configure()
        base = self._base
        self.config.app = create_app(self._settings, base.uri, base.cipher, self._flight)
        super().run(sockets)

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self._ready and self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._captured_signals.append(sig)
        if self._flight.draining:
            self.should_exit = True
        else:
            self._flight.draining = True
            self._deadline = time.monotonic() + self._settings.drain_timeout

    async def on_tick(self, counter: int) -> bool:
        if self._flight.draining and not self.should_exit:
            if time.monotonic() > self._deadline and self._flight.cut:
                await self._flight.cut()
                await self._flight.landed(timeout=_CUT_S)
                self.should_exit = True
            self.should_exit = self.should_exit or self._flight.empty
        return await super().on_tick(counter)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, port 0 for any.

    Raises:
        ConfigError: the address is taken, or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigError(
            f"{host}:{port} cannot be bound ({error}); take another --host or --port"
        ) from None
    listener.set_inheritable(True)
    return listener


def run_server(
    config: Config, base: Base, listener: socket.socket, ready: Callable[[], None]
) -> None:
    """Serves on a socket until a signal, then finishes what it has begun."""
    settings = uvicorn.Config(
        app="",
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_CONNECTIONS_S,
    )
    with survived_signals():
        GateServer(settings, config, base, ready).run([listener])


@contextmanager
def survived_signals() -> Iterator[None]:
    """uvicorn raises its signals again when it is done; the database is still to be stopped."""
    caught = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(each, _ignore) for each in caught]
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        for each, handler in zip(caught, before, strict=True):
            signal.signal(each, handler)


def _ignore(_signal: int, _frame: FrameType | None) -> None:
    return None
