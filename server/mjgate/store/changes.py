"""Hears of what is committed, in this process or another, as soon as it is.

Three kinds: what operators changed, tasks that changed, and hints of upstreams.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from psycopg import AsyncConnection, Notify

from mjgate.store.connect import connect, prepared
from mjgate.store.hints import HINTS, read_hints
from mjgate.store.locks import say_serving

CHANNEL = "mjgate_changes"
TASKS = "mjgate_tasks"
_RETRY_S = 0.2

OnTasks = Callable[[Sequence[int] | None], None]
"""Called with the ids of tasks that changed; with None where it may be any of them."""
OnHints = Callable[[int, Sequence[str]], None]
"""Called with a channel and the ids, by its upstream, of tasks that may have changed."""


class Changes:
    """Listens on one connection; while it has none, nothing kept may be trusted.

    `forget` is called with the name of the table that changed, and with None whenever
    something may have been missed.
    """

    def __init__(self, uri: str, forget: Callable[[str | None], None]) -> None:
        self._uri = uri
        self._forget = forget
        self._on_tasks: list[OnTasks] = []
        self._on_hints: list[OnHints] = []
        self._task: asyncio.Task[None] | None = None
        self._connection: AsyncConnection | None = None
        self.listening = False

    def on_tasks(self, told: OnTasks) -> None:
        """Has it called after each commit that changed tasks. It must not wait, nor raise."""
        self._on_tasks.append(told)

    def on_hints(self, told: OnHints) -> None:
        """Has it called with each hint. It must not wait, nor raise."""
        self._on_hints.append(told)

    async def start(self) -> None:
        self._connection = await self._connect()
        self._task = asyncio.create_task(self._run(self._connection), name="changes")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._connection:
            await self._connection.close()  # the task may not have begun

    async def _run(self, connection: AsyncConnection) -> None:
        while True:
            with contextlib.suppress(Exception):
                await self._listen(connection)
            connection = await self._again()

    async def _listen(self, connection: AsyncConnection) -> None:
        async with connection:
            self.listening = True
            self._forget(None)
            self._tell_tasks(None)
            try:
                async for notice in connection.notifies():
                    self._hear(notice)
            finally:
                self.listening = False
                self._forget(None)

    def _hear(self, notice: Notify) -> None:
        if notice.channel == TASKS:
            self._tell_tasks(_ids(notice.payload))
        elif notice.channel == HINTS:
            for channel, ids in read_hints(notice.payload).items():
                for told in self._on_hints:
                    told(channel, ids)
        else:
            self._forget(notice.payload)

    def _tell_tasks(self, ids: Sequence[int] | None) -> None:
        for told in self._on_tasks:
            told(ids)

    async def _again(self) -> AsyncConnection:
        while True:
            try:
                return await self._connect()
            except Exception:
                await asyncio.sleep(_RETRY_S)

    async def _connect(self) -> AsyncConnection:
        connection = await connect(self._uri, "changes")
        async with prepared(connection):
            await say_serving(connection)
            for channel in (CHANNEL, TASKS, HINTS):
                await connection.execute(f"listen {channel}")
        return connection


def _ids(payload: str) -> list[int] | None:
    """The ids of a notification; None where it names none, since they were too many."""
    try:
        return [int(text) for text in payload.split(",")]
    except ValueError:
        return None
