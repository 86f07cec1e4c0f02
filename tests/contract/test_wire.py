"""What HTTP clients do not send, over raw sockets: never a 5xx, and the server lives."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from tests.contract.conftest import Enforced
from tests.contract.document import faults
from tests.contract.table import IMAGINE, LIST
from tests.harness import until

PATIENCE_S = 20.0


@dataclass(frozen=True)
class Heard:
    """One answer as it came over the wire; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Line:
    """One connection to the gateway."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, sent: bytes) -> Heard:
        self.writer.write(sent)
        return await self.answer()

    async def answer(self) -> Heard:
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            pairs = (line.split(": ", 1) for line in lines)
            headers = {name.lower(): value for name, value in pairs}
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
            return Heard(int(first.split(" ")[1]), headers, body)

    async def closed(self) -> bytes:
        """What still comes until the gateway closes."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


@pytest.fixture
async def line(enforced: Enforced) -> AsyncIterator[Line]:
    """A connection; a good submit works after it."""
    await enforced.forget()
    place = urlsplit(enforced.gateway.address)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    yield Line(reader, writer)
    writer.close()
    assert [] == await enforced.submits()
    await enforced.works()


def request(
    gate: Enforced, method: str, path: str, body: bytes = b"", *lines: str, version: str = "1.1"
) -> bytes:
    """A whole request with the good token; a Content-Length unless `lines` have a length."""
    head = [f"{method} {path} HTTP/{version}", "Host: x", f"mj-api-secret: {gate.gateway.key}"]
    if body:
        head.append("Content-Type: application/json")
    if not any(line.lower().startswith(("content-length", "transfer-")) for line in lines):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, *lines, "", ""]).encode("latin-1") + body


EMPTY = b'{"ids": []}'
CHUNKED = b"b\r\n" + EMPTY + b"\r\n0\r\n\r\n"
FETCH = b"GET /mj/task/1/fetch HTTP/1.1\r\nHost: x\r\n"

NO_HTTP = {
    "noise": b"\x00\x01\x02\x03\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100 + b"\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an unknown method": b"FLY / HTTP/1.1\r\n\r\n",
    "an unknown version": b"GET / HTTP/9.9\r\n\r\n",
    "a path that is none": b"GET x HTTP/1.1\r\n\r\n",
    "a path of other bytes": b"GET /\xff HTTP/1.1\r\n\r\n",
    "a host only": b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tunnel": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header with NUL": FETCH + b"mj-api-secret: a\0b\r\n\r\n",
    "a header with a bare CR": FETCH + b"mj-api-secret: a\rb\r\n\r\n",
    "a header with DEL": FETCH + b"x-request-id: a\x7fb\r\n\r\n",
    "a header name with a space": FETCH + b"mj-api-secret : a\r\n\r\n",
    "a header without a name": FETCH + b": a\r\n\r\n",
    "a header without a colon": FETCH + b"mj-api-secret\r\n\r\n",
    "a length that is none": FETCH + b"Content-Length: x\r\n\r\n",
    "a negative length": FETCH + b"Content-Length: -1\r\n\r\n",
    "a length beyond all": FETCH + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
    "two lengths": FETCH + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "a length and chunks": FETCH + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunks and a length": FETCH + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "chunks that are not last": FETCH + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
}


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=NO_HTTP)
async def test_what_is_no_http_is_refused_and_the_connection_closed(
    line: Line, sent: bytes
) -> None:
    heard = await line.ask(sent)
    assert (400, "close") == (heard.status, heard.headers["connection"])
    assert [] == faults("Error", json.loads(heard.body))
    assert b"" == await line.closed()


@pytest.mark.parametrize("chunks", [b"x\r\n", b"-1\r\n", b"5;\0\r\n", b"b\r\n" + EMPTY + b"XX"])
async def test_broken_chunks_are_refused(enforced: Enforced, line: Line, chunks: bytes) -> None:
    sent = request(enforced, "POST", LIST, chunks, "Transfer-Encoding: chunked")
    heard = await line.ask(sent)
    assert 400 == heard.status
    assert [] == faults("Error", json.loads(heard.body))


async def test_the_bytes_after_a_refused_length_are_no_request(
    enforced: Enforced, line: Line
) -> None:
    """A front server that takes the length, and we the chunks, would see different requests."""
    hidden = request(enforced, "POST", IMAGINE, b'{"prompt": "smuggled"}')
    both = "Content-Length: 5", "Transfer-Encoding: chunked"
    heard = await line.ask(request(enforced, "POST", LIST, b"0\r\n\r\n" + hidden, *both))
    assert 400 == heard.status
    assert b"" == await line.closed()


async def test_http_1_0_is_served_and_closed(enforced: Enforced, line: Line) -> None:
    path = f"/mj/task/{enforced.mine}/fetch"
    heard = await line.ask(request(enforced, "GET", path, version="1.0"))
    assert (200, enforced.mine) == (heard.status, json.loads(heard.body)["id"])
    assert b"" == await line.closed()


async def test_a_body_in_chunks_is_taken(enforced: Enforced, line: Line) -> None:
    chunked = "Transfer-Encoding: chunked"
    pieces = b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in EMPTY) + b"0\r\n\r\n"
    for body in (CHUNKED, pieces, CHUNKED[:-2] + b"Trailer: x\r\n\r\n"):
        heard = await line.ask(request(enforced, "POST", LIST, body, chunked))
        assert (200, b"[]") == (heard.status, heard.body)


async def test_requests_sent_at_once_are_answered_in_their_order(
    enforced: Enforced, line: Line
) -> None:
    sent = [
        request(enforced, "POST", LIST, EMPTY),
        request(enforced, "POST", LIST, b"no JSON"),
        request(enforced, "GET", "/mj/task/1/fetch"),
        request(enforced, "POST", "/nowhere", b"x" * 100_000),
        request(enforced, "POST", LIST, CHUNKED, "Transfer-Encoding: chunked"),
    ]
    line.writer.write(b"".join(sent))
    assert [200, 400, 404, 404, 200] == [(await line.answer()).status for _ in sent]


@pytest.mark.parametrize("lines", [["Content-Type: text/plain"], ["mj-api-secret: "]])
async def test_a_connection_lives_on_after_a_body_nobody_read(
    enforced: Enforced, line: Line, lines: list[str]
) -> None:
    head = "\r\n".join([f"POST {IMAGINE} HTTP/1.1", *lines, "Content-Length: 1000000", "", ""])
    assert (await line.ask(head.encode() + b"x" * 1_000_000)).status in (401, 415)
    assert 200 == (await line.ask(request(enforced, "POST", LIST, EMPTY))).status


async def test_a_connection_lives_on_after_a_body_too_large(enforced: Enforced, line: Line) -> None:
    large = b"x" * (17 * 1024 * 1024)
    assert 413 == (await line.ask(request(enforced, "POST", LIST, large))).status
    assert 200 == (await line.ask(request(enforced, "POST", LIST, EMPTY))).status
    in_chunks = b"%x\r\n" % len(large) + large + b"\r\n0\r\n\r\n"
    chunked = request(enforced, "POST", LIST, in_chunks, "Transfer-Encoding: chunked")
    assert 413 == (await line.ask(chunked)).status
    assert 200 == (await line.ask(request(enforced, "POST", LIST, EMPTY))).status


async def test_a_body_too_large_that_never_ends_is_answered_while_it_comes(
    enforced: Enforced, line: Line
) -> None:
    head = request(enforced, "POST", LIST, b"", "Transfer-Encoding: chunked")
    line.writer.write(head.replace(b"Host: x", b"Host: x\r\nContent-Type: application/json"))
    piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    answer = asyncio.create_task(line.answer())
    async with asyncio.timeout(PATIENCE_S):
        while not answer.done():
            line.writer.write(piece)
            await line.writer.drain()
    assert 413 == answer.result().status


async def test_a_client_that_waits_for_our_go_ahead_is_told_at_once(
    enforced: Enforced, line: Line
) -> None:
    lines = "Content-Length: 31457280", "Expect: 100-continue"
    head = request(enforced, "POST", IMAGINE, b"", "Content-Type: application/json", *lines)
    heard = await line.ask(head)
    assert (413, "close") == (heard.status, heard.headers["connection"])
    assert b"" == await line.closed()


async def test_a_client_that_waits_for_our_go_ahead_gets_it(enforced: Enforced, line: Line) -> None:
    sent = request(enforced, "POST", LIST, EMPTY, "Expect: 100-continue")
    assert 100 == (await line.ask(sent.removesuffix(EMPTY))).status
    assert 200 == (await line.ask(EMPTY)).status


@pytest.mark.parametrize("sent", [b"GET /\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_odd_requests_that_are_http_are_not_found(line: Line, sent: bytes) -> None:
    heard = await line.ask(sent)
    assert (404, []) == (heard.status, faults("Error", json.loads(heard.body)))


@pytest.mark.parametrize("sent", ["", '{"ids"', '{"ids": ["'])
async def test_a_client_that_hangs_up_leaves_a_clean_log(
    enforced: Enforced, line: Line, sent: str, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logs, caplog.at_level(logging.INFO):
        head = request(enforced, "POST", LIST, b"", "Content-Length: 100")
        typed = head.replace(b"Host: x", b"Host: x\r\nContent-Type: application/json")
        line.writer.write(typed + sent.encode())
        await line.writer.drain()
        line.writer.transport.abort()
        await until(lambda: [log for log in logs if log.get("status") == 499])
    assert [("request", "info", 499)] == [
        (log["event"], log["log_level"], log["status"])
        for log in logs
        if log.get("operation") == "list_tasks"
    ]
    assert [] == [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_token_split_over_two_headers_is_taken_from_the_first(
    enforced: Enforced, line: Line
) -> None:
    sent = request(enforced, "POST", LIST, EMPTY, "mj-api-secret: wrong", "Content-Type: text/css")
    assert 200 == (await line.ask(sent)).status


async def test_header_bytes_beyond_ascii_are_refused_as_a_token_and_no_fault(
    line: Line,
) -> None:
    heard = await line.ask(
        FETCH + b"mj-api-secret: \xff\xfe\r\nX-Request-Id: \xff\r\nOrigin: \xff\r\n\r\n"
    )
    assert 401 == heard.status
    assert heard.headers["x-request-id"].isascii()


async def test_a_head_of_sixty_kilobytes_is_read(enforced: Enforced, line: Line) -> None:
    lines = [f"X-{number}: {'x' * 1000}" for number in range(60)]
    assert 200 == (await line.ask(request(enforced, "POST", LIST, EMPTY, *lines))).status
