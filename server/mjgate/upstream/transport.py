"""One HTTP exchange with an upstream, sent once, and told apart by how it failed."""

import functools
import json
from typing import Any

import aiohttp
import orjson
from aiohttp.payload import BytesPayload
from msgspec import Struct
from yarl import URL

from mjgate import __version__
from mjgate.domain.channel import Channel
from mjgate.domain.outcome import Reply
from mjgate.errors import Broken, NotSent
from mjgate.metrics import upstream_calls
from mjgate.upstream.deadlines import Deadlines

_CONNECT_S = 10.0
_CONNECT_SHARE = 0.8
_MOST_BYTES = 32 * 1024 * 1024
_MOST_RETRY_S = 3600
_MOST_DIGITS = 18
_TOO_MANY = 429
_JSON = "application/json"
_OWN_HEADERS = {
    "Accept": _JSON,
    "Accept-Encoding": "identity",
    "User-Agent": f"mjgate/{__version__}",
}


class Answer(Struct, frozen=True):
    """An HTTP answer whose content nobody has read yet."""

    status: int
    content: bytes
    retry_after_s: int | None = None


class Transport:
    """A pool of connections to all upstreams of one process.

    The key goes out as `mj-api-secret`, alone (design, section 7).

    Connections that idle longer than `keepalive` seconds are closed by us, so that a request
    rarely meets one that its upstream is closing: whether that request arrived would be
    unknown, and it must not be sent again.
    """

    def __init__(self, timeout: float, keepalive: float) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=keepalive),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_OWN_HEADERS,
        )
        self._deadlines = Deadlines()
        self._timeout = timeout

    async def close(self) -> None:
        """Ends every exchange: what was sent and not answered is then unknown."""
        await self._session.close()

    async def post(self, channel: Channel, path: str, body: bytes) -> Reply:
        """One POST.

        Raises:
            NotSent: the connection failed before a byte went out.
            Broken: it broke, or took too long, after that.
        """
        return _read(await self.ask(channel, path, body, self._timeout))

    async def get(self, channel: Channel, path: str) -> Reply:
        """One GET; raises like `post`."""
        return _read(await self.ask(channel, path, None, self._timeout))

    async def ask(self, channel: Channel, path: str, body: bytes | None, timeout: float) -> Answer:
        """One POST, or a GET where there is no body, in `timeout` seconds; raises like `post`."""
        outcome = "broken"
        try:
            answer = await self._exchange(channel, path, body, timeout)
            outcome = f"http_{answer.status}"
            return answer
        except NotSent:
            outcome = "not_sent"
            raise
        finally:
            upstream_calls(channel.name, outcome).inc()

    async def _exchange(
        self, channel: Channel, path: str, body: bytes | None, timeout: float
    ) -> Answer:
        if self._session.closed:
            raise NotSent(f"{channel.name}: the gateway is stopping")
        url = _url(channel.base_url + path)
        try:
            with self._deadlines.within(timeout):
                response = await self._session.request(
                    "GET" if body is None else "POST",
                    url,
                    data=None if body is None else BytesPayload(body, content_type=_JSON),
                    headers={"mj-api-secret": channel.key} if channel.key else None,
                    allow_redirects=False,
                    timeout=_patience(timeout),
                )
                try:
                    content = await _content(response)
                finally:
                    response.release()
            wait_s = _retry_after(response) if response.status == _TOO_MANY else None
            return Answer(response.status, content, wait_s)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(f"{channel.name}: {type(error).__name__}") from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise NotSent(f"{channel.name}: its address is none") from error
        except Exception as error:
            raise Broken(f"{channel.name}: {type(error).__name__}") from error


def _read(answer: Answer) -> Reply:
    return Reply(answer.status, parse_json(answer.content), answer.retry_after_s)


@functools.lru_cache
def _patience(timeout: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=min(_CONNECT_S, timeout * _CONNECT_SHARE))


@functools.lru_cache
def _url(address: str) -> URL:
    try:
        return URL(address, encoded=True)
    except ValueError as error:
        raise NotSent(f"{address} is no address") from error


async def _content(response: aiohttp.ClientResponse) -> bytes:
    packed = "Content-Encoding" in response.headers
    if not packed and (response.content_length or _MOST_BYTES + 1) <= _MOST_BYTES:
        return await response.read()
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > _MOST_BYTES:
            raise aiohttp.ClientPayloadError(f"more than {_MOST_BYTES} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def parse_json(content: bytes) -> Any:
    """JSON, also with the lone surrogates that some upstreams let through; else None."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _retry_after(response: aiohttp.ClientResponse) -> int | None:
    value = response.headers.get("Retry-After", "")
    if not value.isascii() or not value.isdigit():
        return None
    return min(int(value[:_MOST_DIGITS]), _MOST_RETRY_S)
