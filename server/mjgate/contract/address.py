"""Where a request comes from, seen through the proxies that are trusted."""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.types import Scope

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_FORWARDED = b"x-forwarded-for"


def client_address(scope: Scope, trusted: Collection[Network]) -> Address | None:
    """The peer, or what a trusted one says: the right-most address that is no trusted proxy.

    None where it cannot be known: the peer has none, or the header holds garbage.
    """
    peer = scope.get("client")
    address = _address(peer[0]) if peer else None
    for word in reversed(_forwarded(scope)):
        if address is None or not _within(address, trusted):
            break
        address = _address(word)
    return address


def _forwarded(scope: Scope) -> list[str]:
    """What each proxy has added, in order, also where the header stands more than once."""
    lines = [value for name, value in scope["headers"] if name == _FORWARDED]
    return b",".join(lines).decode("latin-1").split(",") if lines else []


def _address(word: str) -> Address | None:
    """An address, with or without a port; IPv4 where it is written as IPv6."""
    word = word.strip()
    if word.startswith("["):
        word = word[1:].partition("]")[0]
    elif word.count(":") == 1:
        word = word.partition(":")[0]
    try:
        address = ip_address(word)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _within(address: Address, networks: Collection[Network]) -> bool:
    return any(address in network for network in networks)
