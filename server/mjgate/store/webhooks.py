"""Deliveries as operators see them, and what they may have done again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from mjgate.domain.delivery import State

_LISTED = """
select d.task_id as task, k.label as token, d.receiver, t.hook, t.status, d.version, d.final,
  d.state, d.since, d.failures,
  (select count(*) from attempts a where a.task_id = d.task_id) as attempts,
  case when d.state = 'waiting' then d.due_at end as due_at
from deliveries d join tasks t on t.id = d.task_id left join tokens k on k.id = d.token_id
where (%(task)s::bigint is null or d.task_id = %(task)s)
  and (%(token)s::text is null
    or d.token_id = any(array(select id from tokens where label = %(token)s)))
  and (%(state)s::text is null or d.state = %(state)s)
order by d.task_id desc limit %(limit)s
"""
_ATTEMPTS = """
select version, outcome, status, ms, error, answer, made_at from attempts
where task_id = %s order by claim desc limit %s
"""
# Tasks are locked before their deliveries, by id, as everywhere.
_TOLD = """
select id from tasks where id = any(%s) and hook is not null and status <> 'NOT_START'
order by id for no key update
"""
_AGAIN = """
update deliveries set state = 'waiting', failures = 0, due_at = clock_timestamp(),
  since = clock_timestamp(), hurried = false, not_before = null, planned_at = null,
  told_hash = null
where task_id = any(%s)
"""
_GIVEN_UP = """
select task_id from deliveries
where state = any(%(states)s) and (%(token)s::text is null
  or token_id = any(array(select id from tokens where label = %(token)s)))
order by task_id
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """A delivery: the newest state of a task, and how that stands with its receiver.

    `status` is that of the task, `since` when the delivery came to its state.
    """

    task: int
    token: str | None
    receiver: str
    hook: str = field(repr=False)
    status: str
    version: int
    final: bool
    state: State
    since: datetime
    failures: int
    attempts: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, and the first kilobyte of what it was answered."""

    version: int
    outcome: str
    status: int | None
    ms: int
    error: str | None
    answer: str | None
    made_at: datetime


async def list_deliveries(
    pool: AsyncConnectionPool,
    limit: int,
    token: str | None = None,
    state: str | None = None,
    task: int | None = None,
) -> list[Listed]:
    """Deliveries of the newest tasks first; of a label, whoever has had it."""
    values = {"limit": limit, "token": token, "state": state, "task": task}
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Listed))
        await cursor.execute(_LISTED, values)
        return await cursor.fetchall()


async def list_attempts(pool: AsyncConnectionPool, task: int, limit: int) -> list[Attempt]:
    """The attempts of a task, the newest first."""
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Attempt))
        await cursor.execute(_ATTEMPTS, [task, limit])
        return await cursor.fetchall()


async def unheard_tasks(
    pool: AsyncConnectionPool, states: Sequence[State], token: str | None
) -> list[int]:
    """The tasks whose deliveries are in one of these states."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            _GIVEN_UP, {"states": [str(state) for state in states], "token": token}
        )
        return [task for (task,) in await cursor.fetchall()]


async def replay(pool: AsyncConnectionPool, tasks: Sequence[int]) -> list[int]:
    """Delivers tasks as they stand once more, from the start of the schedule.

    Returns those that are; the others have no hook, or nothing to tell yet.
    """
    async with pool.connection() as connection, connection.transaction():
        cursor = await connection.execute(_TOLD, [list(tasks)])
        told = [task for (task,) in await cursor.fetchall()]
        await connection.execute("select queue_deliveries(%s::bigint[])", [told])
        await connection.execute(_AGAIN, [told])
    return told
