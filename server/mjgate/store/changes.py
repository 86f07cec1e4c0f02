"""Hears of what operators changed, in this process or another, as soon as it is committed."""

import asyncio
import contextlib
from collections.abc import Callable

from psycopg import AsyncConnection

from mjgate.store.connect import connect
from mjgate.store.locks import say_serving

CHANNEL = "mjgate_changes"
_RETRY_S = 0.2


class Changes:
    """Listens on one connection; while it has none, nothing kept may be trusted.

    `forget` is called with the name of the table that changed, and with None whenever
    something may have been missed.
    """

    def __init__(self, uri: str, forget: Callable[[str | None], None]) -> None:
        self._uri = uri
        self._forget = forget
        self._task: asyncio.Task[None] | None = None
        self._connection: AsyncConnection | None = None
        self.listening = False

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
            try:
                async for notice in connection.notifies():
                    self._forget(notice.payload)
            finally:
                self.listening = False
                self._forget(None)

    async def _again(self) -> AsyncConnection:
        while True:
            try:
                return await self._connect()
            except Exception:
                await asyncio.sleep(_RETRY_S)

    async def _connect(self) -> AsyncConnection:
        connection = await connect(self._uri, "changes")
        await say_serving(connection)
        await connection.execute(f"listen {CHANNEL}")
        return connection
