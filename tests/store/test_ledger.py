"""Entries of the ledger, and corrections of it."""

import asyncio

import pytest

from mjgate.errors import CommandError
from mjgate.store.audit import audit
from mjgate.store.database import Store
from mjgate.store.ledger import adjust, list_entries
from mjgate.store.tokens import revoke_token
from tests.store.rows import PRICE, intent, money, query, token


async def named(store: Store, budget: int | None = None) -> int:
    """The id of a new token, `alice`."""
    number = await token(store, budget)
    query(store, "update tokens set label = 'alice' where id = %s", number)
    return number


async def test_a_correction_counts_against_the_budget(store: Store) -> None:
    alice = await named(store, 2 * PRICE)

    assert PRICE == await adjust(store.pool, "alice", PRICE, "a fee")

    verdicts = [(await store.writer.admit(intent(n, alice))).verdict for n in (1, 2)]
    assert ["held", "budget"] == verdicts
    assert (PRICE, PRICE) == money(store, alice)


async def test_a_correction_begins_the_period_at_hand(store: Store) -> None:
    alice = await named(store)
    query(store, "update tokens set period = 'daily'")
    await store.writer.admit(intent(1, alice))
    await adjust(store.pool, "alice", 3, "yesterday")
    for table, column in (("tokens", "period_start"), ("tasks", "period"), ("ledger", "period")):
        query(store, f"update {table} set {column} = {column} - 1")

    with pytest.raises(CommandError, match="has spent 0 dollars"):
        await adjust(store.pool, "alice", -1, "too late")
    assert 5 == await adjust(store.pool, "alice", 5, "today")

    assert (0, 5) == money(store, alice)
    assert [(True,)] == query(
        store, "select period_start = (now() at time zone 'UTC')::date from tokens"
    )
    assert [] == (await audit(store.pool)).breaches


async def test_a_revoked_token_is_not_corrected(store: Store) -> None:
    await named(store)
    await revoke_token(store.pool, "alice")
    with pytest.raises(CommandError, match="there is no token 'alice'"):
        await adjust(store.pool, "alice", 1, "a fee")


async def test_corrections_beside_submits_are_exact(store: Store) -> None:
    alice = await named(store, 30 * PRICE)

    async def take_back() -> bool:
        try:
            await adjust(store.pool, "alice", -PRICE, "back")
        except CommandError:
            return False
        return True

    await adjust(store.pool, "alice", 5 * PRICE, "begin")
    taken, _ = await asyncio.gather(
        asyncio.gather(*(take_back() for _ in range(20))),
        asyncio.gather(*(store.writer.admit(intent(n, alice)) for n in range(60))),
    )

    assert 5 == taken.count(True)
    held, spent = money(store, alice)
    assert (0, True) == (spent, 25 * PRICE <= held <= 30 * PRICE)
    assert [] == (await audit(store.pool)).breaches


async def test_an_entry_of_a_token_that_is_gone_is_listed(store: Store) -> None:
    query(
        store,
        "insert into ledger (token_id, kind, held_delta, spent_delta) values (7, 'adjust', 0, 1)",
    )
    [entry] = await list_entries(store.pool, 10)
    assert (None, None, "adjust", 1) == (entry.token, entry.task, entry.kind, entry.spent)
