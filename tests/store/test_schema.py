"""Migrations."""

import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Thread

import psycopg
import pytest
import yoyo

from mjgate.errors import ConfigError
from mjgate.store.schema import MIGRATIONS, migrate
from tests.harness import free_port, named


def ask(uri: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(uri, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def empty(postgres: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database without the schema."""
    ask(postgres, "create database empty")
    yield named(postgres, "empty")
    ask(postgres, "drop database empty with (force)")


TABLES = {"tokens", "channels", "prices", "tasks", "ledger", "procrastinate_jobs"}


def tables(uri: str) -> set[object]:
    return {name for (name,) in ask(uri, "select tablename from pg_tables")}


def test_a_second_run_changes_nothing(database: str) -> None:
    before = ask(database, "select * from _yoyo_migration order by 1")

    migrate(database)

    assert before == ask(database, "select * from _yoyo_migration order by 1")
    assert tables(database) >= TABLES


def test_processes_that_start_at_once_migrate_once(empty: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(migrate, [empty] * 3))

    assert tables(empty) >= TABLES


def test_both_names_of_the_scheme_are_taken(empty: str) -> None:
    migrate(empty.replace("postgresql://", "postgres://"))

    assert tables(empty) >= TABLES


def test_tasks_that_run_while_limits_come_have_their_places(empty: str) -> None:
    backend = yoyo.get_backend(empty.replace("postgresql", "postgresql+psycopg", 1))  # type: ignore[no-untyped-call]
    known = yoyo.read_migrations(str(MIGRATIONS))  # type: ignore[no-untyped-call]
    backend.apply_migrations(known.filter(lambda each: each.id < "0004"))
    backend.connection.close()
    ask(
        empty,
        "insert into tokens (label, key_hash, hint) values ('a', 'a', ''), ('b', 'b', '');"
        "insert into tasks (id, token_id, channel_id, action, model, price, phase, marker, "
        "send_deadline, status, submit_ms) select n, 1, 1, 'IMAGINE', 'm', 5, "
        "(array['sending', 'unknown', 'running', 'ended', 'rejected'])[n], 'm', now(), 'x', 1 "
        "from generate_series(1, 5) n",
    )

    migrate(empty)

    assert [(3,), (0,)] == ask(empty, "select in_flight from tokens order by id")
    assert [("0001-01-01",)] == ask(empty, "select distinct period::text from tasks")


def test_an_older_program_refuses_a_newer_schema(database: str) -> None:
    ask(
        database,
        "insert into _yoyo_migration (migration_hash, migration_id, applied_at_utc) "
        "values ('unknown', '9999.later', now())",
    )

    with pytest.raises(ConfigError, match="made by a newer mjgate"):
        migrate(database)


def test_a_lock_that_a_killed_process_left_is_broken(database: str) -> None:
    ask(database, "insert into yoyo_lock (locked, ctime, pid) values (1, now(), 999999)")

    migrate(database)

    assert [] == ask(database, "select * from yoyo_lock")


def test_a_database_out_of_reach_is_said_so() -> None:
    with pytest.raises(ConfigError, match=r"DATABASE_URL cannot be reached: .*refused"):
        migrate(f"postgresql://a@127.0.0.1:{free_port()}/b")


def test_a_server_that_is_too_old_is_named() -> None:
    with old_server("13.14") as uri, pytest.raises(ConfigError, match="is PostgreSQL 13; use 14"):
        migrate(uri)


@contextmanager
def old_server(version: str) -> Iterator[str]:
    """Says of PostgreSQL's protocol what a client needs to see the version."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=_greet, args=(listener, version))
        thread.start()
        yield f"postgresql://a@127.0.0.1:{listener.getsockname()[1]}/b?sslmode=disable&gssencmode=disable"
        thread.join()


def _greet(listener: socket.socket, version: str) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        setting = f"server_version\0{version}\0".encode()
        connection.sendall(
            _message(b"R", struct.pack(">i", 0))
            + _message(b"S", setting)
            + _message(b"S", b"client_encoding\0UTF8\0")
            + _message(b"Z", b"I")
        )
        while connection.recv(4096):
            pass


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">i", len(body) + 4) + body
