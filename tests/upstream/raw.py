"""An upstream of a few bytes, for what no HTTP server would do."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from mjgate.domain.channel import Channel, ChannelState, Dialect

METHODS: WeakKeyDictionary[asyncio.StreamWriter, bytes] = WeakKeyDictionary()
"""How each connection asked."""
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Raw:
    """Where it listens, and the heads of the requests it has read."""

    address: str
    port: int
    heard: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def raw_upstream(speak: Speak) -> AsyncIterator[Raw]:
    """Lets `speak` answer each connection, whose request has been read."""

    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            raw.heard.append(await request(reader))
            METHODS[writer] = raw.heard[-1].partition(b" ")[0]
            await speak(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    raw = Raw(f"http://127.0.0.1:{port}", port)
    async with server:
        yield raw
        for writer in writers:
            writer.close()


async def request(reader: asyncio.StreamReader) -> bytes:
    """Head and body of one request."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return head + await reader.readexactly(length)


def says(body: bytes | str, status: str = "200 OK", *headers: str) -> Speak:
    """One whole answer, then the end of the connection."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close", *headers]

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        await writer.drain()

    return speak


def by_path(listed: Speak, fetched: Speak) -> Speak:
    """Answers a POST as a list is answered, a GET as a fetch is."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method = METHODS[writer]
        await (listed if method == b"POST" else fetched)(reader, writer)

    return speak


def sends(data: bytes) -> Speak:
    """These bytes, then the end of the connection."""

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return speak


async def resets(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A TCP reset once the request was read."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def stays_silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Nothing, until the client goes away."""
    await reader.read()


async def drips(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte of the answer every now and then, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


def channel(base_url: str, key: str | None = None) -> Channel:
    """A channel that leads there."""
    return Channel(
        id=1,
        name="raw",
        base_url=base_url,
        key=key,
        dialect=Dialect.NOVICEZK,
        spoken=None,
        priority=0,
        weight=1,
        models=("midjourney",),
        state=ChannelState.ENABLED,
    )
