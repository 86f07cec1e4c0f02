"""Addresses that may be connected to, over real sockets and with resolvers that lie."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from mjgate.errors import AddressRefused
from mjgate.guard import Guard
from tests.upstream.raw import raw_upstream, says

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]
CLOSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::8.8.8.8",
    "64:ff9b:1::127.0.0.1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::1",
    "2001:0:808:808:0:0:80ff:fffe",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
]
ODD = ["2130706433", "017700000001", "0177.0.0.1", "0x7f000001", "0x7f.1", "127.1", "0"]


class Resolver(AbstractResolver):
    """Answers with one address after another, whatever the name."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = iter(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
            for address in next(self._answers)
        ]

    async def close(self) -> None:
        return None


@asynccontextmanager
async def client(
    guard: Guard, resolver: AbstractResolver | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    connector = guard.connector(resolver=resolver, use_dns_cache=False, force_close=True)
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield session


async def refused(session: aiohttp.ClientSession, url: str) -> None:
    with pytest.raises(aiohttp.ClientConnectorError) as refusal:
        await session.post(url)
    assert isinstance(refusal.value.os_error, AddressRefused)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_passes(address: str) -> None:
    assert Guard().admits(ip_address(address))
    assert not Guard().hopeless(address)


@pytest.mark.parametrize("address", CLOSED)
def test_an_address_that_is_not_public_does_not_pass(address: str) -> None:
    assert not Guard().admits(ip_address(address))
    assert Guard().hopeless(address)


@pytest.mark.parametrize("address", CLOSED)
async def test_no_connection_is_made_to_it_as_a_literal(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    async with client(Guard()) as session:
        await refused(session, f"http://{host}:9/")


@pytest.mark.parametrize("address", CLOSED)
async def test_no_connection_is_made_to_a_name_that_leads_to_it(address: str) -> None:
    async with client(Guard(), Resolver([address])) as session:
        await refused(session, "http://innocent.example:9/")


@pytest.mark.parametrize("host", ODD)
async def test_an_address_in_an_odd_form_ends_refused(host: str) -> None:
    async with raw_upstream(says("")) as raw, client(Guard()) as session:
        with pytest.raises((aiohttp.ClientConnectorError, aiohttp.InvalidURL)):
            await session.post(f"http://{host}:{raw.port}/")

        assert [] == raw.heard
    assert Guard([ip_network("127.0.0.0/8")]).hopeless(host)


@pytest.mark.parametrize("name", ["localhost", "localhost.localdomain", "ip6-localhost"])
async def test_a_local_name_of_this_machine_is_refused(name: str) -> None:
    async with raw_upstream(says("")) as raw, client(Guard()) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.post(f"http://{name}:{raw.port}/")

        assert [] == raw.heard


async def test_a_name_that_changes_its_answer_is_judged_by_the_last() -> None:
    """Whoever looks it up first sees an address that is allowed; the connection gets another."""
    resolver = Resolver(["127.0.0.1"], ["127.0.0.2"])
    guard = Guard([ip_network("127.0.0.1/32")])
    async with raw_upstream(says("ok")) as raw, client(guard, resolver) as session:
        url = f"http://changing.example:{raw.port}/"
        async with session.post(url) as response:
            assert 200 == response.status
        await refused(session, url)

        assert 1 == len(raw.heard)


async def test_all_addresses_of_a_name_are_judged_each_by_itself() -> None:
    async with raw_upstream(says("ok")) as raw:
        resolver = Resolver(["10.0.0.1", "127.0.0.1", "::1"], ["10.0.0.1", "::1"])
        async with client(Guard([ip_network("127.0.0.1/32")]), resolver) as session:
            async with session.post(f"http://both.example:{raw.port}/") as response:
                assert 200 == response.status
            await refused(session, f"http://both.example:{raw.port}/")


async def test_what_a_resolver_gives_and_is_no_address_is_refused() -> None:
    async with client(Guard(), Resolver(["0177.0.0.1"])) as session:
        await refused(session, "http://odd.example/")


async def test_an_allowed_network_is_connected_to() -> None:
    guard = Guard([ip_network("127.0.0.0/8")])
    async with raw_upstream(says("ok")) as raw, client(guard) as session:
        async with session.post(raw.address) as response:
            assert b"ok" == await response.read()
        await refused(session, "http://10.0.0.1/")


@pytest.mark.parametrize(
    ("network", "address", "passes"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "64:ff9b::10.1.2.3", True),
        ("10.0.0.0/8", "192.168.0.1", False),
        ("10.0.0.0/8", "::ffff:192.168.0.1", False),
        ("fd00::/8", "fd12::1", True),
        ("fd00::/8", "fe80::1", False),
        ("64:ff9b:1::/48", "64:ff9b:1::10.0.0.1", True),
    ],
)
def test_what_an_operator_allows_passes(network: str, address: str, passes: bool) -> None:
    assert passes == Guard([ip_network(network)]).admits(ip_address(address))


@pytest.mark.parametrize(
    "name", ["example.com", "localhost", "a.b.c.d", "0x7g", "xn--bcher-kva.ch"]
)
def test_a_name_is_not_hopeless_before_it_was_looked_up(name: str) -> None:
    assert not Guard().hopeless(name)
