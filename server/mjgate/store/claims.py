"""Keys of clients in the database, and what their first requests were answered."""

import msgspec
from psycopg_pool import AsyncConnectionPool

from mjgate.domain.send import Claim, Decision
from mjgate.store.admission import decisions

_FORGET = """
delete from idempotency where (token_id, key) in (
  select token_id, key from idempotency where created_at < now() - interval '24 hours'
  order by token_id, key limit %s for update skip locked)
"""


async def recall(pool: AsyncConnectionPool, token: int, claim: Claim) -> Decision | None:
    """What a claim comes to as it stands; None where its key is free, which admission decides."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select recall(1, %s, %s::json)", [token, msgspec.json.encode(claim).decode()]
        )
        row = await cursor.fetchone()
    return decisions(1, [row[0]])[0] if row and row[0] else None


async def forget_claims(pool: AsyncConnectionPool, limit: int) -> int:
    """Forgets keys that were taken more than 24 hours ago; returns how many."""
    async with pool.connection() as connection:
        cursor = await connection.execute(_FORGET, [limit])
        return cursor.rowcount
