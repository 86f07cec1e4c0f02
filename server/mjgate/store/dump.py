"""Dumps: all our rows as one compressed text, of no PostgreSQL version in particular.

The first line says what it is, JSON. Then, table after table, rows as `COPY` writes them, each
table closed by a line of `\\.`. The last line counts the rows and has a SHA-256 of all before
it, so that a dump that was cut short or altered is known before anything is done with it.
`gunzip` makes it readable.
"""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from typing import Any, BinaryIO

import orjson
import psycopg
from psycopg import sql

from mjgate import __version__
from mjgate.errors import CommandError
from mjgate.store.schema import applied_migrations, made, standing_still

FORMAT = 1
_COMPRESSION = 4
_CHUNK = 1 << 18
_CLOSED = b"\\.\n"
_NAME = "mjgate dump"

# How values are written depends on these, and they may be set for a role or a database.
SESSION = """
set client_encoding = 'utf8'; set timezone = 'utc'; set datestyle = 'iso, ymd';
set intervalstyle = 'postgres'; set bytea_output = 'hex'; set extra_float_digits = 1;
set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0
"""
_TABLES = """
select relname, (
  select array_agg(attname::text order by attnum) from pg_attribute
  where attrelid = pg_class.oid and attnum > 0 and not attisdropped and attgenerated = ''
) from pg_class
where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p')
  and not relispartition and relname = any(%s)
order by relname
"""
_REFERENCES = """
select conrelid::regclass::text, confrelid::regclass::text from pg_constraint
where contype = 'f' and conrelid <> confrelid and connamespace = current_schema()::regnamespace
"""
_SEQUENCES = """
select seq.relname from pg_class seq
left join pg_depend on classid = 'pg_class'::regclass and objid = seq.oid
  and refclassid = 'pg_class'::regclass and deptype in ('a', 'i')
left join pg_class owner on owner.oid = refobjid
where seq.relkind = 'S' and seq.relnamespace = current_schema()::regnamespace
  and coalesce(owner.relname, seq.relname) = any(%s)
order by 1
"""

Progress = Callable[[str, int], None]
"""Called with a table and how many of its rows are done."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table and its columns, in the order of a row's values."""

    name: str
    columns: Sequence[str]

    def copy(self, direction: str) -> sql.Composed:
        """The statement that reads (`to stdout`) or fills (`from stdin`) it."""
        columns = sql.SQL(", ").join(map(sql.Identifier, self.columns))
        name = sql.Identifier(self.name)
        if direction == "from stdin":
            return sql.SQL("copy {} ({}) from stdin").format(name, columns)
        return sql.SQL("copy (select {} from {}) to stdout").format(columns, name)


@dataclass(frozen=True, slots=True)
class Header:
    """What a dump says of itself.

    `sequences` are the last values handed out, None where there was none yet.
    """

    program: str
    made_at: datetime
    postgresql: str
    migrations: Sequence[str]
    tables: Sequence[Table]
    sequences: dict[str, int | None]

    def line(self) -> bytes:
        head = {"what": _NAME, "format": FORMAT}
        return orjson.dumps({**head, **_plain(self)}, option=orjson.OPT_APPEND_NEWLINE)


@dataclass(frozen=True, slots=True)
class Dump:
    """What a dump holds: its header and the number of rows by table."""

    header: Header
    rows: dict[str, int]


def write_dump(uri: str, out: BinaryIO, progress: Progress) -> Dump:
    """Writes all our rows as they stand at one moment, also beside a running server.

    Returns what was written.
    """
    with psycopg.connect(uri, autocommit=True, application_name="mjgate dump") as connection:
        connection.execute(SESSION)
        with _snapshot(connection) as header, gzip.open(out, "wb", _COMPRESSION) as packed:
            return _write(connection, header, packed, progress)


@contextmanager
def _snapshot(connection: psycopg.Connection) -> Iterator[Header]:
    """A transaction that sees one moment; no migration changes its tables meanwhile."""
    with standing_still(connection):
        connection.execute("begin transaction isolation level repeatable read, read only")
        header = _header(connection)
        for table in header.tables:
            name = sql.Identifier(table.name)
            connection.execute(sql.SQL("lock table {} in access share mode").format(name))
    yield header
    connection.execute("commit")


def _header(connection: psycopg.Connection) -> Header:
    row = connection.execute("select current_setting('server_version')").fetchone()
    assert row is not None
    return Header(
        __version__,
        datetime.now(UTC),
        row[0],
        applied_migrations(connection),
        our_tables(connection),
        _sequences(connection),
    )


def our_tables(connection: psycopg.Connection) -> list[Table]:
    """Every table of ours, one that others refer to before them."""
    found = {
        name: Table(name, columns)
        for name, columns in connection.execute(_TABLES, [list(made())]).fetchall()
    }
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(found, ()))
    for child, parent in connection.execute(_REFERENCES).fetchall():
        order.add(child, parent)
    return [found[name] for name in order.static_order() if name in found]


def _sequences(connection: psycopg.Connection) -> dict[str, int | None]:
    """Not of the snapshot, but read after it began: never behind its rows."""
    values = {}
    for (name,) in connection.execute(_SEQUENCES, [list(made())]).fetchall():
        query = sql.SQL("select last_value, is_called from {}").format(sql.Identifier(name))
        row = connection.execute(query).fetchone()
        assert row is not None
        values[name] = row[0] if row[1] else None
    return values


def _write(
    connection: psycopg.Connection, header: Header, out: gzip.GzipFile, progress: Progress
) -> Dump:
    summing = hashlib.sha256()
    rows = {}

    def put(data: bytes) -> None:
        summing.update(data)
        out.write(data)

    put(header.line())
    for table in header.tables:
        rows[table.name] = 0
        for piece in _copied(connection, table):
            put(piece)
            rows[table.name] += piece.count(b"\n")
            progress(table.name, rows[table.name])
        put(_CLOSED)
    end = {"rows": rows, "sha256": summing.hexdigest()}
    out.write(orjson.dumps(end, option=orjson.OPT_APPEND_NEWLINE))
    return Dump(header, rows)


def _copied(connection: psycopg.Connection, table: Table) -> Iterator[bytes]:
    """The rows of a table, each one line: a newline in a value is written as `\\n`."""
    with connection.cursor().copy(table.copy("to stdout")) as copy:
        yield from _pieces(copy)


def read_dump(file: BinaryIO, name: str) -> Dump:
    """What a dump holds, once all of it was read and found whole.

    Raises:
        CommandError: it is none, of a newer form, cut short or altered.
    """
    with _damage(name):
        file.seek(0)
        summing = hashlib.sha256()
        with gzip.open(file, "rb") as lines:
            header = _read_header(lines.readline(), name, summing)
            rows = {table.name: _skim(lines, summing) for table in header.tables}
            end = orjson.loads(lines.readline())
            if end != {"rows": rows, "sha256": summing.hexdigest()} or lines.read(1):
                raise ValueError
        return Dump(header, rows)


def read_rows(file: BinaryIO, name: str) -> Iterator[Iterator[bytes]]:
    """The rows of each table, in the order of the header, in pieces.

    Raises:
        CommandError: it cannot be read.
    """
    with _damage(name):
        file.seek(0)
        with gzip.open(file, "rb") as lines:
            header = _read_header(lines.readline(), name, hashlib.sha256())
            for _ in header.tables:
                yield _pieces(_lines(lines))


def _read_header(line: bytes, name: str, summing: Any) -> Header:
    summing.update(line)
    try:
        said = orjson.loads(line)
        if said["what"] != _NAME:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise CommandError(f"{name} is no dump of mjgate; nothing was changed") from None
    if said["format"] != FORMAT:
        raise CommandError(
            f"{name} was written by mjgate {said['program']} in a form that this one does not "
            "read; restore it with that version"
        )
    return Header(
        said["program"],
        datetime.fromisoformat(said["made_at"]),
        said["postgresql"],
        said["migrations"],
        [Table(**table) for table in said["tables"]],
        said["sequences"],
    )


def _lines(lines: Any) -> Iterator[bytes]:
    while (line := lines.readline()) != _CLOSED:
        if not line:
            raise EOFError
        yield line


def _skim(lines: Any, summing: Any) -> int:
    count = 0
    for line in _lines(lines):
        summing.update(line)
        count += 1
    summing.update(_CLOSED)
    return count


def _pieces(rows: Iterable[bytes | bytearray | memoryview]) -> Iterator[bytes]:
    piece = bytearray()
    for row in rows:
        piece += row
        if len(piece) > _CHUNK:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


@contextmanager
def _damage(name: str) -> Iterator[None]:
    try:
        yield
    except gzip.BadGzipFile as error:
        what = "is cut short or altered" if "CRC" in str(error) else "is no dump of mjgate"
        raise CommandError(f"{name} {what}; nothing was changed") from None
    except (EOFError, zlib.error, ValueError, KeyError, TypeError):
        raise CommandError(f"{name} is cut short or altered; nothing was changed") from None


def _plain(header: Header) -> dict[str, Any]:
    return {name: getattr(header, name) for name in Header.__slots__}
