"""Serves a sandbox over HTTP/1.1 with connections that are kept alive."""

import contextlib
import io
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from mjgate.sandbox.app import create_sandbox
from mjgate.sandbox.faults import RESET
from mjgate.sandbox.settings import Settings

ABRUPT = struct.pack("ii", 1, 0)
"""SO_LINGER that makes close() send a reset."""
BACKLOG = 1024
NO_PHRASE = "mjgate.sandbox.no_phrase"


class Handler(WSGIRequestHandler):
    """Werkzeug's handler closes after every answer; this one reads the whole request first and
    so can keep the connection, as the real upstreams do."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    environ: dict[str, Any]
    server: "Server"

    def run_wsgi(self) -> None:
        self.environ = environ = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(self._body(environ))
        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc: Any = None) -> Any:
            head[:] = [status, headers]

        chunks = self.server.app(environ, start_response)
        body = b"".join(chunks)
        if close := getattr(chunks, "close", None):
            close()
        if environ.get(RESET):
            self._reset()
        else:
            self._answer(head[0], head[1], body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing: the journal has it."""

    def _body(self, environ: dict[str, Any]) -> bytes:
        stream = environ["wsgi.input"]
        if environ.get("wsgi.input_terminated"):
            return bytes(stream.read())
        return bytes(stream.read(int(environ.get("CONTENT_LENGTH") or 0)))

    def _answer(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, phrase = status.partition(" ")
        self.send_response_only(int(code), "" if self.server.phraseless else phrase)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Date", self.date_time_string())
        if self._announced(int(code), headers):
            self.end_headers()
            self.wfile.write(body)
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        self.wfile.flush()

    def _announced(self, code: int, headers: list[tuple[str, str]]) -> bool:
        """Whether the end of the answer is known without chunks."""
        if code in (204, 304) or self.command == "HEAD":
            return True
        if self.request_version < "HTTP/1.1":
            self.close_connection = True
            return True
        return any(name.lower() == "content-length" for name, _ in headers)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABRUPT)
        self.close_connection = True


class Server(ThreadedWSGIServer):
    """A thread for each connection; closing it cuts those that are open."""

    app: Flask

    def __init__(self, app: Flask, host: str, port: int) -> None:
        self.phraseless = bool(app.config[NO_PHRASE])
        self._connections: set[socket.socket] = set()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family, backlog=BACKLOG) as listener:
            super().__init__(host, port, app, Handler, fd=listener.fileno())

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(ABRUPT)) == ABRUPT:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def serve_sandbox(
    settings: Settings,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    ready: Callable[[str], None] = print,
    parent_pipe: int | None = None,
) -> None:
    """Serves until SIGTERM, SIGINT or the end of `parent_pipe`; must run in the main thread.

    `ready` is told the address once it is bound; port 0 takes a free one. Raises OSError when
    it cannot be.
    """
    server = _bind(settings, host, port)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    if parent_pipe is not None:
        threading.Thread(target=_outlive, args=(parent_pipe, stopped), daemon=True).start()
    with _serving(server) as url:
        ready(url)
        stopped.wait()


@contextlib.contextmanager
def running_sandbox(settings: Settings, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """A sandbox in threads of this process; gives its address, ends with the block."""
    with _serving(_bind(settings, host, port)) as url:
        yield url


@contextlib.contextmanager
def _serving(server: Server) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="sandbox")
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        thread.join()
        server.app.extensions["sandbox"].close()


def _bind(settings: Settings, host: str, port: int) -> Server:
    app = create_sandbox(settings)
    app.config[NO_PHRASE] = settings.dialect == "novicezk"
    return Server(app, host, port)


def _outlive(pipe: int, stopped: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(pipe, 1024):
            pass
    stopped.set()
