"""A receiver of callbacks that answers as it is told, or does not."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True, slots=True)
class Post:
    """One callback as it came, with its headers in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def task(self) -> dict[str, Any]:
        return json.loads(self.body)  # type: ignore[no-any-return]

    @property
    def stage(self) -> tuple[str, str | None]:
        return self.task["status"], self.task["progress"]

    @property
    def message(self) -> str:
        return self.headers["webhook-id"]

    @property
    def version(self) -> int:
        return int(self.message.partition(".")[2])

    def verified_by(self, secret: str) -> dict[str, Any]:
        """The task, once the library finds its signature good."""
        return Webhook(secret).verify(self.body, self.headers)  # type: ignore[no-any-return]


def reply(status: int = 200, *headers: str, body: str = "") -> bytes:
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body.encode())}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


Manner = Callable[[Post], bytes | None]
"""What it sends on a post: nothing at all is to hang up, None is to stay silent."""


def takes(_post: Post) -> bytes | None:
    return reply()


def hangs(_post: Post) -> bytes | None:
    return None


def hangs_up(_post: Post) -> bytes | None:
    return b""


def says(status: int, *headers: str, body: str = "") -> Manner:
    return lambda _post: reply(status, *headers, body=body)


def sends(data: bytes) -> Manner:
    return lambda _post: data


@dataclass(slots=True)
class Receiver:
    """What it heard; `taken` is what it answered with 2xx."""

    manner: Manner = takes
    port: int = 0
    posts: list[Post] = field(default_factory=list)
    taken: list[Post] = field(default_factory=list)
    most_at_once: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _now: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def of(self, task: int | str) -> list[Post]:
        """What it has taken of a task."""
        return [post for post in self.taken if post.task["id"] == str(task)]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Receiver"]:
        """On the port it had before, if any; leaving it cuts every connection."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in self._open:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer(await _read(reader), reader, writer):
                pass
        self._open.discard(writer)
        writer.close()

    async def _answer(
        self, post: Post, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Whether the connection stays."""
        self.posts.append(post)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            data = self.manner(post)
            if data is None:
                await reader.read()
                return False
            if data.startswith(b"HTTP/1.1 2"):
                self.taken.append(post)
            writer.write(data)
            await writer.drain()
            return bool(data)
        finally:
            self._now -= 1


@asynccontextmanager
async def receiving(manner: Manner = takes) -> AsyncIterator[Receiver]:
    async with Receiver(manner).listening() as receiver:
        yield receiver


async def _read(reader: asyncio.StreamReader) -> Post:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    pairs = (line.partition(": ") for line in head[1:] if line)
    headers = {name.lower(): value for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Post(head[0].split(" ")[1], headers, body)
