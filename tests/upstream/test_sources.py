"""Fetching pictures: from public places and the own upstream, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver

from mjgate.errors import CopyError, CopyRefused, SourceSilent
from mjgate.guard import Guard
from mjgate.upstream.sources import Sources
from tests.harness import free_port
from tests.test_guard import CLOSED, ODD, Resolver
from tests.upstream.raw import Speak, raw_upstream, resets, says, sends

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
TYPE = "Content-Type: image/png"
LOOPBACK = ip_network("127.0.0.0/8")


@asynccontextmanager
async def sources(
    *allowed: Any, most_bytes: int = 1000, resolver: AbstractResolver | None = None
) -> AsyncIterator[Sources]:
    opened = Sources(Guard(allowed), most_bytes, resolver)
    yield opened
    await opened.close()


async def fetched(opened: Sources, address: str, own: str | None = None) -> bytes:
    async with opened.open(address, own) as source:
        return b"".join([chunk async for chunk in source.chunks()])


def literal(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def moved(place: str, status: str = "302 Found") -> Speak:
    return says("", status, f"Location: {place}")


def one_after_another(*speaks: Speak) -> Speak:
    """Each connection is answered by the next."""
    left = iter(speaks)

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await next(left)(reader, writer)

    return speak


async def test_a_picture_of_the_own_upstream_is_fetched_wherever_it_is() -> None:
    async with raw_upstream(says(PNG, "200 OK", TYPE)) as raw, sources() as opened:
        assert PNG == await fetched(opened, f"{raw.address}/a%2Fb.png?x=%20", raw.address)

    [head] = raw.heard
    assert head.startswith(b"GET /a%2Fb.png?x=%20 HTTP/1.1\r\n")
    assert b"mj-api-secret" not in head.lower()


async def test_a_path_of_the_own_upstream_makes_no_difference() -> None:
    async with raw_upstream(says(PNG, "200 OK", TYPE)) as raw, sources() as opened:
        assert PNG == await fetched(opened, f"{raw.address}/a.png", f"{raw.address}/some/prefix")


@pytest.mark.parametrize("address", CLOSED)
async def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    async with raw_upstream(says(PNG)) as raw, sources() as opened:
        with pytest.raises(CopyRefused, match="not public"):
            await fetched(opened, f"http://{literal(address)}:{raw.port}/", "http://own.example")

        assert [] == raw.heard


@pytest.mark.parametrize("address", CLOSED)
async def test_a_name_that_leads_there_is_refused(address: str) -> None:
    async with sources(resolver=Resolver([address])) as opened:
        with pytest.raises(CopyRefused, match="not public"):
            await fetched(opened, "http://innocent.example:9/")


@pytest.mark.parametrize("host", ODD)
async def test_an_address_in_an_odd_form_is_refused(host: str) -> None:
    async with raw_upstream(says(PNG)) as raw, sources() as opened:
        with pytest.raises(CopyError):
            await fetched(opened, f"http://{host}:{raw.port}/")

        assert [] == raw.heard


@pytest.mark.parametrize("address", [*CLOSED, *ODD])
async def test_a_redirect_there_is_refused_and_may_be_gone_another_day(address: str) -> None:
    async with raw_upstream(says(PNG)) as inner:
        place = f"http://{literal(address)}:{inner.port}/"
        async with raw_upstream(moved(place)) as raw, sources() as opened:
            with pytest.raises(CopyError) as refusal:
                await fetched(opened, raw.address, raw.address)

        assert not isinstance(refusal.value, CopyRefused)
        assert [] == inner.heard


async def test_a_name_that_changes_its_answer_is_judged_by_the_last() -> None:
    resolver = Resolver(["127.0.0.1"], ["127.0.0.2"])
    allowed = ip_network("127.0.0.1/32")
    async with (
        raw_upstream(says(PNG, "200 OK", TYPE)) as raw,
        sources(allowed, resolver=resolver) as opened,
    ):
        address = f"http://changing.example:{raw.port}/"
        assert PNG == await fetched(opened, address)
        with pytest.raises(CopyRefused):
            await fetched(opened, address)

    assert 1 == len(raw.heard)


async def test_the_own_upstream_may_not_send_us_elsewhere_inside() -> None:
    async with raw_upstream(says(PNG, "200 OK", TYPE)) as inner:
        async with raw_upstream(moved(inner.address)) as raw, sources() as opened:
            with pytest.raises(CopyError, match=r"redirected.*not public"):
                await fetched(opened, raw.address, raw.address)

        assert [] == inner.heard


async def test_another_port_of_the_own_machine_is_another_origin() -> None:
    async with raw_upstream(says(PNG)) as raw, sources() as opened:
        with pytest.raises(CopyRefused):
            await fetched(opened, raw.address, f"http://127.0.0.1:{raw.port + 1}")


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 Other", "307 T", "308 P"])
@pytest.mark.parametrize("place", ["/b.png", "b.png", "{own}/b.png"])
async def test_a_redirect_within_what_is_allowed_is_followed(status: str, place: str) -> None:
    answers: list[Speak] = []
    async with raw_upstream(lambda r, w: answers.pop(0)(r, w)) as raw, sources() as opened:
        answers += [moved(place.format(own=raw.address), status), says(PNG, "200 OK", TYPE)]

        assert PNG == await fetched(opened, f"{raw.address}/a.png", raw.address)

    assert [b"GET /a.png", b"GET /b.png"] == [head.split(b" HTTP")[0] for head in raw.heard]


async def test_redirects_come_to_an_end() -> None:
    async with raw_upstream(moved("/again")) as raw, sources() as opened:
        with pytest.raises(CopyError, match="more than 5 times"):
            await fetched(opened, raw.address, raw.address)

    assert 6 == len(raw.heard)


@pytest.mark.parametrize(
    "place", ["ftp://a/b", "file:///etc/passwd", "http://user:secret@127.0.0.1/", "http://[::1/"]
)
async def test_a_redirect_to_no_address_is_a_fault(place: str) -> None:
    async with raw_upstream(moved(place)) as raw, sources(LOOPBACK) as opened:
        with pytest.raises(CopyError, match="redirected"):
            await fetched(opened, raw.address, raw.address)

    assert 1 == len(raw.heard)


async def test_a_redirect_without_a_place_is_no_picture() -> None:
    async with raw_upstream(says("", "302 Found")) as raw, sources(LOOPBACK) as opened:
        with pytest.raises(CopyError, match="HTTP 302"):
            await fetched(opened, raw.address)


@pytest.mark.parametrize(
    "address",
    ["", "x", "ftp://a/b", "file:///etc/passwd", "http://", "http://[::1/", "http:///a",
     "http://user@a/", "http://user:secret@a/", "http://@a/", "http://a:99999/"],
)  # fmt: skip
async def test_what_is_no_address_is_refused(address: str) -> None:
    async with sources(LOOPBACK) as opened:
        with pytest.raises(CopyRefused):
            await fetched(opened, address)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (says("gone", "404 Not Found", TYPE), "HTTP 404"),
        (says("no", "500 Internal Server Error", TYPE), "HTTP 500"),
        (says(PNG, "206 Partial Content", TYPE), "HTTP 206"),
        (says("<html>", "200 OK", "Content-Type: text/html"), "calls it 'text/html'"),
        (says(PNG, "200 OK", "Content-Type: image/svg+xml"), "calls it"),
        (says(PNG, "200 OK", TYPE, "Content-Encoding: gzip"), "packs it"),
        (sends(b"garbage\r\n\r\n"), "does not give it"),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 900\r\n\r\nabc"),
         "does not give it"),
        (resets, "does not give it"),
    ],
)  # fmt: skip
async def test_what_is_no_picture_may_be_one_later(answer: Speak, fault: str) -> None:
    async with raw_upstream(answer) as raw, sources(LOOPBACK) as opened:
        with pytest.raises(CopyError, match=fault) as failure:
            await fetched(opened, raw.address)

    assert not isinstance(failure.value, CopyRefused | SourceSilent)


@pytest.mark.parametrize(
    "answer",
    [
        says(bytes(1001), "200 OK", TYPE),
        sends(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n" + bytes(1001)),
    ],
)
async def test_one_that_is_too_large_is_refused_said_or_not(answer: Speak) -> None:
    async with raw_upstream(answer) as raw, sources(LOOPBACK) as opened:
        with pytest.raises(CopyRefused, match="larger than 1000 bytes"):
            await fetched(opened, raw.address)


async def test_where_nobody_listens_nobody_answers() -> None:
    async with sources(LOOPBACK) as opened:
        with pytest.raises(SourceSilent):
            await fetched(opened, f"http://127.0.0.1:{free_port()}/")


async def test_a_large_one_comes_in_pieces() -> None:
    content = PNG + bytes(700_000)
    async with (
        raw_upstream(says(content, "200 OK", TYPE)) as raw,
        sources(LOOPBACK, most_bytes=10**6) as opened,
        opened.open(raw.address, None) as source,
    ):
        chunks = [chunk async for chunk in source.chunks()]

    assert content == b"".join(chunks)
    assert all(len(chunk) >= 256 * 1024 for chunk in chunks[:-1])
    assert len(chunks) > 1


async def test_a_proxy_of_the_environment_has_no_part_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with raw_upstream(says(PNG, "200 OK", TYPE)) as raw, sources(LOOPBACK) as opened:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")

        assert PNG == await fetched(opened, raw.address)
