"""Callbacks over real sockets, to receivers that answer in every way there is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
import pytest
from msgspec import structs
from structlog.testing import capture_logs

from mjgate.domain.task import Task
from mjgate.domain.token import Token
from mjgate.gate import Gate
from mjgate.services.deliver import Deliverer, open_caller
from mjgate.services.show import show
from mjgate.store.signing import drop_former, rotate_secret, signing_secrets
from mjgate.store.tasks import advance_tasks, fetch_tasks
from tests.harness import free_port, until
from tests.receiver import (
    Manner,
    Post,
    Receiver,
    hangs,
    hangs_up,
    receiving,
    says,
    sends,
    takes,
)
from tests.services.gates import client, open_gate
from tests.store.rows import query, running

QUICK: dict[str, Any] = {
    "allow_private_hooks": "127.0.0.0/8",
    "callback_schedule": (0.05,) * 50,
    "callback_timeout": 10.0,
}
SLOW = QUICK | {"callback_schedule": (600.0,) * 3}
HASTY = {"callback_timeout": 0.5}


@pytest.fixture
async def quick(database: str) -> AsyncIterator[Gate]:
    async with open_gate(database, **QUICK) as opened:
        yield opened


@pytest.fixture
async def slow(database: str) -> AsyncIterator[Gate]:
    """A gate whose second attempts are far away."""
    async with open_gate(database, **SLOW) as opened:
        yield opened


@asynccontextmanager
async def delivering(gate: Gate) -> AsyncIterator[Deliverer]:
    deliverer = Deliverer(gate, open_caller(gate))
    deliverer.on_duty = True
    deliverer.start()
    try:
        yield deliverer
    finally:
        await deliverer.stop()


async def submitted(gate: Gate, owner: Token, hook: str, *numbers: int) -> None:
    for number in numbers:
        await running(gate.store, number, owner.id, hook=hook)
        await move(gate, owner, number, status="SUBMITTED", progress="0%")


async def move(gate: Gate, owner: Token, number: int, **changes: Any) -> Task:
    task = await fetched(gate, owner, number)
    assert {number} == await advance_tasks(gate.store.pool, [structs.replace(task, **changes)])
    return await fetched(gate, owner, number)


async def end(gate: Gate, owner: Token, *numbers: int) -> None:
    for number in numbers:
        await move(gate, owner, number, status="SUCCESS", progress="100%", image_url="http://a/b")


async def fetched(gate: Gate, owner: Token, number: int) -> Task:
    [task] = await fetch_tasks(gate.store.pool, owner.id, [number])
    return task


def state(gate: Gate, number: int) -> str:
    [(state,)] = query(gate.store, "select state from deliveries where task_id = %s", number)
    return str(state)


def attempts(gate: Gate) -> list[Any]:
    return query(gate.store, "select outcome, status, error from attempts order by task_id, claim")


def is_delivered(gate: Gate, number: int) -> bool:
    return state(gate, number) == "delivered"


async def delivered(gate: Gate, *numbers: int) -> None:
    for number in numbers:
        await until(partial(is_delivered, gate, number))


async def test_each_change_is_told_as_a_fetch_gives_it_and_signed(quick: Gate) -> None:
    owner = await client(quick)
    async with receiving() as receiver, delivering(quick) as deliverer:
        for changes in (
            {"status": "SUBMITTED", "progress": "0%"},
            {"status": "IN_PROGRESS", "progress": "31%"},
            {"status": "SUCCESS", "progress": "100%", "image_url": "http://a/b"},
        ):
            if not receiver.posts:
                await running(quick.store, 1, owner.id, hook=receiver.address, state="mine")
            task = await move(quick, owner, 1, **changes)
            deliverer.wake()
            await delivered(quick, 1)
            assert show(quick, task) == receiver.posts[-1].task

    [secret] = await signing_secrets(quick.store.pool, quick.store.cipher, owner.id)
    assert [("SUBMITTED", "0%"), ("IN_PROGRESS", "31%"), ("SUCCESS", "100%")] == [
        post.stage for post in receiver.posts
    ]
    for post in receiver.posts:
        assert post.task == post.verified_by(secret)
        assert ("application/json", "/hook") == (post.headers["content-type"], post.path)
    assert 3 == len({post.message for post in receiver.posts})


async def test_without_duty_nothing_is_sent(quick: Gate) -> None:
    owner = await client(quick)
    async with receiving() as receiver, delivering(quick) as deliverer:
        deliverer.on_duty = False
        await submitted(quick, owner, receiver.address, 1)
        deliverer.wake()
        await deliverer.look()
        assert [] == receiver.posts
        deliverer.on_duty = True
        deliverer.wake()
        await delivered(quick, 1)


FAULTS: dict[str, tuple[Manner, str | None]] = {
    "answers 500": (says(500, body="no"), None),
    "answers 429": (says(429), None),
    "redirects": (says(307, "Location: http://127.0.0.1/x"), "a redirect, which is not followed"),
    "hangs": (hangs, "no answer within 2 s"),
    "hangs up": (hangs_up, "closed without an answer"),
    "speaks no HTTP": (sends(b"SSH-2.0-OpenSSH\r\n"), "its answer is no HTTP"),
    "breaks off": (sends(b"HTTP/1.1 500 No"), None),
}
UNENDING = ("hangs", "breaks off")


@pytest.mark.parametrize("fault", FAULTS)
async def test_after_a_fault_the_end_arrives_once_and_verifies(database: str, fault: str) -> None:
    manner, said = FAULTS[fault]
    numbers = range(8)
    settings = QUICK | ({"callback_timeout": 2.0} if fault in UNENDING else {})
    async with open_gate(database, **settings) as gate:
        owner = await client(gate)
        async with receiving(manner) as receiver, delivering(gate):
            await submitted(gate, owner, receiver.address, *numbers)
            await until(lambda: len(receiver.posts) >= 4)
            await end(gate, owner, *numbers)
            await until(lambda: any(post.task["status"] == "SUCCESS" for post in receiver.posts))
            receiver.manner = takes
            await delivered(gate, *numbers)
        [secret] = await signing_secrets(gate.store.pool, gate.store.cipher, owner.id)

    for number in numbers:
        taken = receiver.of(number)
        assert "SUCCESS" == taken[-1].task["status"]
        assert [post.version for post in taken] == sorted({post.version for post in taken})
        assert all(post.task == post.verified_by(secret) for post in taken)
    failed = {error for outcome, _, error in attempts(gate) if outcome == "failed"}
    assert said is None or said in failed, failed
    assert not any("127.0.0.1" in (error or "") for error in failed)


async def test_while_nobody_listens_all_waits_and_then_arrives(quick: Gate) -> None:
    owner = await client(quick)
    receiver = Receiver(port=free_port())
    numbers = range(30)
    async with delivering(quick):
        await submitted(quick, owner, receiver.address, *numbers)
        await end(quick, owner, *numbers)
        await until(lambda: ("failed", None, "no connection") in attempts(quick))
        async with receiver.listening():
            await delivered(quick, *numbers)

    assert {"SUCCESS"} == {post.task["status"] for post in receiver.taken}
    assert 30 == len(receiver.taken)


async def test_retries_of_a_state_have_one_id(quick: Gate) -> None:
    owner = await client(quick)
    async with receiving(says(503)) as receiver, delivering(quick):
        await submitted(quick, owner, receiver.address, 1)
        await until(lambda: len(receiver.posts) >= 3)
        receiver.manner = takes
        await delivered(quick, 1)

    assert 1 == len({post.message for post in receiver.posts})
    assert 1 == len({post.body for post in receiver.posts})


async def test_who_answers_gone_is_not_called_again(quick: Gate) -> None:
    owner = await client(quick)
    async with receiving(says(410)) as receiver, delivering(quick) as deliverer:
        await submitted(quick, owner, receiver.address, 1)
        await until(lambda: state(quick, 1) == "gone")
        await end(quick, owner, 1)
        await deliverer.look()

        assert 1 == len(receiver.posts)
    assert [("gone", 410, None)] == attempts(quick)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_is_taken(slow: Gate, status: int) -> None:
    owner = await client(slow)
    async with receiving(says(status)) as receiver, delivering(slow):
        await submitted(slow, owner, receiver.address, 1)
        await delivered(slow, 1)


async def test_an_answer_that_is_cut_after_its_status_is_one(slow: Gate) -> None:
    owner = await client(slow)

    def cut(post: Post) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhal"

    async with receiving(cut) as receiver, delivering(slow):
        await submitted(slow, owner, receiver.address, 1)
        await until(lambda: receiver.taken)
        for writer in list(receiver._open):
            writer.close()
        await delivered(slow, 1)

    assert [("hal",)] == query(slow.store, "select answer from attempts")


async def test_the_first_kilobyte_of_an_answer_is_kept(slow: Gate) -> None:
    owner = await client(slow)
    body = "\0ü" + "x" * 3000
    async with receiving(says(500, body=body)) as receiver, delivering(slow):
        await submitted(slow, owner, receiver.address, 1)
        await until(lambda: attempts(slow))

    [(answer,)] = query(slow.store, "select answer from attempts")
    assert "\ufffdü" + "x" * 1021 == answer


@pytest.mark.parametrize("header", ["Retry-After: 300", "Retry-After: {date}"])
async def test_retry_after_is_honoured(quick: Gate, header: str) -> None:
    owner = await client(quick)
    shown = header.format(date="Fri, 31 Dec 9999 23:59:59 GMT")
    async with receiving(says(429, shown)) as receiver, delivering(quick):
        await submitted(quick, owner, receiver.address, 1)
        await until(lambda: attempts(quick))

    [(wait,)] = query(
        quick.store, "select extract(epoch from due_at - now())::integer from deliveries"
    )
    assert 290 <= wait <= (300 if "300" in header else 86_400)


@pytest.mark.parametrize("value", ["soon", "-5", "１", ""])
async def test_a_retry_after_that_is_none_is_passed_over(quick: Gate, value: str) -> None:
    owner = await client(quick)
    async with receiving(says(429, f"Retry-After: {value}")) as receiver, delivering(quick):
        await submitted(quick, owner, receiver.address, 1)
        await until(lambda: attempts(quick))
        receiver.manner = takes
        await delivered(quick, 1)


async def test_one_answer_makes_all_that_waits_for_it_due(slow: Gate) -> None:
    owner = await client(slow)
    numbers = range(20)
    async with receiving(says(500)) as receiver, delivering(slow):
        await submitted(slow, owner, receiver.address, *numbers)
        await until(lambda: len(attempts(slow)) == 20)
        receiver.manner = takes

        await submitted(slow, owner, receiver.address, 99)

        await delivered(slow, *numbers)


async def test_a_receiver_that_hangs_holds_nobody_else_up(database: str) -> None:
    async with open_gate(database, **QUICK | {"callback_timeout": 60}) as gate:
        owner = await client(gate)
        async with receiving(hangs) as dead, receiving() as lively, delivering(gate) as deliverer:
            await submitted(gate, owner, dead.address, *range(40))
            await until(lambda: len(dead.posts) == gate.config.callback_concurrency)

            await submitted(gate, owner, lively.address, *range(100, 120))
            await delivered(gate, *range(100, 120))

            assert gate.config.callback_concurrency == len(dead.posts)
            await deliverer.stop(seconds=0)


async def test_who_failed_last_is_asked_by_few_at_once(database: str) -> None:
    async with open_gate(database, **SLOW | HASTY) as gate:
        owner = await client(gate)
        async with receiving(says(500)) as receiver, delivering(gate) as deliverer:
            await submitted(gate, owner, receiver.address, 0)
            await until(lambda: attempts(gate))
            receiver.manner = hangs
            await submitted(gate, owner, receiver.address, *range(1, 20))
            deliverer.wake()
            await until(lambda: len(attempts(gate)) >= 5)

    assert 2 == receiver.most_at_once


async def test_a_state_that_the_receiver_has_is_not_told_twice(slow: Gate) -> None:
    owner = await client(slow)
    async with receiving() as receiver, delivering(slow):
        await submitted(slow, owner, receiver.address, 1)
        await delivered(slow, 1)
        await move(slow, owner, 1, ended_by=None)
        await until(lambda: state(slow, 1) == "delivered")
        await end(slow, owner, 1)
        await until(lambda: len(receiver.posts) == 2)
        await delivered(slow, 1)

    assert ["SUBMITTED", "SUCCESS"] == [post.task["status"] for post in receiver.posts]


@pytest.mark.parametrize(
    "hook",
    ["http://10.0.0.1/", "http://[::1]/", "http://2130706433/", "http://0x7f.1/", "nonsense"],
)
async def test_an_address_that_never_passes_is_refused_once(slow: Gate, hook: str) -> None:
    owner = await client(slow)
    async with delivering(slow):
        await submitted(slow, owner, hook, 1)
        await until(lambda: state(slow, 1) == "refused")

    assert [("refused", None, "not a public address")] == attempts(slow)


async def test_a_name_that_leads_to_a_private_network_follows_the_schedule(database: str) -> None:
    async with open_gate(database) as gate, receiving() as receiver:
        owner = await client(gate)
        async with delivering(gate):
            await submitted(gate, owner, f"http://localhost:{receiver.port}/", 1)
            await until(lambda: attempts(gate))

        assert [("failed", None, "not a public address")] == attempts(gate)
        assert ("waiting", []) == (state(gate, 1), receiver.posts)


async def test_a_redirect_to_a_private_network_is_not_followed(slow: Gate) -> None:
    owner = await client(slow)
    async with receiving() as hidden:
        to_it = says(302, f"Location: {hidden.address}")
        async with receiving(to_it) as receiver, delivering(slow):
            await submitted(slow, owner, receiver.address, 1)
            await until(lambda: attempts(slow))

        assert [] == hidden.posts


async def test_a_name_that_nobody_knows_is_on_record(slow: Gate) -> None:
    owner = await client(slow)
    async with delivering(slow):
        await submitted(slow, owner, "http://does-not-exist.invalid/", 1)
        await until(lambda: attempts(slow))

    assert [("failed", None, "its name is not known")] == attempts(slow)


async def test_no_tls_where_it_should_be_is_on_record(slow: Gate) -> None:
    owner = await client(slow)

    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 No\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server, delivering(slow):
        port = server.sockets[0].getsockname()[1]
        await submitted(slow, owner, f"https://127.0.0.1:{port}/", 1)
        await until(lambda: attempts(slow))

    assert [("failed", None, "TLS failed")] == attempts(slow)


async def test_both_secrets_sign_until_the_old_one_is_dropped(slow: Gate) -> None:
    owner = await client(slow)
    pool, cipher = slow.store.pool, slow.store.cipher
    [old] = await signing_secrets(pool, cipher, owner.id)
    new, kept = await rotate_secret(pool, cipher, owner.id)
    assert (old, True) == (kept, new != old)
    async with receiving() as receiver, delivering(slow):
        await submitted(slow, owner, receiver.address, 1)
        await delivered(slow, 1)
        await drop_former(pool, owner.id)
        await end(slow, owner, 1)
        await delivered(slow, 1)

    both, alone = receiver.posts
    assert both.verified_by(old) == both.verified_by(new) == both.task
    assert alone.task == alone.verified_by(new)
    assert 1 == len(alone.headers["webhook-signature"].split())


async def test_a_secret_that_does_not_open_is_on_record(slow: Gate) -> None:
    owner = await client(slow)
    await signing_secrets(slow.store.pool, slow.store.cipher, owner.id)
    query(slow.store, "update signing_secrets set secret_cipher = 'of another key'")
    async with receiving() as receiver, delivering(slow):
        await submitted(slow, owner, receiver.address, 1)
        await until(lambda: attempts(slow))

        assert [] == receiver.posts
    assert [("failed", None, "its signing secret does not open")] == attempts(slow)


async def test_a_fault_of_ours_is_an_attempt_that_failed(slow: Gate) -> None:
    owner = await client(slow)
    broken = replace(slow, clock=lambda: 10**30)
    with capture_logs() as logs:
        async with receiving() as receiver, delivering(broken):
            await submitted(slow, owner, receiver.address, 1)
            await until(lambda: attempts(slow))

    assert [("failed", None, "the gateway failed")] == attempts(slow)
    assert {"delivery failed"} == {line["event"] for line in logs}
    assert receiver.address not in repr(logs)


@contextlib.contextmanager
def away(gate: Gate) -> Any:
    """The database takes nobody."""
    name = gate.store.uri.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(gate.store.uri.replace(f"/{name}?", "/mjgate?"), autocommit=True) as admin:
        admin.execute(f"alter database {name} allow_connections false".encode())
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
        )
        try:
            yield
        finally:
            admin.execute(f"alter database {name} allow_connections true".encode())


async def test_an_answer_that_comes_while_the_database_is_away_is_booked_later(
    database: str,
) -> None:
    with capture_logs() as logs:
        async with open_gate(database, **SLOW | HASTY) as gate:
            owner = await client(gate)
            async with receiving(hangs) as receiver, delivering(gate):
                await submitted(gate, owner, receiver.address, 1)
                await until(lambda: receiver.posts)
                with away(gate):
                    await until(lambda: "deliveries wait" in {line["event"] for line in logs})
                await until(lambda: attempts(gate))

    assert [("failed", None, "no answer within 0.5 s")] == attempts(gate)


async def test_what_the_database_refuses_is_in_the_log_and_tried_again(slow: Gate) -> None:
    owner = await client(slow)
    query(slow.store, "alter table attempts rename to elsewhere")
    with capture_logs() as logs:
        async with receiving() as receiver, delivering(slow):
            await submitted(slow, owner, receiver.address, 1)
            await until(lambda: "deliveries interrupted" in {line["event"] for line in logs})
            query(slow.store, "alter table elsewhere rename to attempts")
            await delivered(slow, 1)

    assert 1 == len(receiver.posts)


async def test_what_is_in_the_air_at_the_end_is_waited_for_and_booked(slow: Gate) -> None:
    owner = await client(slow)
    async with receiving() as receiver:
        async with delivering(slow):
            await submitted(slow, owner, receiver.address, 1)
            await until(lambda: receiver.posts)
        assert "delivered" == state(slow, 1)
        assert 1 == len(receiver.posts)


async def test_what_does_not_land_at_the_end_stays_leased(slow: Gate) -> None:
    owner = await client(slow)
    async with receiving(hangs) as receiver, delivering(slow) as deliverer:
        await submitted(slow, owner, receiver.address, 1)
        await until(lambda: receiver.posts)
        await deliverer.stop(seconds=0)

    assert [("waiting", True)] == query(
        slow.store, "select state, leased_until > now() from deliveries"
    )
    assert [] == attempts(slow)


async def test_one_that_never_started_can_be_stopped(slow: Gate) -> None:
    await Deliverer(slow, open_caller(slow)).stop()


async def test_a_process_that_slept_too_long_sends_nothing(slow: Gate) -> None:
    owner = await client(slow)
    async with receiving() as receiver:
        await submitted(slow, owner, receiver.address, 1)
        deliverer = Deliverer(slow, open_caller(slow))
        deliverer._lease_s, deliverer._good_s = 30.0, -1.0
        deliverer.on_duty = True
        await deliverer.look()
        await until(lambda: not deliverer._flying)
        await asyncio.sleep(0)
        await deliverer.stop()

        assert [] == receiver.posts
