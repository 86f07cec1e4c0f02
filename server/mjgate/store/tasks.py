"""Tasks in the database: reading them, following them, ending them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from psycopg.rows import class_row, dict_row
from psycopg_pool import AsyncConnectionPool

from mjgate.domain.task import ENDS, SUCCESS, Task

_WIRE = (
    "id, action, status, prompt, submit_ms, description, state, prompt_en, progress, "
    "fail_reason, image_url, start_ms, finish_ms, properties"
)
_FETCH = (
    f"select {_WIRE} from tasks "  # noqa: S608
    "where id = any(%s) and token_id = %s and phase <> 'rejected'"
)

_CLAIM = f"""
with d as (
  select id from tasks where channel_id = %s and phase = 'running' and due_at <= now()
  order by due_at limit %s for no key update skip locked
), u as (
  update tasks t set due_at = now() + interval '1 second' * least(10,
    0.9 + greatest(0, extract(epoch from now()) - submit_ms / 1000.0) * 0.02)
  from d where t.id = d.id returning t.*
)
select {", ".join("u." + column for column in _WIRE.split(", "))},
  u.upstream_id, u.parent_id, p.upstream_id as parent_upstream_id
from u left join tasks p on p.id = u.parent_id
"""  # noqa: S608


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


@dataclass(frozen=True, slots=True)
class Followed:
    """A running task and the name its upstream knows it by."""

    task: Task
    upstream_id: str
    parent_id: int | None
    parent_upstream_id: str | None


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
            "select id from tasks where channel_id = %s and upstream_id = %s and token_id = %s "
            "order by id limit 1",
            [channel, upstream_id, token],
        )
        row = await cursor.fetchone()
        return int(row[0]) if row else None


async def move_task(pool: AsyncConnectionPool, task_id: int, channel: int) -> None:
    """Writes which channel a task goes to next, before a byte goes out there."""
    async with pool.connection() as connection:
        await connection.execute(
            "update tasks set channel_id = %s where id = %s and phase = 'sending'",
            [channel, task_id],
        )


async def channels_with_work(pool: AsyncConnectionPool) -> list[int]:
    """The channels that have running tasks."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select distinct channel_id from tasks where phase = 'running' order by 1"
        )
        return [channel for (channel,) in await cursor.fetchall()]


async def has_running(pool: AsyncConnectionPool, channel: int) -> bool:
    """Whether a channel has tasks to follow."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select exists (select from tasks where channel_id = %s and phase = 'running')",
            [channel],
        )
        row = await cursor.fetchone()
        return bool(row and row[0])


async def claim_due(pool: AsyncConnectionPool, channel: int, limit: int) -> list[Followed]:
    """Running tasks of a channel that are to be looked at now, and puts them off.

    Nobody else gets them before they are due again: after a second when they are fresh, after
    up to ten when they are old.
    """
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row, binary=True)
        await cursor.execute(_CLAIM, [channel, limit])
        return [_followed(row) for row in await cursor.fetchall()]


ADVANCE = """
with x as materialized (
  select * from json_to_recordset(%(rows)s::json) as (
    id bigint, status text, progress text, prompt text, prompt_en text, description text,
    fail_reason text, image_url text, start_ms bigint, finish_ms bigint, properties jsonb,
    buttons jsonb, ended boolean, paid boolean)
), t as materialized (
  select id, token_id, price from tasks
  where id = any(%(ids)s) and phase in ('running', 'unknown', 'sending')
  order by id for no key update
), u as (
  update tasks set
    status = x.status, progress = x.progress, prompt = x.prompt, prompt_en = x.prompt_en,
    description = x.description, fail_reason = x.fail_reason, image_url = x.image_url,
    start_ms = x.start_ms, finish_ms = x.finish_ms, properties = x.properties,
    buttons = coalesce(x.buttons, tasks.buttons), version = version + 1,
    phase = case when x.ended then 'ended' else phase end
  from x join t using (id) where tasks.id = x.id
), e as materialized (
  select t.id, t.token_id, t.price, x.paid from t join x using (id) where x.ended
), k as materialized (
  select id from tokens where id = any(select token_id from e) order by id for no key update
), c as (
  update tokens set held = tokens.held - s.held, spent = tokens.spent + s.spent
  from (
    select token_id, sum(price)::bigint as held,
      coalesce(sum(price) filter (where paid), 0)::bigint as spent
    from e group by token_id
  ) s join k on k.id = s.token_id where tokens.id = k.id
), l as (
  insert into ledger (token_id, task_id, kind, held_delta, spent_delta)
  select token_id, id, case when paid then 'charge' else 'release' end, -price,
    case when paid then price else 0 end
  from e
)
select id from t
"""


async def advance_tasks(
    pool: AsyncConnectionPool, tasks: Sequence[tuple[Task, list[Any] | None]]
) -> None:
    """Writes changed tasks; of those that ended the hold becomes a charge or is released.

    Task, tokens and ledger change in one transaction; a task that has ended meanwhile stays.
    """
    rows = [
        asdict(task)
        | {"buttons": buttons, "ended": task.status in ENDS, "paid": task.status == SUCCESS}
        for task, buttons in tasks
    ]
    async with pool.connection() as connection:
        await connection.execute(
            ADVANCE, {"rows": orjson.dumps(rows).decode(), "ids": [task.id for task, _ in tasks]}
        )


async def mark_unknown(pool: AsyncConnectionPool, deadline_s: float) -> list[int]:
    """Tasks left in `sending` past their send deadline become unknown, whoever sent them."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "update tasks set phase = 'unknown', version = version + 1, "
            "deadline = now() + %s * interval '1 second' where id in ("
            "  select id from tasks where phase = 'sending' and send_deadline < now() "
            "  order by id limit 1000 for no key update skip locked) returning id",
            [deadline_s],
        )
        return [task for (task,) in await cursor.fetchall()]


async def overdue_tasks(pool: AsyncConnectionPool, limit: int) -> list[Task]:
    """Tasks past their own deadline that have not ended."""
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Task))
        await cursor.execute(
            f"select {_WIRE} from tasks where phase in ('running', 'unknown') "  # noqa: S608
            "and deadline < now() order by deadline limit %s",
            [limit],
        )
        return await cursor.fetchall()


def _followed(row: dict[str, Any]) -> Followed:
    names = ("upstream_id", "parent_id", "parent_upstream_id")
    rest = {name: row.pop(name) for name in names}
    return Followed(Task(**row), **rest)
