"""Keys of tokens."""

from mjgate.domain.token import key_hash, key_hint, new_key


def test_keys_are_new_each_time() -> None:
    assert 100 == len({new_key() for _ in range(100)})


def test_a_key_starts_with_its_prefix_and_has_192_random_bits() -> None:
    assert ("mj-", 32) == (new_key()[:3], len(new_key()) - 3)


def test_of_a_key_only_a_hash_and_a_hint_are_kept() -> None:
    key = "mj-abcdefghijklmnop"

    assert 32 == len(key_hash(key))
    assert "mj-ab…mnop" == key_hint(key)
