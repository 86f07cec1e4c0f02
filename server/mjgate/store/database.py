"""The store of one process: a pool, a writer, ids, and what is kept of rare changes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from mjgate.domain.channel import Channel
from mjgate.domain.price import PriceTable
from mjgate.domain.token import Token, key_hash
from mjgate.errors import ConfigError, StoreDown, StoreLocked
from mjgate.log import logger
from mjgate.store.changes import Changes
from mjgate.store.channels import list_channels
from mjgate.store.cipher import Cipher
from mjgate.store.connect import KEEPALIVE, check, tune
from mjgate.store.hints import Hints
from mjgate.store.ids import Ids
from mjgate.store.prices import current_prices
from mjgate.store.reader import Reader
from mjgate.store.refusals import LOST
from mjgate.store.tokens import find_token
from mjgate.store.waiters import Waiters
from mjgate.store.writer import Writer

DOWN = (*LOST, PoolTimeout)
"""What psycopg raises when the database cannot be reached."""
_POOL = 8
_POOL_TIMEOUT_S = 5.0
_MOST_KEPT = 65_536

set_json_loads(orjson.loads)


@dataclass(frozen=True, slots=True)
class Catalog:
    """What operators set, as it stands: channels by id, and the prices."""

    channels: dict[int, Channel]
    prices: PriceTable


@dataclass(slots=True)
class Store:
    """Everything of the database; the only mutable parts are copies that it forgets."""

    uri: str = field(repr=False)
    pool: AsyncConnectionPool
    cipher: Cipher
    writer: Writer
    reader: Reader
    ids: Ids
    changes: Changes = field(init=False)
    waiters: Waiters = field(init=False)
    hints: Hints = field(init=False)
    _tokens: dict[bytes, Token | None] = field(default_factory=dict, repr=False)
    _catalog: Catalog | None = None
    _age: int = 0
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.changes = Changes(self.uri, self._forget)
        self.waiters = Waiters(self.pool)
        self.hints = Hints(self.pool)
        self.changes.on_tasks(self.waiters.hear)

    async def token(self, key: str) -> Token | None:
        """The token of a key; unknown keys are kept too, so that guessing costs no queries.

        Raises:
            StoreDown: it is not known yet and the database cannot be asked.
        """
        hashed = key_hash(key)
        if hashed in self._tokens:
            return self._tokens[hashed]
        age = self._age
        with reached():
            found = await find_token(self.pool, hashed)
        if self.changes.listening and age == self._age:
            if len(self._tokens) >= _MOST_KEPT:
                self._tokens.clear()
            self._tokens[hashed] = found
        return found

    async def catalog(self) -> Catalog:
        """Channels and prices as they stand now.

        Raises:
            StoreDown: they are not known yet and the database cannot be asked.
        """
        if self._catalog is not None:
            return self._catalog
        async with self._loading:
            if self._catalog is not None:
                return self._catalog
            age = self._age
            loaded = await self._load()
            if self.changes.listening and age == self._age:
                self._catalog = loaded
            return loaded

    async def _load(self) -> Catalog:
        with reached():
            prices = await current_prices(self.pool)
            try:
                channels = await list_channels(self.pool, self.cipher)
            except ConfigError as error:
                logger().error("secrets do not open", why=str(error))
                raise StoreLocked("the secrets of the database do not open") from error
            return Catalog({c.id: c for c in channels}, prices)

    def _forget(self, table: str | None) -> None:
        self._age += 1
        if table in (None, "tokens"):
            self._tokens.clear()
        if table in (None, "channels", "prices"):
            self._catalog = None


class reached:  # noqa: N801
    """Turns what psycopg raises for a database out of reach into StoreDown."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DOWN):
            raise StoreDown("the database cannot be reached") from error


@asynccontextmanager
async def open_pool(uri: str, size: int = _POOL) -> AsyncIterator[AsyncConnectionPool]:
    """A pool in autocommit whose connections are checked before use."""
    pool = AsyncConnectionPool(
        uri,
        min_size=1,
        max_size=size,
        timeout=_POOL_TIMEOUT_S,
        check=check,
        configure=tune,
        kwargs={"autocommit": True, "application_name": "mjgate", **KEEPALIVE},
        open=False,
    )
    async with pool:
        yield pool


@asynccontextmanager
async def open_store(uri: str, cipher: Cipher, queue_limit: int) -> AsyncIterator[Store]:
    """The store of a serving process; leaving it writes what still waits."""
    async with open_pool(uri) as pool:
        store = Store(uri, pool, cipher, Writer(uri, queue_limit), Reader(uri), Ids(pool))
        await store.writer.start()
        await store.reader.start()
        await store.changes.start()
        await store.waiters.start()
        try:
            yield store
        finally:
            await store.hints.stop()
            await store.waiters.stop()
            await store.changes.stop()
            await store.writer.stop()
            await store.reader.stop()
