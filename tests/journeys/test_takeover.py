"""Work that died with its worker is taken up by whoever comes, and leaves nothing behind."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from mjgate.sandbox import Settings, running_sandbox
from tests.harness import SECRET_KEY, until
from tests.process import Client, Server, begin, end, gateway, postmaster_of, ready, serving

TAKEN_UP_S = 60
DOING = "select id from procrastinate_jobs where status = 'doing' and task_name = 'follow'"
HEARD = "update procrastinate_workers set last_heartbeat = now() - interval '1 hour'"
ENDED = "select count(*) from tasks where phase = 'ended' and status = 'SUCCESS'"
LEFT = """
select count(*) from procrastinate_jobs
where status = 'doing' and (worker_id is null or worker_id = any(%s))
"""
WORKERS = "select id from procrastinate_workers order by id"


def ask(uri: str, query: str, *values: Any) -> list[Any]:
    with psycopg.connect(uri, autocommit=True) as connection:
        cursor = connection.execute(query.encode(), values)
        return cursor.fetchall() if cursor.description else []


def embedded(server: Server) -> str:
    folder = Path(server.settings["MJGATE_DATA_DIR"]) / "postgres"
    port, host = (folder / "postmaster.pid").read_text().splitlines()[3:5]
    return f"postgresql://postgres@/mjgate?host={host}&port={port}"


async def kill(server: Server, databases: Sequence[psutil.Process] = ()) -> None:
    os.killpg(server.pid, signal.SIGKILL)
    for each in databases:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    await server.ended()


@pytest.fixture
def upstream() -> Iterator[str]:
    """Its pictures take some seconds, long enough to die over them."""
    with running_sandbox(Settings(dialect="novicezk", speed=10, core_size=64)) as address:
        yield address


async def submitted(client: Client, count: int) -> list[str]:
    answers = [await task for task in client.begin("a fox sandbox:late=10", count)]
    return [str(body["result"]) for _, body in answers]


@pytest.mark.timeout(240)
async def test_all_that_a_cluster_left_behind_is_taken_up_by_the_one_that_starts(
    tmp_path: Path, upstream: str
) -> None:
    """Server and database are killed: a job in `doing`, one that waits, rows of dead workers."""
    async with gateway(tmp_path, upstream) as client:
        server = client.server
        await submitted(client, 5)
        uri = embedded(server)
        await until(lambda: ask(uri, DOING))
        postmaster = postmaster_of(server.settings)
        assert postmaster is not None
        await kill(server, [postmaster, *postmaster.children(recursive=True)])

        after = begin(tmp_path)
        try:
            await ready(after)
            uri = embedded(after)
            dead = [each for (each,) in ask(uri, WORKERS)][:-1]
            ask(uri, f"{HEARD} where id = any(%s)", dead)

            await until(lambda: [(5,)] == ask(uri, ENDED), TAKEN_UP_S)
            await until(lambda: 1 == len(ask(uri, WORKERS)), TAKEN_UP_S)
            await until(lambda: [(0,)] == ask(uri, LEFT, dead), TAKEN_UP_S)
            jobs = after.command("jobs")
            assert 0 == jobs.returncode, jobs.stdout + jobs.stderr
        finally:
            end(after)


@pytest.mark.timeout(240)
async def test_one_of_two_servers_dies_and_the_other_ends_its_tasks(
    tmp_path: Path, upstream: str, database: str
) -> None:
    settings = {"DATABASE_URL": database, "MJGATE_SECRET_KEY": SECRET_KEY}
    async with (
        gateway(tmp_path, upstream, **settings) as client,
        serving(tmp_path, **settings),
    ):
        await submitted(client, 5)
        await until(lambda: ask(database, DOING))
        await kill(client.server)

        await until(lambda: [(5,)] == ask(database, ENDED), TAKEN_UP_S)
