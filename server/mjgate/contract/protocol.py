"""HTTP below ASGI: what never becomes a request is answered in our error shape too."""

import secrets

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mjgate.errors import InvalidRequest

MOST_HEAD = 64 * 1024
"""Bytes of a request line with its headers; the parser itself knows no bound."""


class Protocol(HttpToolsProtocol):
    """uvicorn's, with a bound on heads and JSON for what is no HTTP."""

    _head: int | None = None

    def data_received(self, data: bytes) -> None:
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

    def send_400_response(self, msg: str) -> None:
        body = orjson.dumps(InvalidRequest(f"This is no HTTP request. {msg}").body())
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {secrets.token_hex(16)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
