"""Ids are unique across processes, and fit into a JavaScript number."""

import asyncio
import time
from itertools import pairwise

import psycopg
import pytest

from mjgate.store.database import Store
from mjgate.store.ids import BLOCK, Ids
from mjgate.store.schema import migrate
from tests.store.rows import query

TAKEN = 3 * BLOCK // 2


async def test_two_processes_never_share_an_id(store: Store) -> None:
    first, second = Ids(store.pool), Ids(store.pool)

    taken = await asyncio.gather(*(ids.take() for _ in range(TAKEN) for ids in (first, second)))

    assert 2 * TAKEN == len(set(taken))
    assert {16} == {len(str(each)) for each in taken}
    assert max(taken) < 2**53


async def test_one_process_counts_upwards(store: Store) -> None:
    taken = [await store.ids.take() for _ in range(TAKEN)]

    assert all(before < after for before, after in pairwise(taken))


async def test_ids_start_at_the_microseconds_since_1970(store: Store) -> None:
    taken = await store.ids.take()

    assert 0 < time.time() * 1_000_000 - taken < 3_600_000_000


async def test_a_block_that_could_not_be_fetched_is_fetched_again(store: Store) -> None:
    query(store, "alter sequence task_ids rename to away")
    with pytest.raises(psycopg.errors.UndefinedTable):
        await store.ids.take()
    query(store, "alter sequence away rename to task_ids")

    assert 16 == len(str(await store.ids.take()))


async def test_a_block_that_could_not_be_fetched_ahead_fails_nobody(store: Store) -> None:
    await store.ids.take()
    query(store, "alter sequence task_ids rename to away")
    for _ in range(BLOCK // 2 + 1):
        await store.ids.take()
    [ahead] = [task for task in asyncio.all_tasks() if task.get_name() == "ids"]
    await asyncio.wait([ahead])
    query(store, "alter sequence away rename to task_ids")

    taken = [await store.ids.take() for _ in range(BLOCK)]

    assert BLOCK == len(set(taken))


async def test_after_a_restore_ids_are_ahead_of_those_given_before(store: Store) -> None:
    before = await store.ids.take()
    query(store, "select setval('task_ids', %s)", before - 10**9)

    migrate(store.uri)

    assert before < await Ids(store.pool).take()


async def test_a_start_beside_a_running_process_keeps_clear_of_its_blocks(store: Store) -> None:
    ahead = int(time.time() * 1_000_000) + 10**9
    query(store, "select setval('task_ids', %s)", ahead)

    migrate(store.uri)

    assert ahead < await store.ids.take()
