"""A pooler that changes the connection behind ours between two transactions."""

import psycopg

from mjgate.errors import ConfigError

_ROUNDS = 3


def refuse_pooler(uri: str) -> None:
    """Sees to it that a connection is one connection, for as long as it lives.

    Two connections that are both open never have the same backend, and one never has two;
    behind a pooler in transaction or statement mode, such as PgBouncer's, one or the other
    comes about: an idle backend goes to whoever asks next. In session mode neither does.

    Raises:
        ConfigError: there is such a pooler, or the database cannot be reached.
    """
    try:
        with _open(uri) as one, _open(uri) as other:
            ours = {_backend(one)}
            theirs = set()
            for _ in range(_ROUNDS):
                theirs.add(_backend(other))
                ours.add(_backend(one))
    except psycopg.OperationalError as error:
        raise ConfigError(
            f"DATABASE_URL cannot be reached: {' '.join(str(error).split())}"
        ) from error
    if len(ours) > 1 or len(theirs) > 1 or ours & theirs:
        raise ConfigError(
            "DATABASE_URL leads to a pooler in transaction mode, such as PgBouncer with "
            "pool_mode = transaction: LISTEN, prepared statements and advisory locks do not "
            "survive it; name PostgreSQL itself there, or set pool_mode = session"
        )


def _open(uri: str) -> psycopg.Connection:
    return psycopg.connect(
        uri, autocommit=True, connect_timeout=10, application_name="mjgate pooler"
    )


def _backend(connection: psycopg.Connection) -> int:
    row = connection.execute("select pg_backend_pid()", prepare=False).fetchone()
    assert row is not None
    return int(row[0])
