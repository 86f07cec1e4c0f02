"""What waits, runs and failed in the background: jobs of procrastinate, and our own queues."""

# ruff: noqa: S608 - every part of a statement is a constant of this module

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row
from psycopg_pool import AsyncConnectionPool

from mjgate.store.failures import about

SILENT: Final = timedelta(minutes=2)
"""A worker that has not been heard of for so long is dead; its heart beats every ten seconds.
The sweep of another takes its jobs up after one minute."""
LATE: Final = timedelta(minutes=1)
"""What has been due for so long is late: the sweep comes round every fifteen seconds."""

_NOBODY = "work waits and no worker is alive; start one with: mjgate serve"
_WORKERS = """
select w.id, last_heartbeat as heard, now() - last_heartbeat < %(silent)s as alive,
  count(j.id) as jobs
from procrastinate_workers w
left join procrastinate_jobs j on j.worker_id = w.id and j.status = 'doing'
group by w.id order by w.id
"""
_JOBS = """
select j.id, task_name as job, args, status = 'doing' as runs, worker_id as worker,
  coalesce(greatest(e.at, scheduled_at), now()) as since
from procrastinate_jobs j cross join lateral (
  select max(at) as at from procrastinate_events
  where job_id = j.id and type in ('deferred', 'started', 'deferred_for_retry', 'retried')
) e
where status in ('todo', 'doing') order by j.id
"""
_FAILURES = """
select job, about, times, first_at, last_at, error from job_failures order by last_at desc
"""


def _tasks(phase: str, since: str, due: str) -> str:
    """Tasks of a phase that wait for something until they are due, by channel."""
    return f"""
    select c.name, count(*), min({since}), count(*) filter (where {due} < now() - %(late)s)
    from tasks t left join channels c on c.id = t.channel_id
    where phase = '{phase}' group by c.name order by c.name"""


# Each gives a place, if it has one, how many wait, since when the oldest does, how many are late.
_QUEUES: Final[Mapping[str, str]] = {
    "sending": _tasks("sending", "to_timestamp(submit_ms / 1000.0)", "send_deadline"),
    "unknown": _tasks("unknown", "coalesce(accepted_at, send_deadline)", "deadline"),
    "running": _tasks("running", "accepted_at", "deadline"),
    # Ended by us, and asked for another day.
    "chased": """
    select c.name, count(*), min(ended_at), 0
    from tasks t left join channels c on c.id = t.channel_id
    where phase = 'ended' and status = 'FAILURE' and ended_by is not null
      and upstream_id is not null and ended_at > now() - interval '1 day'
    group by c.name order by c.name""",
    # A slow receiver has others wait: late is what nobody sends anything to.
    "callbacks": """
    select null, count(*), min(since), count(*) filter (
      where due_at < now() - %(late)s and receiver not in (
        select receiver from deliveries where state = 'waiting' and leased_until > now()))
    from deliveries where state = 'waiting' having count(*) > 0""",
    "pictures": """
    select null, count(*), min(moment), count(*) filter (
      where moment < now() - %(late)s and not exists (
        select from pictures where state = 'copying' and moment > now()))
    from pictures where state in ('waiting', 'copying') and %(pictures)s having count(*) > 0""",
    "old keys": """
    select null, count(*), min(created_at) + interval '24 hours',
      count(*) filter (where created_at < now() - interval '24 hours' - %(late)s)
    from idempotency where created_at < now() - interval '24 hours' having count(*) > 0""",
    "old tasks": """
    select null, count(*), min(coalesce(ended_at, accepted_at)) + %(days)s * interval '1 day', 0
    from tasks where phase in ('ended', 'rejected') and %(days)s > 0
      and coalesce(ended_at, accepted_at) < now() - %(days)s * interval '1 day'
    having count(*) > 0""",
}


@dataclass(frozen=True, slots=True)
class Worker:
    """The worker of one serving process; `jobs` is how many it runs."""

    id: int
    heard: datetime
    alive: bool
    jobs: int


@dataclass(frozen=True, slots=True)
class Job:
    """A job that waits or runs, and since when."""

    id: int
    job: str
    about: str
    state: str
    since: datetime
    worker: int | None


@dataclass(frozen=True, slots=True)
class Queue:
    """Rows that wait to be worked on; `since` is when the oldest began to."""

    queue: str
    channel: str | None
    waiting: int
    since: datetime | None
    late: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A kind of job that failed, how often, and why it did the last time."""

    job: str
    about: str
    times: int
    first_at: datetime
    last_at: datetime
    error: str


@dataclass(frozen=True, slots=True)
class Work:
    """All work in the background at one moment."""

    at: datetime
    workers: list[Worker]
    jobs: list[Job]
    queues: list[Queue]
    failures: list[Failure]

    @property
    def problems(self) -> list[str]:
        """What is stuck, a line for each; empty where all goes on.

        A job that is lost is none: whoever comes asks for what there is to do.
        """
        if not any(worker.alive for worker in self.workers):
            return [_NOBODY] if self.queues else []
        return [*map(_stuck, filter(self._is_late, self.jobs)), *_overdue(self.queues)]

    def _is_late(self, job: Job) -> bool:
        return job.state != "running" and self.at - job.since > LATE


async def read_work(pool: AsyncConnectionPool, days: int, *, pictures: bool = True) -> Work:
    """All work in the background; tasks are to be deleted after so many days, 0 is never.

    Without `pictures` none waits to be copied.
    """
    values = {"silent": SILENT, "late": LATE, "days": days, "pictures": pictures}
    async with pool.connection() as connection, connection.transaction():
        [[at]] = await _tuples(connection, "select now()", values)
        names = await _tuples(connection, "select 'channel ' || id, name from channels", values)
        called = {number: f"channel {name}" for number, name in names}
        workers = await _rows(connection, Worker, _WORKERS, values)
        alive = {worker.id for worker in workers if worker.alive}
        jobs = [_job(row, called, alive) for row in await _dicts(connection, _JOBS)]
        failures = [_failure(row, called) for row in await _dicts(connection, _FAILURES)]
        queues = [
            Queue(name, *row)
            for name, statement in _QUEUES.items()
            for row in await _tuples(connection, statement, values)
        ]
    return Work(at, workers, jobs, queues, failures)


def _job(row: dict[str, Any], called: Mapping[str, str], alive: set[int]) -> Job:
    runs, known = row.pop("runs"), about(row.pop("args"))
    state = "waiting" if not runs else "running" if row["worker"] in alive else "stalled"
    return Job(**row, about=called.get(known, known), state=state)


def _failure(row: dict[str, Any], called: Mapping[str, str]) -> Failure:
    return Failure(**row | {"about": called.get(row["about"], row["about"])})


def _stuck(job: Job) -> str:
    of = f" of {job.about}" if job.about else ""
    return f"the job {job.job}{of} is {job.state} since {job.since:%Y-%m-%d %H:%M:%SZ}"


def _overdue(queues: list[Queue]) -> list[str]:
    return [
        f"{each.late:,} of {each.waiting:,} {each.queue}"
        f"{f' in channel {each.channel}' if each.channel else ''} are overdue"
        for each in queues
        if each.late
    ]


async def _tuples(
    connection: AsyncConnection, query: str, values: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query.encode(), values)).fetchall()


async def _dicts(connection: AsyncConnection, query: str) -> list[dict[str, Any]]:
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(query.encode())
    return await cursor.fetchall()


async def _rows(
    connection: AsyncConnection, kind: type[Any], query: str, values: Mapping[str, Any]
) -> list[Any]:
    cursor = connection.cursor(row_factory=class_row(kind))
    await cursor.execute(query.encode(), values)
    return await cursor.fetchall()
