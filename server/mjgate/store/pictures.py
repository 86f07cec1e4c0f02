"""Pictures in the database: which are to be copied, by whom until when, and what came of it."""

from collections.abc import Mapping

from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from mjgate.domain.picture import Claimed, Copy, Picture

_OPEN = "state in ('waiting', 'copying')"
_SETTLED = "state in ('kept', 'failed')"

# One that somebody died with has failed once more.
_CLAIM = """
with due as materialized (
  select task_id, place from pictures
  where {which} and moment <= clock_timestamp()
  order by moment limit %(limit)s for no key update skip locked
), claimed as (
  update pictures p set state = 'copying', attempts = attempts + 1,
    failures = failures + case when state = 'copying' then 1 else 0 end,
    moment = clock_timestamp() + %(lease)s * interval '1 second'
  from due where p.task_id = due.task_id and p.place = due.place
  returning p.task_id, p.place, p.source, p.attempts, p.failures
)
select c.task_id as task, c.place, c.source, c.attempts as attempt, c.failures,
  t.channel_id as channel
from claimed c left join tasks t on t.id = c.task_id
"""
_CLAIM_DUE = _CLAIM.format(which=_OPEN)
# Here and below `state || ''` is for the primary key: an index that was analyzed when it was
# empty looks quicker to the planner, and would be read from end to end.
_CLAIM_ONE = _CLAIM.format(
    which="task_id = %(task)s and place = %(place)s and state || '' in ('waiting', 'copying')"
)

# Whoever lost its lease changes nothing any more.
_OURS = """
where task_id = %(task)s and place = %(place)s and attempts = %(attempt)s
  and state || '' = 'copying'
"""
_KEEP = f"""
update pictures set state = 'kept', moment = clock_timestamp(), fault = null,
  media_type = %(media_type)s, size = %(size)s, hash = %(hash)s {_OURS}
"""  # noqa: S608
_PUT_OFF = f"""
update pictures set state = 'waiting', fault = %(fault)s, failures = failures + %(failed)s,
  moment = clock_timestamp() + %(wait)s * interval '1 second' {_OURS}
"""  # noqa: S608
_GIVE_UP = f"""
update pictures set state = 'failed', fault = %(fault)s, failures = failures + 1,
  moment = clock_timestamp() {_OURS}
"""  # noqa: S608

_FIND = """
select coalesce(p.source, case when %(place)s = 0 then t.image_url
    else t.properties -> 'imageUrls' ->> (%(place)s - 1) end) as source,
  p.state, p.attempts, p.moment <= clock_timestamp(), p.media_type, p.size, p.hash
from tasks t left join pictures p on p.task_id = t.id and p.place = %(place)s
where t.id = %(task)s and t.status = 'SUCCESS'
"""
_LOST = """
update pictures set state = 'waiting', moment = clock_timestamp(), fault = 'its file was gone',
  media_type = null, size = null, hash = null
where task_id = %s and place = %s and attempts = %s and state || '' = 'kept'
"""
_AGED = f"""
select task_id from pictures
where {_SETTLED} and moment < clock_timestamp() - %s * interval '1 second'
order by moment limit %s
"""  # noqa: S608
_OLDEST = "select task_id, size from pictures where state = 'kept' order by moment limit %s"
_SIZE = f"select coalesce(sum(size), 0)::bigint from pictures where {_SETTLED}"  # noqa: S608
_DROPPED = """
select task_id, place, attempts from pictures where state = 'dropped' order by task_id limit %s
"""
_CLEAR = """
delete from pictures p using unnest(%s::bigint[], %s::smallint[], %s::integer[])
  as gone(task_id, place, attempts)
where p.task_id = gone.task_id and p.place = gone.place and p.attempts = gone.attempts
  and p.state = 'dropped'
"""


async def claim_due(pool: AsyncConnectionPool, limit: int, lease_s: float) -> list[Claimed]:
    """Pictures that are ours to copy for `lease_s` seconds, the longest due first."""
    return await _claim(pool, _CLAIM_DUE, {"limit": limit, "lease": lease_s})


async def claim_picture(
    pool: AsyncConnectionPool, task: int, place: int, lease_s: float
) -> Claimed | None:
    """The same of one picture; None where it is not due, or somebody else copies it."""
    which = {"task": task, "place": place, "limit": 1, "lease": lease_s}
    claimed = await _claim(pool, _CLAIM_ONE, which)
    return claimed[0] if claimed else None


async def keep(pool: AsyncConnectionPool, claimed: Claimed, copy: Copy) -> bool:
    """Writes that a picture is in storage; False where it is not ours any more."""
    return await _settle(
        pool, _KEEP, claimed, media_type=copy.media_type, size=copy.size, hash=copy.hash
    )


async def put_off(
    pool: AsyncConnectionPool, claimed: Claimed, wait_s: float, fault: str, *, failed: bool = True
) -> bool:
    """A picture is due again after `wait_s` seconds; `failed` says whether that counts."""
    return await _settle(pool, _PUT_OFF, claimed, wait=wait_s, fault=fault, failed=int(failed))


async def give_up(pool: AsyncConnectionPool, claimed: Claimed, fault: str) -> bool:
    """A picture is copied never: its source is what there is."""
    return await _settle(pool, _GIVE_UP, claimed, fault=fault)


async def find_picture(pool: AsyncConnectionPool, task: int, place: int) -> Picture | None:
    """A picture of a task that succeeded, whether it was ever ours or not."""
    async with pool.connection() as connection:
        cursor = connection.cursor(binary=True)
        await cursor.execute(_FIND, {"task": task, "place": place}, prepare=True)
        row = await cursor.fetchone()
    if row is None or row[0] is None:
        return None
    source, state, attempt, due, *copied = row
    copy = Copy(*copied) if state == "kept" else None
    return Picture(source, state, attempt or 0, bool(due), copy)


async def lose(pool: AsyncConnectionPool, task: int, place: int, attempt: int) -> None:
    """The file of a kept picture is gone: it is to be copied again."""
    async with pool.connection() as connection:
        await connection.execute(_LOST, [task, place, attempt])


async def drop_aged(pool: AsyncConnectionPool, age_s: float, limit: int) -> int:
    """Lets go of what was settled longer ago; returns how many pictures there were."""
    async with pool.connection() as connection:
        cursor = await connection.execute(_AGED, [age_s, limit])
        aged = [task for (task,) in await cursor.fetchall()]
    await _drop(pool, aged)
    return len(aged)


async def drop_beyond(pool: AsyncConnectionPool, most_bytes: int, limit: int) -> int:
    """Lets go of the oldest while all together are larger; returns how many it let go of."""
    async with pool.connection() as connection:
        cursor = await connection.execute(_SIZE)
        row = await cursor.fetchone()
        over = (int(row[0]) if row else 0) - most_bytes
        if over <= 0:
            return 0
        cursor = await connection.execute(_OLDEST, [limit])
        oldest = await cursor.fetchall()
    chosen = []
    for task, size in oldest:
        if over <= 0:
            break
        chosen.append(task)
        over -= size
    await _drop(pool, chosen)
    return len(chosen)


async def dropped(pool: AsyncConnectionPool, limit: int) -> list[tuple[int, int, int]]:
    """Pictures whose files are to be removed: task, place and the number of attempts."""
    async with pool.connection() as connection:
        cursor = await connection.execute(_DROPPED, [limit])
        return await cursor.fetchall()


async def clear(pool: AsyncConnectionPool, gone: list[tuple[int, int, int]]) -> None:
    """Forgets pictures whose files have been removed."""
    async with pool.connection() as connection:
        await connection.execute(_CLEAR, [list(column) for column in zip(*gone, strict=True)])


async def _claim(
    pool: AsyncConnectionPool, statement: str, which: Mapping[str, object]
) -> list[Claimed]:
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Claimed), binary=True)
        await cursor.execute(statement, which, prepare=True)
        return await cursor.fetchall()


async def _settle(
    pool: AsyncConnectionPool, statement: str, claimed: Claimed, **facts: object
) -> bool:
    which = {"task": claimed.task, "place": claimed.place, "attempt": claimed.attempt}
    async with pool.connection() as connection:
        cursor = await connection.execute(statement, {**which, **facts})
        return bool(cursor.rowcount)


async def _drop(pool: AsyncConnectionPool, tasks: list[int]) -> None:
    if tasks:
        async with pool.connection() as connection:
            await connection.execute("select drop_pictures(%s)", [tasks])
