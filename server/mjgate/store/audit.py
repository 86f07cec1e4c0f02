"""Proves the ledger: recomputes every balance, and holds every row to the rules of money.

All rules are asked in one snapshot, so a server may serve meanwhile; neither side keeps more in
memory than a fixed amount, however many rows there are or are wrong.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from mjgate.domain.price import DOCUMENTED, PriceTable
from mjgate.errors import CommandError
from mjgate.store.rules import PRICE, PRICED, RULES, Rule

MOST_NAMED: Final = 100
"""Rows that are named of a rule, and of the unknown tasks; the others are counted."""

# Whole tables are read: what `tune` sets, and plans for few rows, would be in the way.
_SNAPSHOT = """
set transaction isolation level repeatable read, read only;
set local enable_seqscan = on;
set local jit = off;
set local work_mem = '64MB'
"""
_NAMED = """
select k.label as token, f.wrong, f.token_id, f.task, f.entry, f.expected, f.found,
  count(*) over () as total
from ({}) f(wrong, token_id, task, entry, expected, found) left join tokens k on k.id = f.token_id
where %(tokens)s::integer[] is null or f.token_id = any(%(tokens)s)
order by f.token_id, f.task, f.entry, f.expected, f.found limit %(most)s
"""
_LOWERED = """
select k.label as token, k.budget, max(r.used)::bigint as used from (
  select l.id, l.token_id, l.kind, sum(l.held_delta + l.spent_delta)
    over (partition by l.token_id, l.period order by l.id) as used
  from ledger l join tokens k on k.id = l.token_id
  where k.budget is not null and k.budget_after > 0
    and (%(tokens)s::integer[] is null or k.id = any(%(tokens)s))
) r join tokens k on k.id = r.token_id
where r.kind = 'hold' and r.used > k.budget and r.id <= k.budget_after
group by k.id order by k.id limit %(most)s
"""
_UNKNOWN = """
select t.id as task, k.label as token, c.name as channel,
  coalesce(t.accepted_at, t.send_deadline) as since, t.deadline, count(*) over () as total
from tasks t left join tokens k on k.id = t.token_id left join channels c on c.id = t.channel_id
where t.phase = 'unknown' and (%(tokens)s::integer[] is null or t.token_id = any(%(tokens)s))
order by t.deadline, t.id limit %(most)s
"""
_READ = """
select
  (select count(*) from tokens where %(tokens)s::integer[] is null or id = any(%(tokens)s))
    as tokens,
  (select count(*) from tasks where %(tokens)s::integer[] is null or token_id = any(%(tokens)s))
    as tasks,
  (select count(*) from ledger where %(tokens)s::integer[] is null or token_id = any(%(tokens)s))
    as entries
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that breaks a rule; ids that it does not have are None. Amounts are dollars."""

    wrong: str
    token_id: int | None
    token: str | None
    task: int | None
    entry: int | None
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that does not hold: the first rows that break it, and how many there are."""

    rule: Rule
    faults: list[Fault]
    total: int


@dataclass(frozen=True, slots=True)
class Lowered:
    """A token whose budget was set below what it had used; in micro-dollars. No fault."""

    token: str
    budget: int
    used: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A task whose send has no known outcome: released at its deadline unless it is found."""

    task: int
    token: str | None
    channel: str | None
    since: datetime
    deadline: datetime | None


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit read and found. Without breaches the ledger is proved.

    Of the unknown tasks the first are listed; `unknown_total` counts all.
    """

    tokens: int
    tasks: int
    entries: int
    breaches: list[Breach]
    lowered: list[Lowered]
    unknown: list[Unknown]
    unknown_total: int


async def audit(pool: AsyncConnectionPool, label: str | None = None) -> Audit:
    """Holds all rows to all rules, or those of the tokens that have had a label.

    Raises:
        CommandError: no token has had it.
    """
    async with _snapshot(pool) as connection:
        chosen = {"tokens": await _labelled(connection, label), "most": MOST_NAMED}
        found = [await _breach(connection, rule, chosen) for rule in RULES]
        found.append(await _mispriced(connection, chosen))
        lowered = await _rows(connection, _LOWERED, chosen)
        unknown = await _rows(connection, _UNKNOWN, chosen)
        [read] = await _rows(connection, _READ, chosen)
    totals = [row.pop("total") for row in unknown]
    return Audit(
        **read,
        breaches=[breach for breach in found if breach is not None],
        lowered=[Lowered(**row) for row in lowered],
        unknown=[Unknown(**row) for row in unknown],
        unknown_total=totals[0] if totals else 0,
    )


@asynccontextmanager
async def _snapshot(pool: AsyncConnectionPool) -> AsyncIterator[AsyncConnection]:
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(_SNAPSHOT)
        yield connection


async def _labelled(connection: AsyncConnection, label: str | None) -> list[int] | None:
    if label is None:
        return None
    rows = await _rows(
        connection, "select id from tokens where label = %(label)s", {"label": label}
    )
    if not rows:
        raise CommandError(f"there is no token {label!r}; see: mjgate token list")
    return [row["id"] for row in rows]


async def _breach(
    connection: AsyncConnection, rule: Rule, values: Mapping[str, Any]
) -> Breach | None:
    rows = await _rows(connection, _NAMED.format(rule.breaks), values)
    if not rows:
        return None
    totals = [row.pop("total") for row in rows]
    return Breach(rule, [Fault(**row) for row in rows], totals[0])


async def _mispriced(connection: AsyncConnection, values: Mapping[str, Any]) -> Breach | None:
    """There are few combinations of version, model and price, however many tasks."""
    tables = {0: PriceTable(0, DOCUMENTED)}
    for row in await _rows(connection, "select version, prices from prices", {}):
        tables[row["version"]] = PriceTable(**row)
    wrong = [
        {"version": version, "model": model, "price": price, "quote": quote}
        for version, model, price in await _priced(connection)
        if (quote := _quote(tables.get(version), model)) != price
    ]
    return await _breach(connection, PRICE, {**values, "wrong": orjson.dumps(wrong).decode()})


async def _priced(connection: AsyncConnection) -> list[tuple[int, str, int]]:
    cursor = await connection.execute(PRICED)
    return await cursor.fetchall()


def _quote(table: PriceTable | None, model: str) -> int | None:
    return table.quote(model) if table else None


async def _rows(
    connection: AsyncConnection, query: str, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(query.encode(), values)
    return await cursor.fetchall()
