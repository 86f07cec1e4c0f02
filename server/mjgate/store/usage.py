"""What tokens have used: the ledger line by line, and added up by day and model."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from psycopg_pool import AsyncConnectionPool

from mjgate.domain.usage import Days, Entry, Total

_DAY = timedelta(days=1)
_MARGIN_S = 60.0
_FOLDING = 0x6D6A75736167
"""The lock of the one who adds up."""

_LINES = """
select l.id, l.kind, l.task_id, t.model, l.held_delta, l.spent_delta, l.period,
  (extract(epoch from l.created_at) * 1000)::bigint
from ledger l left join booked_tasks t on t.id = l.task_id
where l.token_id = %s and l.created_at >= %s and (l.created_at, l.id) < (%s, %s)
order by l.created_at desc, l.id desc limit %s
"""
_PLACE = "select created_at, id from ledger where id = %s and token_id = %s"

_COUNTS = """
count(*) filter (where l.kind = 'hold') as submitted,
count(*) filter (where l.kind = 'charge') as charged,
count(*) filter (where l.kind = 'release') as released,
sum(l.spent_delta)::bigint as spent
"""
_TOTALS = f"""
with part as (
  select day, model, submitted, charged, released, spent from usage_totals
  where token_id = %(token)s and day >= (%(first)s at time zone 'UTC')::date
    and day < (%(end)s at time zone 'UTC')::date
  union all
  select (l.created_at at time zone 'UTC')::date, coalesce(t.model, ''), {_COUNTS}
  from ledger l left join booked_tasks t on t.id = l.task_id
  where l.token_id = %(token)s and l.created_at < %(end)s
    and l.created_at >= greatest(%(first)s, (select max(moment) from usage_folded))
  group by 1, 2
)
select day, model, sum(submitted)::bigint, sum(charged)::bigint, sum(released)::bigint,
  sum(spent)::bigint
from part group by grouping sets ((day), (model)) order by day desc, model
"""  # noqa: S608

# An entry bears the moment at which its transaction began: before that of the oldest one that
# is still open, all entries are there to be seen. A margin covers those that just begin.
_HORIZON = """
select moment, horizon from (
  select coalesce(max(moment), '2000-01-01 00:00Z') as moment from usage_folded
) f, (
  select least(now() - %s * interval '1 second', min(xact_start)) as horizon
  from pg_stat_activity where datname = current_database()
) h
where horizon >= moment + %s * interval '1 second'
"""
_FOLD = f"""
with d as (delete from usage_folded), f as (insert into usage_folded values (%(horizon)s))
insert into usage_totals as u
select l.token_id, (l.created_at at time zone 'UTC')::date, coalesce(t.model, ''), {_COUNTS}
from ledger l left join booked_tasks t on t.id = l.task_id
where l.created_at >= %(moment)s and l.created_at < %(horizon)s
group by 1, 2, 3
on conflict (token_id, day, model) do update set
  submitted = u.submitted + excluded.submitted, charged = u.charged + excluded.charged,
  released = u.released + excluded.released, spent = u.spent + excluded.spent
"""  # noqa: S608


async def list_entries(
    pool: AsyncConnectionPool, token: int, days: Days, after: int | None, limit: int
) -> list[Entry] | None:
    """Lines of a token in some days, newest first, from the top or those after the line `after`.

    None where this token has no line of that id.
    """
    first, last = _bounds(days)
    end = (last, 0)
    async with pool.connection() as connection:
        cursor = connection.cursor(binary=True)
        if after is not None:
            await cursor.execute(_PLACE, [after, token])
            place = await cursor.fetchone()
            if place is None:
                return None
            end = min(end, place)
        await cursor.execute(_LINES, [token, first, *end, limit])
        return [Entry(*row) for row in await cursor.fetchall()]


async def sum_entries(
    pool: AsyncConnectionPool, token: int, days: Days
) -> tuple[list[Total], list[Total]]:
    """Totals of a token: of each day that has lines, newest first, and of each model by name."""
    first, end = _bounds(days)
    async with pool.connection() as connection:
        cursor = connection.cursor(binary=True)
        await cursor.execute(_TOTALS, {"token": token, "first": first, "end": end})
        rows: Sequence[Any] = await cursor.fetchall()
    return (
        [Total(day, *counts) for day, _, *counts in rows if day is not None],
        [Total(model, *counts) for day, model, *counts in rows if day is None],
    )


async def fold_usage(pool: AsyncConnectionPool, age_s: float, margin_s: float = _MARGIN_S) -> bool:
    """Adds up what was written since it last was, if that is at least `age_s` seconds ago.

    False where it is not, or another process is about it.
    """
    async with pool.connection() as connection, connection.transaction():
        cursor = await connection.execute("select pg_try_advisory_xact_lock(%s)", [_FOLDING])
        if await cursor.fetchone() != (True,):
            return False
        cursor = await connection.execute(_HORIZON, [margin_s, age_s])
        row = await cursor.fetchone()
        if row is None:
            return False
        moment, horizon = row
        await connection.execute(_FOLD, {"moment": moment, "horizon": horizon})
        return True


def _bounds(days: Days) -> tuple[datetime, datetime]:
    """The moment at which they begin, and the one at which they are over."""
    return _midnight(days.first), _midnight(days.last + _DAY)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
