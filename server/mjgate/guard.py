"""Which addresses a name given by others may lead to, decided on the very address to connect to.

Only globally reachable unicast passes, and what an operator allows. A look-up before the
connection would prove nothing: a name may answer otherwise the next time, and an address written
as digits is looked up by nobody.
"""

import socket
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Any, Final

import aiohttp

from mjgate.errors import AddressRefused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The special-purpose registries of IANA, multicast, and the metadata address of Azure, which no
# registry has; all others are link-local, shared or unique local.
_CLOSED4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",
        ),
    )
)
_OPEN6: Final = IPv6Network("2000::/3")
_CLOSED6: Final = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")


class Guard:
    """Admits public addresses, and those of `allowed` networks."""

    def __init__(self, allowed: Iterable[Network] = ()) -> None:
        self._allowed = tuple(allowed)

    def connector(self, **options: Any) -> aiohttp.TCPConnector:
        """A connector that connects to nothing else; `options` are those of aiohttp."""
        return aiohttp.TCPConnector(socket_factory=self.socket, **options)

    def socket(self, found: Any) -> socket.socket:
        """A socket for an address that was looked up, as aiohttp asks for one.

        Raises:
            AddressRefused: it must not be connected to.
        """
        family, kind, protocol, _, place = found
        address = _address(place[0])
        if address is None or not self.admits(address):
            raise AddressRefused
        return socket.socket(family, kind, protocol)

    def hopeless(self, host: str) -> bool:
        """Whether a host is written as an address that is refused; no name is looked up."""
        address = _address(host)
        if address is None:
            return _is_odd_form(host)
        return not self.admits(address)

    def admits(self, address: Address) -> bool:
        """Whether an address may be connected to: so may every address that it stands for."""
        if any(address in network for network in self._allowed):
            return True
        inner = _stood_for(address)
        return all(map(self.admits, inner)) if inner else _is_public(address)


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_odd_form(host: str) -> bool:
    """Whether it is an IPv4 address as only the C library reads it, such as 0x7f.1."""
    try:
        socket.inet_aton(host)
    except (OSError, ValueError):
        return False
    return True


def _stood_for(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that a mapped, translated or tunnelled one leads to."""
    if isinstance(address, IPv4Address):
        return ()
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address in _TRANSLATED:
        return (IPv4Address(int(address) & 0xFFFF_FFFF),)
    if address.sixtofour:
        return (address.sixtofour,)
    return address.teredo or ()


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED4)
    return address in _OPEN6 and not any(address in network for network in _CLOSED6)
