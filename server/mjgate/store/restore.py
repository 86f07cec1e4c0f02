"""Restores a dump: all of it in one transaction, or nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import psycopg
from psycopg import sql

from mjgate.errors import CommandError
from mjgate.store.dump import (
    SESSION,
    Dump,
    Header,
    Progress,
    Table,
    our_tables,
    read_dump,
    read_rows,
)
from mjgate.store.locks import nobody_serves
from mjgate.store.schema import Rebuild, known_migrations, rebuilding


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored, and the migrations that its rows have had since."""

    dump: Dump
    migrated: list[str]


def restore_dump(
    uri: str, file: BinaryIO, name: str, *, force: bool, progress: Progress
) -> Restored:
    """Puts the rows of a dump in place of ours; a dump of an older schema is migrated.

    `name` is what the file is called in errors. Sequences go on where they were, and task ids
    go on from now: some may have been given since the dump.

    Raises:
        CommandError: the dump is not whole or of a newer schema, a server runs on the
            database, or, without `force`, the database has rows.
    """
    dump = read_dump(file, name)
    header = dump.header
    _refuse_newer(header, name)
    with rebuilding(uri) as rebuild:
        connection = rebuild.connection
        connection.execute(SESSION)
        connection.execute("set application_name = 'mjgate restore'")
        _refuse_served(connection)
        if not force:
            _refuse_filled(rebuild)
        rebuild.empty(header.migrations)
        _load(connection, header, read_rows(file, name), progress)
        rebuild.finish()
        _analyze(connection)
    migrated = [each for each in known_migrations() if each not in header.migrations]
    return Restored(dump, migrated)


def _refuse_newer(header: Header, name: str) -> None:
    unknown = sorted(set(header.migrations) - set(known_migrations()))
    if unknown:
        raise CommandError(
            f"{name} is of a newer schema ({unknown[-1]}), written by mjgate {header.program}; "
            "restore it with that version or a newer one"
        )


def _refuse_served(connection: psycopg.Connection) -> None:
    if not nobody_serves(connection):
        raise CommandError("a server runs on this database; stop it first (nothing was changed)")


def _refuse_filled(rebuild: Rebuild) -> None:
    """Rows that a new database has too are none."""
    found = _with_rows(rebuild.connection)
    if found:
        rebuild.empty(known_migrations())
        found -= _with_rows(rebuild.connection)
    if found:
        raise CommandError(
            f"the database is not empty (there are {', '.join(sorted(found))}); "
            "restore into an empty one, or replace all of this one with --force"
        )


def _with_rows(connection: psycopg.Connection) -> set[str]:
    return {table.name for table in our_tables(connection) if _has_rows(connection, table)}


def _has_rows(connection: psycopg.Connection, table: Table) -> bool:
    query = sql.SQL("select 1 from {} limit 1").format(sql.Identifier(table.name))
    return connection.execute(query).fetchone() is not None


def _load(
    connection: psycopg.Connection,
    header: Header,
    rows: Iterator[Iterator[bytes]],
    progress: Progress,
) -> None:
    for table in our_tables(connection):
        name = sql.Identifier(table.name)
        connection.execute(sql.SQL("truncate {} cascade").format(name))
    for table, pieces in zip(header.tables, rows, strict=True):
        _fill(connection, table, pieces, progress)
    for sequence, last in header.sequences.items():
        if last is not None:
            connection.execute("select setval(quote_ident(%s)::regclass, %s)", [sequence, last])


def _fill(
    connection: psycopg.Connection, table: Table, pieces: Iterator[bytes], progress: Progress
) -> None:
    count = 0
    with connection.cursor().copy(table.copy("from stdin")) as copy:
        for piece in pieces:
            copy.write(piece)
            count += piece.count(b"\n")
            progress(table.name, count)


def _analyze(connection: psycopg.Connection) -> None:
    """Else the first plans would be made for empty tables."""
    for table in our_tables(connection):
        connection.execute(sql.SQL("analyze {}").format(sql.Identifier(table.name)))
