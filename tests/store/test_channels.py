"""Channels in the database."""

import pytest

from mjgate.domain.channel import ChannelState, Dialect
from mjgate.errors import CommandError, ConfigError
from mjgate.store.channels import (
    add_channel,
    count_running,
    list_channels,
    note_fault,
    note_spoken,
    set_channel,
)
from mjgate.store.cipher import Cipher, new_secret_key
from mjgate.store.database import Store
from tests.store.rows import intent, query, running, token
from tests.store.test_changes import SETTINGS


async def test_a_channel_is_read_as_it_was_set(store: Store) -> None:
    await add_channel(store.pool, store.cipher, "one", SETTINGS)

    [channel] = await list_channels(store.pool, store.cipher)

    assert ("one", "a secret", "http://127.0.0.1:1") == (
        channel.name,
        channel.key,
        channel.base_url,
    )
    assert (Dialect.NOVICEZK, None, ("midjourney",), ChannelState.ENABLED) == (
        channel.dialect,
        channel.spoken,
        channel.models,
        channel.state,
    )


async def test_keys_are_encrypted_at_rest(store: Store) -> None:
    await add_channel(store.pool, store.cipher, "one", SETTINGS)

    [(sealed,)] = query(store, "select key_cipher from channels")

    assert b"a secret" not in sealed
    with pytest.raises(ConfigError, match="does not open"):
        await list_channels(store.pool, Cipher(new_secret_key()))


async def test_a_channel_may_have_no_key(store: Store) -> None:
    await add_channel(store.pool, store.cipher, "one", {**SETTINGS, "key": None})
    assert [None] == [each.key for each in await list_channels(store.pool, store.cipher)]


async def test_a_name_is_taken_once_until_it_is_removed(store: Store) -> None:
    await add_channel(store.pool, store.cipher, "one", SETTINGS)
    with pytest.raises(CommandError, match="there is a channel 'one' already"):
        await add_channel(store.pool, store.cipher, "one", SETTINGS)

    await set_channel(store.pool, store.cipher, "one", {"state": "removed"})

    assert [] == await list_channels(store.pool, store.cipher)
    await add_channel(store.pool, store.cipher, "one", SETTINGS)


async def test_a_channel_that_is_not_there_cannot_be_set(store: Store) -> None:
    with pytest.raises(CommandError, match="there is no channel 'two'"):
        await set_channel(store.pool, store.cipher, "two", {"weight": 2})


async def test_faults_and_what_it_speaks_are_noted(store: Store) -> None:
    await add_channel(store.pool, store.cipher, "one", SETTINGS)
    [(number,)] = query(store, "select id from channels")

    await note_fault(store.pool, number, "no")
    await note_spoken(store.pool, number, Dialect.BUTTONS)
    [channel] = await list_channels(store.pool, store.cipher)
    assert ("no", Dialect.BUTTONS) == (channel.fault, channel.spoken)

    await note_fault(store.pool, number, None)
    assert [None] == [each.fault for each in await list_channels(store.pool, store.cipher)]


async def test_tasks_that_have_not_ended_are_counted(store: Store) -> None:
    await add_channel(store.pool, store.cipher, "one", SETTINGS)
    [(number,)] = query(store, "select id from channels")
    client = await token(store)
    await store.writer.admit(intent(1, client, channel=number))
    await running(store, 2, client, channel=number)
    query(store, "update tasks set channel_id = %s", number)

    assert 2 == await count_running(store.pool, "one")
    query(store, "update tasks set phase = 'ended'")
    assert 0 == await count_running(store.pool, "one")
