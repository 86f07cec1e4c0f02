"""Waiting over sockets: on every worker, without notifications, and until the gateway stops."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from msgspec import structs

from mjgate.domain.task import IN_PROGRESS
from mjgate.sandbox import Settings, running_sandbox
from mjgate.store.cipher import new_secret_key
from mjgate.store.tasks import advance_tasks
from tests.harness import Gateway, free_port, running_gateway, until
from tests.process import gateway as running_server
from tests.store.rows import running, terminate

LONG = "wait=60"
AT_ONCE = 1000


@dataclass(frozen=True)
class Fetched:
    status: int
    tag: str
    applied: bool
    body: Any


async def fetch(
    session: aiohttp.ClientSession,
    address: str,
    key: str,
    task: str,
    tag: str | None = None,
    prefer: str | None = None,
) -> Fetched:
    headers = {"mj-api-secret": key}
    if tag is not None:
        headers["If-None-Match"] = tag
    if prefer is not None:
        headers["Prefer"] = prefer
    async with session.get(f"{address}/mj/task/{task}/fetch", headers=headers) as answer:
        body = await answer.json() if answer.status != 304 else await answer.read()
        applied = answer.headers.get("Preference-Applied") == "wait"
        return Fetched(answer.status, answer.headers.get("ETag", ""), applied, body)


@dataclass
class Party:
    """A gateway, a client of it, and the task 1 of that client, which no upstream changes."""

    gateway: Gateway
    client: int

    async def fetch(self, tag: str | None = None, prefer: str | None = None) -> Fetched:
        gateway = self.gateway
        return await fetch(gateway.session, gateway.address, gateway.key, "1", tag, prefer)

    async def advance(self, number: int = 1) -> None:
        task = await self.gateway.gate.store.reader.task(self.client, number)
        assert task is not None
        changed = structs.replace(task, status=IN_PROGRESS, progress=f"{task.version}%")
        assert await advance_tasks(self.gateway.gate.store.pool, [changed])

    async def waiting(self, count: int) -> None:
        await until(lambda: len(self.gateway.gate.store.waiters) == count)

    def begin(self, tag: str, prefer: str = LONG) -> asyncio.Task[Fetched]:
        return asyncio.create_task(self.fetch(tag, prefer))


@asynccontextmanager
async def party_of(gateway: Gateway) -> AsyncIterator[Party]:
    [(client,)] = gateway.rows("select id from tokens where label = 'client'")
    await running(gateway.gate.store, 1, client)
    await until(lambda: gateway.gate.store.changes.listening)
    yield Party(gateway, client)


@pytest.fixture
async def party(gateway: Gateway) -> AsyncIterator[Party]:
    async with party_of(gateway) as party:
        yield party


async def test_a_fetch_has_a_tag_and_is_answered_without_a_body_where_it_is_known(
    party: Party,
) -> None:
    first = await party.fetch()
    assert (200, 'W/"2"', False) == (first.status, first.tag, first.applied)

    for known in ('W/"2"', '"2"', '"1", W/"2"', "*"):
        assert Fetched(304, 'W/"2"', False, b"") == await party.fetch(known)
    for other in ('W/"1"', "2", "nonsense", ""):
        assert first == await party.fetch(other)

    await party.advance()
    second = await party.fetch('W/"2"')
    assert (200, 'W/"3"', IN_PROGRESS) == (second.status, second.tag, second.body["status"])


async def test_one_who_knows_the_task_is_answered_with_its_next_change(party: Party) -> None:
    waits = [party.begin('W/"2"') for _ in range(3)]
    await party.waiting(3)

    await party.advance()

    for look in await asyncio.gather(*waits):
        assert (200, 'W/"3"', True) == (look.status, look.tag, look.applied)
        assert "2%" == look.body["progress"]
    assert 0 == len(party.gateway.gate.store.waiters)


@pytest.mark.parametrize(
    ("tag", "prefer", "status", "applied"),
    [
        ('W/"1"', LONG, 200, True),
        (None, LONG, 200, False),
        ("*", LONG, 304, False),
        ('W/"2"', "wait=0", 304, False),
        ('W/"2"', "wait", 304, False),
        ('W/"2"', "wait=-1", 304, False),
        ('W/"2"', "respond-async", 304, False),
        ('W/"2"', "", 304, False),
    ],
)
async def test_where_there_is_nothing_to_wait_for_it_is_answered_at_once(
    party: Party, tag: str | None, prefer: str, status: int, applied: bool
) -> None:
    look = await party.fetch(tag, prefer)
    assert (status, applied) == (look.status, look.applied)


async def test_who_has_waited_long_enough_is_told_that_nothing_came(party: Party) -> None:
    assert Fetched(304, 'W/"2"', True, b"") == await party.fetch('W/"2"', "wait=1")


async def test_lists_in_headers_may_stand_on_several_lines(party: Party) -> None:
    gateway = party.gateway
    headers = [
        ("mj-api-secret", gateway.key),
        ("If-None-Match", '"1"'),
        ("If-None-Match", 'W/"2"'),
        ("Prefer", "respond-async"),
        ("Prefer", "wait=1"),
    ]
    async with gateway.session.get(f"{gateway.address}/mj/task/1/fetch", headers=headers) as answer:
        assert (304, "wait") == (answer.status, answer.headers["Preference-Applied"])


async def test_a_lost_notification_costs_a_second(party: Party) -> None:
    waits = [party.begin('W/"2"') for _ in range(3)]
    await party.waiting(3)
    party.gateway.rows(
        "update tasks set version = version + 1, progress = '7%%' where id = 1 returning id"
    )

    for look in await asyncio.gather(*waits):
        assert (200, "7%") == (look.status, look.body["progress"])


async def test_a_listener_that_died_costs_no_change(party: Party) -> None:
    wait = party.begin('W/"2"')
    await party.waiting(1)

    assert 1 == terminate(party.gateway.uri, "mjgate changes")
    await party.advance()

    assert 200 == (await wait).status


async def test_one_who_hangs_up_frees_the_place(party: Party) -> None:
    waits = [party.begin('W/"2"') for _ in range(3)]
    await party.waiting(3)

    waits[0].cancel()

    await party.waiting(2)
    await party.advance()
    assert [200, 200] == [look.status for look in await asyncio.gather(*waits[1:])]


async def test_a_token_has_so_many_places_and_others_have_theirs(database: str) -> None:
    async with (
        running_gateway(database, waits_per_token=2) as gateway,
        party_of(gateway) as party,
    ):
        waits = [party.begin('W/"2"') for _ in range(2)]
        await party.waiting(2)

        assert Fetched(304, 'W/"2"', False, b"") == await party.fetch('W/"2"', LONG)

        other = await gateway.token("other")
        look = await fetch(gateway.session, gateway.address, other, "1", 'W/"2"', LONG)
        assert 404 == look.status
        await party.advance()
        assert [200, 200] == [look.status for look in await asyncio.gather(*waits)]


async def test_a_thousand_who_wait_cost_little_and_are_all_told(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with (
        running_gateway(database, waits_per_token=AT_ONCE) as gateway,
        party_of(gateway) as party,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        store, numbers = gateway.gate.store, range(1, AT_ONCE + 1)
        await asyncio.gather(*(running(store, each, party.client) for each in numbers[1:]))
        waits = [
            asyncio.create_task(
                fetch(session, gateway.address, gateway.key, str(number), 'W/"2"', LONG)
            )
            for number in numbers
        ]
        await party.waiting(AT_ONCE)
        used = psutil.Process().cpu_times()
        await asyncio.sleep(5)
        idle = psutil.Process().cpu_times()
        share = (idle.user + idle.system - used.user - used.system) / 5

        began = time.perf_counter()
        tasks = await asyncio.gather(*(store.reader.task(party.client, each) for each in numbers))
        changed = [structs.replace(task, status=IN_PROGRESS) for task in tasks if task]
        assert AT_ONCE == len(await advance_tasks(store.pool, changed))
        looks = await asyncio.gather(*waits)
        seconds = time.perf_counter() - began

        assert [200] * AT_ONCE == [look.status for look in looks]
        assert 0 == len(store.waiters)
        with capsys.disabled():
            print(f"\n{AT_ONCE} wait: {share:.1%} of a core; all told in {seconds:.2f} s")


@pytest.fixture
def upstream() -> Iterator[str]:
    """A sandbox in life's own time."""
    with running_sandbox(Settings(dialect="novicezk", core_size=64)) as address:
        yield address


async def test_any_worker_answers_and_a_stop_answers_all_who_wait(
    tmp_path: Path, database: str, upstream: str
) -> None:
    settings = {"DATABASE_URL": database, "MJGATE_SECRET_KEY": new_secret_key()}
    async with running_server(tmp_path, upstream, "--workers", "2", **settings) as client:
        server = client.server
        key = client._headers["mj-api-secret"]
        _, answer = await client.imagine("a fox sandbox:late=300")
        task = answer["result"]
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def look(tag: str | None = None, prefer: str | None = None) -> Fetched:
                return await fetch(session, server.address, key, task, tag, prefer)

            known = await look()
            while known.body["progress"] != "93%":  # which a late task keeps
                looks = await asyncio.gather(*(look(known.tag, LONG) for _ in range(8)))
                assert {200} == {each.status for each in looks}
                assert {True} == {each.applied for each in looks}
                known = looks[-1]

            waits = [asyncio.create_task(look(known.tag, LONG)) for _ in range(40)]
            await until(lambda: connected(server.address) >= 40)
            # The server reads at once what it has taken, which no connection shows.
            await asyncio.sleep(1)
            server.signal(signal.SIGTERM)

            answered = await asyncio.gather(*waits)
            assert 0 == await server.ended(30)
        assert {200, 304} >= {each.status for each in answered}


def connected(address: str) -> int:
    """The connections to a server."""
    port = int(address.rpartition(":")[2])
    return sum(
        each.status == psutil.CONN_ESTABLISHED
        for each in psutil.net_connections("tcp")
        if each.laddr and each.laddr.port == port
    )


async def test_a_notify_of_the_upstream_is_taken_up_at_once_by_whoever_follows(
    tmp_path: Path, database: str
) -> None:
    """The upstream posts to any of two workers; the task would be looked at in seconds."""
    port = free_port()
    settings = {
        "DATABASE_URL": database,
        "MJGATE_SECRET_KEY": new_secret_key(),
        "MJGATE_PUBLIC_URL": f"http://127.0.0.1:{port}/",
    }
    words = ("--workers", "2", "--port", str(port))
    with running_sandbox(Settings(dialect="novicezk", core_size=64)) as upstream:
        async with (
            running_server(tmp_path, upstream, *words, **settings) as client,
            aiohttp.ClientSession() as session,
        ):
            _, answer = await client.imagine("a fox")
            await client.succeeds(answer["result"])

            async with session.get(f"{upstream}/sandbox/requests", params={"text": "fox"}) as told:
                [sent] = (await told.json())["requests"]
            hook = json.loads(sent["body"])["notifyHook"]
            assert hook.startswith(f"http://127.0.0.1:{port}/notify/")
            body = await client.task(answer["result"])
            assert "notify" not in repr(body)
            async with session.post(hook, json={"id": "unknown"}) as said:
                assert 204 == said.status
    posts = [line for line in client.server.said.splitlines() if '"method":"POST"' in line]
    hints = [line for line in posts if '"status":204' in line]
    assert len(hints) > 2
    assert "/notify/" not in client.server.said
