"""The store of one process."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from mjgate.domain.token import Token, key_hash
from mjgate.errors import StoreDown
from mjgate.store.census import Census, take_census
from mjgate.store.database import Store, reached
from mjgate.store.locks import Lock, channel_lock, delivery_lock
from tests.harness import until
from tests.store.rows import PRICE, intent, query, running, terminate, token


async def test_a_database_out_of_reach_is_said_so(store: Store) -> None:
    await store.pool.close()

    with pytest.raises(StoreDown, match="cannot be reached"):
        await store.token("mj-unknown")
    with pytest.raises(StoreDown, match="cannot be reached"):
        await store.catalog()


async def test_what_is_known_is_answered_without_the_database(store: Store) -> None:
    await until(lambda: store.changes.listening)
    await store.token("mj-unknown")
    known = await store.catalog()

    await store.pool.close()

    assert await store.token("mj-unknown") is None
    assert known is await store.catalog()


async def test_guessed_keys_do_not_fill_the_memory(store: Store) -> None:
    await until(lambda: store.changes.listening)
    store._tokens.update({key_hash(str(n)): Token(n, "") for n in range(65_536)})

    assert await store.token("mj-one-more") is None

    assert [key_hash("mj-one-more")] == list(store._tokens)


@pytest.mark.parametrize(
    "error", [psycopg.OperationalError(), psycopg.InterfaceError(), PoolTimeout()]
)
def test_what_psycopg_says_of_a_lost_database_is_one_error(error: Exception) -> None:
    with pytest.raises(StoreDown), reached():
        raise error


def test_other_faults_pass() -> None:
    with pytest.raises(ZeroDivisionError), reached():
        raise ZeroDivisionError


async def test_the_census_counts_tasks_and_money(store: Store) -> None:
    client = await token(store)
    await store.writer.admit(intent(1, client))
    await running(store, 2, client)
    query(store, "update tokens set spent = 5")

    assert Census({"sending": 1, "running": 1}, 2 * PRICE, 5, 0, 0.0, {}, 0) == (
        await take_census(store.pool)
    )


async def test_the_census_counts_callbacks_that_wait_and_how_long(store: Store) -> None:
    for state, seconds in (("waiting", 60), ("waiting", 30), ("given up", 90)):
        query(
            store,
            "insert into deliveries (task_id, token_id, receiver, version, final, state, since, "
            "due_at) values (%s, 1, '', 1, false, %s, now() - %s * interval '1 s', now())",
            seconds,
            state,
            seconds,
        )

    census = await take_census(store.pool)

    assert (2, 60) == (census.callbacks, round(census.oldest_s, -1))


async def test_the_repr_of_a_store_shows_no_address(store: Store) -> None:
    assert store.uri not in repr(store)


async def free(lock: Callable[[], AbstractAsyncContextManager[Lock | None]]) -> None:
    """Until it can be taken: the server may notice only later that its holder has left."""
    async with asyncio.timeout(20):
        while True:
            async with lock() as taken:
                if taken:
                    await taken.check()
                    return


async def test_one_process_at_a_time_has_the_lock_of_a_channel(database: str) -> None:
    async with (
        channel_lock(database, 1) as first,
        channel_lock(database, 1) as second,
        channel_lock(database, 2) as other,
    ):
        assert first
        assert not second
        assert other
    await free(lambda: channel_lock(database, 1))


async def test_a_lock_whose_connection_is_gone_is_held_no_more(database: str) -> None:
    async with channel_lock(database, 1) as lock:
        assert lock
        assert 1 == terminate(database, "mjgate channel 1")
        with pytest.raises(psycopg.OperationalError):
            await lock.check()


async def test_one_process_at_a_time_delivers(database: str) -> None:
    async with delivery_lock(database) as first, delivery_lock(database) as second:
        assert first
        assert not second
    await free(lambda: delivery_lock(database))
