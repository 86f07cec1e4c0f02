"""Real parts for tests: a database of its own, a gateway on a socket, a client."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import psycopg
import uvicorn
from psycopg import sql
from pydantic import SecretStr

from mjgate.app import create_app
from mjgate.config import Config
from mjgate.contract.protocol import Protocol
from mjgate.domain.channel import ChannelState, Dialect
from mjgate.domain.token import new_key
from mjgate.flight import Flight
from mjgate.gate import Gate
from mjgate.serve import origin_of
from mjgate.store.channels import add_channel
from mjgate.store.cipher import Cipher, new_secret_key
from mjgate.store.database import open_pool
from mjgate.store.embedded import Embedded
from mjgate.store.schema import migrate
from mjgate.store.tokens import add_token

SECRET_KEY = new_secret_key()
TEMPLATE = "mjgate_template"
_numbers = itertools.count(1)


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """A server with a migrated template; yields its address without a database name."""
    server = Embedded(folder)
    uri = server.start()
    try:
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
        migrate(named(uri, TEMPLATE))
        yield uri
    finally:
        server.stop()


def named(uri: str, database: str) -> str:
    return uri.replace("/mjgate?", f"/{database}?")


def new_database(uri: str) -> str:
    """The address of a fresh copy of the template."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(name), sql.Identifier(TEMPLATE)
            )
        )
    return named(uri, name)


@dataclass(slots=True)
class Gateway:
    """A gateway on a socket, in this event loop."""

    address: str
    uri: str
    flight: Flight
    session: aiohttp.ClientSession
    gate: Gate
    key: str = ""
    keys: list[str] = field(default_factory=list)

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        data: Any = None,
    ) -> tuple[int, Any]:
        """Status and parsed JSON of one request; `data` is sent as it is."""
        sent = {"mj-api-secret": self.key if key is None else key, **(headers or {})}
        options: dict[str, Any] = {"json": body} if data is None else {"data": data}
        if body is None and data is None:
            options = {}
        async with self.session.request(
            method, self.address + path, headers=sent, **options
        ) as response:
            return response.status, await response.json()

    async def imagine(self, prompt: str = "a red fox", **more: Any) -> tuple[int, Any]:
        return await self.ask("POST", "/mj/submit/imagine", {"prompt": prompt, **more})

    async def fetch(self, task: str) -> dict[str, Any]:
        status, body = await self.ask("GET", f"/mj/task/{task}/fetch")
        assert status == 200, body
        return body  # type: ignore[no-any-return]

    async def ended(self, task: str, seconds: float = 20) -> dict[str, Any]:
        """The task once it has ended."""
        async with asyncio.timeout(seconds):
            while (body := await self.fetch(task))["status"] not in ("SUCCESS", "FAILURE"):
                await asyncio.sleep(0.05)
            return body

    def rows(self, query: str, *values: Any) -> list[Any]:
        with psycopg.connect(self.uri, autocommit=True) as connection:
            return connection.execute(query.encode(), values).fetchall()

    async def channel(
        self,
        name: str,
        url: str,
        dialect: Dialect | str = Dialect.NOVICEZK,
        key: str | None = None,
        **more: Any,
    ) -> None:
        settings = {
            "base_url": url,
            "key": key,
            "dialect": dialect,
            "priority": 0,
            "weight": 1,
            "models": ["midjourney"],
            "state": ChannelState.ENABLED,
        }
        async with open_pool(self.uri, size=1) as pool:
            await add_channel(pool, Cipher(SECRET_KEY), name, settings | more)
        async with asyncio.timeout(20):
            while name not in await self._channels():
                await asyncio.sleep(0.005)

    async def _channels(self) -> set[str]:
        catalog = await self.gate.store.catalog()
        return {channel.name for channel in catalog.channels.values()}

    async def token(self, label: str, budget: int | None = None, **limits: Any) -> str:
        key = new_key()
        async with open_pool(self.uri, size=1) as pool:
            await add_token(pool, label, key, budget, **limits)
        self.keys.append(key)
        return key


@asynccontextmanager
async def running_gateway(uri: str, **settings: Any) -> AsyncIterator[Gateway]:
    """A gateway with one token, `client`, on a database that has the schema.

    Its pictures are in a folder that goes with it, unless one is named.
    """
    with TemporaryDirectory(prefix="mjgate-pictures-") as folder, listening() as listener:
        settings = {"pictures_dir": folder, **settings}
        config = Config(database_url=SecretStr(uri), secret_key=SecretStr(SECRET_KEY), **settings)
        flight = Flight()
        app = create_app(config, uri, Cipher(SECRET_KEY), flight, origin_of(listener))
        async with serving(app, listener) as (address, state), aiohttp.ClientSession() as session:
            gateway = Gateway(address, uri, flight, session, state["gate"])
            gateway.key = await gateway.token("client")
            yield gateway


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The address of an ASGI application under uvicorn, in this event loop."""
    with listening() as listener:
        async with serving(app, listener) as (address, _):
            yield address


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A socket on a port that is free."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield listener


@asynccontextmanager
async def serving(app: Any, listener: socket.socket) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """The address and the state of an application, run as `mjgate serve` runs it."""
    settings = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(settings)
    running = asyncio.create_task(server._serve([listener]))
    while not server.started:
        if running.done():
            running.result()
        await asyncio.sleep(0.01)
    try:
        yield origin_of(listener), server.lifespan.state
    finally:
        server.should_exit = True
        await running


async def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """The value of a condition once it is true."""
    async with asyncio.timeout(seconds):
        while not (value := condition()):
            await asyncio.sleep(0.02)
        return value


def free_port() -> int:
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
