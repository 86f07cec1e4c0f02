"""Tokens in the database."""

from collections.abc import Mapping
from typing import Any

from psycopg import errors, sql
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from mjgate.domain.token import Account, Token, key_hash, key_hint
from mjgate.errors import CommandError

_CLIENT = """
select id, label, (extract(epoch from expires_at) * 1000)::bigint as expires_ms, addresses,
  notify_hook as hook
from tokens where revoked_at is null and """

# What is spent and held is of the period in which the last submit came: of a later one it is 0.
_ACCOUNT = """
select id, label, hint, budget, period,
  (extract(epoch from (present + case period when 'daily' then interval '1 day'
    when 'weekly' then interval '7 days' when 'monthly' then interval '1 month' end)
    at time zone 'UTC') * 1000)::bigint as resets_ms,
  case when present = period_start then spent else 0 end as spent,
  case when present = period_start then held else 0 end as held,
  in_flight, most_in_flight, rate_per_minute, models,
  (extract(epoch from expires_at) * 1000)::bigint as expires_ms,
  addresses::text[] as addresses,
  (extract(epoch from created_at) * 1000)::bigint as created_ms,
  (extract(epoch from revoked_at) * 1000)::bigint as revoked_ms, notify_hook
from (select *, greatest(period_start, period_key(period, now())) as present from tokens) t
"""

# The row is locked before the sums are read: nobody adds to the ledger of this token meanwhile.
_BEGIN_PERIOD = """
update tokens t set period_start = s.start, spent = s.spent, held = s.held
from (
  select p.start, coalesce(sum(spent_delta), 0)::bigint as spent,
    coalesce(sum(held_delta), 0)::bigint as held
  from (select id, period_key(period, clock_timestamp()) as start from tokens where id = %s) p
  left join ledger l on l.token_id = p.id and l.period = p.start
  group by p.start
) s
where id = %s
"""


async def find_token(pool: AsyncConnectionPool, hashed: bytes) -> Token | None:
    """The token of a hashed key, unless it is revoked."""
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Token))
        await cursor.execute(_CLIENT + "key_hash = %s", [hashed], prepare=True)
        return await cursor.fetchone()


async def find_labelled(pool: AsyncConnectionPool, label: str) -> Token:
    """The token of a label.

    Raises:
        CommandError: there is none.
    """
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Token))
        await cursor.execute(_CLIENT + "label = %s", [label])
        token = await cursor.fetchone()
    if token is None:
        raise _unknown(label)
    return token


async def add_token(
    pool: AsyncConnectionPool, label: str, key: str, budget: int | None = None, **limits: Any
) -> Account:
    """A new token; `budget` is micro-dollars, None for no limit, `limits` are other columns.

    Raises:
        CommandError: the label is taken.
    """
    row = {
        "label": label,
        "key_hash": key_hash(key),
        "hint": key_hint(key),
        "budget": budget,
        **_columns(limits),
    }
    statement = sql.SQL("insert into tokens ({}) values ({}) returning id").format(
        sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
    )
    async with pool.connection() as connection:
        try:
            cursor = await connection.execute(statement, row)
        except errors.UniqueViolation:
            raise CommandError(
                f"there is a token {label!r} already; revoke it or take another label"
            ) from None
        made = await cursor.fetchone()
    assert made is not None
    return await find_account(pool, made[0])


async def set_token(pool: AsyncConnectionPool, label: str, limits: Mapping[str, Any]) -> Account:
    """Changes the limits of a token, columns by name; they hold for the next submit.

    With a new period its spent and held are those of the ledger in that period.

    Raises:
        CommandError: there is none of that label.
    """
    row = _columns(limits)
    statement = sql.SQL(
        "update tokens set {} where label = {} and revoked_at is null returning id"
    ).format(
        sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(column), sql.Placeholder(column))
            for column in row
        ),
        sql.Placeholder("_label"),
    )
    async with pool.connection() as connection, connection.transaction():
        cursor = await connection.execute(statement, {**row, "_label": label})
        found = await cursor.fetchone()
        if found is None:
            raise _unknown(label)
        if "period" in row:
            await connection.execute(_BEGIN_PERIOD, [found[0], found[0]])
    return await find_account(pool, found[0])


async def find_account(pool: AsyncConnectionPool, token_id: int) -> Account:
    """A token that is known to be there."""
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Account))
        await cursor.execute(_ACCOUNT + "where id = %s", [token_id], prepare=True)
        account = await cursor.fetchone()
    assert account is not None
    return account


async def list_tokens(pool: AsyncConnectionPool) -> list[Account]:
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Account))
        await cursor.execute(_ACCOUNT + "order by id")
        return await cursor.fetchall()


async def revoke_token(pool: AsyncConnectionPool, label: str) -> None:
    """Ends a token at once, in every process.

    Raises:
        CommandError: there is none of that label.
    """
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "update tokens set revoked_at = now() where label = %s and revoked_at is null", [label]
        )
        if not cursor.rowcount:
            raise _unknown(label)


async def renew_token(pool: AsyncConnectionPool, label: str, key: str) -> bool:
    """Gives a token a new key in place of the old one; False where there is no such token."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "update tokens set key_hash = %s, hint = %s where label = %s and revoked_at is null",
            [key_hash(key), key_hint(key), label],
        )
        return bool(cursor.rowcount)


def _columns(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Networks of both families make no array of one type: they go as PostgreSQL writes them."""
    row = dict(limits)
    if row.get("addresses") is not None:
        row["addresses"] = f"{{{','.join(map(str, row['addresses']))}}}"
    return row


def _unknown(label: str) -> CommandError:
    return CommandError(f"there is no token {label!r}; see: mjgate token list")
