"""Posts to the addresses of customers: once, guarded, and with nothing of ours in it."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
from yarl import URL

from mjgate import __version__
from mjgate.domain.delivery import Reply
from mjgate.errors import AddressRefused
from mjgate.guard import Guard

MOST_ANSWER: Final = 1024
_MOST_WAIT_S: Final = 86_400.0
_READ_S = 2.0
_HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": f"mjgate/{__version__}",
}


class Caller:
    """A pool of connections to receivers; they idle for at most `keepalive` seconds.

    Redirects are not followed, cookies are not kept, and no proxy of the environment is used.
    """

    def __init__(self, guard: Guard, timeout: float, keepalive: float) -> None:
        self._guard = guard
        self._timeout = timeout
        self._session = aiohttp.ClientSession(
            connector=guard.connector(limit=0, keepalive_timeout=keepalive),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=timeout),
        )

    async def close(self) -> None:
        await self._session.close()

    def hopeless(self, address: str) -> bool:
        """Whether an address can never be called: it is none, or names a host that is refused."""
        try:
            host = URL(address).raw_host
        except ValueError:
            return True
        return not host or self._guard.hopeless(host)

    async def post(self, address: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """One POST; whatever goes wrong is said in the reply, and names no address."""
        started = time.monotonic()
        try:
            async with self._session.post(
                URL(address, encoded=True), data=body, headers=headers, allow_redirects=False
            ) as response:
                ms = _ms_since(started)
                answer = await _beginning(response)
                wait_s = _wait_s(response.headers.get("Retry-After", ""))
                return Reply(response.status, ms, _fault(response.status), answer, wait_s)
        except Exception as error:
            return Reply(None, _ms_since(started), self._why(error))

    def _why(self, error: Exception) -> str:
        match error:
            case TimeoutError():
                return f"no answer within {self._timeout:g} s"
            case aiohttp.ClientConnectorDNSError():
                return "its name is not known"
            case aiohttp.ClientSSLError():
                return "TLS failed"
            case aiohttp.ClientConnectorError():
                refused = isinstance(error.os_error, AddressRefused)
                return str(error.os_error) if refused else "no connection"
            case aiohttp.InvalidURL():
                return "its address is none"
            case aiohttp.ClientConnectionError():
                return "closed without an answer"
            case aiohttp.ClientError():
                return "its answer is no HTTP"
        return type(error).__name__


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The first kilobyte of an answer; its status counts, whatever becomes of the rest."""
    data = bytearray()
    with suppress(aiohttp.ClientError, TimeoutError, OSError):
        async with asyncio.timeout(_READ_S):
            async for chunk in response.content.iter_any():
                data += chunk
                if len(data) >= MOST_ANSWER:
                    break
    return bytes(data[:MOST_ANSWER]).decode(errors="replace").replace("\0", "\ufffd")


def _fault(status: int) -> str | None:
    return "a redirect, which is not followed" if 300 <= status < 400 else None


def _wait_s(retry_after: str) -> float | None:
    """The seconds that a Retry-After asks for, a number or a date; None where it is neither."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after[:18]), _MOST_WAIT_S)
    try:
        moment = parsedate_to_datetime(retry_after).astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    wait_s = (moment - datetime.now(UTC)).total_seconds()
    return min(max(wait_s, 0.0), _MOST_WAIT_S)
