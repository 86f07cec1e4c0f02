"""Intents, settlements and what the database has of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import sql

from mjgate.domain.send import Intent, Settlement
from mjgate.domain.task import Phase
from mjgate.domain.token import new_key
from mjgate.store.database import Store
from mjgate.store.dump import our_tables
from mjgate.store.tokens import add_token

PRICE = 100_000


async def token(store: Store, budget: int | None = None) -> int:
    """The id of a new token."""
    key = new_key()
    return (await add_token(store.pool, key, key, budget)).id


def intent(number: int, token_id: int, price: int = PRICE, **more: Any) -> Intent:
    known: dict[str, Any] = {
        "id": number,
        "token": token_id,
        "channel": 1,
        "action": "IMAGINE",
        "model": "mj_imagine",
        "price": price,
        "prompt": "a fox",
        "description": "/imagine a fox",
        "state": None,
        "hook": None,
        "marker": "mjgate:0",
        "submit_ms": 1_800_000_000_000,
        "send_s": 60.0,
    }
    return Intent(**{**known, **more})


def settled(number: int, phase: Phase = Phase.RUNNING, **more: Any) -> Settlement:
    known: dict[str, Any] = {"id": number, "channel": 1, "phase": phase, "deadline_s": 600.0}
    return Settlement(**{**known, **more})


async def running(store: Store, number: int, token_id: int, **more: Any) -> None:
    """A task that its upstream has accepted under its own number."""
    await store.writer.admit(intent(number, token_id, **more))
    await store.writer.settle(settled(number, upstream_id=f"up{number}"))


def query(store: Store, statement: str, *values: Any) -> list[Any]:
    return query_at(store.uri, statement, *values)


def query_at(uri: str, statement: str, *values: Any) -> list[Any]:
    with psycopg.connect(uri, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def money(store: Store, token_id: int) -> tuple[int, int]:
    """Held and spent of a token's period; the ledger and its tasks must say the same."""
    [counted] = query(store, "select held, spent, in_flight from tokens where id = %s", token_id)
    [summed] = query(
        store,
        "select coalesce(sum(held_delta), 0)::bigint, coalesce(sum(spent_delta), 0)::bigint, "
        "(select count(*) from tasks where token_id = t.id "
        "and phase in ('sending', 'unknown', 'running')) "
        "from tokens t left join ledger l on l.token_id = t.id and l.period = t.period_start "
        "where t.id = %s group by t.id",
        token_id,
    )
    assert counted == summed
    return counted[:2]  # type: ignore[no-any-return]


def ledger(store: Store) -> list[Any]:
    return query(store, "select task_id, kind from ledger order by id")


def terminate(uri: str, application: str) -> int:
    """Ends the connections that call themselves so; returns how many."""
    with psycopg.connect(uri, autocommit=True) as connection:
        return len(
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name = %s and datname = current_database()",
                [application],
            ).fetchall()
        )


@asynccontextmanager
async def locked(store: Store, *token_ids: int) -> AsyncIterator[psycopg.AsyncConnection]:
    """Token rows that nobody else can change meanwhile."""
    async with await psycopg.AsyncConnection.connect(store.uri) as connection:
        await connection.execute("set deadlock_timeout = '60s'")
        await connection.execute(
            "select from tokens where id = any(%s) for update", [list(token_ids)]
        )
        yield connection


def waiting(store: Store) -> list[Any]:
    """The writer, if it waits for a lock."""
    return query(
        store,
        "select pid from pg_stat_activity where application_name = 'mjgate writer' "
        "and datname = current_database() and wait_event_type = 'Lock'",
    )


def everything(uri: str) -> dict[str, list[str]]:
    """Every row of every table of ours, as text."""
    with psycopg.connect(uri, autocommit=True) as connection:
        return {
            table.name: [
                row
                for (row,) in connection.execute(
                    sql.SQL("select t::text from {} t order by 1").format(
                        sql.Identifier(table.name)
                    )
                ).fetchall()
            ]
            for table in our_tables(connection)
        }
