"""Group commit: one writer a process sends what waits as one transaction.

No timer: what arrived while the last batch was written is the next batch, with what a few
turns of the event loop bring. A row that the database refuses fails alone: the batch is halved
until it stands alone. After a lost connection the writer ends what may still run on it, asks
which of its ids exist and runs only the rest.

An intent does not wait for ever: after a while its client is gone, and a picture that nobody
waits for must not be drawn. It is let go, and released should it have been written after all.
"""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg import AsyncConnection, errors

from mjgate.domain.send import HELD, Conclusion, Decision, Intent, Settlement
from mjgate.domain.task import Phase
from mjgate.errors import RowRefused, StoreDown, StoreFull
from mjgate.log import logger
from mjgate.metrics import BATCH_ROWS, BATCH_WAIT
from mjgate.store.admission import COMMIT, KNOWN, commit_parameters, decisions
from mjgate.store.connect import Backend, backend_of, connect, end_backend, prepared
from mjgate.store.refusals import LOST, REFUSALS, first_line
from mjgate.store.statement import Statement

_MOST_ROWS = 512
_TURNS = 10
"""Of the event loop, in which more may come along: each costs microseconds, a commit hundreds."""
_RETRY_S = 0.1
_GIVE_UP_S = 2.0
_PATIENCE_S = 15.0
_PATROLS = 10
_IDS = "tasks_pkey"
_REPEATABLE = (errors.DeadlockDetected, errors.SerializationFailure)


@dataclass(slots=True)
class _Row:
    """One thing to write and who waits for it."""

    work: Intent | Settlement
    done: asyncio.Future[Decision | None]
    since: float = field(default_factory=time.perf_counter)

    @property
    def left(self) -> bool:
        """Whether nobody waits for it any more; an outcome is written all the same."""
        return isinstance(self.work, Intent) and self.done.done()


class Writer:
    """Writes the intents and outcomes of one process, in order of arrival."""

    def __init__(self, uri: str, limit: int, patience_s: float = _PATIENCE_S) -> None:
        self._uri = uri
        self._limit = limit
        self._patience_s = patience_s
        self._batch: Sequence[_Row] = ()
        self._rows: deque[_Row] = deque()
        self._wake = asyncio.Event()
        self._statement: Statement | None = None
        self._backend: Backend | None = None
        self._task: asyncio.Task[None] | None = None
        self._patrol: asyncio.Task[None] | None = None
        self._stopping = False
        self._give_up = math.inf

    async def start(self) -> None:
        await self._open(await self._connect())
        self._task = asyncio.create_task(self._run(), name="writer")
        self._patrol = asyncio.create_task(self._let_go(), name="writer's patrol")

    async def stop(self) -> None:
        """Writes what waits, then ends; without a database it gives up after a while."""
        self._stopping = True
        self._give_up = time.monotonic() + _GIVE_UP_S
        self._wake.set()
        assert self._task is not None
        assert self._patrol is not None
        await self._task
        self._patrol.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._patrol
        await self._live.close()

    async def admit(self, intent: Intent) -> Decision:
        """Commits an intent: token checked, price held, task written, key taken.

        Raises:
            StoreFull: more waits than may wait.
            StoreDown: it waited too long; nothing was held, or it is released.
            RowRefused: the database cannot hold a value of it.
        """
        if len(self._rows) >= self._limit:
            raise StoreFull(f"{self._limit} submits wait for the database")
        decision = await self._enqueue(intent)
        assert decision is not None
        return decision

    async def settle(self, settlement: Settlement) -> None:
        """Commits an outcome; a repeated one changes nothing.

        Raises:
            RowRefused: the database cannot hold it, or the upstream's id is already bound.
        """
        await self._enqueue(settlement)

    def _enqueue(self, work: Intent | Settlement) -> asyncio.Future[Decision | None]:
        future: asyncio.Future[Decision | None] = asyncio.get_running_loop().create_future()
        self._rows.append(_Row(work, future))
        self._wake.set()
        return future

    async def _run(self) -> None:
        while self._rows or not self._stopping:
            if not self._rows:
                self._wake.clear()
                await self._wake.wait()
                continue
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            batch = [self._rows.popleft() for _ in range(min(len(self._rows), _MOST_ROWS))]
            self._batch = batch
            await self._write(batch)
            self._batch = ()

    async def _let_go(self) -> None:
        while True:
            await asyncio.sleep(self._patience_s / _PATROLS)
            late = time.perf_counter() - self._patience_s
            for row in (*self._batch, *self._rows):
                if row.since < late and isinstance(row.work, Intent):
                    _fail(row, StoreDown("the database does not answer in time"))

    async def _write(self, batch: Sequence[_Row]) -> None:
        """Writes a batch to the end: every row gets its verdict or its error."""
        while batch := [row for row in batch if not row.left]:
            try:
                decided = await self._commit(batch)
            except REFUSALS as error:
                if not _came_through(error):
                    await self._divide(batch, RowRefused(first_line(error)))
                    return
                batch = await self._reconnect(batch)
            except _REPEATABLE:
                continue
            except LOST:
                batch = await self._reconnect(batch)
            except Exception as error:
                await self._divide(batch, error)
                return
            else:
                self._finish(batch, decided)
                return

    async def _divide(self, batch: Sequence[_Row], error: Exception) -> None:
        if len(batch) == 1:
            _fail(batch[0], error)
            return
        middle = len(batch) // 2
        await self._write(batch[:middle])
        await self._write(batch[middle:])

    async def _commit(self, batch: Sequence[_Row]) -> list[Decision | None]:
        """One transaction: outcomes first, so that the budget they free counts."""
        settlements = _first([row.work for row in batch if isinstance(row.work, Settlement)])
        intents = [row.work for row in batch if isinstance(row.work, Intent)]
        BATCH_ROWS.observe(len(batch))
        [(refused,)] = await self._live.run(commit_parameters(settlements, intents))
        decided = iter(decisions(len(intents), refused))
        return [next(decided) if isinstance(each.work, Intent) else None for each in batch]

    async def _reconnect(self, batch: Sequence[_Row]) -> Sequence[_Row]:
        """A new connection, and of the batch what its last commit did not write."""
        reason = "the database cannot be written"
        while True:
            await asyncio.sleep(_RETRY_S)
            if time.monotonic() > self._give_up:
                for row in batch:
                    _fail(row, StoreDown(reason))
                return []
            try:
                await self._live.close()
                connection = await self._connect()
                async with prepared(connection):
                    assert self._backend is not None
                    await end_backend(connection, self._backend)
                    # What is told to be held must not be found again: it would be released.
                    batch = await self._unwritten(connection, batch)
                await self._open(connection)
                return batch
            except Exception as error:
                if reason != (reason := first_line(error)):
                    logger().warning("the writer has no database", why=reason)

    async def _unwritten(
        self, connection: AsyncConnection, batch: Sequence[_Row]
    ) -> Sequence[_Row]:
        ids = [row.work.id for row in batch if isinstance(row.work, Intent)]
        cursor = await connection.execute(KNOWN, [ids])
        known = {found for (found,) in await cursor.fetchall()}
        rest: list[_Row] = []
        written: list[_Row] = []
        for row in batch:
            held = isinstance(row.work, Intent) and row.work.id in known
            (written if held else rest).append(row)
        self._finish(written, [HELD] * len(written))
        return rest

    def _finish(self, batch: Sequence[_Row], decided: Sequence[Decision | None]) -> None:
        if batch:
            BATCH_WAIT.observe(time.perf_counter() - batch[0].since)
        for row, decision in zip(batch, decided, strict=True):
            if not row.done.done():
                row.done.set_result(decision)
            elif decision is HELD and isinstance(row.work, Intent):
                self._release(row.work)

    def _release(self, intent: Intent) -> None:
        freed = Conclusion(intent.claim.key) if intent.claim else None
        self._enqueue(Settlement(intent.id, intent.channel, Phase.REJECTED, 0.0, claim=freed))

    @property
    def _live(self) -> Statement:
        assert self._statement is not None
        return self._statement

    async def _connect(self) -> AsyncConnection:
        # A standby does not know what its primary has written.
        return await connect(self._uri, "writer", target_session_attrs="read-write")

    async def _open(self, connection: AsyncConnection) -> None:
        async with prepared(connection):
            backend = await backend_of(connection)
        self._statement = await Statement.prepare(connection, COMMIT)
        self._backend = backend


def _first(settlements: Sequence[Settlement]) -> list[Settlement]:
    """The first outcome of each task: one statement must not book two of one."""
    firsts: dict[int, Settlement] = {}
    for each in settlements:
        firsts.setdefault(each.id, each)
    return list(firsts.values())


def _came_through(error: Exception) -> bool:
    """Whether a commit of a lost connection did after all: ids are ours alone."""
    return isinstance(error, errors.UniqueViolation) and error.diag.constraint_name == _IDS


def _fail(row: _Row, error: Exception) -> None:
    if not row.done.done():
        row.done.set_exception(error)
