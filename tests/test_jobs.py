"""Background work: chains go on, whatever ends in between."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import procrastinate
import psycopg
from msgspec import structs
from structlog.testing import capture_logs

from mjgate.domain.token import Token
from mjgate.gate import Gate
from mjgate.jobs import Jobs
from mjgate.sandbox import Settings, running_sandbox
from mjgate.services.submit import imagine
from mjgate.store.locks import channel_lock, delivery_lock
from mjgate.store.tasks import advance_tasks, fetch_tasks
from tests.harness import until
from tests.receiver import Receiver, receiving
from tests.services.gates import channel, client, open_gate, picture
from tests.store.rows import PRICE, intent, money, query, running, settled, terminate
from tests.upstream.raw import raw_upstream, says

PATIENCE_S = 45


@asynccontextmanager
async def working(uri: str, watch_s: float = 30.0, **settings: Any) -> AsyncIterator[Gate]:
    """A gate whose background work runs."""
    async with open_gate(uri, **settings) as gate:
        jobs = Jobs(uri, gate, watch_s)
        await jobs.start()
        assert jobs.alive
        try:
            yield replace(gate, background=jobs)
        finally:
            await jobs.stop()
            assert not jobs.alive


@asynccontextmanager
async def asked_by_hand(uri: str) -> AsyncIterator[procrastinate.App]:
    """Another program that puts jobs into the same queue."""
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=uri, min_size=1, max_size=1)
    )
    async with app.open_async():
        yield app


async def drawn(gate: Gate, owner: Token, prompt: str = "a fox") -> int:
    return int((await imagine(gate, owner, picture(prompt)))["result"])


async def ended(gate: Gate, number: int) -> str:
    found = await until(
        lambda: query(
            gate.store, "select status from tasks where id = %s and phase = 'ended'", number
        ),
        PATIENCE_S,
    )
    return str(found[0][0])


async def test_a_submit_sets_off_the_chain_that_ends_it(database: str, sandbox: str) -> None:
    async with working(database) as gate:
        await channel(gate, "sandbox", sandbox)
        owner = await client(gate)

        assert "SUCCESS" == await ended(gate, await drawn(gate, owner))
        assert (0, PRICE) == money(gate.store, owner.id)
        await until(lambda: [(0,)] == query(gate.store, LEFT))

        assert "SUCCESS" == await ended(gate, await drawn(gate, owner))


GIVEN = "select last_value from procrastinate_jobs_id_seq"
LEFT = "select count(*) from procrastinate_jobs where task_name = 'follow'"


async def test_the_chain_goes_on_from_job_to_job(database: str, sandbox: str) -> None:
    async with working(database, watch_s=0.5) as gate:
        await channel(gate, "sandbox", sandbox)
        owner = await client(gate)
        number = await drawn(gate, owner, "a fox sandbox:late=4")

        assert "SUCCESS" == await ended(gate, number)

        [(jobs,)] = query(gate.store, GIVEN)
        assert jobs >= 3


async def test_a_task_of_another_process_is_followed_too(database: str, sandbox: str) -> None:
    async with open_gate(database) as dead:
        await channel(dead, "sandbox", sandbox)
        number = await drawn(dead, await client(dead))

    async with working(database) as gate, asked_by_hand(database) as app:
        await app.configure_task("sweep", queueing_lock="by hand").defer_async(timestamp=0)

        assert "SUCCESS" == await ended(gate, number)


async def test_a_job_that_stalled_is_taken_up_again(database: str, sandbox: str) -> None:
    async with open_gate(database) as dead, asked_by_hand(database) as app:
        where = await channel(dead, "sandbox", sandbox)
        number = await drawn(dead, await client(dead))
        await app.configure_task("follow", queueing_lock=f"follow {where}").defer_async(
            channel=where
        )
        query(
            dead.store,
            "insert into procrastinate_workers (last_heartbeat) values (now() - interval '1 h')",
        )
        query(dead.store, "update procrastinate_jobs set status = 'doing', worker_id = 1")

        async with working(database) as gate:
            await app.configure_task("sweep", queueing_lock="by hand").defer_async(timestamp=0)

            assert "SUCCESS" == await ended(gate, number)
            await until(
                lambda: [] == query(gate.store, "select id from procrastinate_jobs where id = 1"),
                PATIENCE_S,
            )


async def test_one_stalled_job_too_many_does_not_stop_the_sweep(
    database: str, sandbox: str
) -> None:
    async with open_gate(database) as dead, asked_by_hand(database) as app:
        where = await channel(dead, "sandbox", sandbox)
        number = await drawn(dead, await client(dead))
        query(
            dead.store,
            "insert into procrastinate_workers (last_heartbeat) values (now() - interval '1 h')",
        )
        for _ in range(3):
            await app.configure_task("follow", queueing_lock=f"follow {where}").defer_async(
                channel=where
            )
            query(dead.store, "update procrastinate_jobs set status = 'doing', worker_id = 1")

        async with working(database) as gate:
            await app.configure_task("sweep", queueing_lock="by hand").defer_async(timestamp=0)

            assert "SUCCESS" == await ended(gate, number)


async def test_the_worker_survives_connections_that_are_ended(database: str, sandbox: str) -> None:
    async with working(database) as gate:
        await channel(gate, "sandbox", sandbox)
        owner = await client(gate)
        assert "SUCCESS" == await ended(gate, await drawn(gate, owner))

        assert 0 < terminate(database, "mjgate jobs")

        assert "SUCCESS" == await ended(gate, await drawn(gate, owner))
        assert gate.background.alive


async def test_a_channel_is_followed_by_one_process_at_a_time(database: str, sandbox: str) -> None:
    async with working(database) as gate:
        where = await channel(gate, "sandbox", sandbox)
        async with channel_lock(database, where) as ours:
            assert ours
            [(before,)] = query(gate.store, GIVEN)
            number = await drawn(gate, await client(gate))
            await until(lambda: query(gate.store, GIVEN)[0][0] > before)
            await until(lambda: [(0,)] == query(gate.store, LEFT))
            [(status,)] = query(gate.store, "select status from tasks")
            assert "NOT_START" == status
        gate.background.follow(where)

        assert "SUCCESS" == await ended(gate, number)


async def test_a_job_for_a_channel_that_is_followed_already_ends_at_once(
    database: str, sandbox: str
) -> None:
    async with working(database) as gate, asked_by_hand(database) as app:
        where = await channel(gate, "sandbox", sandbox)
        number = await drawn(gate, await client(gate), "a fox sandbox:late=300")
        await until(lambda: query(gate.store, "select id from tasks where status <> 'NOT_START'"))

        await app.configure_task("follow").defer_async(channel=where)

        await until(lambda: [(1,)] == query(gate.store, LEFT))
        gate.background.follow(where)
        assert [(number,)] == query(gate.store, "select id from tasks where phase = 'running'")


async def test_a_job_that_fails_is_in_the_log(database: str) -> None:
    async with working(database) as gate, asked_by_hand(database) as app:
        with capture_logs() as logs:
            await app.configure_task("follow").defer_async(channel="no number")
            await until(lambda: "job failed" in {line["event"] for line in logs})

        assert gate.background.alive
        [(job, about, times, error)] = await until(
            lambda: query(gate.store, "select job, about, times, error from job_failures")
        )
        assert ("follow", "channel no number", 1) == (job, about, times)
        assert "no number" in error


async def test_pictures_are_copied_in_the_background(database: str, sandbox: str) -> None:
    async with working(database) as gate:
        await channel(gate, "sandbox", sandbox)
        number = await drawn(gate, await client(gate))

        await until(lambda: query(gate.store, KEPT, number), PATIENCE_S)


KEPT = "select task_id from pictures where task_id = %s and state = 'kept'"


async def test_a_second_job_that_copies_in_one_process_ends_at_once(database: str) -> None:
    async with working(database) as gate, asked_by_hand(database) as app:
        await until(lambda: [(1,)] == query(gate.store, COPYING), PATIENCE_S)

        await app.configure_task("keep", queueing_lock="by hand").defer_async(timestamp=0)

        await until(lambda: [(1,)] == query(gate.store, COPYING), PATIENCE_S)


COPYING = "select count(*) from procrastinate_jobs where task_name = 'keep' and status = 'doing'"


async def test_stopping_ends_a_chain_that_waits_for_its_next_look(database: str) -> None:
    with running_sandbox(Settings()) as address:
        async with working(database) as gate:
            await channel(gate, "sandbox", address)
            number = await drawn(gate, await client(gate), "a fox sandbox:late=300")
            await until(lambda: query(gate.store, LOOKED, number))

    async with open_gate(database) as after:
        assert [("running",)] == query(after.store, "select phase from tasks")


LOOKED = "select id from tasks where id = %s and status <> 'NOT_START'"


async def test_a_refused_row_is_not_asked_for_in_a_hurry(database: str) -> None:
    answer = json.dumps([{"id": "17", "status": "SUCCESS", "promptEn": "poison"}])

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        submit = b"submit" in raw.heard[-1].partition(b"\r\n")[0]
        told = '{"code":1,"description":"ok","result":"17"}' if submit else answer
        await says(told)(reader, writer)

    async with raw_upstream(speak) as raw, working(database) as gate:
        await channel(gate, "raw", raw.address)
        query(gate.store, "alter table tasks add constraint poison check (prompt_en <> 'poison')")
        await drawn(gate, await client(gate))
        await until(lambda: len(raw.heard) > 1)

        begun = len(raw.heard)
        await asyncio.sleep(2)

        assert 5 > len(raw.heard) - begun


async def test_the_worker_outlives_a_database_that_goes_away(
    database: str, postgres: str, sandbox: str
) -> None:
    name = database.partition("?")[0].rpartition("/")[2]
    async with working(database) as gate:
        await channel(gate, "sandbox", sandbox)
        owner = await client(gate)
        with psycopg.connect(postgres, autocommit=True) as admin:
            admin.execute(f"alter database {name} allow_connections false".encode())
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s "
                "and application_name = 'mjgate jobs'",
                [name],
            )
            await asyncio.sleep(3)
            admin.execute(f"alter database {name} allow_connections true".encode())

        assert "SUCCESS" == await ended(gate, await drawn(gate, owner))


CALLING: dict[str, Any] = {"allow_private_hooks": "127.0.0.0/8"}


async def called(gate: Gate, owner: Token, receiver: Receiver, number: int) -> None:
    """A task is submitted, and its receiver hears of it."""
    await running(gate.store, number, owner.id, hook=receiver.address)
    [task] = await fetch_tasks(gate.store.pool, owner.id, [number])
    await advance_tasks(gate.store.pool, [structs.replace(task, status="SUBMITTED")])
    gate.background.deliver()
    await until(lambda: receiver.of(number), PATIENCE_S)


async def test_one_process_delivers_and_another_takes_over(database: str) -> None:
    async with receiving() as receiver, working(database, **CALLING) as second:
        owner = await client(second)
        await called(second, owner, receiver, 1)
        async with delivery_lock(database) as ours:
            assert not ours
        async with working(database, **CALLING) as first:
            await called(first, owner, receiver, 2)
            terminate(database, "mjgate deliveries")
            await called(first, owner, receiver, 3)

    assert 3 == len(receiver.posts)


async def test_callbacks_go_on_from_job_to_job(database: str) -> None:
    async with receiving() as receiver, working(database, watch_s=0.2, **CALLING) as gate:
        owner = await client(gate)
        await called(gate, owner, receiver, 1)
        [(given,)] = query(gate.store, GIVEN)
        await until(lambda: query(gate.store, GIVEN)[0][0] > given + 3, PATIENCE_S)
        await called(gate, owner, receiver, 2)


async def test_callbacks_go_out_again_after_an_outage(database: str, postgres: str) -> None:
    name = database.partition("?")[0].rpartition("/")[2]
    async with receiving() as receiver, working(database, **CALLING) as gate:
        owner = await client(gate)
        await called(gate, owner, receiver, 1)
        with psycopg.connect(postgres, autocommit=True) as admin:
            admin.execute(f"alter database {name} allow_connections false".encode())
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
            )
            with capture_logs() as logs:
                await until(lambda: "deliveries wait" in {line["event"] for line in logs})
            admin.execute(f"alter database {name} allow_connections true".encode())

        await called(gate, owner, receiver, 2)


async def test_one_that_never_started_can_be_stopped(database: str) -> None:
    async with open_gate(database) as gate:
        await Jobs(database, gate).stop()


async def test_a_hint_given_to_any_process_has_its_task_looked_at(database: str) -> None:
    """By a clock that stands still no task is ever due, so that hints alone make it look."""
    answer = json.dumps([{"id": "17", "status": "SUCCESS"}])
    async with (
        raw_upstream(says(answer)) as raw,
        open_gate(database) as gate,
        open_gate(database) as other,
    ):
        where = await channel(gate, "raw", raw.address)
        owner = await client(gate)
        await gate.store.writer.admit(intent(1, owner.id, channel=where))
        await gate.store.writer.settle(settled(1, channel=where, upstream_id="17"))
        moment = gate.clock()
        jobs = Jobs(database, replace(gate, clock=lambda: moment))
        await jobs.start()
        try:
            jobs.follow(where)
            await until(lambda: (f := jobs._watch._followers.get(where)) and not f.idle)
            other.store.hints.give(99, "17")
            other.store.hints.give(where, "18")
            other.store.hints.give(where, "17")

            assert "SUCCESS" == await ended(gate, 1)
        finally:
            await jobs.stop()
    assert 1 == len(raw.heard)
