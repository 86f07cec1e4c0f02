"""Where a request comes from, through proxies or not."""

from ipaddress import ip_network
from typing import Any

import pytest

from mjgate.contract.address import client_address

PROXIES = [ip_network("10.0.0.0/8"), ip_network("::1/128")]


def seen(peer: str | None, *forwarded: str) -> str | None:
    """The address of a request, as text."""
    scope: dict[str, Any] = {
        "client": None if peer is None else (peer, 1234),
        "headers": [(b"host", b"a"), *((b"x-forwarded-for", f.encode()) for f in forwarded)],
    }
    address = client_address(scope, PROXIES)
    return None if address is None else str(address)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9", "198.51.100.1,10.9.9.9"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("::1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("::1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("::1", ["[2001:db8::7]"], "2001:db8::7"),
        ("::1", ["2001:db8::7"], "2001:db8::7"),
        ("::ffff:192.0.2.1", [], "192.0.2.1"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
    ],
)
def test_the_right_most_address_that_is_no_trusted_proxy_is_taken(
    peer: str, forwarded: list[str], address: str
) -> None:
    assert address == seen(peer, *forwarded)


@pytest.mark.parametrize(
    "forwarded",
    ["", " ", "unknown", "198.51.100.1,", "198.51.100.1, _hidden", "1.2.3", "[", "\xff"],
)
def test_garbage_from_a_trusted_proxy_is_no_address(forwarded: str) -> None:
    assert seen("10.0.0.1", forwarded) is None


def test_garbage_behind_an_address_that_is_taken_makes_no_difference() -> None:
    assert "198.51.100.1" == seen("10.0.0.1", "nonsense, 198.51.100.1, 10.0.0.2")


@pytest.mark.parametrize("peer", [None, "", "/run/mjgate.sock"])
def test_a_peer_without_an_address_has_none_whatever_it_says(peer: str | None) -> None:
    assert seen(peer, "198.51.100.1") is None
