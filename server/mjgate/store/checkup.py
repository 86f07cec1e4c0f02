"""A check-up of the database: its facts, and what is wrong with them."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import psycopg
from psycopg import errors, sql

from mjgate.store.dump import SESSION, Table, our_tables
from mjgate.store.schema import applied_migrations

_LONG = timedelta(hours=1)
_FACTS = """
select current_setting('server_version'), current_setting('server_encoding'),
  pg_database_size(current_database()),
  (select coalesce(max(clock_timestamp() - xact_start), interval '0') from pg_stat_activity
   where datname = current_database() and pid <> pg_backend_pid()),
  (select coalesce(checksum_failures, 0) from pg_stat_database
   where datname = current_database())
"""
_INVALID = """
select indexrelid::regclass::text from pg_index join pg_class on pg_class.oid = indexrelid
where relnamespace = current_schema()::regnamespace and not (indisvalid and indisready)
order by 1
"""
_TREES = """
select indexrelid, indexrelid::regclass::text from pg_index
join pg_class on pg_class.oid = indexrelid join pg_am on pg_am.oid = relam
where relnamespace = current_schema()::regnamespace and relkind = 'i' and amname = 'btree'
  and relpersistence = 'p' and indisvalid and indisready
order by 2
"""
_BEHIND = """
select coalesce(max({column}), 0) > coalesce(
  (select case when is_called then last_value else 0 end from {sequence}), 0) from {table}
"""
_AMCHECK = "select to_regprocedure('bt_index_check(regclass, boolean)')"
_NOT_LENT = (errors.FeatureNotSupported, errors.UndefinedFile, errors.InsufficientPrivilege)
_IDENTITIES = """
select relname, attname, pg_get_serial_sequence(quote_ident(relname), attname)
from pg_attribute join pg_class on pg_class.oid = attrelid
where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p')
  and attidentity <> '' and relname = any(%s)
order by 1
"""


@dataclass(frozen=True, slots=True)
class Checkup:
    """What a database is and holds; `problems` is empty where all is well.

    `size` is bytes, `oldest` the age of the oldest transaction in seconds. `indexes_read` says
    whether the indexes were compared with their tables; else only the tables were read.
    """

    postgresql: str
    schema: str
    size: int
    rows: dict[str, int]
    oldest: float
    indexes_read: bool
    problems: list[str]


def check_up(uri: str) -> Checkup:
    """Reads all our tables, and compares their indexes with them where amcheck is installed."""
    with psycopg.connect(uri, autocommit=True, application_name="mjgate check") as connection:
        connection.execute(SESSION)
        row = connection.execute(_FACTS).fetchone()
        assert row is not None
        version, encoding, size, oldest, failures = row
        problems = [f"the index {name} is not valid: reindex it" for name in _invalid(connection)]
        if encoding != "UTF8":
            problems.append(f"its encoding is {encoding}; make a database with encoding UTF8")
        if failures:
            problems.append(f"{failures} pages failed their checksum; restore a dump")
        if oldest > _LONG:
            problems.append(f"a transaction has been open for {oldest}; it keeps dead rows alive")
        tables = our_tables(connection)
        rows = {table.name: _read(connection, table, problems) for table in tables}
        _compare_sequences(connection, list(rows), problems)
        return Checkup(
            version,
            applied_migrations(connection)[-1],
            size,
            rows,
            oldest.total_seconds(),
            _compare_indexes(connection, problems),
            problems,
        )


def _invalid(connection: psycopg.Connection) -> list[str]:
    return [name for (name,) in connection.execute(_INVALID).fetchall()]


def _read(connection: psycopg.Connection, table: Table, problems: list[str]) -> int:
    """Reads every value, also those kept apart from their rows; returns the number of rows."""
    count = 0
    try:
        with connection.cursor().copy(table.copy("to stdout")) as copy:
            for _ in copy:
                count += 1
    except psycopg.Error as error:
        problems.append(f"the table {table.name} cannot be read: {_line(error)}")
    return count


def _compare_sequences(
    connection: psycopg.Connection, tables: list[str], problems: list[str]
) -> None:
    for table, column, sequence in connection.execute(_IDENTITIES, [tables]).fetchall():
        query = sql.SQL(_BEHIND).format(
            column=sql.Identifier(column),
            sequence=sql.Identifier(*sequence.replace('"', "").split(".")),
            table=sql.Identifier(table),
        )
        if connection.execute(query).fetchone() == (True,):
            problems.append(f"the sequence of {table}.{column} is behind its rows")


def _compare_indexes(connection: psycopg.Connection, problems: list[str]) -> bool:
    """Whether it could: amcheck is lent for one transaction where it may be."""
    with connection.transaction(force_rollback=True):
        with suppress(*_NOT_LENT), connection.transaction():
            connection.execute("create extension if not exists amcheck")
        if connection.execute(_AMCHECK).fetchone() == (None,):
            return False
        for oid, name in connection.execute(_TREES).fetchall():
            _compare(connection, oid, name, problems)
    return True


def _compare(connection: psycopg.Connection, oid: int, name: str, problems: list[str]) -> None:
    try:
        with connection.transaction():
            connection.execute("select bt_index_check(%s::oid::regclass, true)", [oid])
    except (errors.DataCorrupted, errors.IndexCorrupted) as error:
        problems.append(f"the index {name} is broken: {_line(error)}; reindex it")


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]
