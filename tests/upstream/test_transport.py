"""One exchange with an upstream, and how it failed, over real sockets."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mjgate.domain.outcome import Reply
from mjgate.errors import Broken, NotSent
from mjgate.upstream.transport import Transport
from tests.harness import free_port
from tests.upstream.raw import (
    Speak,
    channel,
    drips,
    raw_upstream,
    resets,
    says,
    sends,
    stays_silent,
)

LARGE = 33 * 1024 * 1024


async def post(transport: Transport, base_url: str) -> Reply:
    return await transport.post(channel(base_url), "/mj/submit/imagine", b"{}")


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}",
        "https://127.0.0.1:{port}",
        "http://does-not-exist.invalid",
        "ftp://127.0.0.1:{port}",
        "http://",
        "http://[::1",
        "nonsense",
    ],
)
async def test_what_never_connected_was_not_sent(transport: Transport, address: str) -> None:
    with pytest.raises(NotSent):
        await post(transport, address.format(port=free_port()))


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HELLO = b"\x16"
"""With which TLS begins."""


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """The port of a server that speaks no HTTP of ours."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_port_that_speaks_no_tls_was_not_sent_to(transport: Transport) -> None:
    heard: list[bytes] = []

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1))
        writer.write(b"HTTP/1.1 400 No\r\n\r\n")
        writer.close()

    async with serving(plain) as port:
        with pytest.raises(NotSent):
            await post(transport, f"https://127.0.0.1:{port}")
    assert [HELLO] == heard


async def test_a_listener_that_accepts_nobody_was_not_sent_to() -> None:
    """TLS that never begins is a connection that was never made."""
    patient = Transport(20.0, 2.0)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with serving(silent) as port:
        with pytest.raises(NotSent):
            await asyncio.wait_for(post(patient, f"https://127.0.0.1:{port}"), 30)
    await patient.close()


@pytest.mark.parametrize(
    "speak",
    [
        resets,
        stays_silent,
        drips,
        sends(b""),
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"),
        sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"),
        sends(b"SSH-2.0-OpenSSH\r\n"),
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE + b" " * LARGE),
        says(gzip.compress(b" " * LARGE), "200 OK", "Content-Encoding: gzip"),
        says(b"no gzip", "200 OK", "Content-Encoding: gzip"),
    ],
    ids=[
        "reset",
        "silent",
        "drips",
        "nothing",
        "cut",
        "bad chunk",
        "bad length",
        "not http",
        "too large",
        "too large unpacked",
        "not packed",
    ],
)
async def test_what_broke_later_is_not_known(
    transport: Transport, impatient: Transport, speak: Speak
) -> None:
    asking = impatient if speak in (stays_silent, drips) else transport
    async with raw_upstream(speak) as raw:
        with pytest.raises(Broken):
            await asyncio.wait_for(post(asking, raw.address), 20)

        assert 1 == len(raw.heard)


async def test_a_reset_before_the_request_was_read_is_not_known(transport: Transport) -> None:
    """The kernel may have taken the bytes: nobody can tell."""

    async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await resets(_reader, writer)
        writer.close()

    async with serving(reset) as port:
        with pytest.raises(Broken):
            await post(transport, f"http://127.0.0.1:{port}")


async def test_a_key_with_a_line_break_is_never_sent(transport: Transport) -> None:
    async with raw_upstream(says("{}")) as raw:
        with pytest.raises(Broken):
            await transport.get(channel(raw.address, "a\r\nb: c"), "/")

        assert [] == raw.heard


async def test_a_redirect_is_an_answer_and_is_not_followed(transport: Transport) -> None:
    async with raw_upstream(says("", "307 No", "Location: /elsewhere")) as raw:
        assert Reply(307, None) == await post(transport, raw.address)

        assert 1 == len(raw.heard)


async def test_after_it_was_closed_nothing_is_sent(transport: Transport) -> None:
    async with raw_upstream(says("{}")) as raw:
        await transport.close()
        with pytest.raises(NotSent, match="stopping"):
            await post(transport, raw.address)

        assert [] == raw.heard


async def test_closing_breaks_what_waits_for_an_answer(transport: Transport) -> None:
    patient = Transport(60, 2.0)
    async with raw_upstream(stays_silent) as raw:
        waiting = asyncio.create_task(post(patient, raw.address))
        async with asyncio.timeout(10):
            while not raw.heard:
                await asyncio.sleep(0.01)

        await patient.close()

        with pytest.raises(Broken):
            await asyncio.wait_for(waiting, 10)


@pytest.mark.parametrize(
    ("body", "parsed"),
    [
        ('{"a": 1}', {"a": 1}),
        ("[1]", [1]),
        ("null", None),
        ("", None),
        ("{", None),
        ("<html>", None),
        ('"\\ud800"', "\ud800"),
        ('{"a": "\\u0000"}', {"a": "\0"}),
        ("[" * 100_000, None),
        ('["\\ud800", ' + "9" * 5000 + "]", None),
        (b"\xff\xfe\x00", None),
    ],
)
async def test_a_body_is_json_or_none(transport: Transport, body: str, parsed: Any) -> None:
    async with raw_upstream(says(body)) as raw:
        assert Reply(200, parsed) == await post(transport, raw.address)


async def test_chunks_and_packed_bodies_are_read(transport: Transport) -> None:
    packed = gzip.compress(b"[7]")
    for speak in (
        says(packed, "200 OK", "Content-Encoding: gzip"),
        sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[7]\r\n0\r\n\r\n"),
        sends(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[7]"),
    ):
        async with raw_upstream(speak) as raw:
            assert Reply(200, [7]) == await post(transport, raw.address)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("0", 0), ("99999", 3600), ("9" * 5000, 3600), ("soon", None), ("-1", None),
     ("１", None), ("", None)],
)  # fmt: skip
async def test_retry_after_is_read_in_seconds(
    transport: Transport, value: str, seconds: int | None
) -> None:
    answer = f"HTTP/1.1 429 No\r\nContent-Length: 0\r\nRetry-After: {value}\r\n\r\n"
    async with raw_upstream(sends(answer.encode())) as raw:
        assert Reply(429, None, seconds) == await post(transport, raw.address)


async def test_the_key_goes_out_alone(transport: Transport) -> None:
    async with raw_upstream(says("{}")) as raw:
        await transport.post(channel(raw.address, "a secret"), "/mj/x", b'{"a":1}')
        await transport.get(channel(raw.address), "/mj/y")

    sent, asked = raw.heard
    assert sent.startswith(b"POST /mj/x HTTP/1.1\r\n")
    assert sent.endswith(b'\r\n\r\n{"a":1}')
    assert b"mj-api-secret: a secret\r\n" in sent
    assert b"User-Agent: mjgate/" in sent
    for name in (b"authorization", b"cookie"):
        assert name not in sent.lower()
    assert asked.startswith(b"GET /mj/y HTTP/1.1\r\n")
    assert b"mj-api-secret" not in asked
