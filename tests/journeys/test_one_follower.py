"""One process of a cluster follows a channel; when it is killed, another takes over."""

import asyncio
import time
from pathlib import Path

import psycopg

from mjgate.sandbox import Settings, running_sandbox
from mjgate.store.cipher import new_secret_key
from tests.harness import until
from tests.process import client_of, serving

FOLLOWED = (
    "select pid from pg_locks where locktype = 'advisory' and classid = %s and objsubid = 2 "
    "and granted and database = (select oid from pg_database where datname = current_database())"
)
CHANNEL = 0x6D6A
STARTED = "select id from tasks where status <> 'NOT_START'"


def ask(uri: str, query: str, *values: object) -> list[tuple[object, ...]]:
    with psycopg.connect(uri, autocommit=True) as connection:
        return connection.execute(query.encode(), values).fetchall()


async def test_when_the_process_that_follows_is_killed_another_takes_over(
    database: str, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": database, "MJGATE_SECRET_KEY": new_secret_key()}
    first_folder, second_folder = tmp_path / "first", tmp_path / "second"
    first_folder.mkdir()
    second_folder.mkdir()
    with running_sandbox(Settings(speed=20)) as upstream:
        async with (
            serving(first_folder, **settings) as first,
            client_of(first) as client,
        ):
            added = await asyncio.to_thread(
                first.command, "channel", "add", "a", "--url", upstream, "--dialect", "novicezk"
            )
            assert 0 == added.returncode, added.stderr
            _, slow = await client.imagine("a fox sandbox:late=25")
            await until(lambda: ask(database, STARTED))
            [follower] = ask(database, FOLLOWED, CHANNEL)

            async with serving(second_folder, **settings) as second:
                client.server = second
                _, quick = await client.imagine("a hare")
                await client.succeeds(quick["result"])
                assert [follower] == ask(database, FOLLOWED, CHANNEL)

                began = time.monotonic()
                await first.killed()
                [taken] = await until(lambda: ask(database, FOLLOWED, CHANNEL), 40)
                print(f"taken over after {time.monotonic() - began:.1f} s")

                assert follower != taken
                await client.succeeds(slow["result"])
                audit = await asyncio.to_thread(second.command, "ledger", "audit")
                assert 0 == audit.returncode, audit.stdout
