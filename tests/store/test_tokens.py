"""Tokens in the database."""

import pytest

from mjgate.domain.token import key_hash
from mjgate.errors import CommandError
from mjgate.store.database import Store
from mjgate.store.tokens import add_token, find_token, list_tokens, renew_token, revoke_token


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
