"""Fetches pictures from where upstreams say they are, and from nowhere that it must not go."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from mjgate import __version__
from mjgate.domain.picture import is_admitted, url_of
from mjgate.errors import AddressRefused, CopyError, CopyRefused, SourceSilent
from mjgate.guard import Guard

TOTAL_S = 120.0
"""The longest that one picture may take."""
_TIMES = aiohttp.ClientTimeout(total=TOTAL_S, sock_connect=5.0, sock_read=20.0)
_MOST_HOPS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 256 * 1024
_HEADERS = {
    "Accept": "image/*, video/*",
    "Accept-Encoding": "identity",
    "User-Agent": f"mjgate/{__version__}",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A picture that is on its way, at most `most_bytes` of it."""

    response: aiohttp.ClientResponse = field(repr=False)
    most_bytes: int

    async def chunks(self) -> AsyncIterator[bytes]:
        """Its content, in pieces of 256 KiB but for the last.

        Raises:
            CopyRefused: it is larger than may be.
            CopyError: it broke off.
        """
        size, waiting = 0, b""
        with _faults():
            async for piece in self.response.content.iter_any():
                size += len(piece)
                self._refuse_large(size)
                waiting += piece
                if len(waiting) >= _CHUNK:
                    yield waiting
                    waiting = b""
        if waiting:
            yield waiting

    def check(self) -> None:
        """Judges it by its head.

        Raises:
            CopyError: it says that it is no picture.
        """
        response = self.response
        if response.status != 200:
            raise CopyError(f"its source answers HTTP {response.status}")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise CopyError("its source packs it")
        said = response.headers.get("Content-Type", "")
        if not is_admitted(said):
            raise CopyError(f"its source calls it {said[:64]!r}")
        self._refuse_large(response.content_length or 0)

    def _refuse_large(self, size: int) -> None:
        if size > self.most_bytes:
            raise CopyRefused(f"it is larger than {self.most_bytes} bytes")


class Sources:
    """Connections to wherever pictures are; `guard` judges each but those to an own upstream.

    Cookies, keys and proxies have no part in it. Each connection is made for one picture, so that
    none outlives what was found of its address.
    """

    def __init__(
        self, guard: Guard, most_bytes: int, resolver: AbstractResolver | None = None
    ) -> None:
        self._most_bytes = most_bytes
        guarded = guard.connector(limit=0, force_close=True, use_dns_cache=False, resolver=resolver)
        self._guarded = _session(guarded)
        self._own = _session(aiohttp.TCPConnector(limit=0, force_close=True))

    async def close(self) -> None:
        await self._guarded.close()
        await self._own.close()

    @asynccontextmanager
    async def open(self, address: str, own: str | None) -> AsyncIterator[Source]:
        """A picture at an address; one on the origin of `own`, its channel's, may be anywhere.

        Raises:
            CopyRefused: its address is none, or must not be connected to.
            SourceSilent: nobody answers there.
            CopyError: there is no picture there now.
        """
        url = _parsed(address)
        home = _parsed(own).origin() if own else None
        with _faults():
            response = await self._follow(url, home)
            async with response:
                source = Source(response, self._most_bytes)
                source.check()
                yield source

    async def _follow(self, url: URL, home: URL | None) -> aiohttp.ClientResponse:
        """The answer at the end of a few redirects; each of them is judged as the first."""
        response = await self._get(url, home)
        for _ in range(_MOST_HOPS):
            place = response.headers.get("Location")
            if response.status not in _REDIRECTS or not place:
                return response
            response.close()
            try:
                url = url.join(_parsed(place, absolute=False))
                response = await self._get(_checked(url), home)
            except CopyRefused as error:
                raise CopyError(f"it is redirected: {error}") from error
        response.close()
        raise CopyError(f"it is redirected more than {_MOST_HOPS} times")

    async def _get(self, url: URL, home: URL | None) -> aiohttp.ClientResponse:
        session = self._own if url.origin() == home else self._guarded
        try:
            return await session.get(url, allow_redirects=False)
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, AddressRefused):
                raise CopyRefused("its address is refused: it is not public") from error
            raise
        except (aiohttp.InvalidURL, ValueError) as error:
            raise CopyRefused("its address is none") from error


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_HEADERS,
        timeout=_TIMES,
        auto_decompress=False,
        trust_env=False,
    )


def _parsed(address: str, *, absolute: bool = True) -> URL:
    try:
        url = url_of(address)
    except ValueError as error:
        raise CopyRefused("its address is none") from error
    return _checked(url) if absolute else url


def _checked(url: URL) -> URL:
    """An address that may be asked for, as far as it shows by itself."""
    try:
        good = url.scheme in ("http", "https") and url.host and url.port
    except ValueError:
        good = None
    if not good:
        raise CopyRefused("its address is none")
    if "@" in url.raw_authority:
        raise CopyRefused("its address has credentials")
    return url


@contextmanager
def _faults() -> Iterator[None]:
    """Whatever goes wrong on the way is a CopyError; the message names no address."""
    try:
        yield
    except CopyError:
        raise
    except (aiohttp.ClientConnectorError, TimeoutError) as error:
        raise SourceSilent(f"nobody answers at its source: {type(error).__name__}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise CopyError(f"its source does not give it: {type(error).__name__}") from error
