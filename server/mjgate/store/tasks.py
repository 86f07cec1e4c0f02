"""Tasks in the database: reading them, following them, ending them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
from msgspec import Struct
from psycopg import AsyncConnection, errors
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from mjgate.domain.refresh import LATE_FOR_S
from mjgate.domain.task import Task
from mjgate.log import logger
from mjgate.store.refusals import REFUSALS, first_line

_NONE: Mapping[int, list[Any]] = {}
WIRE = (
    "id, action, status, prompt, submit_ms, description, state, prompt_en, progress, "
    "fail_reason, image_url, start_ms, finish_ms, properties, version, ended_by, "
    "picture_gone"
)
"""The columns of a Task, in the order of its fields."""
_FETCH = (
    f"select {WIRE} from tasks "  # noqa: S608
    "where id = any(%s) and token_id = %s and phase <> 'rejected'"
)

_ACCEPTED = """
select id, (extract(epoch from accepted_at) * 1000000)::bigint from tasks
where channel_id = %s and phase = 'running' and (accepted_at, id)
  > (timestamptz 'epoch' + %s::bigint * interval '1 microsecond', %s::bigint)
order by accepted_at, id limit %s
"""
# By id first, whatever the planner believes: an index of the running tasks that was analyzed
# when nothing ran looks quicker to it than the primary key, for as long as the plan lives, and
# would be read from end to end at each look. Elsewhere `phase || ''` says the same.
_FOLLOWED = f"""
select {WIRE}, extract(epoch from accepted_at)::float8,
  extract(epoch from deadline - clock_timestamp())::float8, upstream_id, parent_id,
  (select p.upstream_id from tasks p where p.id = t.parent_id)
from (select * from tasks where id = any(%s::text::bigint[]) offset 0) t where
"""  # noqa: S608
_FOLLOWED_EXTRAS = 5
_LATE_ENDS = (
    "phase = 'ended' and status = 'FAILURE' and ended_by is not null and upstream_id is not null"
)
_LATE_NOW = f"{_LATE_ENDS} and ended_at > now() - {LATE_FOR_S} * interval '1 second'"
_LATE = f"""
select id, upstream_id, extract(epoch from clock_timestamp() - ended_at)::float8 as ended_s
from tasks
where channel_id = %s and {_LATE_ENDS} and ended_at > now() - %s * interval '1 second'
order by ended_at desc limit %s
"""  # noqa: S608
_WORK = f"""
select distinct channel_id from tasks where phase = 'running' union
select distinct channel_id from tasks where phase = 'unknown' union
select distinct channel_id from tasks where {_LATE_NOW} order by 1
"""  # noqa: S608
_HAS_WORK = f"""
select exists (select from tasks where channel_id = %(channel)s and phase = 'running')
  or exists (select from tasks where channel_id = %(channel)s and {_LATE_NOW})
"""  # noqa: S608
_MOST_UNKNOWN = 10_000

# Two halves, since each of the two indexes holds one.
_BOUND = """
select id from (
  select id, token_id from tasks
  where channel_id = %(channel)s and upstream_id = %(upstream)s and not shares_upstream
  union all
  select id, token_id from tasks
  where channel_id = %(channel)s and upstream_id = %(upstream)s and shares_upstream
) bound where token_id = %(token)s order by id limit 1
"""


@dataclass(frozen=True, slots=True)
class Parent:
    """What a change needs of the task it changes."""

    id: int
    channel: int
    phase: str
    status: str
    upstream_id: str | None
    prompt: str | None
    buttons: list[Any] | None


class Followed(Struct, frozen=True, gc=False):
    """A task and the name its upstream knows it by.

    `accepted_s` is seconds since 1970, `left_s` seconds to its deadline.
    """

    task: Task
    accepted_s: float
    left_s: float
    upstream_id: str
    parent_id: int | None
    parent_upstream_id: str | None


@dataclass(frozen=True, slots=True)
class Late:
    """A task that we ended `ended_s` seconds ago; its upstream may still draw it."""

    id: int
    upstream_id: str
    ended_s: float


@dataclass(frozen=True, slots=True)
class Unknown:
    """A task whose send has no outcome, and the mark that its upstream got as `state`."""

    id: int
    marker: str
    submit_ms: int


async def fetch_tasks(pool: AsyncConnectionPool, token: int, ids: Sequence[int]) -> list[Task]:
    """Tasks of a token, in no order; unknown ids and those of other tokens are left out."""
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Task), binary=True)
        await cursor.execute(_FETCH, [ids, token], prepare=True)
        return await cursor.fetchall()


async def find_parent(pool: AsyncConnectionPool, token: int, task_id: int) -> Parent | None:
    """A task of this token, for a change of it."""
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Parent), binary=True)
        await cursor.execute(
            "select id, channel_id as channel, phase, status, upstream_id, prompt, buttons "
            "from tasks where id = %s and token_id = %s and phase <> 'rejected'",
            [task_id, token],
            prepare=True,
        )
        return await cursor.fetchone()


async def find_bound(
    pool: AsyncConnectionPool, token: int, channel: int, upstream_id: str
) -> int | None:
    """The task of this token that a channel knows by an id."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            _BOUND,
            {"channel": channel, "upstream": upstream_id, "token": token},
        )
        row = await cursor.fetchone()
        return int(row[0]) if row else None


async def move_task(pool: AsyncConnectionPool, task_id: int, channel: int) -> None:
    """Writes which channel a task goes to next, before a byte goes out there."""
    async with pool.connection() as connection:
        await connection.execute(
            "update tasks set channel_id = %s where id = %s and phase || '' = 'sending'",
            [channel, task_id],
        )


async def unknown_tasks(pool: AsyncConnectionPool, channel: int) -> list[Unknown]:
    """The tasks of a channel whose send has no outcome, the newest first."""
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Unknown))
        await cursor.execute(
            "select id, marker, submit_ms from tasks where channel_id = %s and phase = 'unknown' "
            "order by id desc limit %s",
            [channel, _MOST_UNKNOWN],
        )
        return await cursor.fetchall()


async def bind_found(pool: AsyncConnectionPool, task_id: int, upstream_id: str) -> bool:
    """An unknown task runs under an id of its upstream; False where it may not.

    It ended meanwhile, or another task of the channel has that id.
    """
    async with pool.connection() as connection:
        try:
            cursor = await connection.execute(
                "update tasks set phase = 'running', upstream_id = %s, version = version + 1, "
                "accepted_at = clock_timestamp() where id = %s and phase || '' = 'unknown'",
                [upstream_id, task_id],
            )
        except errors.UniqueViolation:
            return False
        return bool(cursor.rowcount)


async def channels_with_work(pool: AsyncConnectionPool) -> list[int]:
    """The channels that have tasks to follow, to look for, or that may succeed late."""
    async with pool.connection() as connection:
        cursor = await connection.execute(_WORK.encode())
        return [channel for (channel,) in await cursor.fetchall()]


async def has_work(pool: AsyncConnectionPool, channel: int) -> bool:
    """Whether a channel has tasks to follow, or that may succeed late."""
    async with pool.connection() as connection:
        cursor = await connection.execute(_HAS_WORK.encode(), {"channel": channel})
        row = await cursor.fetchone()
        return bool(row and row[0])


async def accepted_since(
    pool: AsyncConnectionPool, channel: int, since_us: int, limit: int, after: int = 0
) -> list[tuple[int, int]]:
    """Running tasks of a channel accepted after a moment: ids and moments, oldest first.

    Moments are microseconds since 1970. Of those accepted at that very moment the ones whose
    id is beyond `after` are among them: so a next page begins where the last one ended.
    """
    async with pool.connection() as connection:
        cursor = connection.cursor(binary=True)
        await cursor.execute(_ACCEPTED, [channel, since_us, after, limit], prepare=True)
        return await cursor.fetchall()


async def followed_tasks(pool: AsyncConnectionPool, ids: Sequence[int]) -> list[Followed]:
    """Those of the tasks that are running, with what it takes to follow them."""
    return await _followed(pool, ids, "phase = 'running'")


async def failed_tasks(pool: AsyncConnectionPool, ids: Sequence[int]) -> list[Followed]:
    """Those of the tasks that we ended ourselves, to be looked at once more."""
    return await _followed(pool, ids, _LATE_ENDS)


async def _followed(pool: AsyncConnectionPool, ids: Sequence[int], which: str) -> list[Followed]:
    async with pool.connection() as connection:
        cursor = connection.cursor(binary=True)
        await cursor.execute((_FOLLOWED + which).encode(), [_array(ids)], prepare=True)
        rows = await cursor.fetchall()
    return [Followed(Task(*row[:-_FOLLOWED_EXTRAS]), *row[-_FOLLOWED_EXTRAS:]) for row in rows]


async def late_tasks(
    pool: AsyncConnectionPool, channel: int, within_s: float, limit: int
) -> list[Late]:
    """Tasks of a channel that we ended in the last `within_s` seconds, the newest first."""
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Late), binary=True)
        await cursor.execute(_LATE.encode(), [channel, within_s, limit], prepare=True)
        return await cursor.fetchall()


# A late success changes a task that we have ended, and no money.
_ADVANCE = "select advance_batch(%s::json, %s::json, %s::text::bigint[])"


async def advance_tasks(
    pool: AsyncConnectionPool, tasks: Sequence[Task], buttons: Mapping[int, list[Any]] = _NONE
) -> set[int]:
    """Writes changed tasks; of those that ended the hold becomes a charge or is released.

    Task, tokens and ledger change in one transaction. A task that somebody else has changed
    since its version was read stays as it is, and so does one that the database refuses; the
    ids of those written are returned. A task that we ended ourselves may still become a
    SUCCESS; it stays free.
    """
    async with pool.connection() as connection:
        return await _advance(connection, tasks, buttons)


async def _advance(
    connection: AsyncConnection, tasks: Sequence[Task], buttons: Mapping[int, list[Any]]
) -> set[int]:
    """Halves a batch that is refused until the culprit stands alone."""
    try:
        offered = [{"id": t.id, "buttons": buttons[t.id]} for t in tasks if t.id in buttons]
        rows = (msgspec.json.encode(tasks).decode(), orjson.dumps(offered).decode())
        cursor = connection.cursor(binary=True)
        await cursor.execute(_ADVANCE, (*rows, _array(task.id for task in tasks)), prepare=True)
        row = await cursor.fetchone()
        return set(row[0] or ()) if row else set()
    except REFUSALS as error:
        if len(tasks) == 1:
            logger().error("task refused", task=tasks[0].id, why=first_line(error))
            return set()
    middle = len(tasks) // 2
    first = await _advance(connection, tasks[:middle], buttons)
    return first | await _advance(connection, tasks[middle:], buttons)


def _array(ids: Iterable[int]) -> str:
    """Many ids for PostgreSQL; psycopg's own form of a list is several times slower."""
    return f"{{{','.join(map(str, ids))}}}"


async def mark_unknown(pool: AsyncConnectionPool, deadline_s: float) -> list[int]:
    """Tasks left in `sending` past their send deadline become unknown, whoever sent them.

    They end after `deadline_s` seconds, where their channel has no deadline of its own.
    """
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "update tasks set phase = 'unknown', version = version + 1, "
            "deadline = now() + interval '1 second' * coalesce("
            "  (select deadline_s from channels where channels.id = channel_id), %s) where id in ("
            "  select id from tasks where phase = 'sending' and send_deadline < now() "
            "  order by id limit 1000 for no key update skip locked) returning id",
            [deadline_s],
        )
        return [task for (task,) in await cursor.fetchall()]


async def overdue_tasks(pool: AsyncConnectionPool, limit: int) -> list[Task]:
    """Tasks past their own deadline that have not ended, as they stand."""
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Task))
        await cursor.execute(
            f"(select {WIRE} from tasks where phase = 'running' and deadline < now() limit %s) "  # noqa: S608
            f"union all (select {WIRE} from tasks where phase = 'unknown' and deadline < now() "
            "limit %s)",
            [limit, limit],
        )
        return await cursor.fetchall()
