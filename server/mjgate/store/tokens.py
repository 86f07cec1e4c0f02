"""Tokens in the database."""

from psycopg import errors
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from mjgate.domain.token import Account, Token, key_hash, key_hint
from mjgate.errors import CommandError

_ACCOUNT = """
select id, label, hint, budget, spent, held,
  (extract(epoch from created_at) * 1000)::bigint as created_ms,
  (extract(epoch from revoked_at) * 1000)::bigint as revoked_ms
from tokens
"""


async def find_token(pool: AsyncConnectionPool, hashed: bytes) -> Token | None:
    """The token of a hashed key, unless it is revoked."""
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=class_row(Token))
        await cursor.execute(
            "select id, label from tokens where key_hash = %s and revoked_at is null",
            [hashed],
            prepare=True,
        )
        return await cursor.fetchone()


async def add_token(pool: AsyncConnectionPool, label: str, key: str, budget: int | None) -> Account:
    """A new token; `budget` is micro-dollars, None for no limit.

    Raises:
        CommandError: the label is taken.
    """
    async with pool.connection() as connection:
        try:
            cursor = await connection.execute(
                "insert into tokens (label, key_hash, hint, budget) values (%s, %s, %s, %s) "
                "returning id",
                [label, key_hash(key), key_hint(key), budget],
            )
        except errors.UniqueViolation:
            raise CommandError(
                f"there is a token {label!r} already; revoke it or take another label"
            ) from None
        row = await cursor.fetchone()
    assert row is not None
    return next(account for account in await list_tokens(pool) if account.id == row[0])


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
            raise CommandError(f"there is no token {label!r}; see: mjgate token list")


async def renew_token(pool: AsyncConnectionPool, label: str, key: str) -> bool:
    """Gives a token a new key in place of the old one; False where there is no such token."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "update tokens set key_hash = %s, hint = %s where label = %s and revoked_at is null",
            [key_hash(key), key_hint(key), label],
        )
        return bool(cursor.rowcount)
