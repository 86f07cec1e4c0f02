"""Migrations: numbered SQL files, run by yoyo under one advisory lock."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import yoyo
from procrastinate.schema import SchemaManager

from mjgate.errors import ConfigError

MIGRATIONS = Path(__file__).with_name("migrations")
OLDEST_SERVER = 140000
_LOCK = 0x6D6A67617465
# After a restore the sequence would hand out ids once more that were given since the dump. A
# second of margin keeps clear of blocks that other processes are taking now.
_RAISE_IDS = """
select setval('task_ids', now) from task_ids,
  (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as now) as clock
where now > last_value + 1000000
"""

logging.getLogger("yoyo").setLevel(logging.WARNING)


def migrate(uri: str) -> None:
    """Brings a database to this program's schema.

    Raises:
        ConfigError: it cannot be reached, is too old, or belongs to a newer program.
    """
    try:
        with psycopg.connect(uri, autocommit=True, connect_timeout=10) as connection:
            _refuse_old(connection)
            with _locked(connection):
                _apply(uri)
                _apply_jobs(connection)
                connection.execute(_RAISE_IDS)
    except psycopg.OperationalError as error:
        raise ConfigError(
            f"DATABASE_URL cannot be reached: {' '.join(str(error).split())}"
        ) from error


def _apply(uri: str) -> None:
    backend = yoyo.get_backend(
        uri.replace("postgres", "postgresql+psycopg", 1)
        if uri.startswith("postgres://")
        else uri.replace("postgresql", "postgresql+psycopg", 1)
    )
    try:
        known = yoyo.read_migrations(str(MIGRATIONS))
        unknown = set(backend.get_applied_migration_hashes()) - {m.hash for m in known}
        if unknown:
            raise ConfigError(
                "the database was made by a newer mjgate; install that version, "
                "or restore a dump made with this one"
            )
        # Our advisory lock is held, so a lock row is what a killed process left.
        backend.break_lock()
        backend.apply_migrations(backend.to_apply(known))
    finally:
        backend.connection.close()


def _apply_jobs(connection: psycopg.Connection) -> None:
    if connection.execute("select to_regclass('procrastinate_jobs')").fetchone() == (None,):
        connection.execute(SchemaManager.get_schema().encode())


def _refuse_old(connection: psycopg.Connection) -> None:
    version = connection.info.server_version
    if version < OLDEST_SERVER:
        raise ConfigError(
            f"DATABASE_URL is PostgreSQL {version // 10000}; use {OLDEST_SERVER // 10000} or newer"
        )


@contextmanager
def _locked(connection: psycopg.Connection) -> Iterator[None]:
    connection.execute("select pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        connection.execute("select pg_advisory_unlock(%s)", [_LOCK])
