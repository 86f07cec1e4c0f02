"""Versions of the price table."""

from mjgate.domain.price import DOCUMENTED
from mjgate.store.database import Store
from mjgate.store.prices import current_prices, set_prices


async def test_without_a_version_the_documented_prices_hold(store: Store) -> None:
    prices = await current_prices(store.pool)

    assert (0, DOCUMENTED) == (prices.version, prices.prices)


async def test_the_newest_version_holds(store: Store) -> None:
    await set_prices(store.pool, {"*": 1})
    version = await set_prices(store.pool, {"mj_*": 2})

    prices = await current_prices(store.pool)

    assert (version, {"mj_*": 2}) == (prices.version, prices.prices)


async def test_a_table_keeps_its_order(store: Store) -> None:
    names = ["mj_upscale", "gpt-4-gizmo-*", "a"]
    await set_prices(store.pool, dict.fromkeys(names, 1))

    assert names == list((await current_prices(store.pool)).prices)
