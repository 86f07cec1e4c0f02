"""Restoring a dump: all of it, or nothing."""

import io
from threading import Thread

import psycopg
import pytest
from procrastinate import App, PsycopgConnector

from mjgate.domain.channel import ChannelState, Dialect
from mjgate.domain.token import new_key
from mjgate.errors import CommandError
from mjgate.store.channels import add_channel
from mjgate.store.database import Store, open_store
from mjgate.store.prices import set_prices
from mjgate.store.restore import restore_dump
from mjgate.store.schema import known_migrations, migrate, rebuilding
from mjgate.store.tokens import add_token
from tests.harness import new_database
from tests.store.conftest import QUEUE
from tests.store.dumps import dumped, headed, resealed, restored
from tests.store.rows import everything, intent, query, running, terminate, token

ODD = "a\n\\.\n\t\\N \\n 秘密 \x7f' \""


@pytest.fixture
def target(postgres: str) -> str:
    """Another database with the schema."""
    return new_database(postgres)


@pytest.fixture
async def filled(store: Store) -> Store:
    """A store with rows in every table that operators and clients fill."""
    await add_channel(
        store.pool,
        store.cipher,
        "home",
        {
            "base_url": "http://127.0.0.1:9",
            "key": "a secret",
            "dialect": Dialect.AUTO,
            "priority": 0,
            "weight": 1,
            "models": ["midjourney", 'a,"b'],
            "state": ChannelState.ENABLED,
        },
    )
    await set_prices(store.pool, {"*": 1})
    client = await token(store, 10**9)
    await running(store, 1, client, prompt=ODD, state="")
    await store.writer.admit(intent(2, client))
    query(store, "update tasks set properties = %s where id = 1", '{"a": "\\n", "b": 1.50}')
    return store


def ask(uri: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(uri, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


async def test_a_dump_is_restored_to_the_last_value(filled: Store, target: str) -> None:
    before = everything(filled.uri)
    assert all(before[name] for name in ("tokens", "channels", "prices", "tasks", "ledger"))

    done = restored(target, dumped(filled.uri))

    assert before == everything(target)
    assert {name: len(rows) for name, rows in before.items()} == done.dump.rows
    assert [] == done.migrated
    assert dumped(target)


async def test_a_restored_database_goes_on_with_new_ids(filled: Store, target: str) -> None:
    restored(target, dumped(filled.uri))

    [(last,)] = ask(target, "select max(id) from tokens")
    async with open_store(target, filled.cipher, QUEUE) as store:
        key = new_key()
        assert last + 1 == (await add_token(store.pool, "next", key, None)).id  # type: ignore[operator]
        await set_prices(store.pool, {"*": 2})
        await store.writer.admit(intent(3, 1))
    [(behind,)] = ask(
        target,
        "select extract(epoch from clock_timestamp()) * 1000000 - last_value from task_ids",
    )
    assert abs(behind) < 60_000_000  # type: ignore[arg-type]


async def test_a_database_with_rows_is_replaced_only_by_force(filled: Store, target: str) -> None:
    content = dumped(filled.uri)
    ask(target, "insert into tokens (label, key_hash, hint) values ('old', 'x', 'x')")
    before = everything(target)

    with pytest.raises(CommandError, match=r"is not empty \(there are tokens\); .* --force"):
        restored(target, content)
    assert before == everything(target)

    restored(target, content, force=True)
    assert everything(filled.uri) == everything(target)


async def test_jobs_of_the_database_before_are_not_kept(filled: Store, target: str) -> None:
    jobs = App(connector=PsycopgConnector(conninfo=target, min_size=1, max_size=1))
    async with jobs.open_async():
        await jobs.configure_task("follow", allow_unknown=True).defer_async(channel=1)

    restored(target, dumped(filled.uri))

    assert [] == ask(target, "select * from procrastinate_jobs")


async def test_a_database_that_is_served_is_refused(filled: Store, target: str) -> None:
    content = dumped(filled.uri)
    async with open_store(target, filled.cipher, QUEUE):
        with pytest.raises(CommandError, match="a server runs on this database; stop it first"):
            restored(target, content, force=True)
    restored(target, content)


async def test_who_starts_during_a_restore_waits_for_its_end(filled: Store, target: str) -> None:
    content = dumped(filled.uri)
    starter = Thread(target=migrate, args=[target])

    def progress(_table: str, _rows: int) -> None:
        if starter.ident is None:
            starter.start()
            while not ask(
                target,
                "select pid from pg_stat_activity where wait_event = 'advisory' "
                "and datname = current_database()",
            ):
                pass

    restore_dump(target, io.BytesIO(content), "a.dump", force=False, progress=progress)
    starter.join()
    assert everything(filled.uri) == everything(target)


async def test_rows_that_the_schema_refuses_leave_everything_as_it_was(
    filled: Store, target: str
) -> None:
    def twice(lines: list[bytes]) -> None:
        place = next(n for n, line in enumerate(lines) if b"/imagine a fox" in line)
        lines.insert(place, lines[place])

    ask(target, "insert into tokens (label, key_hash, hint) values ('old', 'x', 'x')")
    before = everything(target)

    with pytest.raises(psycopg.errors.UniqueViolation):
        restored(target, resealed(dumped(filled.uri), twice), force=True)

    assert before == everything(target)
    migrate(target)


async def test_a_connection_that_is_lost_leaves_everything_as_it_was(
    filled: Store, target: str
) -> None:
    content = dumped(filled.uri)
    ask(target, "insert into tokens (label, key_hash, hint) values ('old', 'x', 'x')")
    before = everything(target)

    def progress(_table: str, _rows: int) -> None:
        terminate(target, "mjgate restore")

    with pytest.raises(psycopg.OperationalError):
        restore_dump(target, io.BytesIO(content), "a.dump", force=True, progress=progress)

    assert before == everything(target)
    restored(target, content, force=True)


def test_a_damaged_dump_changes_nothing(database: str, target: str) -> None:
    ask(target, "insert into tokens (label, key_hash, hint) values ('old', 'x', 'x')")
    before = everything(target)
    with pytest.raises(CommandError, match="is cut short or altered; nothing was changed"):
        restored(target, dumped(database)[:-9], force=True)
    assert before == everything(target)


def test_a_dump_of_a_newer_schema_is_refused(database: str, target: str) -> None:
    newer = headed(
        dumped(database), migrations=[*known_migrations(), "9999.later"], program="9.9.9"
    )
    with pytest.raises(CommandError, match=r"newer schema \(9999\.later\), .* mjgate 9\.9\.9"):
        restored(target, newer)


@pytest.fixture
def old(postgres: str) -> str:
    """A database as the first two migrations leave it, with a token and a task."""
    uri = new_database(postgres)
    with rebuilding(uri) as rebuild:
        rebuild.empty(known_migrations()[:2])
        rebuild.connection.execute(
            "insert into tokens (label, key_hash, hint, budget) values ('old', 'x', 'x', 7)"
        )
        rebuild.connection.execute(
            "insert into tasks (id, token_id, channel_id, action, model, price, phase, marker, "
            "send_deadline, status, submit_ms) values (1, 1, 1, 'IMAGINE', 'mj_imagine', 5, "
            "'sending', 'm', now(), 'NOT_START', 1)"
        )
        rebuild.connection.execute(
            "insert into ledger (token_id, task_id, kind, held_delta, spent_delta) "
            "values (1, 1, 'hold', 5, 0)"
        )
    return uri


def test_a_dump_of_an_older_schema_is_migrated(old: str, target: str) -> None:
    done = restored(target, dumped(old))

    assert known_migrations()[2:] == done.migrated
    assert [("old", 7)] == ask(target, "select label, budget from tokens")
    migrate(old)
    assert everything(old) == everything(target)
    assert ask(old, OBJECTS) == ask(target, OBJECTS)


OBJECTS = """
select relname::text, relkind::text, coalesce(pg_get_indexdef(oid), '') from pg_class
where relnamespace = 'public'::regnamespace and relkind <> 'S'
union all
select oid::regprocedure::text, prokind::text, md5(prosrc) from pg_proc
where pronamespace = 'public'::regnamespace
union all
select tgname, tgrelid::regclass::text, pg_get_triggerdef(oid) from pg_trigger
where not tgisinternal
order by 1, 2, 3
"""


def test_a_restored_schema_is_that_of_a_new_database(database: str, target: str) -> None:
    restored(target, dumped(database))
    assert ask(database, OBJECTS) == ask(target, OBJECTS)
    with psycopg.connect(target) as connection:
        assert [] == connection.execute("select * from yoyo_lock").fetchall()


def test_a_dump_goes_through_in_pieces(database: str, target: str) -> None:
    ask(
        database,
        "insert into ledger (token_id, kind, held_delta, spent_delta) "
        "select 1, 'adjust', 0, n from generate_series(1, 20000) n",
    )
    seen: list[tuple[str, int]] = []
    content = dumped(database)
    restore_dump(
        target,
        io.BytesIO(content),
        "a.dump",
        force=False,
        progress=lambda table, rows: seen.append((table, rows)),
    )
    counts = [rows for table, rows in seen if table == "ledger"]
    assert sorted(counts) == counts
    assert (20_000, True) == (counts[-1], len(counts) > 2)
    assert everything(database) == everything(target)
