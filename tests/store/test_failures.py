"""Failures of jobs on record."""

from mjgate.store.database import Store
from mjgate.store.failures import about, forget_failures, note_failure
from tests.store.rows import query

KEPT = "select job, about, times, error from job_failures order by job, about"


def test_what_a_job_is_about_is_said_without_the_clock() -> None:
    assert "" == about({"timestamp": 1_800_000_000})
    assert "channel 3" == about({"channel": 3})
    assert "channel 3, depth 2" == about({"depth": 2, "channel": 3})


async def test_a_failure_that_comes_again_is_counted_and_says_the_newest(store: Store) -> None:
    for error in ("first", "second"):
        await note_failure(store.pool, "follow", {"channel": 3}, error)
    await note_failure(store.pool, "sweep", {"timestamp": 7}, "a\0" + "x" * 1000)

    assert [("follow", "channel 3", 2, "second"), ("sweep", "", 1, "a" + "x" * 499)] == query(
        store, KEPT
    )
    assert [(True,)] == query(
        store, "select first_at < last_at from job_failures where job = 'follow'"
    )


async def test_a_failure_that_did_not_come_again_for_a_week_is_forgotten(store: Store) -> None:
    for channel in (1, 2):
        await note_failure(store.pool, "follow", {"channel": channel}, "x")
    query(
        store, "update job_failures set last_at = now() - interval '8 days' where about like '%%1'"
    )

    await forget_failures(store.pool)

    assert [("follow", "channel 2", 1, "x")] == query(store, KEPT)
