"""Callbacks from the submit to the receiver, over real sockets and across kills."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from mjgate.sandbox import Settings, running_sandbox
from tests.harness import Gateway, running_gateway, until
from tests.process import Client, Server, begin, end, living, postmaster_of, ready
from tests.receiver import Post, Receiver, receiving, says, takes

ALLOWED = {"allow_private_hooks": "127.0.0.0/8", "callback_schedule": (0.1,) * 50}
ENDS = ("SUCCESS", "FAILURE")


@asynccontextmanager
async def calling(database: str, sandbox: str, **settings: Any) -> AsyncIterator[Gateway]:
    async with running_gateway(database, **ALLOWED, **settings) as gateway:
        await gateway.channel("sandbox", sandbox)
        yield gateway


async def submit(gateway: Gateway, prompt: str = "a red fox", **more: Any) -> str:
    status, answer = await gateway.imagine(prompt, **more)
    assert (200, 1) == (status, answer["code"]), answer
    return str(answer["result"])


def ended(receiver: Receiver, *tasks: str) -> bool:
    told = {post.task["id"] for post in receiver.taken if post.task["status"] in ENDS}
    return told >= set(tasks)


def in_order(posts: list[Post]) -> None:
    """Never an older state after a newer one, and none twice."""
    versions = [post.version for post in posts]
    assert sorted(set(versions)) == versions


async def test_a_client_is_called_from_the_submit_to_the_picture(
    database: str, sandbox: str
) -> None:
    async with receiving() as receiver, calling(database, sandbox) as gateway:
        task = await submit(gateway, notifyHook=f"{receiver.address}?a=%7E&b=1 \n", state="mine")
        await until(lambda: ended(receiver, task))

        assert await gateway.fetch(task) == receiver.taken[-1].task
        assert ("SUCCESS", "mine") == (
            receiver.taken[-1].task["status"],
            receiver.taken[-1].task["state"],
        )
        assert "NOT_START" not in {post.task["status"] for post in receiver.taken}
        assert {"/hook?a=%7E&b=1"} == {post.path for post in receiver.taken}
        in_order(receiver.of(task))


async def test_a_failure_is_told(database: str, sandbox: str) -> None:
    async with receiving() as receiver, calling(database, sandbox) as gateway:
        task = await submit(gateway, "a fox sandbox:fail-early", notifyHook=receiver.address)
        await until(lambda: ended(receiver, task))

        last = receiver.taken[-1].task
        assert "FAILURE" == last["status"]
        assert await gateway.fetch(task) == last


async def test_the_hook_of_the_request_goes_before_that_of_the_token_and_the_global_one(
    database: str, sandbox: str
) -> None:
    async with (
        receiving() as named,
        receiving() as of_token,
        receiving() as of_all,
        calling(database, sandbox, notify_hook=of_all.address) as gateway,
    ):
        first = await submit(gateway, notifyHook="")
        gateway.key = await gateway.token("other", notify_hook=of_token.address)
        second = await submit(gateway, notifyHook="  ")
        third = await submit(gateway, notifyHook=named.address)
        await until(
            lambda: ended(of_all, first) and ended(of_token, second) and ended(named, third)
        )

        for receiver, task in ((of_all, first), (of_token, second), (named, third)):
            assert {task} == {post.task["id"] for post in receiver.posts}


async def test_a_hook_of_a_token_that_changes_is_in_force_at_once(
    database: str, sandbox: str
) -> None:
    async with receiving() as receiver, calling(database, sandbox) as gateway:
        silent = await submit(gateway)
        gateway.rows("update tokens set notify_hook = %s returning id", receiver.address)
        await until(lambda: not gateway.gate.store._tokens)
        task = await submit(gateway)
        await until(lambda: ended(receiver, task))
        await gateway.ended(silent)

        assert {task} == {post.task["id"] for post in receiver.posts}


@pytest.mark.parametrize(
    "hook", ["http://example.org:99999/", "http://example.org:0/", "http://[:::]/"]
)
async def test_a_hook_that_is_no_address_is_refused_with_its_place(
    ready: Gateway, hook: str
) -> None:
    status, answer = await ready.imagine(notifyHook=hook)

    assert (400, "/notifyHook") == (status, answer["properties"]["errors"][0]["pointer"])
    assert [] == ready.rows("select id from tasks")


async def test_without_leave_nobody_on_this_machine_is_called(
    gateway: Gateway, sandbox: str
) -> None:
    await gateway.channel("sandbox", sandbox)
    async with receiving() as receiver:
        task = await submit(gateway, notifyHook=receiver.address)
        await gateway.ended(task)
        await until(lambda: gateway.rows("select task_id from attempts"))

        assert [] == receiver.posts
        assert [("refused",)] == gateway.rows("select state from deliveries")


async def test_metrics_count_attempts_and_what_waits(database: str, sandbox: str) -> None:
    async with receiving(says(500)) as receiver, calling(database, sandbox) as gateway:
        await submit(gateway, notifyHook=receiver.address)
        await until(lambda: gateway.rows("select task_id from attempts"))
        async with gateway.session.get(gateway.address + "/metrics") as response:
            text = await response.text()

    assert 'mjgate_callbacks_total{outcome="failed"}' in text
    assert "mjgate_waiting_callbacks 1.0" in text
    assert "mjgate_oldest_callback_seconds" in text


SETTINGS = {
    "MJGATE_ALLOW_PRIVATE_HOOKS": "127.0.0.0/8",
    "MJGATE_CALLBACK_SCHEDULE": ",".join(["0.3"] * 40),
    "MJGATE_CALLBACK_TIMEOUT": "2",
}


@pytest.fixture
def upstream() -> Iterator[str]:
    with running_sandbox(Settings(speed=4, core_size=16, queue_size=1000)) as address:
        yield address


@asynccontextmanager
async def started(folder: Path, upstream: str) -> AsyncIterator[tuple[Server, str]]:
    begun = begin(folder, **SETTINGS)
    try:
        await ready(begun)
        begun.command("channel", "add", "sandbox", "--url", upstream)
        made = begun.command("token", "create", "client")
        yield begun, made.stdout.split()[0]
    finally:
        end(begun)


async def test_across_kills_of_server_and_database_every_end_arrives_and_none_goes_back(
    tmp_path: Path, upstream: str
) -> None:
    """What was answered and booked is not sent again; what was not has the same id."""
    async with (
        receiving() as receiver,
        started(tmp_path, upstream) as (server, key),
        aiohttp.ClientSession() as session,
    ):
        client = Client(session, server, key)
        tasks: list[str] = []

        async def submit_some() -> None:
            for number in range(6):
                body = {"prompt": f"a fox {number}", "notifyHook": receiver.address}
                status, answer = await client.ask("POST", "/mj/submit/imagine", body)
                assert 200 == status, answer
                tasks.append(answer["result"])

        await submit_some()
        await until(lambda: len(receiver.taken) > 3, 60)
        postmaster = postmaster_of(server.settings)
        assert postmaster is not None
        os.kill(postmaster.pid, signal.SIGKILL)
        await until(lambda: not living([postmaster]))
        await server.until_status("/readyz", 200)
        await submit_some()
        await until(lambda: any(receiver.of(task) for task in tasks[6:]), 60)
        family = server.family()
        await server.killed()
        for process in living(family):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        again = begin(tmp_path, **SETTINGS)
        try:
            await ready(again)
            await until(lambda: ended(receiver, *tasks), 90)
        finally:
            end(again)

    for task in tasks:
        posts = receiver.of(task)
        versions = [post.version for post in posts]
        assert sorted(versions) == versions
        assert "SUCCESS" == posts[-1].task["status"]
    twice = len(receiver.taken) - len({post.message for post in receiver.taken})
    assert twice <= 2 * 16, "only what was in the air when something was killed"


async def test_a_receiver_that_comes_back_is_told_of_every_end(database: str, sandbox: str) -> None:
    """Down, then failing in turn in every way, then well: no end is lost, none comes twice."""
    turns = [says(500), lambda _post: b"", says(307, "Location: /"), says(429, "Retry-After: 0")]

    def moody(post: Post) -> bytes | None:
        return turns[len(receiver.posts) % len(turns)](post)

    async with calling(database, sandbox) as gateway:
        async with receiving(moody) as receiver:
            tasks = [await submit(gateway, notifyHook=receiver.address) for _ in range(25)]
            for task in tasks:
                await gateway.ended(task)
        receiver.manner = takes
        async with receiver.listening():
            await until(lambda: ended(receiver, *tasks))
        await until(
            lambda: (
                [("delivered", 25)]
                == gateway.rows("select state, count(*) from deliveries group by state")
            )
        )

    for task in tasks:
        in_order(receiver.of(task))
        assert 1 == len([post for post in receiver.of(task) if post.task["status"] in ENDS])
