"""Runs the gateway: the database it owns, the server, and workers beside each other."""

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from mjgate import log
from mjgate.app import create_app
from mjgate.config import Config
from mjgate.errors import ConfigError
from mjgate.flight import Flight
from mjgate.store.cipher import Cipher, open_cipher
from mjgate.store.embedded import Embedded
from mjgate.store.schema import migrate

_CONNECTIONS_S = 1
_CUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Base:
    """Where the data is: the database's address, and the cipher for its secrets."""

    uri: str
    cipher: Cipher

    def __repr__(self) -> str:
        return "Base(...)"


@contextmanager
def open_base(config: Config, *, keep: bool = False) -> Iterator[Base]:
    """The database, started if it is the embedded one, with the schema up to date.

    `keep` says that this process serves: the embedded server is restarted should it die.

    Raises:
        ConfigError: it cannot be reached or started, or a setting is wrong.
    """
    if config.database_url is not None:
        cipher = open_cipher(config.secret_key, None)
        uri = config.database_url.get_secret_value()
        migrate(uri)
        yield Base(uri, cipher)
        return
    embedded = Embedded(config.data_dir)
    uri = embedded.start()
    try:
        migrate(uri)
        cipher = open_cipher(config.secret_key, config.data_dir)
        if keep:
            embedded.watch()
        yield Base(uri, cipher)
    finally:
        embedded.stop()


class GateServer(uvicorn.Server):
    """A server that drains: on the first signal no new submit, those begun are finished.

    What an upstream has not answered when the time is up lands with an unknown outcome.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        settings: Config,
        uri: str,
        ready: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(config)
        self._settings = settings
        self._uri = uri
        self._ready = ready
        self._flight = Flight()
        self._deadline = 0.0

    def run(self, sockets: Any = None) -> None:
        log.configure()
        data_dir = self._settings.data_dir if self._settings.embedded else None
        cipher = open_cipher(self._settings.secret_key, data_dir)
        self.config.app = create_app(self._settings, self._uri, cipher, self._flight)
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


def run_server(
    config: Config, base: Base, host: str, port: int, workers: int, ready: Callable[[], None]
) -> None:
    """Serves until a signal; with several workers each is a process of its own.

    Raises:
        ConfigError: the address is taken, or may not be used.
    """
    settings = uvicorn.Config(
        app="",
        host=host,
        port=port,
        workers=workers,
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
    sockets = [_bind(settings)]
    with _survived_signals():
        if workers == 1:
            GateServer(settings, config, base.uri, ready).run(sockets)
        else:
            _run_workers(settings, config, base, sockets, ready)


def _bind(settings: uvicorn.Config) -> Any:
    try:
        return settings.bind_socket()
    except SystemExit:
        raise ConfigError(
            f"{settings.host}:{settings.port} cannot be bound; take another --host or --port"
        ) from None


def _run_workers(
    settings: uvicorn.Config, config: Config, base: Base, sockets: Any, ready: Callable[[], None]
) -> None:
    with tempfile.TemporaryDirectory(prefix="mjgate-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        target = GateServer(settings, config, base.uri).run
        ready()
        Multiprocess(settings, target=target, sockets=sockets).run()


@contextmanager
def _survived_signals() -> Iterator[None]:
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


