"""Runs the gateway: the database it owns, and one server that drains."""

import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
import uvicorn
from psycopg.conninfo import conninfo_to_dict

from mjgate import log
from mjgate.app import create_app
from mjgate.config import Config
from mjgate.contract.protocol import Protocol
from mjgate.errors import ConfigError
from mjgate.flight import Flight
from mjgate.store.cipher import Cipher, secret_keys
from mjgate.store.embedded import embedded
from mjgate.store.pooler import refuse_pooler
from mjgate.store.schema import migrate

_CONNECTIONS_S = 1
_COLLECT_AFTER = 20_000
_CUT_S = 1.0
_BACKLOG = 2048
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104


@dataclass(frozen=True, slots=True)
class Base:
    """Where the data is: the database's address, and the keys of its secrets.

    `key_file` is the file that keeps these keys, if one does.
    """

    uri: str = field(repr=False)
    keys: str = field(repr=False)
    key_file: Path | None = None

    @property
    def cipher(self) -> Cipher:
        return Cipher(self.keys, self.key_file)


@contextmanager
def open_base(config: Config, *, keep: bool = False) -> Iterator[Base]:
    """The database, started if it is the embedded one, with the schema up to date.

    `keep` says that this process serves: the embedded server is restarted should it die.

    Raises:
        ConfigError: it cannot be reached or started, or a setting is wrong.
    """
    if config.database_url is not None:
        base = _base(_checked(config.database_url.get_secret_value()), config)
        refuse_pooler(base.uri)
        migrate(base.uri)
        yield base
        return
    with embedded(config.data_dir, keep=keep) as uri:
        base = _base(uri, config)
        migrate(base.uri)
        yield base


def _checked(uri: str) -> str:
    """libpq names the fault of an address by quoting it, password and all; we do not."""
    try:
        conninfo_to_dict(uri)
    except psycopg.ProgrammingError:
        raise ConfigError(
            "DATABASE_URL is no address such as postgresql://user:password@host:5432/name; "
            "special characters of a password are written as %XX"
        ) from None
    return uri


def _base(uri: str, config: Config) -> Base:
    data_dir = config.data_dir.expanduser() if config.embedded else None
    base = Base(uri, *secret_keys(config.secret_key, config.secret_key_file, data_dir))
    Cipher(base.keys)
    return base


class Signals:
    """The stop signals of this process, counted from its start to its end.

    They cut neither the start nor the cleaning up short: a database that is half made or half
    stopped would outlive us.
    """

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> "Signals":
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        """Stays: what is left to do is to end."""

    def _heard(self, _signal: int, _frame: FrameType | None) -> None:
        self.count += 1


def _settle_memory() -> None:
    """Spares the collector what stays for good; a submit leaves few cycles behind it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 50)


class GateServer(uvicorn.Server):
    """A server that drains: on the first signal no new submit, those begun are finished.

    What an upstream has not answered when the time is up lands with an unknown outcome. Fetches
    that wait for a change are answered at once.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        flight: Flight,
        drain_s: float,
        signals: Signals,
        ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._flight = flight
        self._drain_s = drain_s
        self._signals = signals
        self._ready = ready
        self._deadline = 0.0

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        _settle_memory()
        if self._signals.count:
            self._drain()
        else:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._flight.draining:
            self._deadline = 0.0
        else:
            self._drain()

    def _drain(self) -> None:
        self._flight.draining = True
        self._deadline = time.monotonic() + self._drain_s

    async def on_tick(self, counter: int) -> bool:
        if self._flight.draining and self._flight.release:
            self._flight.release()
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
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigError(
            f"{host}:{port} cannot be bound ({error}); take another --host or --port"
        ) from None
    listener.set_inheritable(True)
    return listener


def address_of(listener: socket.socket) -> str:
    """The address that a socket listens on, as a browser takes it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def origin_of(listener: socket.socket) -> str:
    """Where this machine reaches it: one that listens everywhere is reached as `localhost`."""
    host, port = listener.getsockname()[:2]
    return f"http://localhost:{port}" if host in EVERYWHERE else address_of(listener)


def run_server(
    config: Config,
    base: Base,
    listener: socket.socket,
    signals: Signals,
    ready: Callable[[], None],
) -> None:
    """Serves on a socket until a signal, then finishes what it has begun.

    Raises:
        ConfigError: it did not start.
    """
    log.configure()
    flight = Flight()
    settings = uvicorn.Config(
        create_app(config, base.uri, base.cipher, flight, origin_of(listener)),
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_CONNECTIONS_S,
    )
    server = GateServer(settings, flight, config.drain_timeout, signals, ready)
    try:
        server.run([listener])
    except SystemExit:
        raise ConfigError("the gateway did not start; the lines above say why") from None


def follow_parent(pipe: int) -> None:
    """Ends this process, as a signal would, once nobody holds the other end of a pipe."""

    def wait() -> None:
        with suppress(OSError):
            os.read(pipe, 1)  # nobody writes: it returns at the end
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()
