"""Dumps: what they hold, and that a damaged one is known."""

import gzip
import io
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from mjgate import __version__
from mjgate.errors import CommandError
from mjgate.store.database import Store
from mjgate.store.dump import our_tables, read_dump, write_dump
from mjgate.store.schema import known_migrations, made
from tests.store.dumps import dumped, headed
from tests.store.rows import query, running, token

OTHERS = ("procrastinate_", "_yoyo", "yoyo")
OBJECTS = """
select relname from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')
  or relnamespace = 'public'::regnamespace and relkind = 'S' and not exists (
    select from pg_depend where objid = pg_class.oid and deptype in ('a', 'i'))
union all
select proname from pg_proc where pronamespace = 'public'::regnamespace
union all
select typname from pg_type where typnamespace = 'public'::regnamespace
  and typtype in ('e', 'd', 'r')
"""


def read(content: bytes) -> None:
    read_dump(io.BytesIO(content), "a.dump")


def same(content: bytes, altered: bytes) -> bool:
    """Whether what was altered is no part of the content, such as the time of compression."""
    with suppress(OSError, EOFError, zlib.error):
        return gzip.decompress(content) == gzip.decompress(altered)
    return False


def test_every_thing_that_migrations_make_is_known_as_ours(database: str) -> None:
    with psycopg.connect(database) as connection:
        found = {name for (name,) in connection.execute(OBJECTS.encode()).fetchall()}

    assert set() == {name for name in found if not name.startswith(OTHERS)} - set(made())


def test_every_table_but_those_of_libraries_is_dumped(database: str) -> None:
    with psycopg.connect(database) as connection:
        names = {table.name for table in our_tables(connection)}
        found = connection.execute(
            "select tablename from pg_tables where schemaname = 'public'"
        ).fetchall()
    assert names == {name for (name,) in found if not name.startswith(OTHERS)}


def test_a_table_comes_after_those_it_refers_to(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("alter table channels add foreign key (id) references ledger (id)")
        connection.execute("alter table ledger add foreign key (token_id) references tokens (id)")
        names = [table.name for table in our_tables(connection)]
    assert names.index("tokens") < names.index("ledger") < names.index("channels")


async def test_a_dump_says_what_it_is_and_is_text_inside(store: Store) -> None:
    await running(store, 1, await token(store))

    content = dumped(store.uri)

    dump = read_dump(io.BytesIO(content), "a.dump")
    assert (__version__, known_migrations()) == (dump.header.program, dump.header.migrations)
    assert timedelta() < datetime.now(UTC) - dump.header.made_at < timedelta(minutes=1)
    [(version,)] = query(store, "show server_version")
    assert version == dump.header.postgresql
    assert (1, 1, 0) == tuple(dump.rows[name] for name in ("tasks", "tokens", "channels"))
    assert "\t/imagine a fox\t" in gzip.decompress(content).decode()


async def test_a_dump_is_of_one_moment(store: Store) -> None:
    client = await token(store)
    await running(store, 1, client)
    began: list[str] = []

    def progress(table: str, _rows: int) -> None:
        if not began:
            began.append(table)
            query(store, "insert into tokens (label, key_hash, hint) values ('late', 'x', 'x')")
            query(store, "delete from tasks")

    dump = write_dump(store.uri, io.BytesIO(), progress)

    assert began
    assert (1, 1) == (dump.rows["tokens"], dump.rows["tasks"])


async def test_a_dump_lets_migrations_go_on_and_keeps_its_tables(store: Store) -> None:
    seen = []

    def progress(_table: str, _rows: int) -> None:
        seen.extend(
            query(
                store,
                "select relation::regclass::text, mode from pg_locks "
                "join pg_stat_activity using (pid) where application_name = 'mjgate dump' "
                "and (locktype = 'advisory' or relation = 'tokens'::regclass) and datname = "
                "current_database()",
            )
        )

    write_dump(store.uri, io.BytesIO(), progress)

    assert {("tokens", "AccessShareLock")} == set(seen)


async def test_a_dump_that_was_cut_short_or_altered_anywhere_is_known(store: Store) -> None:
    await running(store, 1, await token(store))
    content = dumped(store.uri)
    read(content)

    for length in range(0, len(content), 5):
        with pytest.raises(CommandError, match=r"^a\.dump is "):
            read(content[:length])
    for place in range(0, len(content), 3):
        altered = content[:place] + bytes([content[place] ^ 0x11]) + content[place + 1 :]
        if not same(content, altered):
            with pytest.raises(CommandError, match=r"^a\.dump "):
                read(altered)
    for more in (b"x", content, gzip.compress(b"x")):
        with pytest.raises(CommandError, match=r"^a\.dump is "):
            read(content + more)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"create table tokens ();",
        gzip.compress(b""),
        gzip.compress(b"create table tokens ();"),
        gzip.compress(b"[]\n"),
        gzip.compress(b'{"what": "other"}\n'),
    ],
    ids=range(6),
)
def test_what_is_no_dump_is_named(content: bytes) -> None:
    with pytest.raises(CommandError, match=r"^a\.dump is no dump of mjgate"):
        read(content)


def test_a_dump_of_another_form_is_named_with_the_program_that_wrote_it(database: str) -> None:
    content = headed(dumped(database), format=2, program="9.9.9")
    with pytest.raises(CommandError, match=r"written by mjgate 9\.9\.9 in a form that"):
        read(content)
