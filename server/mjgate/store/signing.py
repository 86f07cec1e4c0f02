"""The secrets that sign the callbacks of tokens."""

from collections.abc import Sequence

from psycopg_pool import AsyncConnectionPool

from mjgate.domain.signature import new_secret
from mjgate.store.cipher import Cipher

# Whoever comes second gets the secret of the first.
_MAKE = """
insert into signing_secrets as s (token_id, secret_cipher) values (%s, %s)
on conflict (token_id) do update set secret_cipher = s.secret_cipher
returning secret_cipher, former_cipher
"""
_ROTATE = """
insert into signing_secrets as s (token_id, secret_cipher) values (%s, %s)
on conflict (token_id) do update set
  secret_cipher = excluded.secret_cipher, former_cipher = s.secret_cipher
returning secret_cipher, former_cipher
"""
_DROP = """
update signing_secrets set former_cipher = null where token_id = %s
"""


async def signing_secrets(
    pool: AsyncConnectionPool, cipher: Cipher, token: int, ciphers: Sequence[bytes] = ()
) -> list[str]:
    """The secrets of a token, the newest first; made where it has none.

    `ciphers` are what was read of it.

    Raises:
        ConfigError: no key of ours opens them.
    """
    known = ciphers or await _write(pool, _MAKE, token, cipher)
    return [cipher.decrypt(each) for each in known]


async def rotate_secret(pool: AsyncConnectionPool, cipher: Cipher, token: int) -> list[str]:
    """A new secret for a token; the one before it signs beside it until it is dropped."""
    return [cipher.decrypt(each) for each in await _write(pool, _ROTATE, token, cipher)]


async def drop_former(pool: AsyncConnectionPool, token: int) -> None:
    """Signs with the newest secret alone."""
    async with pool.connection() as connection:
        await connection.execute(_DROP, [token])


async def _write(
    pool: AsyncConnectionPool, statement: str, token: int, cipher: Cipher
) -> list[bytes]:
    sealed = cipher.encrypt(new_secret())
    async with pool.connection() as connection:
        cursor = await connection.execute(statement.encode(), [token, sealed])
        row = await cursor.fetchone()
    assert row is not None
    return [bytes(each) for each in row if each is not None]
