"""What waits, runs and failed in the background."""

from typing import Any

from mjgate.domain.task import Phase
from mjgate.store.database import Store
from mjgate.store.failures import note_failure
from mjgate.store.work import read_work
from tests.store.rows import intent, query, running, settled, token

DAYS = 30
CHANNEL = (
    "insert into channels (name, base_url, dialect, priority, weight, models, state) "
    "values ('home', 'http://home', 'auto', 0, 1, '{}', 'enabled')"
)
NOBODY = "work waits and no worker is alive; start one with: mjgate serve"


def worker(store: Store, heard: str = "0 s") -> int:
    """One whose heart last beat so long ago."""
    [(number,)] = query(
        store,
        "insert into procrastinate_workers (last_heartbeat) values (now() - %s::interval) "
        "returning id",
        heard,
    )
    return int(number)


def job(store: Store, name: str, args: str = "{}", by: int | None = None, **more: Any) -> int:
    """A job that waits, or that a worker runs, since a minute and a half."""
    [(number,)] = query(
        store,
        "insert into procrastinate_jobs (queue_name, task_name, args, scheduled_at) "
        "values ('default', %s, %s, now() + %s::interval) returning id",
        name,
        args,
        more.get("due"),
    )
    if by is not None:
        query(
            store,
            "update procrastinate_jobs set status = 'doing', worker_id = %s where id = %s",
            by,
            number,
        )
    query(store, "update procrastinate_events set at = at - interval '90 s'")
    return int(number)


async def test_where_nothing_was_done_there_is_nothing(store: Store) -> None:
    found = await read_work(store.pool, DAYS)
    assert ([], [], [], [], []) == (
        found.workers,
        found.jobs,
        found.queues,
        found.failures,
        found.problems,
    )


async def test_jobs_wait_run_and_stall_and_have_a_name(store: Store) -> None:
    query(store, CHANNEL)
    alive, dead = worker(store), worker(store, "5 min")
    job(store, "follow", '{"channel": 1}', by=alive)
    job(store, "follow", '{"channel": 2}', by=dead)
    job(store, "sweep", '{"timestamp": 17}')
    job(store, "sweep", '{"timestamp": 18}', due="1 hour")

    found = await read_work(store.pool, DAYS)

    assert [
        ("follow", "channel home", "running", alive),
        ("follow", "channel 2", "stalled", dead),
        ("sweep", "", "waiting", None),
        ("sweep", "", "waiting", None),
    ] == [(each.job, each.about, each.state, each.worker) for each in found.jobs]
    assert [(alive, True, 1), (dead, False, 1)] == [(w.id, w.alive, w.jobs) for w in found.workers]
    assert 90 <= (found.at - found.jobs[0].since).total_seconds() < 3600
    since = f"{found.jobs[1].since:%Y-%m-%d %H:%M:%SZ}"
    assert [f"the job follow of channel 2 is stalled since {since}"] == found.problems[:1]
    assert ["the job sweep is waiting since"] == [said[:30] for said in found.problems[1:]]


async def test_tasks_wait_by_phase_and_channel(store: Store) -> None:
    query(store, CHANNEL)
    worker(store)
    owner = await token(store)
    await store.writer.admit(intent(1, owner))
    await store.writer.admit(intent(2, owner, send_s=-90))
    await running(store, 3, owner)
    for number in (4, 5):
        await store.writer.admit(intent(number, owner, channel=9))
        await store.writer.settle(settled(number, Phase.UNKNOWN, channel=9, deadline_s=-90))

    found = await read_work(store.pool, DAYS)

    assert [
        ("sending", "home", 2, 1),
        ("unknown", None, 2, 2),
        ("running", "home", 1, 0),
    ] == [(each.queue, each.channel, each.waiting, each.late) for each in found.queues]
    assert all(each.since is not None for each in found.queues)
    assert [
        "1 of 2 sending in channel home are overdue",
        "2 of 2 unknown are overdue",
    ] == found.problems


async def test_old_keys_and_tasks_wait_to_be_deleted(store: Store) -> None:
    worker(store)
    owner = await token(store)
    await store.writer.admit(intent(1, owner))
    await store.writer.settle(settled(1, Phase.REJECTED))
    query(store, "update tasks set accepted_at = now() - interval '31 days'")
    query(
        store,
        "insert into idempotency (token_id, key, request_hash, task_id, created_at) "
        "select %s, n::text, '', 1, now() - n * interval '1 hour' from generate_series(24, 26) n",
        owner,
    )

    found = await read_work(store.pool, DAYS)

    assert [("old keys", 3, 2), ("old tasks", 1, 0)] == [
        (each.queue, each.waiting, each.late) for each in found.queues
    ]
    assert ["2 of 3 old keys are overdue"] == found.problems
    assert ["old keys"] == [each.queue for each in (await read_work(store.pool, 0)).queues]


async def test_what_we_ended_is_chased_for_a_day(store: Store) -> None:
    query(store, CHANNEL)
    worker(store)
    owner = await token(store)
    for number in (1, 2):
        await running(store, number, owner)
    query(
        store,
        "update tasks set phase = 'ended', status = 'FAILURE', ended_by = 'lost', "
        "ended_at = now() - id * interval '15 hours'",
    )

    found = await read_work(store.pool, DAYS)

    assert [("chased", "home", 1, 0)] == [
        (each.queue, each.channel, each.waiting, each.late) for each in found.queues
    ]


async def test_callbacks_and_pictures_are_late_where_nobody_is_about_them(store: Store) -> None:
    worker(store)
    query(
        store,
        "insert into deliveries (task_id, token_id, receiver, version, final, state, since, "
        "due_at) select n, 1, 'http://' || n %% 2, 1, true, 'waiting', now(), "
        "now() - n * interval '50 s' "
        "from generate_series(0, 3) n",
    )
    query(
        store,
        "insert into pictures (task_id, place, source, moment) "
        "select n, 0, '', now() - n * interval '50 s' from generate_series(0, 3) n",
    )
    assert [("callbacks", 4, 2), ("pictures", 4, 2)] == [
        (each.queue, each.waiting, each.late) for each in (await read_work(store.pool, DAYS)).queues
    ]

    query(store, "update deliveries set leased_until = now() + interval '1 h' where task_id = 1")
    query(
        store,
        "update pictures set state = 'copying', moment = now() + interval '1 h' where task_id = 0",
    )
    found = await read_work(store.pool, DAYS)
    assert [("callbacks", 4, 1), ("pictures", 4, 0)] == [
        (each.queue, each.waiting, each.late) for each in found.queues
    ]
    assert ["1 of 4 callbacks are overdue"] == found.problems

    without = await read_work(store.pool, DAYS, pictures=False)
    assert ["callbacks"] == [each.queue for each in without.queues]


async def test_work_without_a_worker_is_a_problem(store: Store) -> None:
    worker(store, "121 s")
    job(store, "sweep")
    assert [] == (await read_work(store.pool, DAYS)).problems
    await store.writer.admit(intent(1, await token(store)))
    assert [NOBODY] == (await read_work(store.pool, DAYS)).problems


async def test_failures_are_shown_the_newest_first(store: Store) -> None:
    query(store, CHANNEL)
    await note_failure(store.pool, "follow", {"channel": 1}, "broken")
    await note_failure(store.pool, "sweep", {"timestamp": 1}, "broken too")

    found = await read_work(store.pool, DAYS)

    assert [("sweep", "", 1, "broken too"), ("follow", "channel home", 1, "broken")] == [
        (each.job, each.about, each.times, each.error) for each in found.failures
    ]
    assert [] == found.problems
