"""Keys of tokens, and what a token may do."""

from ipaddress import ip_address

import pytest

from mjgate.domain.token import Token, key_hash, key_hint, new_key, parse_moment, parse_network


def test_keys_are_new_each_time() -> None:
    assert 100 == len({new_key() for _ in range(100)})


def test_a_key_starts_with_its_prefix_and_has_192_random_bits() -> None:
    assert ("mj-", 32) == (new_key()[:3], len(new_key()) - 3)


def test_of_a_key_only_a_hash_and_a_hint_are_kept() -> None:
    key = "mj-abcdefghijklmnop"

    assert 32 == len(key_hash(key))
    assert "mj-ab…mnop" == key_hint(key)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:db8::7", "2001:db8::7/128"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::/0", "::/0"),
    ],
)
def test_a_network_of_ipv4_is_one_however_it_is_written(text: str, network: str) -> None:
    assert network == str(parse_network(text))


def test_a_token_with_addresses_admits_only_those() -> None:
    here, there = ip_address("10.1.2.3"), ip_address("2001:db8::7")
    limited = Token(1, "a", addresses=[parse_network("10.0.0.0/8")])

    assert [True, False, False] == [limited.admits(each) for each in (here, there, None)]
    assert all(Token(1, "a").admits(each) for each in (here, there, None))


def test_a_token_expires_at_its_moment() -> None:
    end = int(parse_moment("2027-01-01").timestamp() * 1000)

    assert [False, True] == [Token(1, "a", end).expired(now) for now in (end - 1, end)]
    assert not Token(1, "a").expired(end)
    assert parse_moment("2027-01-01T01:00:00+01:00") == parse_moment("2027-01-01")
