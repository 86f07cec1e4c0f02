"""A server on a loopback socket that answers whatever comes as it is told."""

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedIOBase
from typing import Any

from mjgate.conformance.client.reply import LATIN, Reply
from mjgate.conformance.exchange import Request, headers_of

_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it came over the wire, nothing decoded. Header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def request(self, url: str) -> Request:
        """As a report shows it, without the token."""
        form = "mj-api-secret" if "mj-api-secret" in self.headers else "Authorization"
        headers = tuple(headers_of(self.headers))
        return Request(self.method, url + self.target, headers, self.body or None, form=form)


Answering = Callable[[Arrival], Reply]


@dataclass(slots=True)
class Mock:
    """`answer` may be set anew between two calls."""

    url: str
    answer: Answering


@contextmanager
def mocking(answer: Answering) -> Iterator[Mock]:
    with _Server() as server:
        mock = Mock(f"http://127.0.0.1:{server.server_address[1]}", answer)
        server.mock = mock
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield mock
        finally:
            server.shutdown()
            thread.join()
            server.hang_up()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False
    request_queue_size = 128
    mock: Mock

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        """Ends what a client has left open, so that nobody waits for it."""
        for connection in list(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is its own affair: its call tells."""


class _Connection(socketserver.StreamRequestHandler):
    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        try:
            while (arrival := _read(self.rfile)) is not None:
                reply = self.server.mock.answer(arrival)
                self.connection.sendall(reply.wire)
                if reply.end == "hang":
                    self.rfile.read(1)
                if reply.end == "reset":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    self.connection.close()
                if reply.end != "keep":
                    return
        finally:
            self.server.open.discard(self.connection)


def _read(stream: BufferedIOBase) -> Arrival | None:
    """The next request; None where the client has closed."""
    first = stream.readline().decode(LATIN)
    if not first:
        return None
    method, target, _ = first.split(" ", 2)
    headers: dict[str, str] = {}
    while line := stream.readline().decode(LATIN).rstrip("\r\n"):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Arrival(method, target, headers, stream.read(int(headers.get("content-length", "0"))))
