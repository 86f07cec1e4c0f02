"""Migrations: numbered SQL files, run by yoyo under one advisory lock."""

import logging
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import yoyo
from procrastinate.schema import SchemaManager
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import parse_uri
from yoyo.migrations import MigrationList

from mjgate.errors import ConfigError

MIGRATIONS = Path(__file__).with_name("migrations")
OLDEST_SERVER = 140000
_LOCK = 0x6D6A67617465
_MADE = re.compile(
    r"^\s*(?:execute format\(\s*')?create (?:or replace )?(?:unlogged )?"
    r"(table|sequence|function|procedure|aggregate|view|materialized view|type|domain) "
    r"(?:if not exists )?(\w+)",
    re.IGNORECASE | re.MULTILINE,
)
_ROUTINES = ("function", "procedure", "aggregate")
_OF_ROUTINES = """
select oid::regprocedure::text from pg_proc
where pronamespace = current_schema()::regnamespace and proname = any(%s)
"""
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


class Rebuild:
    """Our part of a database, made anew in one transaction."""

    def __init__(self, backend: "_Joined") -> None:
        self._backend = backend
        self._known = yoyo.read_migrations(str(MIGRATIONS))
        self.connection: psycopg.Connection = backend.connection

    def empty(self, migrations: Collection[str]) -> None:
        """Drops all that is ours, and makes it as these migrations leave it, without rows."""
        _drop(self.connection)
        first = [each for each in self._known if each.id in migrations]
        self._backend.apply_migrations(MigrationList(first))

    def finish(self) -> None:
        """Migrates what is there now to this program's schema."""
        self._backend.apply_migrations(self._backend.to_apply(self._known))
        self.connection.execute(_RAISE_IDS)


@contextmanager
def rebuilding(uri: str) -> Iterator[Rebuild]:
    """Nobody migrates meanwhile; when the block raises, the database stays as it was."""
    backend = _Joined(parse_uri(_address(uri)), yoyo.default_migration_table)
    try:
        with _locked(backend.connection), backend.transaction():
            yield Rebuild(backend)
    finally:
        backend.connection.close()


def known_migrations() -> list[str]:
    """The names of all that this program has, in order."""
    return sorted(file.stem for file in MIGRATIONS.glob("*.sql"))


def applied_migrations(connection: psycopg.Connection) -> list[str]:
    """The names of those that a database has had, in order."""
    rows = connection.execute("select migration_id from _yoyo_migration order by 1").fetchall()
    return [name for (name,) in rows]


def made() -> dict[str, str]:
    """What our migrations make, name to kind: all that is ours of a database."""
    files = sorted(MIGRATIONS.glob("*.sql"))
    found = (each for file in files for each in _MADE.finditer(file.read_text()))
    return {each[2]: each[1].lower() for each in found}


@contextmanager
def standing_still(connection: psycopg.Connection) -> Iterator[None]:
    """Nobody migrates for as long as the block lasts; others may stand still beside us.

    A block that raises lets go with its connection.
    """
    connection.execute("select pg_advisory_lock_shared(%s)", [_LOCK])
    yield
    connection.execute("select pg_advisory_unlock_shared(%s)", [_LOCK])


class _Joined(PostgresqlPsycopgBackend):
    """yoyo on one connection, so that migrations can be part of one transaction."""

    @contextmanager
    def copy(self) -> Iterator["_Joined"]:
        yield self


def _address(uri: str) -> str:
    return re.sub("^postgres(ql)?:", "postgresql+psycopg:", uri)


def _drop(connection: psycopg.Connection) -> None:
    ours = made()
    for name, kind in ours.items():
        if kind not in _ROUTINES:
            connection.execute(f"drop {kind} if exists {name} cascade".encode())
    routines = [name for name, kind in ours.items() if kind in _ROUTINES]
    for (signature,) in connection.execute(_OF_ROUTINES, [routines]).fetchall():
        connection.execute(f"drop routine if exists {signature} cascade".encode())
    connection.execute("delete from _yoyo_migration")
    connection.execute("truncate procrastinate_jobs cascade")


def _apply(uri: str) -> None:
    backend = yoyo.get_backend(_address(uri))
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
