"""Tokens in the database."""

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import pytest

from mjgate.domain.send import Verdict
from mjgate.domain.token import key_hash
from mjgate.errors import CommandError
from mjgate.store.database import Store
from mjgate.store.tokens import (
    add_token,
    find_account,
    find_token,
    list_tokens,
    renew_token,
    revoke_token,
    set_token,
)
from tests.store.rows import intent, query


async def test_a_token_is_found_by_its_key_until_it_is_revoked(store: Store) -> None:
    account = await add_token(store.pool, "ann", "mj-12345678", 5)

    found = await find_token(store.pool, key_hash("mj-12345678"))

    assert found is not None
    assert (account.id, "ann") == (found.id, found.label)
    await revoke_token(store.pool, "ann")
    assert await find_token(store.pool, key_hash("mj-12345678")) is None


async def test_an_account_shows_its_money_and_a_hint_of_its_key(store: Store) -> None:
    account = await add_token(store.pool, "ann", "mj-12345678", 5)

    assert ("ann", "mj-12…5678", 5, 0, 0, None) == (
        account.label,
        account.hint,
        account.budget,
        account.spent,
        account.held,
        account.revoked_ms,
    )
    assert [account] == await list_tokens(store.pool)


async def test_a_label_is_taken_once_until_it_is_revoked(store: Store) -> None:
    await add_token(store.pool, "ann", "mj-1", None)
    with pytest.raises(CommandError, match="there is a token 'ann' already"):
        await add_token(store.pool, "ann", "mj-2", None)

    await revoke_token(store.pool, "ann")

    await add_token(store.pool, "ann", "mj-3", None)
    assert [True, False] == [each.revoked_ms is not None for each in await list_tokens(store.pool)]


async def test_a_token_that_is_not_there_cannot_be_revoked_or_renewed(store: Store) -> None:
    with pytest.raises(CommandError, match="there is no token 'bob'"):
        await revoke_token(store.pool, "bob")
    assert not await renew_token(store.pool, "bob", "mj-1")
    with pytest.raises(CommandError, match="there is no token 'bob'"):
        await set_token(store.pool, "bob", {"budget": 1})


async def test_a_token_is_found_with_its_end_and_its_addresses(store: Store) -> None:
    networks = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]
    end = datetime(2027, 1, 1, tzinfo=UTC)
    await add_token(store.pool, "ann", "mj-1", expires_at=end, addresses=networks)

    found = await find_token(store.pool, key_hash("mj-1"))

    assert found is not None
    assert (networks, end.timestamp() * 1000) == (found.addresses, found.expires_ms)
    assert found.admits(ip_address("10.1.2.3"))


async def test_an_account_of_a_period_that_is_over_has_spent_and_holds_nothing(
    store: Store,
) -> None:
    account = await add_token(store.pool, "ann", "mj-1", 5, period="weekly")
    await store.writer.admit(intent(1, account.id, 5))
    assert (5, 0) == await _held_and_left(store, account.id)

    query(store, "update tokens set period_start = period_start - 7, spent = 3")

    fresh = await find_account(store.pool, account.id)
    assert (0, 0, 5, 1) == (fresh.held, fresh.spent, fresh.remaining, fresh.in_flight)
    assert fresh.resets_ms is not None
    resets = datetime.fromtimestamp(fresh.resets_ms / 1000, UTC)
    assert (0, True) == (resets.weekday(), resets > datetime.now(UTC))


async def test_what_is_left_is_never_less_than_nothing(store: Store) -> None:
    account = await add_token(store.pool, "ann", "mj-1", 5)
    await store.writer.admit(intent(1, account.id, 5))

    assert 0 == (await set_token(store.pool, "ann", {"budget": 2})).remaining
    assert (await set_token(store.pool, "ann", {"budget": None})).remaining is None


async def test_a_new_period_takes_its_sums_from_the_ledger(store: Store) -> None:
    account = await add_token(store.pool, "ann", "mj-1", 10)
    await store.writer.admit(intent(1, account.id, 10))

    daily = await set_token(store.pool, "ann", {"period": "daily"})
    assert (0, 10) == (daily.held, daily.remaining)
    await store.writer.admit(intent(2, account.id, 4))

    again = await set_token(store.pool, "ann", {"period": "daily"})
    assert (4, 6) == (again.held, again.remaining)
    never = await set_token(store.pool, "ann", {"period": None})
    assert (10, 0, None, 2) == (never.held, never.remaining, never.resets_ms, never.in_flight)
    assert Verdict.BUDGET is (await store.writer.admit(intent(3, account.id, 1))).verdict


@pytest.mark.parametrize(
    ("moment", "starts"),
    [
        ("2026-11-24 23:59:59.999999+00", ("2026-11-24", "2026-11-23", "2026-11-01")),
        ("2026-11-25 00:30:00+01", ("2026-11-24", "2026-11-23", "2026-11-01")),
        ("2026-11-22 12:00:00+00", ("2026-11-22", "2026-11-16", "2026-11-01")),
        ("2024-02-29 00:00:00+00", ("2024-02-29", "2024-02-26", "2024-02-01")),
        ("2027-01-01 00:00:00+00", ("2027-01-01", "2026-12-28", "2027-01-01")),
    ],
)
def test_periods_begin_by_the_calendar_in_utc(
    store: Store, moment: str, starts: tuple[str, str, str]
) -> None:
    periods = ("daily", "weekly", "monthly", None)

    assert [*starts, "0001-01-01"] == [
        query(store, "select period_key(%s, %s)::text", period, moment)[0][0] for period in periods
    ]


async def _held_and_left(store: Store, token_id: int) -> tuple[int, int | None]:
    account = await find_account(store.pool, token_id)
    return account.held, account.remaining
