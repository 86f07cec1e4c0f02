"""The ledger as operators read it, and the one thing they write to it."""

from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from mjgate.domain.money import dollars
from mjgate.errors import CommandError

_ENTRIES = """
select l.id, l.created_at, k.label as token, l.task_id as task, l.kind, l.held_delta as held,
  l.spent_delta as spent, l.period, l.reason
from ledger l left join tokens k on k.id = l.token_id
where (%(token)s::text is null
    or l.token_id = any(array(select id from tokens where label = %(token)s)))
  and (%(task)s::bigint is null or l.task_id = %(task)s)
order by l.id desc limit %(limit)s
"""

# Row and entry are written by one statement, so by one transaction; the row is locked first.
_ADJUST = """
with k as materialized (
  select id, period_start, spent, held,
    greatest(period_start, period_key(period, clock_timestamp())) as present
  from tokens where label = %(label)s and revoked_at is null for no key update
), n as materialized (
  select id, present, case when present = period_start then spent else 0 end as before,
    case when present = period_start then held else 0 end as held
  from k
), u as (
  update tokens set spent = n.before + %(amount)s, held = n.held, period_start = n.present
  from n where tokens.id = n.id and n.before + %(amount)s >= 0
  returning tokens.id, n.present
), l as (
  insert into ledger (token_id, kind, held_delta, spent_delta, period, reason)
  select id, 'adjust', 0, %(amount)s, present, %(reason)s from u
)
select n.before, exists (select from u) from n
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the ledger. Amounts are micro-dollars, `period` the day its period began."""

    id: int
    created_at: datetime
    token: str | None
    task: int | None
    kind: str
    held: int
    spent: int
    period: date
    reason: str | None


async def list_entries(
    pool: AsyncConnectionPool, limit: int, token: str | None = None, task: int | None = None
) -> list[Entry]:
    """The newest entries, newest first; of a label, whoever has had it, or of a task."""
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Entry))
        await cursor.execute(_ENTRIES, {"token": token, "task": task, "limit": limit})
        return await cursor.fetchall()


async def adjust(pool: AsyncConnectionPool, label: str, amount: int, reason: str) -> int:
    """Adds micro-dollars to what a token has spent in its period at hand; returns the sum.

    Raises:
        CommandError: there is no such token, or it would have spent less than nothing.
    """
    async with pool.connection() as connection:
        cursor = await connection.execute(
            _ADJUST, {"label": label, "amount": amount, "reason": reason}
        )
        row = await cursor.fetchone()
    if row is None:
        raise CommandError(f"there is no token {label!r}; see: mjgate token list")
    before, done = row
    if not done:
        raise CommandError(
            f"{label!r} has spent {dollars(before)} dollars in this period; "
            f"{dollars(-amount)} cannot be taken back"
        )
    return int(before + amount)
