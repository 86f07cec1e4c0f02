"""HTTP below ASGI: what never becomes a request is answered in our error shape too."""

import asyncio
import secrets
import sys
from typing import Any, cast

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mjgate.errors import InvalidRequest

MOST_HEAD = 64 * 1024
"""Bytes of a request line with its headers; the parser itself knows no bound."""
_FRAMING = (b"content-length", b"transfer-encoding")
_BLANK_LINE = b"\r\n\r\n"
_GO_AHEAD = b"HTTP/1.1 100 "


class Protocol(HttpToolsProtocol):
    """uvicorn's, with a bound on heads and JSON for what is no HTTP.

    An offer of another protocol is declined by going on in HTTP/1.1. The parser stops at such
    an offer and loses the body: clients that offer h2c with every request could not submit.
    """

    _head: int | None = None
    _data: bytes = b""
    _whole: "_Whole"

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._whole = _Whole(transport)
        super().connection_made(cast(asyncio.Transport, self._whole))

    def on_response_complete(self) -> None:
        self._whole.flush()
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        self._data = data
        super().data_received(data)
        if self._head is not None and not self.transport.is_closing():
            self._head += len(data)
            if self._head > MOST_HEAD:
                self.send_400_response(f"Its head is larger than {MOST_HEAD} bytes.")

    def on_message_begin(self) -> None:
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        body = orjson.dumps(InvalidRequest(f"This is no HTTP request. {msg}").body())
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {secrets.token_hex(16)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _should_upgrade(self) -> bool:
        return False

    def _unsupported_upgrade_warning(self) -> None:
        """Called where the parser stopped: a new one takes the body, and what follows it."""
        stop = sys.exc_info()[1]
        assert isinstance(stop, httptools.HttpParserUpgrade)
        rest = self._data[stop.args[0] :]
        relay = _Relay(self)
        self.parser = httptools.HttpRequestParser(relay)
        try:
            self.parser.feed_data(_framing(self.headers))
        except httptools.HttpParserError:
            self.send_400_response("Its body has no end that can be told.")
            return
        relay.muted = False
        self.data_received(rest)


class _Whole:
    """A transport that sends the head of an answer with its body: one system call, not two."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif data.endswith(_BLANK_LINE) and not data.startswith(_GO_AHEAD):
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Sends a head that no body followed."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Relay:
    """Hands a parser's events on, but for those of a head that is known already."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self.muted = True

    def on_message_begin(self) -> None:
        if not self.muted:
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self.muted:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.muted:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self.muted:
            self._protocol.on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._protocol.on_body(body)

    def on_message_complete(self) -> None:
        self._protocol.on_message_complete()


def _framing(headers: list[tuple[bytes, bytes]]) -> bytes:
    """The head of a request that has the same body and offers nothing."""
    lines = [name + b": " + value + b"\r\n" for name, value in headers if name in _FRAMING]
    return b"POST / HTTP/1.1\r\n" + b"".join(lines) + b"\r\n"
