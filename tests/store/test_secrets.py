"""Encrypted values and their keys."""

import psycopg
import pytest

from mjgate.errors import CommandError
from mjgate.store.channels import add_channel, list_channels
from mjgate.store.cipher import Cipher, new_secret_key
from mjgate.store.database import Store
from mjgate.store.secrets import Tally, count_secrets, rotate_secrets, rotating, unreadable
from tests.harness import SECRET_KEY
from tests.store.rows import query
from tests.store.test_changes import SETTINGS


@pytest.fixture
async def three(store: Store) -> Store:
    """A store with two channels that have a key and one that has none."""
    for name in ("a", "b"):
        await add_channel(store.pool, store.cipher, name, SETTINGS | {"key": f"key of {name}"})
    await add_channel(store.pool, store.cipher, "c", SETTINGS | {"key": None})
    return store


def sealed(store: Store) -> list[object]:
    return query(store, "select key_cipher from channels order by name")


async def keys(store: Store, cipher: Cipher) -> list[str | None]:
    return [each.key for each in await list_channels(store.pool, cipher)]


async def test_every_value_is_written_with_the_first_key_once(three: Store) -> None:
    new = new_secret_key()
    both = Cipher(f"{new},{SECRET_KEY}")

    with rotating(three.uri) as connection:
        assert Tally(0, 2, []) == count_secrets(connection, both)
        assert Tally(0, 2, []) == rotate_secrets(connection, both)
        first = sealed(three)
        assert Tally(2, 0, []) == rotate_secrets(connection, both)

    assert first == sealed(three)
    assert ["key of a", "key of b", None] == await keys(three, Cipher(new))


async def test_a_value_that_no_key_opens_stops_the_rotation_and_is_named(three: Store) -> None:
    other = Cipher(new_secret_key())
    query(three, "update channels set key_cipher = %s where name = 'b'", other.encrypt("x"))
    before = sealed(three)
    both = Cipher(f"{new_secret_key()},{SECRET_KEY}")

    with (
        rotating(three.uri) as connection,
        pytest.raises(CommandError, match="opens the secrets of b; add the one"),
    ):
        rotate_secrets(connection, both)

    assert before == sealed(three)
    assert {"channels": ["b"]} == unreadable(three.uri, both)


async def test_two_rotations_go_one_after_the_other(three: Store) -> None:
    with rotating(three.uri), psycopg.connect(three.uri) as other:
        other.execute("set lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("select pg_advisory_lock(%s)", [0x6D6A6B657973])
