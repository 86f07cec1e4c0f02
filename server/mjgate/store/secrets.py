"""Encrypted values: every column named `..._cipher` of our tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from mjgate.errors import CommandError
from mjgate.store.cipher import Cipher
from mjgate.store.dump import our_tables

_SUFFIX = "_cipher"
_ROTATION = 0x6D6A6B657973


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted value and where it stands; `owner` is how operators call its row."""

    table: str
    column: str
    place: str
    owner: str
    cipher: bytes


@dataclass(frozen=True, slots=True)
class Tally:
    """How many values the first key opens, another key opens, and the owners of the rest."""

    current: int
    older: int
    closed: list[str]


@contextmanager
def rotating(uri: str) -> Iterator[psycopg.Connection]:
    """A connection on which to rotate; nobody else does meanwhile."""
    with psycopg.connect(uri, autocommit=True, application_name="mjgate rotate") as connection:
        connection.execute("select pg_advisory_lock(%s)", [_ROTATION])
        yield connection


def count_secrets(connection: psycopg.Connection, cipher: Cipher) -> Tally:
    """Which keys open the values."""
    current, older, closed = 0, 0, []
    for each in _sealed(connection):
        if cipher.is_current(each.cipher):
            current += 1
        elif cipher.opens(each.cipher):
            older += 1
        else:
            closed.append(each.owner)
    return Tally(current, older, closed)


def rotate_secrets(connection: psycopg.Connection, cipher: Cipher) -> Tally:
    """Writes every value with the first key, all or none; those that have it stay.

    Returns what was found. Servers hear of it with the commit.

    Raises:
        CommandError: no key opens a value.
    """
    with connection.transaction():
        for table, _ in _columns(connection):
            name = sql.Identifier(table)
            connection.execute(sql.SQL("lock {} in share row exclusive mode").format(name))
        found = count_secrets(connection, cipher)
        if found.closed:
            raise CommandError(
                f"no key of MJGATE_SECRET_KEY opens the secrets of {', '.join(found.closed)}; "
                "add the one they were written with behind a comma (nothing was changed)"
            )
        for each in _sealed(connection):
            if not cipher.is_current(each.cipher):
                _rewrite(connection, each, cipher.encrypt(cipher.decrypt(each.cipher)))
    return found


def unreadable(uri: str, cipher: Cipher) -> dict[str, list[str]]:
    """The owners of the values that no key of ours opens, by table."""
    found: dict[str, list[str]] = {}
    with psycopg.connect(uri, autocommit=True, application_name="mjgate secrets") as connection:
        for each in _sealed(connection):
            if not cipher.opens(each.cipher):
                found.setdefault(each.table, []).append(each.owner)
    return found


def _columns(connection: psycopg.Connection) -> list[tuple[str, str]]:
    return [
        (table.name, column)
        for table in our_tables(connection)
        for column in table.columns
        if column.endswith(_SUFFIX)
    ]


def _sealed(connection: psycopg.Connection) -> Iterator[Sealed]:
    for table, column in _columns(connection):
        query = sql.SQL(
            "select ctid::text, coalesce(to_jsonb(t) ->> 'name', (select label from tokens "
            "where id = (to_jsonb(t) ->> 'token_id')::integer), to_jsonb(t) ->> 'id'), {column} "
            "from {table} t where {column} is not null order by 2"
        ).format(column=sql.Identifier(column), table=sql.Identifier(table))
        for place, owner, cipher in connection.execute(query).fetchall():
            yield Sealed(table, column, place, owner, cipher)


def _rewrite(connection: psycopg.Connection, old: Sealed, cipher: bytes) -> None:
    """By its place in the table, which no one changes while the table is locked."""
    query = sql.SQL("update {} set {} = %s where ctid = %s::tid").format(
        sql.Identifier(old.table), sql.Identifier(old.column)
    )
    connection.execute(query, [cipher, old.place])
