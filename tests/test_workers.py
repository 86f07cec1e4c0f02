"""`mjgate serve --workers 2`: several processes, one gateway."""

import asyncio
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from mjgate.sandbox import Settings, running_sandbox
from mjgate.store.cipher import new_secret_key
from mjgate.store.embedded import embedded
from tests.harness import until
from tests.process import (
    Client,
    Server,
    begin,
    end,
    gateway,
    gone,
    heard,
    living,
    serving,
)
from tests.store.rows import query_at

IN_FLIGHT = 16
EXIT_S = 60
UNKNOWN = "/mj/task/1/fetch"


@pytest.fixture
def upstream() -> Iterator[str]:
    with running_sandbox(Settings(speed=20, core_size=64, queue_size=1000)) as address:
        yield address


@pytest.fixture
def settings(database: str) -> dict[str, str]:
    return {"DATABASE_URL": database, "MJGATE_SECRET_KEY": new_secret_key()}


def workers_of(server: Server) -> list[psutil.Process]:
    """The workers that run now, oldest first."""
    children = living(psutil.Process(server.pid).children())
    return [child for child in children if "worker-process" in child.cmdline()]


async def open_connections(server: Server, count: int) -> list[asyncio.StreamWriter]:
    port = int(server.address.rpartition(":")[2])
    return [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(count)]


def busy(workers: list[psutil.Process]) -> list[int]:
    """How many connections each worker has accepted."""
    return [
        sum(found.status == psutil.CONN_ESTABLISHED for found in worker.net_connections("tcp"))
        for worker in workers
    ]


async def both_serve(server: Server) -> None:
    """Waits until each of two workers has taken some of many connections."""
    writers = []
    try:
        async with asyncio.timeout(30):
            while True:
                writers += await open_connections(server, 10)
                taken = busy(workers_of(server))
                if len(taken) == 2 and min(taken):
                    return
                await asyncio.sleep(0.1)
    finally:
        for writer in writers:
            writer.close()


async def counted(server: Server, operation: str, status: int) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.get(server.address + "/metrics") as response,
    ):
        text = await response.text()
    found = re.findall(
        rf'^mjgate_requests_total{{operation="{operation}",status="{status}"}} (\S+)$',
        text,
        re.MULTILINE,
    )
    assert len(found) <= 1, found
    return int(float(found[0])) if found else 0


async def all_counted(server: Server, operation: str, status: int, count: int) -> None:
    """Waits for a count: a request is counted just after its answer went out."""
    async with asyncio.timeout(30):
        while await counted(server, operation, status) < count:
            await asyncio.sleep(0.05)


async def test_both_workers_serve_and_their_metrics_are_summed(
    tmp_path: Path, settings: dict[str, str], upstream: str
) -> None:
    async with gateway(tmp_path, upstream, "--workers", "2", **settings) as client:
        server = client.server
        assert 2 == len(workers_of(server))
        await both_serve(server)

        answers = await asyncio.gather(*client.begin("a red fox", 40))
        assert [1] * 40 == [body["code"] for _, body in answers]
        for _, body in answers:
            await client.succeeds(body["result"])
        assert [404] * 40 == [(await client.ask("GET", UNKNOWN))[0] for _ in range(40)]

        await all_counted(server, "submit_imagine", 200, 40)
        await all_counted(server, "fetch_task", 404, 40)
        for _ in range(6):
            assert 40 == await counted(server, "submit_imagine", 200)
            assert 40 == await counted(server, "fetch_task", 404)


async def test_a_killed_worker_is_started_again_and_its_counts_stay(
    tmp_path: Path, settings: dict[str, str], upstream: str
) -> None:
    async with gateway(tmp_path, upstream, "--workers", "2", **settings) as client:
        server = client.server
        before = workers_of(server)
        for _ in range(20):
            await client.ask("GET", UNKNOWN)
        await all_counted(server, "fetch_task", 404, 20)

        before[0].kill()
        await gone(before[:1])
        await until(lambda: len(workers_of(server)) == 2)
        await both_serve(server)

        assert before[0].pid not in [worker.pid for worker in workers_of(server)]
        assert 20 == await counted(server, "fetch_task", 404)
        assert 200 == (await client.imagine("after the kill"))[0]


@pytest.mark.parametrize("how", ["SIGTERM to the parent", "Ctrl-C in the terminal"])
async def test_a_signal_finishes_what_is_in_flight_in_all_of_them(
    tmp_path: Path, upstream: str, how: str
) -> None:
    async with gateway(tmp_path, upstream, "--workers", "2") as client:
        server = client.server
        await both_serve(server)
        family = server.family()
        submits = client.begin("slow sandbox:slow=2", IN_FLIGHT)
        await heard(upstream, "slow", IN_FLIGHT)

        if how == "SIGTERM to the parent":
            server.signal(signal.SIGTERM)
        else:
            os.killpg(server.pid, signal.SIGINT)

        answers = await asyncio.gather(*submits)
        assert [(200, 1)] * IN_FLIGHT == [(status, body["code"]) for status, body in answers]
        assert 0 == await server.ended(EXIT_S)
        await gone(family)


async def test_a_second_signal_reaches_the_workers(
    tmp_path: Path, settings: dict[str, str], upstream: str
) -> None:
    patient = settings | {"MJGATE_DRAIN_TIMEOUT": "300"}
    async with gateway(tmp_path, upstream, "--workers", "2", **patient) as client:
        server, family = client.server, client.server.family()
        submits = client.begin("hangs sandbox:hang", 4)
        await heard(upstream, "hangs", 4)

        server.signal(signal.SIGTERM)
        await server.until_status("/readyz", 503)
        server.signal(signal.SIGTERM)

        assert 0 == await server.ended(EXIT_S)
        await gone(family)
        await asyncio.gather(*submits, return_exceptions=True)


async def test_a_ctrl_c_does_not_end_the_sandbox_before_what_is_in_flight(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    words = ("--workers", "2", "--sandbox", "--sandbox-port", "0")
    async with serving(tmp_path, *words, **settings) as server:
        family = server.family()
        async with aiohttp.ClientSession() as session:
            client = Client(session, server, server.token)
            submits = client.begin("slow sandbox:slow=2", 4)
            begun = "select count(*) from tasks"
            await until(lambda: [(4,)] == query_at(settings["DATABASE_URL"], begun))
            os.killpg(server.pid, signal.SIGINT)
            answers = await asyncio.gather(*submits)
        assert [200] * 4 == [status for status, _ in answers]
        assert 0 == await server.ended(EXIT_S)
        await gone(family)


async def test_workers_do_not_outlive_a_killed_parent(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    async with serving(tmp_path, "--workers", "2", **settings) as server:
        workers = workers_of(server)
        await both_serve(server)
        await server.killed()
        await gone(workers)


async def test_more_workers_than_the_embedded_database_takes_are_refused(tmp_path: Path) -> None:
    with embedded(tmp_path / "data"):
        pass
    with (tmp_path / "data" / "postgres" / "postgresql.conf").open("a") as settings:
        settings.write("max_connections = 44\n")

    server = begin(tmp_path, "--workers", "2")
    try:
        assert 2 == await server.ended(60)
    finally:
        end(server)

    assert "mjgate: --workers 2 may need 46 connections (16 each, 14 beside them)" in server.said
