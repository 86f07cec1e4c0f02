"""Versions of the price table."""

import asyncio

from mjgate.domain.price import DOCUMENTED
from mjgate.store.database import Store
from mjgate.store.prices import current_prices, price_history, set_prices


async def test_without_a_version_the_documented_prices_hold(store: Store) -> None:
    prices = await current_prices(store.pool)

    assert (0, DOCUMENTED) == (prices.version, prices.prices)


async def test_the_newest_version_holds(store: Store) -> None:
    await set_prices(store.pool, {"*": 1})
    before, version = await set_prices(store.pool, {"mj_*": 2})

    prices = await current_prices(store.pool)

    assert (1, {"*": 1}) == (before.version, before.prices)
    assert (version, {"mj_*": 2}) == (prices.version, prices.prices)


async def test_a_version_that_changes_nothing_is_not_written(store: Store) -> None:
    assert 0 == (await set_prices(store.pool, DOCUMENTED))[1]
    await set_prices(store.pool, {"*": 1, "a": 2})

    assert 1 == (await set_prices(store.pool, {"a": 2, "*": 1}))[1]

    assert [0, 1] == [table.version for table, _ in await price_history(store.pool)]


async def test_of_tables_set_at_once_each_replaces_the_one_before(store: Store) -> None:
    done = await asyncio.gather(*(set_prices(store.pool, {"*": cost}) for cost in range(1, 7)))

    assert sorted((version - 1, version) for _, version in done) == sorted(
        (before.version, version) for before, version in done
    )


async def test_a_table_keeps_its_order(store: Store) -> None:
    names = ["mj_upscale", "gpt-4-gizmo-*", "a"]
    await set_prices(store.pool, dict.fromkeys(names, 1))

    assert names == list((await current_prices(store.pool)).prices)
