"""What copies of pictures need: where they are, where they come from, and those under way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mjgate.config import Config
from mjgate.guard import Guard
from mjgate.storage import Folder, Storage
from mjgate.upstream.breaker import Breaker
from mjgate.upstream.sources import Sources

Key = tuple[int, ...]
"""A task, the place of a picture in it, and the attempt where it is a certain one."""


class Copies:
    """The copies under way in this process, each once.

    Background work starts up to `most`; those that somebody waits for may be as many again.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: dict[Key, asyncio.Task[None]] = {}

    @property
    def free(self) -> int:
        """How many may be started."""
        return max(self._most - len(self._running), 0)

    @property
    def full(self) -> bool:
        return len(self._running) >= 2 * self._most

    def start(self, key: Key, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """The one of that key under way, or else a new one."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(work(), name=f"copy {key}")
            task.add_done_callback(lambda _: self._running.pop(key, None))
        return task

    async def ended(self, seconds: float) -> bool:
        """Waits for the end of any, at most so long; False where there is none."""
        running = list(self._running.values())
        if running:
            await asyncio.wait(running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return bool(running)

    async def close(self) -> None:
        """Breaks them off: others take them up."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Gallery:
    """Copies of pictures, for one process.

    `origin` is where clients reach it. `breaker` opens for the origins of pictures where nobody
    answers: they hold up those from elsewhere no longer.
    """

    origin: str
    storage: Storage
    sources: Sources
    copies: Copies
    breaker: Breaker[str] = field(default_factory=Breaker)


@asynccontextmanager
async def open_gallery(config: Config, origin: str) -> AsyncIterator[Gallery]:
    folder = Folder(config.pictures_folder)
    sources = Sources(Guard(config.allow_private_hooks), config.pictures_max_file)
    copies = Copies(config.pictures_at_once)
    try:
        yield Gallery(config.public_url or origin, folder, sources, copies)
    finally:
        await copies.close()
        await sources.close()
        folder.close()
