"""Pictures in the database: written with their tasks, and ours for the length of a lease."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from mjgate.domain.picture import Claimed, Copy, Picture
from mjgate.domain.task import FAILURE, IN_PROGRESS, SUCCESS, Task
from mjgate.store import pictures
from mjgate.store.database import Store
from mjgate.store.tasks import advance_tasks, fetch_tasks
from tests.store.rows import query, running, token

COPY = Copy("image/png", 1000, b"\1" * 32)
LEASE_S = 60.0


async def ended(store: Store, number: int, **more: Any) -> Task:
    """A task of a new token that has just succeeded."""
    owner = await token(store)
    await running(store, number, owner)
    [task] = await fetch_tasks(store.pool, owner, [number])
    known = {"status": SUCCESS, "image_url": f"http://upstream/{number}.png", **more}
    assert {number} == await advance_tasks(store.pool, [structs.replace(task, **known)])
    [task] = await fetch_tasks(store.pool, owner, [number])
    return task


def states(store: Store) -> list[Any]:
    return query(store, "select task_id, place, state from pictures order by 1, 2")


async def kept(store: Store, number: int, size: int = 1000) -> None:
    claimed = await pictures.claim_picture(store.pool, number, 0, LEASE_S)
    assert claimed and await pictures.keep(store.pool, claimed, replace(COPY, size=size))


async def test_a_success_leaves_its_picture_waiting(store: Store) -> None:
    await ended(store, 1)

    assert [(1, 0, "waiting")] == states(store)
    assert [Claimed(1, 0, "http://upstream/1.png", 1, 0, 1)] == await pictures.claim_due(
        store.pool, 10, LEASE_S
    )


async def test_each_of_several_waits_but_none_twice(store: Store) -> None:
    several = ["http://upstream/1.png", "http://b", "x", "HTTP://c"]
    await ended(store, 1, properties={"imageUrls": several})

    assert [(0, "http://upstream/1.png"), (2, "http://b"), (4, "HTTP://c")] == query(
        store, "select place, source from pictures order by 1"
    )


@pytest.mark.parametrize(
    "more",
    [
        {"status": IN_PROGRESS},
        {"status": FAILURE},
        {"image_url": None},
        {"image_url": "x"},
        {"image_url": "javascript:alert(1)"},
        {"image_url": "http://a/" + "b" * 4096},
        {"image_url": None, "properties": {"imageUrls": "no list"}},
    ],
)
async def test_nothing_waits_where_there_is_no_picture(store: Store, more: Any) -> None:
    await ended(store, 1, **more)

    assert [] == states(store)


async def test_a_late_success_has_a_picture_too(store: Store) -> None:
    task = await ended(store, 1, status=FAILURE, ended_by="deadline", image_url=None)
    assert [] == states(store)

    late = structs.replace(task, status=SUCCESS, image_url="http://a")
    assert {1} == await advance_tasks(store.pool, [late])

    assert [(1, 0, "waiting")] == states(store)


async def test_one_is_claimed_once(store: Store) -> None:
    for number in (1, 2, 3):
        await ended(store, number)

    assert [1, 2] == [each.task for each in await pictures.claim_due(store.pool, 2, LEASE_S)]
    assert None is await pictures.claim_picture(store.pool, 1, 0, LEASE_S)
    assert [3] == [each.task for each in await pictures.claim_due(store.pool, 9, LEASE_S)]
    assert [] == await pictures.claim_due(store.pool, 9, LEASE_S)


async def test_one_whose_lease_has_ended_is_taken_up_and_has_failed_once(store: Store) -> None:
    await ended(store, 1)
    [lost] = await pictures.claim_due(store.pool, 9, 0)

    [taken] = await pictures.claim_due(store.pool, 9, LEASE_S)

    assert (2, 1) == (taken.attempt, taken.failures)
    assert not await pictures.keep(store.pool, lost, COPY)
    assert not await pictures.put_off(store.pool, lost, 0, "late")
    assert not await pictures.give_up(store.pool, lost, "late")
    assert await pictures.keep(store.pool, taken, COPY)


async def test_one_that_was_put_off_is_due_later_and_counts_if_it_failed(store: Store) -> None:
    await ended(store, 1)
    [claimed] = await pictures.claim_due(store.pool, 9, LEASE_S)
    assert await pictures.put_off(store.pool, claimed, 60, "HTTP 500")
    assert [] == await pictures.claim_due(store.pool, 9, LEASE_S)
    assert [("waiting", 1, "HTTP 500")] == query(
        store, "select state, failures, fault from pictures"
    )

    query(store, "update pictures set moment = now()")
    [claimed] = await pictures.claim_due(store.pool, 9, LEASE_S)
    assert (2, 1) == (claimed.attempt, claimed.failures)
    assert await pictures.put_off(store.pool, claimed, 0, "no room", failed=False)
    [claimed] = await pictures.claim_due(store.pool, 9, LEASE_S)
    assert (3, 1) == (claimed.attempt, claimed.failures)


async def test_one_that_was_given_up_is_never_due(store: Store) -> None:
    await ended(store, 1)
    [claimed] = await pictures.claim_due(store.pool, 9, LEASE_S)

    assert await pictures.give_up(store.pool, claimed, "not public")

    query(store, "update pictures set moment = now() - interval '1 year'")
    assert [] == await pictures.claim_due(store.pool, 9, LEASE_S)


async def test_one_is_found_as_it_stands(store: Store) -> None:
    several = ["http://upstream/1.png", "http://b"]
    await ended(store, 1, properties={"imageUrls": several})
    source = "http://upstream/1.png"
    assert Picture(source, "waiting", 0, True) == await pictures.find_picture(store.pool, 1, 0)

    await kept(store, 1)

    assert Picture(source, "kept", 1, True, COPY) == await pictures.find_picture(store.pool, 1, 0)
    assert Picture(source) == await pictures.find_picture(store.pool, 1, 1)
    other = await pictures.find_picture(store.pool, 1, 2)
    assert other is not None
    assert ("http://b", "waiting") == (other.source, other.state)
    assert None is await pictures.find_picture(store.pool, 1, 3)
    assert None is await pictures.find_picture(store.pool, 2, 0)


async def test_one_that_did_not_succeed_is_not_found(store: Store) -> None:
    await ended(store, 1, status=FAILURE)

    assert None is await pictures.find_picture(store.pool, 1, 0)


async def test_one_whose_file_is_lost_waits_again_under_another_name(store: Store) -> None:
    await ended(store, 1)
    await kept(store, 1)

    await pictures.lose(store.pool, 1, 0, 2)
    assert [(1, 0, "kept")] == states(store)
    await pictures.lose(store.pool, 1, 0, 1)

    [claimed] = await pictures.claim_due(store.pool, 9, LEASE_S)
    assert (2, 0) == (claimed.attempt, claimed.failures)


async def test_what_is_too_old_is_let_go_of_and_its_source_is_shown(store: Store) -> None:
    task = await ended(store, 1)
    await ended(store, 2)
    await kept(store, 1)
    await kept(store, 2)
    query(store, "update pictures set moment = now() - interval '2 days' where task_id = 1")

    assert 1 == await pictures.drop_aged(store.pool, 86_400, 10)
    assert 0 == await pictures.drop_aged(store.pool, 86_400, 10)

    assert [(1, 0, "dropped"), (2, 0, "kept")] == states(store)
    assert [(True, task.version + 1), (False, task.version)] == query(
        store, "select picture_gone, version from tasks order by id"
    )
    found = await pictures.find_picture(store.pool, 1, 0)
    assert found is not None
    assert (None, False) == (found.copy, found.coming)


async def test_one_that_was_given_up_grows_old_as_well(store: Store) -> None:
    await ended(store, 1)
    [claimed] = await pictures.claim_due(store.pool, 9, LEASE_S)
    await pictures.give_up(store.pool, claimed, "not public")

    assert 1 == await pictures.drop_aged(store.pool, -1, 10)


async def test_the_oldest_go_until_the_rest_fits(store: Store) -> None:
    for number in (1, 2, 3, 4):
        await ended(store, number)
        await kept(store, number, size=100)

    assert 0 == await pictures.drop_beyond(store.pool, 400, 10)
    assert 2 == await pictures.drop_beyond(store.pool, 250, 10)
    assert 1 == await pictures.drop_beyond(store.pool, 0, 1)
    assert 1 == await pictures.drop_beyond(store.pool, 0, 9)
    assert 0 == await pictures.drop_beyond(store.pool, 0, 9)

    assert {"dropped"} == {state for _, _, state in states(store)}


async def test_what_was_let_go_of_is_forgotten_once_its_files_are_removed(store: Store) -> None:
    await ended(store, 1, properties={"imageUrls": ["http://b"]})
    await kept(store, 1)
    assert 2 == len(states(store))
    query(store, "select forget_pictures('{1}')")

    gone = await pictures.dropped(store.pool, 10)
    assert [(1, 0, 1), (1, 1, 0)] == sorted(gone)
    await pictures.clear(store.pool, gone)

    assert [] == states(store)
    assert [(False,)] == query(store, "select picture_gone from tasks")


async def test_old_tasks_show_their_sources(store: Store) -> None:
    """What had ended before pictures were kept has none; what runs will have one."""
    [(default,)] = query(
        store,
        "select pg_get_expr(adbin, adrelid) from pg_attrdef join pg_attribute on "
        "attrelid = adrelid and attnum = adnum where attname = 'picture_gone'",
    )
    assert "false" == default
