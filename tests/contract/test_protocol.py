"""HTTP below ASGI: heads have a bound, and what is no HTTP gets our error shape."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from mjgate.contract.call import Answer
from mjgate.contract.protocol import MOST_HEAD, Protocol
from mjgate.contract.send import send_answer
from tests.contract.document import faults

Port = int
GOOD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"


async def measure(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers the size of a body."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    await send_answer(send, Answer(200, size))


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        settings = uvicorn.Config(measure, http=Protocol, lifespan="off", log_config=None)
        server = uvicorn.Server(settings)
        serving = asyncio.create_task(server._serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield listener.getsockname()[1]
        server.should_exit = True
        await serving


async def said(port: Port, *pieces: bytes) -> list[bytes]:
    """Heads and bodies of all that is answered until the connection ends."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return (await reader.read()).split(b"\r\n\r\n")
        finally:
            writer.close()


async def test_what_is_no_http_gets_the_one_error_shape(port: Port) -> None:
    head, body = await said(port, b"no HTTP\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n")
    assert b"\r\nx-request-id: " in head
    assert head.endswith(b"\r\nconnection: close")
    assert [] == faults("Error", json.loads(body))
    assert "invalid_request" == json.loads(body)["properties"]["error"]


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\n"])
async def test_a_head_without_end_is_refused(port: Port, start: bytes) -> None:
    """Not a byte more is sent than the bound allows: what is not read may hide the answer."""
    more = b"x: y\r\n" * MOST_HEAD if start.endswith(b"\n") else b"x" * MOST_HEAD
    whole = (start + more)[: MOST_HEAD + 1]
    head, body = await said(port, whole[:100], whole[100:-1], whole[-1:])
    assert head.startswith(b"HTTP/1.1 400 ")
    assert f"larger than {MOST_HEAD} bytes" in json.loads(body)["description"]


async def test_a_head_below_the_bound_is_read(port: Port) -> None:
    lines = b"x: " + b"y" * (MOST_HEAD // 2) + b"\r\n\r\n"
    first, second = statuses(await said(port, GOOD[:-2], lines, LAST))
    assert (b"200", b"200") == (first, second)


async def test_a_body_does_not_count_as_head(port: Port) -> None:
    body = b"x" * (MOST_HEAD * 2)
    post = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert [b"200", b"200"] == statuses(await said(port, post, body, LAST))


def statuses(answers: list[bytes]) -> list[bytes]:
    return re.findall(rb"HTTP/1.1 (\d+)", b"".join(answers))


OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: %b\r\nHTTP2-Settings: AAMA\r\n"
IN_CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
IN_ONE = b"Content-Length: 7\r\n\r\nabcdefg"


@pytest.mark.parametrize("name", [b"h2c", b"websocket", b"x"])
@pytest.mark.parametrize("rest", [IN_ONE, IN_CHUNKS])
async def test_a_body_beside_an_offer_of_another_protocol_is_read(
    port: Port, name: bytes, rest: bytes
) -> None:
    """Some HTTP/1.1 clients offer h2c with every request."""
    offering = b"POST / HTTP/1.1\r\nHost: x\r\n" + OFFER % name + rest
    whole = offering + offering + GOOD + offering + LAST
    lengths = [b"7", b"7", b"0", b"7", b"0"]
    assert lengths == bodies(await said(port, whole))
    assert lengths == bodies(await said(port, *(whole[at : at + 1] for at in range(len(whole)))))
    head = len(offering) - len(rest)
    assert [b"7", b"0"] == bodies(await said(port, offering[:head], offering[head:], LAST))


async def test_an_offer_without_a_body_is_answered(port: Port) -> None:
    offering = GOOD[:-2] + OFFER % b"h2c" + b"\r\n"
    assert [b"0", b"0"] == bodies(await said(port, offering + LAST))


async def test_a_broken_body_beside_an_offer_is_refused(port: Port) -> None:
    offering = b"POST / HTTP/1.1\r\n" + OFFER % b"h2c"
    for rest in (b"Transfer-Encoding: chunked\r\n\r\nx\r\n", b"Transfer-Encoding: gzip\r\n\r\n"):
        assert [b"400"] == statuses(await said(port, offering + rest))


def bodies(answers: list[bytes]) -> list[bytes]:
    """The bodies of answers that are each one digit long."""
    assert {b"200"} == set(statuses(answers))
    return [part[:1] for part in answers[1:]]


async def test_a_head_that_no_body_follows_is_sent(port: Port) -> None:
    asked, followed, body = await said(port, b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + LAST)

    assert asked.startswith(b"HTTP/1.1 200 OK\r\n")
    assert followed.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"0" == body
