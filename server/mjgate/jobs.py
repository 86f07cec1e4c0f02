"""Background work on procrastinate: few and coarse jobs on the same database.

What must be exact lives in our own rows; a lost job is a delay, never a loss.
"""

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import procrastinate
from procrastinate import exceptions

from mjgate.gate import Gate
from mjgate.log import logger
from mjgate.services.deliver import Deliverer, open_caller
from mjgate.services.forget import forget
from mjgate.services.keep import keep_due, tidy
from mjgate.services.sweep import sweep
from mjgate.store.connect import KEEPALIVE
from mjgate.store.database import DOWN
from mjgate.store.failures import note_failure
from mjgate.store.locks import delivery_lock
from mjgate.store.refusals import first_line
from mjgate.watch import Watch, pause

_WATCH_S = 600.0
_CYCLE_S = 1.0
_STALLED_S = 60
_LOOK_FIRST_S = 10.0
_POLL_S = 1.0
_MOST_AT_ONCE = 100

Work = Callable[..., Coroutine[Any, Any, None]]

logging.getLogger("procrastinate").setLevel(logging.WARNING)


class Jobs:
    """The worker of one process and what it can be asked to do."""

    def __init__(self, uri: str, gate: Gate, watch_s: float = _WATCH_S) -> None:
        self._uri = uri
        self._watch_s = watch_s
        self._gate = gate
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._asked: dict[int, float] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._watch = Watch(uri, gate, self._stopping, watch_s)
        self._keeping = False
        self._ends_from = 0.0
        self._deliverer: Deliverer | None = None
        self._app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(
                conninfo=uri,
                min_size=1,
                max_size=4,
                kwargs={"application_name": "mjgate jobs", **KEEPALIVE},
            )
        )
        gate.store.changes.on_tasks(lambda _: self.deliver())
        self._app.task(name="follow")(_logged(self._follow))
        self._app.task(name="deliver")(_logged(self._deliver))
        self._app.periodic(cron="* * * * * */15")(
            self._app.task(name="sweep", queueing_lock="sweep")(_logged(self._sweep))
        )
        self._app.periodic(cron="* * * * * */15")(
            self._app.task(name="keep", queueing_lock="keep")(_logged(self._keep))
        )

    @property
    def alive(self) -> bool:
        """Whether the worker runs, or is about to run again."""
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        await self._app.open_async()
        self._ends_from = time.monotonic() + _LOOK_FIRST_S
        self._deliverer = Deliverer(self._gate, open_caller(self._gate))
        self._deliverer.start()
        self._task = asyncio.create_task(self._work(), name="jobs")

    async def stop(self) -> None:
        self._stopping.set()
        self._watch.stop()
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await asyncio.gather(*self._asking, return_exceptions=True)
        if self._deliverer:
            await self._deliverer.stop()
        await self._app.close_async()

    def follow(self, channel: int) -> None:
        """Sees to it that a channel is followed; asks at most once a second for each."""
        now = time.monotonic()
        if self._watch.has(channel) or now - self._asked.get(channel, -_CYCLE_S) < _CYCLE_S:
            return
        self._asked[channel] = now
        self._begin(self._ask(channel))

    def deliver(self) -> None:
        """Wakes what delivers callbacks, if it is this process that does."""
        if self._deliverer:
            self._deliverer.wake()

    def _begin(self, asking: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(asking)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, channel: int) -> None:
        await self._defer("follow", f"follow {channel}", channel=channel)

    async def _defer(self, name: str, lock: str, **arguments: Any) -> None:
        """Puts a job into the queue, unless one like it waits there."""
        job = self._app.configure_task(name, queueing_lock=lock)
        with contextlib.suppress(exceptions.AlreadyEnqueued, exceptions.ConnectorException):
            await job.defer_async(**arguments)

    async def _ask_delivery(self) -> None:
        await self._defer("deliver", "deliver")

    async def _deliver(self) -> None:
        """Is on duty for a while, if nobody else is; then the next job of the chain is."""
        assert self._deliverer is not None
        async with delivery_lock(self._uri) as lock:
            if lock:
                self._deliverer.on_duty = True
                self._deliverer.wake()
                try:
                    await self._watch.hold(lock)
                finally:
                    self._deliverer.on_duty = False
        if lock and not self._stopping.is_set():
            await self._ask_delivery()

    async def _follow(self, channel: int) -> None:
        """Watches a channel for a while, then hands over to the next job of its chain."""
        if await self._watch.take(channel):
            await self._ask(channel)

    async def _keep(self, timestamp: int) -> None:
        """Copies pictures for a while; where the next job begins before its end, both do."""
        if self._keeping:
            return
        self._keeping = True
        end = time.monotonic() + self._watch_s
        try:
            while time.monotonic() < end and not self._stopping.is_set():
                await keep_due(self._gate)
                if not await self._gate.gallery.copies.ended(_CYCLE_S):
                    await self._pause(_CYCLE_S)
        finally:
            self._keeping = False

    async def _pause(self, seconds: float) -> None:
        await pause(self._stopping, seconds)

    async def _sweep(self, timestamp: int) -> None:
        del timestamp
        manager = self._app.job_manager
        await manager.prune_stalled_workers(_STALLED_S)
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_S):
            with contextlib.suppress(exceptions.ConnectorException):
                await manager.retry_job(job)
        ends = time.monotonic() > self._ends_from
        await self._ask_delivery()
        for channel in await sweep(self._gate, ends=ends):
            await self._ask(channel)
        await tidy(self._gate)
        await forget(self._gate)

    async def _noting(
        self,
        work: Callable[[], Awaitable[Any]],
        context: procrastinate.JobContext,
        _worker: Any,
    ) -> Any:
        """Runs a job; one that fails is deleted like any other, its failure stays on record."""
        try:
            return await work()
        except Exception as error:
            job, said = context.job, f"{type(error).__name__}: {first_line(error)}"
            with contextlib.suppress(*DOWN):
                await note_failure(self._gate.store.pool, job.task_name, job.task_kwargs, said)
            raise

    async def _work(self) -> None:
        """A worker for ever: after an outage it may return as well as raise."""
        while not self._stopping.is_set():
            self._begin(self._ask_delivery())
            try:
                await self._app.run_worker_async(
                    concurrency=_MOST_AT_ONCE,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=_POLL_S,
                    delete_jobs="always",
                    shutdown_graceful_timeout=3,
                    worker_middleware=[self._noting],
                )
            except asyncio.CancelledError:
                raise
            except Exception as error:
                logger().warning("jobs interrupted", why=type(error).__name__)
            await self._pause(0.5)


def _logged(work: Work) -> Work:
    """A job whose failure is in our log; the sweep takes its work up again."""

    @functools.wraps(work)
    async def run(**arguments: Any) -> None:
        try:
            await work(**arguments)
        except Exception:
            logger().exception("job failed", job=work.__name__)
            raise

    return run
