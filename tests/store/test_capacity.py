"""Room for connections."""

import asyncio
from contextlib import AsyncExitStack

import psycopg
import pytest

from mjgate.app import open_gate
from mjgate.config import read_config
from mjgate.errors import ConfigError
from mjgate.flight import Flight
from mjgate.store.capacity import DELIVERY, PER_PROCESS, SPARE, refuse_crowd
from mjgate.store.cipher import Cipher
from tests.harness import SECRET_KEY, until

BESIDE = ("mjgate channel", "mjgate deliveries")


def connections(uri: str) -> list[str]:
    with psycopg.connect(uri, autocommit=True) as connection:
        rows = connection.execute(
            "select application_name from pg_stat_activity where pid <> pg_backend_pid() "
            "and datname = current_database() and application_name like 'mjgate%'"
        ).fetchall()
    return [name for (name,) in rows]


async def test_a_process_that_does_everything_at_once_opens_so_many(database: str) -> None:
    config = read_config(database_url=database, secret_key=SECRET_KEY)
    async with (
        open_gate(config, database, Cipher(SECRET_KEY), Flight()) as gate,
        AsyncExitStack() as stack,
    ):
        while gate.store.pool.get_stats()["pool_size"] < gate.store.pool.max_size:
            await stack.enter_async_context(gate.store.pool.connection())
        for channel in range(20):
            gate.background.follow(channel)
        await until(lambda: "mjgate jobs" in connections(database))
        for _ in range(20):
            open_now = connections(database)
            await asyncio.sleep(0)
            ours = [name for name in open_now if not name.startswith(BESIDE)]
            assert len(ours) <= PER_PROCESS, ours
        assert 8 == open_now.count("mjgate")
        assert {"mjgate writer", "mjgate reader", "mjgate changes"} <= set(open_now)


def test_workers_that_fit_pass(database: str) -> None:
    refuse_crowd(database, 5)


def test_workers_that_do_not_fit_are_refused_with_how_many_do(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "insert into channels (name, base_url, dialect, priority, weight, models, state) "
            "select 'c' || n, '', 'auto', 0, 1, '{}', 'enabled' from generate_series(1, 8) n"
        )
    beside = 3 + 8 + DELIVERY + SPARE
    need = 5 * PER_PROCESS + beside

    with pytest.raises(ConfigError) as refusal:
        refuse_crowd(database, 5)

    assert (
        f"--workers 5 may need {need} connections (16 each, 22 beside them), and PostgreSQL "
        f"takes 100; use --workers 4, or set max_connections = {need} in the postgresql.conf "
        "of the data directory and start again"
    ) == str(refusal.value)
