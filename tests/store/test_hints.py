"""Hints go out together, in notifications that are never too large."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
from structlog.testing import capture_logs

from mjgate.store.database import Store, open_pool
from mjgate.store.hints import HINTS, Hints, read_hints
from tests.harness import until
from tests.store.rows import query

Heard = list[tuple[int, list[str]]]


@pytest.fixture
async def heard(store: Store) -> Heard:
    """Every hint that this process hears."""
    found: Heard = []
    await until(lambda: store.changes.listening)
    store.changes.on_hints(lambda channel, ids: found.append((channel, sorted(ids))))
    return found


@pytest.fixture
async def payloads(store: Store) -> AsyncIterator[list[str]]:
    """Every notification of hints, as another process hears it."""
    found: list[str] = []
    async with await psycopg.AsyncConnection.connect(store.uri, autocommit=True) as connection:
        await connection.execute(f"listen {HINTS}".encode())

        async def listen() -> None:
            async for notice in connection.notifies():
                found.append(notice.payload)  # noqa: PERF401

        listening = asyncio.create_task(listen())
        yield found
        listening.cancel()
        await asyncio.wait([listening])


async def test_hints_that_come_together_are_one_notification(
    store: Store, heard: Heard, payloads: list[str]
) -> None:
    for channel, task in ((1, "a"), (1, "b"), (2, "a"), (1, "a")):
        store.hints.give(channel, task)

    await until(lambda: len(heard) == 2 and payloads)

    assert [(1, ["a", "b"]), (2, ["a"])] == sorted(heard)
    assert 1 == len(payloads)
    store.hints.give(3, "c")
    await until(lambda: (3, ["c"]) in heard and len(payloads) == 2)


async def test_a_flood_is_cut_short_and_takes_no_place_of_others(
    store: Store, heard: Heard, payloads: list[str]
) -> None:
    for number in range(10_000):
        store.hints.give(1, f"{number:0>255}")
    store.hints.give(2, "a")

    await until(lambda: len(heard) == 2 and payloads)

    assert {1, 2} == {channel for channel, _ in heard}
    assert (2, ["a"]) in heard
    assert len(payloads[0].encode()) < 8000


@pytest.mark.parametrize("payload", ["", "x", "[]", "1", "null", '{"x": []}'])
async def test_what_is_no_notification_of_ours_is_overlooked(
    store: Store, heard: Heard, payload: str
) -> None:
    assert {} == read_hints(payload)
    query(store, "select pg_notify(%s, %s)", HINTS, payload)
    store.hints.give(1, "a")

    await until(lambda: heard)

    assert [(1, ["a"])] == heard


async def test_without_the_database_hints_are_lost_and_it_is_said(store: Store) -> None:
    async with open_pool(store.uri, size=1) as pool:
        hints = Hints(pool)
    for _ in range(2):
        with capture_logs() as logs:
            hints.give(1, "lost")
            await until(lambda: logs)
        assert ["hints are lost"] == [log["event"] for log in logs]


async def test_hints_that_still_wait_do_not_hold_the_end_up(store: Store) -> None:
    hints = Hints(store.pool)
    hints.give(1, "a")
    await hints.stop()
    await Hints(store.pool).stop()
