"""A check-up of the database."""

import psycopg

from mjgate.store.checkup import check_up
from mjgate.store.schema import known_migrations
from tests.harness import named


def ask(uri: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(uri, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_a_new_database_is_well(database: str) -> None:
    found = check_up(database)

    assert [] == found.problems
    assert known_migrations()[-1] == found.schema
    assert (0, 0, 0) == tuple(found.rows[name] for name in ("tokens", "tasks", "ledger"))
    assert found.size > 1_000_000
    assert 0 <= found.oldest < 3600


def test_an_index_that_is_not_valid_is_named(database: str) -> None:
    ask(database, "update pg_index set indisvalid = false where indrelid = 'prices'::regclass")

    assert ["the index prices_pkey is not valid: reindex it"] == check_up(database).problems


def test_a_sequence_behind_its_rows_is_named(database: str) -> None:
    ask(
        database,
        "insert into tokens (id, label, key_hash, hint) overriding system value "
        "values (1, 'a', 'x', 'x')",
    )
    assert ["the sequence of tokens.id is behind its rows"] == check_up(database).problems
    ask(database, "select setval('tokens_id_seq', 1)")
    assert [] == check_up(database).problems


def test_a_value_that_cannot_be_read_is_found(database: str) -> None:
    """A long text, kept apart from its row, whose pieces are gone."""
    ask(
        database,
        "alter table channels alter base_url set storage external; insert into channels "
        "(name, base_url, dialect, priority, weight, models, state) "
        "values ('a', repeat('x', 9000), 'auto', 0, 1, '{}', 'enabled')",
    )
    [(toast,)] = ask(
        database,
        "select reltoastrelid::regclass::text from pg_class where oid = 'channels'::regclass",
    )
    kind = "update pg_class set relkind = '{}' where oid = '{}'::regclass"
    ask(database, kind.format("r", toast))
    ask(database, f"delete from {toast}")
    ask(database, kind.format("t", toast))

    [problem] = check_up(database).problems

    assert problem.startswith("the table channels cannot be read: ")


def test_a_database_that_cannot_hold_every_text_is_named(postgres: str) -> None:
    ask(postgres, "create database ascii encoding 'SQL_ASCII' template template0 locale 'C'")
    uri = named(postgres, "ascii")
    ask(uri, "create table _yoyo_migration as select 'x'::text as migration_id")
    try:
        assert ["its encoding is SQL_ASCII; make a database with encoding UTF8"] == (
            check_up(uri).problems
        )
    finally:
        ask(postgres, "drop database ascii")


def test_indexes_are_compared_with_their_tables_where_amcheck_is(database: str) -> None:
    """Its stand-in finds one broken; the embedded PostgreSQL has no extensions."""
    assert not check_up(database).indexes_read
    ask(
        database,
        """create function bt_index_check(index regclass, heap boolean) returns void
        language plpgsql as $$ begin
          if index = 'tasks_running'::regclass then
            raise 'item order invariant violated' using errcode = 'index_corrupted';
          end if;
        end $$""",
    )

    found = check_up(database)

    assert found.indexes_read
    assert ["the index tasks_running is broken: item order invariant violated; reindex it"] == (
        found.problems
    )
