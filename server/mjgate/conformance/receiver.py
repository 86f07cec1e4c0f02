"""Hears the callbacks of the server that is asked."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from mjgate.conformance.verdict import CannotRun

_EVERYWHERE = "0.0.0.0"  # noqa: S104
_PORTS = {"http": 80, "https": 443}
_MOST_BYTES = 16 * 1024 * 1024
_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Post:
    """A callback as it came; header names are lower case."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def task(self) -> dict[str, Any] | None:
        """The task that it holds; None where it holds none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


@dataclass
class Receiver:
    """What came to an address of ours, and waits for what is to come.

    `asked` says that somebody has named the address: then it can be reached, and silence means
    that nobody called.
    """

    base: str
    asked: bool
    posts: list[Post] = field(default_factory=list)
    order: threading.Lock = field(default_factory=threading.Lock)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def address(self) -> str:
        """A new address; its path is `path_of` it."""
        return f"{self.base}/hook-{secrets.token_hex(8)}"

    def hear(self, post: Post) -> None:
        with self._news:
            self.posts.append(post)
            self._news.notify_all()

    def wait(self, good: Callable[[list[Post]], bool], seconds: float) -> list[Post]:
        """All posts, as soon as they are good, or when the time is over."""
        deadline = time.monotonic() + seconds
        with self._news:
            self._news.wait_for(lambda: good(self.posts), max(0.0, deadline - time.monotonic()))
            return list(self.posts)


@contextmanager
def receiving(address: str | None, target: str) -> Iterator[Receiver | None]:
    """A receiver at an address that the target can call.

    Without an address it listens on loopback where the target is there too; else there is none.
    The port of the address is the one it listens on, 0 is any.

    Raises:
        CannotRun: it cannot listen there.
    """
    if address is None and not is_loopback(target):
        yield None
        return
    with _listening(address or "http://127.0.0.1:0", address is not None) as receiver:
        yield receiver


def is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _listening(address: str, asked: bool) -> Iterator[Receiver]:
    receiver = Receiver(address.rstrip("/"), asked)
    with _server(address, receiver) as server:
        if urlsplit(address).port == 0:
            receiver.base = receiver.base.replace(":0", f":{server.server_port}", 1)
        thread = threading.Thread(target=server.serve_forever, args=[_POLL_S], daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def _server(address: str, receiver: Receiver) -> ThreadingHTTPServer:
    try:
        parts = urlsplit(address)
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
        host = "127.0.0.1" if is_loopback(address) else _EVERYWHERE
        return _Server((host, port), _handler(receiver))
    except (KeyError, ValueError):
        raise CannotRun(f"the receiver {address} is no http or https address") from None
    except OSError as error:
        raise CannotRun(
            f"nothing can listen for callbacks on port {port}: {error.strerror}"
        ) from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up has not called; there is nobody to tell."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_POST(self) -> None:
            body = self.rfile.read(min(_MOST_BYTES, int(self.headers.get("Content-Length", "0"))))
            headers = tuple((name.lower(), value) for name, value in self.headers.items())
            # Answered before it counts: who waits for it must not close under the caller. The next
            # callback can come on another connection before this one counts, and waits for it.
            with receiver.order:
                self.send_response(204)
                self.end_headers()
                receiver.hear(Post(self.command, self.path, headers, body))

        do_GET = do_PUT = do_POST  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing: what came is in the posts."""

    return Handler
