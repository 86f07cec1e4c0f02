"""Sends a request as it stands and brings the whole answer, or says why none came."""

import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from urllib3 import HTTPConnectionPool, HTTPHeaderDict, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse, HTTPResponse

from mjgate.conformance.exchange import Answer, Request
from mjgate.conformance.silence import said

BAD_TOKEN: Final = "mj-conformance-is-not-a-token"  # noqa: S105
MOST_BODY = 16 * 1024 * 1024
_CHUNK = 64 * 1024
_GRACE_S = 0.5
"""Seconds that an answer may take beyond the time-out of one read."""
_AGENT = "mjgate-conformance"


class NoAnswer(Exception):
    """Raised where no whole answer came.

    `sent` is whether the server may have the request, `slow` whether it was waited for in vain.
    """

    def __init__(self, why: str, *, sent: bool, slow: bool = False) -> None:
        super().__init__(why)
        self.sent = sent
        self.slow = slow


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a run, by the name of their sender."""

    first: str = ""
    second: str = ""

    def of(self, sender: str) -> str | None:
        return {"token": self.first, "second": self.second, "bad": BAD_TOKEN}.get(sender)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no answer may show; a word of a few letters may stand there by chance."""
        return tuple(each for each in (self.first, self.second) if len(each) >= 8)


class Wire:
    """Connections to one server, kept open."""

    def __init__(self, tokens: Tokens, timeout_s: float = 30.0) -> None:
        self.tokens = tokens
        self._timeout_s = timeout_s
        self._pool = PoolManager(num_pools=4, maxsize=8, retries=False)
        self._pool.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def close(self) -> None:
        self._pool.clear()

    def send(self, request: Request, more_s: float = 0.0) -> Answer:
        """The answer; `more_s` are seconds that the server was asked to wait for.

        Raises:
            NoAnswer: none came, or not all of it.
        """
        started = time.monotonic()
        deadline = started + self._timeout_s + more_s
        try:
            response = self._pool.urlopen(
                request.method,
                request.url,
                body=request.body,
                headers=self._headers(request),
                redirect=False,
                preload_content=False,
                decode_content=False,
                timeout=Timeout(connect=min(10.0, self._timeout_s), read=self._timeout_s + more_s),
            )
            body = _read(response, deadline)
        except (NewConnectionError, NameResolutionError, ConnectTimeoutError, SSLError) as error:
            raise NoAnswer(said(error), sent=False) from None
        except (HTTPError, OSError, ValueError) as error:
            slow = isinstance(error, ReadTimeoutError)
            raise NoAnswer(said(error), sent=True, slow=slow) from None
        headers = tuple((name.lower(), value) for name, value in response.headers.items())
        return Answer(response.status, headers, body, round(1000 * (time.monotonic() - started)))

    def _headers(self, request: Request) -> Mapping[str, str]:
        headers = HTTPHeaderDict({"User-Agent": _AGENT, "Accept-Encoding": "identity"})
        for name, value in request.headers:
            if name in headers and name.lower() in ("user-agent", "accept-encoding"):
                headers[name] = value
            else:
                headers.add(name, value)
        token = self.tokens.of(request.sender)
        if token is not None:
            bearer = request.form.lower() == "authorization"
            headers[request.form] = f"Bearer {token}" if bearer else token
        return headers


class _Bounded(HTTPConnection):
    """Its time-out is that of the whole answer, whatever comes before and between its parts.

    A server that sends `100 Continue` or trailers for ever, or a letter at a time, is else waited
    for without end: a socket's own time-out is that of each read.
    """

    _timer: threading.Timer | None = None
    _is_late = False

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        assert isinstance(self.timeout, float)
        self._is_late = False
        self._timer = threading.Timer(self.timeout + _GRACE_S, self._cut, [self.sock])
        self._timer.daemon = True
        self._timer.start()
        response = None
        try:
            response = super().getresponse()
        except Exception:
            if self.ends_in_time():
                raise
        if response is None or self._is_late:
            raise TimeoutError
        return response

    def ends_in_time(self) -> bool:
        """To be asked when the answer has ended, for better or worse."""
        assert self._timer is not None
        self._timer.cancel()
        return not self._is_late

    def _cut(self, sock: socket.socket) -> None:
        self._is_late = True
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


class _SecureBounded(_Bounded, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Bounded


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureBounded


def _read(response: BaseHTTPResponse, deadline: float) -> bytes:
    connection = response.connection
    assert isinstance(connection, _Bounded)
    chunks: list[bytes] = []
    size = 0
    try:
        while size <= MOST_BODY and time.monotonic() <= deadline:
            chunk = response.read1(_CHUNK)
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
    except (HTTPError, OSError):
        if connection.ends_in_time():
            raise
    if connection.ends_in_time() and size <= MOST_BODY and time.monotonic() <= deadline:
        response.release_conn()
        return b"".join(chunks)
    response.close()
    raise NoAnswer("the answer does not end", sent=True, slow=True)
