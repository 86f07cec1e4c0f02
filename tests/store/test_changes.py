"""What operators change takes effect at once in a running store."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from mjgate.domain.channel import ChannelState
from mjgate.domain.token import new_key
from mjgate.store.channels import add_channel, set_channel
from mjgate.store.database import Catalog, Store
from mjgate.store.prices import set_prices
from mjgate.store.tokens import add_token, renew_token, revoke_token
from tests.harness import until
from tests.store.rows import query, terminate

SETTINGS: dict[str, Any] = {
    "base_url": "http://127.0.0.1:1",
    "key": "a secret",
    "dialect": "novicezk",
    "priority": 0,
    "weight": 1,
    "models": ["midjourney"],
    "state": "enabled",
}


async def eventually(condition: Callable[[], Awaitable[Any]], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.01)


async def token_is_gone(store: Store, key: str) -> bool:
    return await store.token(key) is None


async def test_a_token_is_found_and_its_end_is_heard_of(store: Store) -> None:
    key = new_key()
    assert await store.token(key) is None
    await add_token(store.pool, "ann", key, None)
    await eventually(lambda: store.token(key))

    await revoke_token(store.pool, "ann")

    await eventually(lambda: token_is_gone(store, key))


async def test_a_renewed_key_ends_the_old_one(store: Store) -> None:
    old, new = new_key(), new_key()
    await add_token(store.pool, "ann", old, None)
    await eventually(lambda: store.token(old))

    assert await renew_token(store.pool, "ann", new)

    await eventually(lambda: token_is_gone(store, old))
    assert await store.token(new)


async def test_counters_of_tokens_are_no_change(store: Store) -> None:
    key = new_key()
    await add_token(store.pool, "ann", key, None)
    await eventually(lambda: store.token(key))
    await add_channel(store.pool, store.cipher, "one", SETTINGS)
    await eventually(lambda: named(store, "one"))
    known = await store.catalog()

    query(store, "update tokens set held = 1")
    await set_prices(store.pool, {"mj_imagine": 1})
    await eventually(lambda: priced(store, 1))

    assert known.channels == (await store.catalog()).channels


async def named(store: Store, name: str) -> bool:
    return name in {channel.name for channel in (await store.catalog()).channels.values()}


async def priced(store: Store, price: int) -> bool:
    return price == (await store.catalog()).prices.quote("mj_imagine")


async def state(store: Store) -> ChannelState:
    [channel] = (await store.catalog()).channels.values()
    return channel.state


async def disabled(store: Store) -> bool:
    return ChannelState.DISABLED is await state(store)


async def test_channels_and_prices_are_heard_of(store: Store) -> None:
    assert {} == (await store.catalog()).channels
    await add_channel(store.pool, store.cipher, "one", SETTINGS)
    await eventually(lambda: named(store, "one"))

    await set_channel(store.pool, store.cipher, "one", {"state": "disabled"})
    await eventually(lambda: disabled(store))

    await set_prices(store.pool, {"mj_imagine": 7})
    await eventually(lambda: priced(store, 7))


async def test_a_catalog_that_has_not_changed_is_not_read_again(store: Store) -> None:
    await until(lambda: store.changes.listening)

    first, second = await asyncio.gather(store.catalog(), store.catalog())

    assert first is second is await store.catalog()


@contextmanager
def deaf(store: Store, postgres: str) -> Iterator[None]:
    """Ends the connection that listens, and lets none be made."""
    name = store.uri.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"alter database {name} allow_connections false".encode())
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s "
            "and application_name = 'mjgate changes'",
            [name],
        )
        yield
        admin.execute(f"alter database {name} allow_connections true".encode())


async def test_without_its_connection_nothing_kept_is_trusted(store: Store, postgres: str) -> None:
    key = new_key()
    await add_token(store.pool, "ann", key, None)
    await eventually(lambda: store.token(key))
    with deaf(store, postgres):
        await until(lambda: not store.changes.listening)

        await revoke_token(store.pool, "ann")
        assert await store.token(key) is None
        await set_prices(store.pool, {"mj_imagine": 3})
        assert await priced(store, 3)
        assert await store.catalog() is not await store.catalog()

    await until(lambda: store.changes.listening)
    assert await store.catalog() is await store.catalog()


async def test_after_its_connection_was_lost_it_listens_again(store: Store) -> None:
    await until(lambda: store.changes.listening)
    before = await store.catalog()

    assert 1 == terminate(store.uri, "mjgate changes")

    await eventually(lambda: is_new(store, before))
    await until(lambda: store.changes.listening)
    await set_prices(store.pool, {"mj_imagine": 9})
    await eventually(lambda: priced(store, 9))


async def is_new(store: Store, before: Catalog) -> bool:
    return before is not await store.catalog()


async def test_a_batch_of_changed_tasks_is_heard_of_once(store: Store) -> None:
    heard: list[Sequence[int] | None] = []
    await until(lambda: store.changes.listening)
    store.changes.on_tasks(heard.append)

    query(store, "select announce_tasks(array[7, 8])")
    query(store, "select announce_tasks(array(select generate_series(1, 401)))")

    await until(lambda: len(heard) == 2)
    assert [[7, 8], None] == heard


async def test_who_hears_of_tasks_is_told_when_something_may_have_been_missed(
    store: Store,
) -> None:
    heard: list[Sequence[int] | None] = []
    await until(lambda: store.changes.listening)
    store.changes.on_tasks(heard.append)

    assert 1 == terminate(store.uri, "mjgate changes")

    await until(lambda: heard)
    assert [None] == heard
