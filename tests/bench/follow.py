"""The bench of following: how soon a change at the upstream is seen, and what submits pay for it.

Submits are measured in turns with those of another gateway that follows nothing; while it has its
turn, the one that follows is stopped.

python tests/bench/follow.py --running 1000,50000
"""

import asyncio
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import click
from tabulate import tabulate

if not __package__:  # started by its path
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import machine, stub
from tests.bench.gateway import Gateway, start_gateway
from tests.bench.load import Run, load
from tests.bench.measure import IMAGINE
from tests.bench.process import LOOPBACK, BenchError, Service, start_module, tree_cpu

GOALS_S = {1000: 2.0, 50_000: 10.0}
LEAST_SPEED = 0.8
_LIVES_S = (60, 600)
"""What the upstream takes for a task that is followed, at least and at most."""
_SUBMITTERS = 64
_SAMPLE = 400
_ASKED_AT_ONCE = 100
_POLL_S = 0.1
_SETTLE_S = 10.0
_WARM_UP_S, _SUBMIT_S, _REST_S = 1.0, 5.0, 4.0


@dataclass(frozen=True)
class Submits:
    """Submits a second at 64 connections, and microseconds of the gateway's CPU for each."""

    rps: float
    cpu_us: float


@dataclass(frozen=True)
class Figures:
    """What was measured with so many tasks running; seconds, and shares of one core."""

    running: int
    seen: int
    median: float
    p99: float
    longest: float
    calls: float
    gateway: float
    postgres: float
    submits: Submits | None = None
    alone: Submits | None = None
    ratio: float = 1.0
    """Of the speed of submits, with and without: the median of the rounds."""


class Bench:
    """A gateway, the stub and a client."""

    def __init__(self, gateway: Gateway, upstream: Service, session: aiohttp.ClientSession) -> None:
        self._gateway = gateway
        self._upstream = upstream
        self._session = session
        self._lives: dict[int, int] = {}

    async def fill(self, running: int) -> None:
        """Submits until so many tasks run for long."""
        missing = iter(range(running - self._running()))

        async def submit() -> None:
            for _ in missing:
                life_s = random.randint(*_LIVES_S)
                body = {"prompt": f"a fox sandbox:late={life_s}"}
                async with self._session.post("/mj/submit/imagine", json=body) as response:
                    if response.status != 200:
                        raise BenchError(f"a submit was answered {await response.text()}")
                    self._lives[int((await response.json())["result"])] = life_s

        await asyncio.gather(*(submit() for _ in range(_SUBMITTERS)))

    async def measure(self, seconds: float) -> Figures:
        """Watches tasks whose progress changes at the upstream meanwhile."""
        await asyncio.sleep(_SETTLE_S)
        running, sample = self._running(), self._sample(seconds)
        calls, cpu, start = self._calls(), self._cpu(), time.monotonic()
        lags = await self._watch(sample, seconds)
        passed = time.monotonic() - start
        used = [after - before for before, after in zip(cpu, self._cpu(), strict=True)]
        if len(lags) < len(sample):
            raise BenchError(f"of {len(sample)} changes {len(lags)} were seen in {passed:.0f} s")
        return Figures(
            running=running,
            seen=len(lags),
            median=statistics.median(lags),
            p99=sorted(lags)[int(len(lags) * 0.99)],
            longest=max(lags),
            calls=(self._calls() - calls) / passed,
            gateway=used[0] / passed,
            postgres=used[1] / passed,
        )

    def submit(self, seconds: float) -> Submits:
        """Submits of tasks that soon end, as fast as they are answered."""
        self._load(_WARM_UP_S)
        before = self._cpu()[0]
        run = self._load(seconds)
        used = self._cpu()[0] - before
        return Submits(run.requests / run.seconds, 1e6 * used / run.requests)

    def _load(self, seconds: float) -> Run:
        service = self._gateway.service
        try:
            return load(service.url, IMAGINE, self._gateway.token, _SUBMITTERS, seconds)
        except BenchError:
            service.check_alive()
            raise

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Its process stands still meanwhile."""
        process = self._gateway.service.process
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def _running(self) -> int:
        return len(self._followed())

    def _followed(self) -> list[tuple[int, str]]:
        """Those that run for long: ids, ours and the upstream's."""
        with self._gateway.connect() as connection:
            rows = connection.execute("select id, upstream_id from tasks where phase = 'running'")
            return [row for row in rows.fetchall() if row[0] in self._lives]

    def _sample(self, seconds: float) -> dict[str, tuple[float, str]]:
        """Tasks that change soon: when, in seconds since 1970, and what is shown from then on."""
        now = time.time()
        changes = {
            str(task): (moment, progress)
            for task, upstream_id in self._followed()
            for share, progress in stub.STAGES[1:]
            if now + 1
            < (moment := int(upstream_id) / 1e6 + share * self._lives[task])
            < now + seconds
        }
        chosen = random.sample(sorted(changes), min(_SAMPLE, len(changes)))
        if not chosen:
            raise BenchError("no task changes at the upstream meanwhile; watch for longer")
        return {task: changes[task] for task in chosen}

    async def _watch(self, sample: dict[str, tuple[float, str]], seconds: float) -> list[float]:
        """How long after each change it is seen by a client."""
        lags: dict[str, float] = {}
        deadline = time.time() + seconds + 2 * max(GOALS_S.values())
        while len(lags) < len(sample) and time.time() < deadline:
            waiting = [
                task for task in sample if task not in lags and sample[task][0] < time.time()
            ]
            for start in range(0, len(waiting), _ASKED_AT_ONCE):
                for shown in await self._list(waiting[start : start + _ASKED_AT_ONCE]):
                    moment, progress = sample[shown["id"]]
                    if shown["progress"] == progress:
                        lags[shown["id"]] = time.time() - moment
            await asyncio.sleep(_POLL_S)
        return [*lags.values()]

    async def _list(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        body = {"ids": ids}
        async with self._session.post("/mj/task/list-by-condition", json=body) as response:
            found: list[dict[str, Any]] = await response.json()
            return found

    def _calls(self) -> int:
        with LOOPBACK.open(f"{self._upstream.url}/counts", timeout=10) as answer:
            counts = json.load(answer)
            return int(counts["lists"] + counts["fetches"])

    def _cpu(self) -> tuple[float, float]:
        pid, postmaster = self._gateway.service.process.pid, self._gateway.postmaster
        return tree_cpu(pid, without=postmaster), tree_cpu(postmaster)


async def bench(
    scratch: Path, running: Sequence[int], seconds: float, rounds: int
) -> list[Figures]:
    """What is measured with ever more tasks running."""
    with ExitStack() as ends:
        upstream = start_module("stub", ["--success-after", "1"], scratch, token="t")
        ends.callback(upstream.end)
        follows = _started(ends, scratch / "follows", upstream)
        alone = _started(ends, scratch / "alone", upstream)
        headers = {"mj-api-secret": follows.token}
        async with aiohttp.ClientSession(follows.service.url, headers=headers) as session:
            here, other = (Bench(each, upstream, session) for each in (follows, alone))
            return [await _measured(here, other, many, seconds, rounds) for many in running]


def _started(ends: ExitStack, folder: Path, upstream: Service) -> Gateway:
    folder.mkdir()
    gateway = start_gateway(folder, upstream.url)
    ends.callback(gateway.end)
    return gateway


async def _measured(here: Bench, other: Bench, many: int, seconds: float, rounds: int) -> Figures:
    click.echo(f"{many:,} running ...", err=True)
    await here.fill(many)
    figures = await here.measure(seconds)
    pairs = []
    for _ in range(rounds):
        await asyncio.sleep(_REST_S)
        ours = await asyncio.to_thread(here.submit, _SUBMIT_S)
        await asyncio.sleep(_REST_S)
        with here.stopped():
            pairs.append((ours, await asyncio.to_thread(other.submit, _SUBMIT_S)))
    return replace(
        figures,
        submits=_median([ours for ours, _ in pairs]),
        alone=_median([theirs for _, theirs in pairs]),
        ratio=statistics.median(ours.rps / theirs.rps for ours, theirs in pairs),
    )


def _median(runs: Sequence[Submits]) -> Submits:
    return Submits(
        statistics.median(run.rps for run in runs), statistics.median(run.cpu_us for run in runs)
    )


def show(found: Sequence[Figures]) -> str:
    rows = [
        [
            f"{each.running:,}",
            str(each.seen),
            *(f"{lag:.2f}" for lag in (each.median, each.p99, each.longest)),
            f"{each.calls:.0f}",
            f"{each.gateway:.2f}",
            f"{each.postgres:.2f}",
            *(_shown(submits) for submits in (each.submits, each.alone)),
            f"{each.ratio:.2f}",
        ]
        for each in found
    ]
    headers = [
        *("running", "changes", "seen after: median s", "p99 s", "longest s", "upstream calls/s"),
        *("cores gateway", "cores PostgreSQL", "submits/s (CPU us)", "alone", "ratio"),
    ]
    return tabulate(rows, headers, disable_numparse=True)


def _shown(submits: Submits | None) -> str:
    return f"{submits.rps:,.0f} ({submits.cpu_us:.0f})" if submits else ""


def missed(found: Sequence[Figures]) -> list[str]:
    """The goals that were not met."""
    slow = [
        f"{each.running:,} running: a change was seen after {each.longest:.1f} s, not {goal:g}"
        for each in found
        for many, goal in GOALS_S.items()
        if each.running <= many * 1.1 and each.longest > goal
    ]
    return slow + [
        f"{each.running:,} running: submits at {each.ratio:.2f} of their speed"
        for each in found
        if each.ratio < LEAST_SPEED
    ]


def _numbers(_: click.Context, __: click.Parameter, value: str) -> tuple[int, ...]:
    return tuple(map(int, value.split(",")))


@click.command()
@click.option("--running", default="1000,50000", show_default=True, callback=_numbers)
@click.option("--seconds", default=60.0, show_default=True, help="For which changes are watched.")
@click.option("--rounds", default=3, show_default=True, help="Of submits, of 5 s each.")
@click.option("--strict", is_flag=True, help="Exit 1 when a goal is missed.")
def main(running: tuple[int, ...], seconds: float, rounds: int, strict: bool) -> None:
    """Measure how soon changes at an upstream are seen, with many tasks running."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        click.echo(machine.look(Path(folder)).show())
        found = asyncio.run(bench(Path(folder), running, seconds, rounds))
    click.echo(f"Load average after {os.getloadavg()[0]:.2f}.\n\n{show(found)}")
    wrong = missed(found)
    click.echo("\n".join(["", *(wrong or ["All goals are met."])]))
    sys.exit(1 if strict and wrong else 0)


if __name__ == "__main__":
    main()
