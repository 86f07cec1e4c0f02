"""What is asked for by id is read by id, whatever the tables held when they were analyzed."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from psycopg_pool import AsyncConnectionPool

from mjgate.domain.picture import Claimed, Copy
from mjgate.store import pictures, tasks
from mjgate.store.database import open_pool
from tests.store.rows import query_at

MANY = 500
_TASKS = f"""
insert into tasks (id, token_id, channel_id, action, model, price, phase, marker, send_deadline,
  status, submit_ms, accepted_at, deadline, upstream_id)
select n, 1, 1, 'IMAGINE', 'mj_imagine', 1, 'rejected', 'm', now(), 'NOT_START', 1,
  now(), now() + interval '1 hour', n::text
from generate_series(1, {MANY}) n
"""
_PICTURES = f"""
insert into pictures (task_id, place, source, state, attempts, moment)
select n, 0, 'http://u/' || n, 'dropped', 1, now() - interval '1 hour'
from generate_series(1, {MANY}) n
"""
_OTHERS = """
select coalesce(sum(idx_tup_read), 0)::bigint from pg_stat_user_indexes
where relname in ('tasks', 'pictures') and indexrelname not like '%_pkey'
"""
MINE = Claimed(7, 0, "http://u/7", 1, 0, 1)
COPY = Copy("image/png", 1, b"\1" * 32)
Ask = Callable[[AsyncConnectionPool], Awaitable[object]]


@pytest.fixture
async def pool(database: str) -> AsyncIterator[AsyncConnectionPool]:
    """One connection to tables that were analyzed when nothing was under way."""
    for statement in (_TASKS, _PICTURES, "vacuum analyze"):
        query_at(database, statement)
    async with open_pool(database, 1) as opened:
        yield opened


async def read_elsewhere(pool: AsyncConnectionPool) -> int:
    """How many entries of other indexes than the primary keys were read so far."""
    async with pool.connection() as connection:
        await connection.execute("select pg_stat_force_next_flush()")
        row = await (await connection.execute(_OTHERS)).fetchone()
    assert row
    return int(row[0])


@pytest.mark.parametrize(
    ("change", "ask"),
    [
        ("tasks set phase = 'running'", lambda pool: tasks.followed_tasks(pool, [7])),
        ("tasks set phase = 'sending'", lambda pool: tasks.move_task(pool, 7, 2)),
        ("tasks set phase = 'unknown'", lambda pool: tasks.bind_found(pool, 7, "seven")),
        ("pictures set state = 'waiting'", lambda pool: pictures.claim_picture(pool, 7, 0, 60.0)),
        ("pictures set state = 'copying'", lambda pool: pictures.keep(pool, MINE, COPY)),
        ("pictures set state = 'copying'", lambda pool: pictures.put_off(pool, MINE, 1.0, "busy")),
        ("pictures set state = 'copying'", lambda pool: pictures.give_up(pool, MINE, "gone")),
        ("pictures set state = 'failed'", lambda pool: pictures.lose(pool, 7, 0, 1)),
    ],
    ids=["followed", "move", "bind", "claim", "keep", "put-off", "give-up", "lose"],
)
async def test_one_is_read_by_its_key(
    database: str, pool: AsyncConnectionPool, change: str, ask: Ask
) -> None:
    query_at(database, f"update {change}")
    before = await read_elsewhere(pool)

    await ask(pool)

    assert await read_elsewhere(pool) - before < MANY
