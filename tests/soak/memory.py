"""Memory over many tasks: what a server uses after a warm-up it uses ever after.

A real server with its own PostgreSQL follows tasks of a quick upstream to their end. Clients
submit on kept connections, every other time with an Idempotency-Key, and fetch; every tenth time
what is not there. Whenever a step of tasks has ended the server's memory is read. From the end of
the warm-up it may grow by a tenth.

    python tests/soak/memory.py --tasks 100000
"""

import argparse
import asyncio
import json
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import psycopg
from aiohttp import web
from tabulate import tabulate

if not __package__:  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.bench.process import start_module
from tests.process import Server, serving

_CLIENTS = 16
_DRAWN_S = 1.0
_MIB = 1 << 20
_MOST_GROWTH = 1.10
_SETTLED_S = 300.0
_ANSWERED = (200, 404)
_OPEN = "select count(*) from tasks where phase in ('sending', 'unknown', 'running')"
_ENDED = "select count(*) from tasks where status = 'SUCCESS'"
_NO_TASK = 2**53 - 1


@dataclass(frozen=True)
class Sample:
    """A server once so many tasks have ended. Sizes are bytes, `rate` is tasks a second.

    `own` is what it shares with nobody; `pss` depends on what else runs on the machine.
    """

    tasks: int
    rss: int
    pss: int
    own: int
    files: int
    rate: float
    heard: int


@dataclass(frozen=True)
class Report:
    """Samples in order; `warm` is how many tasks the warm-up has."""

    samples: Sequence[Sample]
    warm: int
    ended: int

    @property
    def growth(self) -> tuple[float, float]:
        """The last sample by that of the warm-up: all that is resident, and what is its own."""
        first = next(each for each in self.samples if each.tasks >= self.warm)
        last = self.samples[-1]
        return last.rss / first.rss, last.own / first.own

    @property
    def flat(self) -> bool:
        return max(self.growth) <= _MOST_GROWTH

    def show(self) -> str:
        rows = [_cells(each) for each in self.samples]
        headers = ["tasks", "RSS MiB", "PSS MiB", "own MiB", "files", "tasks/s", "callbacks"]
        table = tabulate(rows, headers=headers, disable_numparse=True, stralign="right")
        rss, own = self.growth
        verdict = "flat" if self.flat else f"WRONG: more than {_MOST_GROWTH - 1:.0%}"
        return f"{table}\n{rss - 1:+.1%} RSS, {own - 1:+.1%} own since {self.warm:,}: {verdict}"


def _cells(sample: Sample) -> list[str]:
    sizes = [f"{size / _MIB:.1f}" for size in (sample.rss, sample.pss, sample.own)]
    counts = [sample.files, sample.rate, sample.heard]
    return [f"{sample.tasks:,}", *sizes, *(f"{count:,.0f}" for count in counts)]


@dataclass
class Receiver:
    """Where callbacks go; counts them."""

    url: str = ""
    heard: int = 0

    async def hear(self, request: web.Request) -> web.Response:
        await request.read()
        self.heard += 1
        return web.Response()


class Memory:
    """One server, its clients and what was seen of it."""

    def __init__(self, server: Server, session: aiohttp.ClientSession, receiver: Receiver) -> None:
        self._server = server
        self._session = session
        self._receiver = receiver
        self._process = psutil.Process(server.pid)

    async def run(self, tasks: int, step: int) -> AsyncIterator[Sample]:
        """Has so many tasks drawn; yields a sample after each step of them."""
        for done in range(step, tasks + 1, step):
            started = time.monotonic()
            numbers = iter(range(done - step, done))
            await asyncio.gather(*(self._submit(numbers) for _ in range(_CLIENTS)))
            rate = step / (time.monotonic() - started)
            await self._settled()
            yield self._sample(done, rate)

    async def _submit(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            body = {"prompt": f"picture {number}", "notifyHook": self._receiver.url}
            keyed = {"Idempotency-Key": secrets.token_hex(8)} if number % 2 else {}
            answer = await self._ask("POST", "/mj/submit/imagine", keyed, json=body)
            task = _NO_TASK if number % 10 == 0 else answer["result"]
            await self._ask("GET", f"/mj/task/{task}/fetch", {})

    async def _ask(self, method: str, path: str, headers: Mapping[str, str], **more: Any) -> Any:
        async with self._session.request(
            method, self._server.address + path, headers=headers, **more
        ) as response:
            answer = await response.json()
            assert response.status in _ANSWERED, answer
            return answer

    async def _settled(self) -> None:
        """Waits until every task has ended."""
        async with asyncio.timeout(_SETTLED_S):
            while await asyncio.to_thread(count, self._server, _OPEN):
                await asyncio.sleep(0.2)

    def _sample(self, tasks: int, rate: float) -> Sample:
        used = self._process.memory_full_info()
        files = self._process.num_fds()
        return Sample(tasks, used.rss, used.pss, used.uss, files, rate, self._receiver.heard)


async def memory(
    tasks: int, warm: int, step: int, *, hooks: bool = False, settings: Mapping[str, str]
) -> Report:
    """Runs it in a folder of its own; prints each sample as it comes.

    Unless a setting says so no pictures are kept: those of the stub are nowhere.
    """
    samples = []
    settings = {"MJGATE_PICTURES": "off", **settings}
    with tempfile.TemporaryDirectory(prefix="memory-") as name:
        folder = Path(name)
        upstream = start_module("stub", ["--success-after", str(_DRAWN_S)], folder, "")
        try:
            async with (
                _listening(hooks) as receiver,
                serving(folder, **settings) as server,
                _session(server, upstream.url) as session,
            ):
                async for sample in Memory(server, session, receiver).run(tasks, step):
                    print(f"{sample.tasks:,} {sample.rss / _MIB:.1f} MiB", flush=True)
                    samples.append(sample)
                ended = await asyncio.to_thread(count, server, _ENDED)
        finally:
            upstream.end()
    return Report(samples, warm, ended)


@asynccontextmanager
async def _listening(hooks: bool) -> AsyncIterator[Receiver]:
    """A receiver on a port of its own; without `hooks` it has no address."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hook", receiver.hear)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        if hooks:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _session(server: Server, upstream: str) -> AsyncIterator[aiohttp.ClientSession]:
    """The connections of clients who share a token, once the server has its channel."""
    channel = ("stub", "--url", upstream, "--dialect", "novicezk")
    added = await asyncio.to_thread(server.command, "channel", "add", *channel)
    made = await asyncio.to_thread(server.command, "token", "create", "soak", "--json")
    assert 0 == added.returncode == made.returncode, added.stderr + made.stderr
    async with aiohttp.ClientSession(
        headers={"mj-api-secret": json.loads(made.stdout)["token"]},
        connector=aiohttp.TCPConnector(limit=0),
    ) as session:
        yield session


def count(server: Server, query: str) -> int:
    """What a query counts in the database of a server."""
    with psycopg.connect(address_of(server), autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def address_of(server: Server) -> str:
    """The embedded PostgreSQL of a server."""
    folder = Path(server.settings["MJGATE_DATA_DIR"]) / "postgres"
    port, host = (folder / "postmaster.pid").read_text().splitlines()[3:5]
    return f"postgresql://postgres@/mjgate?host={host}&port={port}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--warm", type=int, default=20_000, help="Tasks of the warm-up.")
    parser.add_argument("--step", type=int, default=10_000, help="Tasks between samples.")
    parser.add_argument("--hooks", action="store_true", help="Let every task call back.")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="A setting of the server."
    )
    options = parser.parse_args()
    settings = dict(each.split("=", 1) for each in options.set)
    if options.hooks:
        settings.setdefault("MJGATE_ALLOW_PRIVATE_HOOKS", "127.0.0.0/8")
    report = asyncio.run(
        memory(options.tasks, options.warm, options.step, hooks=options.hooks, settings=settings)
    )
    print(report.show())
    missing = options.tasks - report.ended
    if missing:
        print(f"WRONG: {missing:,} tasks have not succeeded")
    sys.exit(0 if report.flat and not missing else 1)


if __name__ == "__main__":
    main()
