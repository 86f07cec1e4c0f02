"""Group reads: all fetches that wait are one query, on a connection of their own.

As with the writer there is no timer: what was asked while the last query ran is the next one.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable

from mjgate.domain.task import Task
from mjgate.errors import StoreDown
from mjgate.store.connect import connect
from mjgate.store.refusals import LOST, first_line
from mjgate.store.statement import Statement
from mjgate.store.tasks import WIRE

_QUERY = f"select {WIRE}, token_id from tasks where id = any($1::bigint[]) and phase <> 'rejected'"  # noqa: S608
_PATIENCE_S = 5.0
_RETRY_S = 0.1

_Waiting = dict[int, list[tuple[int, "asyncio.Future[Task | None]"]]]


class Reader:
    """Finds single tasks for the fetches of one process."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._waiting: _Waiting = {}
        self._wake = asyncio.Event()
        self._statement: Statement | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._statement = await self._open()
        self._task = asyncio.create_task(self._run(), name="reader")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._statement:
            await self._statement.close()

    async def task(self, token: int, task_id: int) -> Task | None:
        """A task of a token; None where this token has none of that id.

        Raises:
            StoreDown: the database stayed out of reach.
        """
        future: asyncio.Future[Task | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(task_id, []).append((token, future))
        self._wake.set()
        return await future

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = self._waiting, {}
            try:
                _answer(waiting, await self._find(waiting))
            except Exception as error:
                _fail(waiting, StoreDown(first_line(error)))

    async def _find(self, ids: Iterable[int]) -> dict[int, tuple[int, Task]]:
        """Tasks by id with their tokens; asks again over a new connection while it can."""
        end = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return await self._ask(ids)
            except LOST:
                if time.monotonic() > end:
                    raise
                await self._forget()
                await asyncio.sleep(_RETRY_S)

    async def _ask(self, ids: Iterable[int]) -> dict[int, tuple[int, Task]]:
        if self._statement is None:
            self._statement = await self._open()
        rows = await self._statement.run([_array(ids)])
        return {row[0]: (row[-1], Task(*row[:-1])) for row in rows}

    async def _open(self) -> Statement:
        return await Statement.prepare(await connect(self._uri, "reader"), _QUERY)

    async def _forget(self) -> None:
        statement, self._statement = self._statement, None
        if statement is not None:
            await statement.close()


def _array(ids: Iterable[int]) -> bytes:
    """A `bigint[]` as text."""
    return b"{%b}" % ",".join(map(str, ids)).encode()


def _answer(waiting: _Waiting, found: dict[int, tuple[int, Task]]) -> None:
    for task_id, asked in waiting.items():
        owner, task = found.get(task_id, (None, None))
        for token, future in asked:
            if not future.done():
                future.set_result(task if token == owner else None)


def _fail(waiting: _Waiting, error: StoreDown) -> None:
    for asked in waiting.values():
        for _, future in asked:
            if not future.done():
                future.set_exception(error)
