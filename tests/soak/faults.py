"""Every fault of an upstream at once: each task ends, with the right status, money and in time.

Tasks with all faults are submitted in any order to one channel, and to another whose upstream
forgets all of them in the middle. When all have ended, each must have ended as its fault wants,
be charged only for a picture in time, and have waited no longer than its deadline and one cycle.

    python tests/soak/faults.py --tasks 2000
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from tabulate import tabulate

if not __package__:  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from mjgate.sandbox import Settings, running_sandbox
from tests.process import Server, begin, end, ready
from tests.soak.crash import ask_database

_CLIENTS = 32
_CYCLE_S = 20.0
"""The sweep comes every fifteen seconds, and takes a moment."""
_MIDWAY_S = 4.0
"""When a picture of the sandbox is half drawn, at its usual speed."""
_OPEN = "select count(*) from tasks where phase in ('sending', 'unknown', 'running')"
_UNSTARTED = "select count(*) from tasks where prompt like 'forgotten %' and status = 'NOT_START'"
_LATE = "select count(*) from tasks where prompt like 'late %' and status <> 'SUCCESS'"
_ROWS = """
select split_part(prompt, ' ', 1), status, coalesce(ended_by, 'upstream'),
  (select string_agg(kind, '+' order by l.id) from ledger l where l.task_id = t.id),
  extract(epoch from ended_at - accepted_at)::float8
from tasks t
"""


@dataclass(frozen=True)
class Fault:
    """A fault by its words in a prompt, and how its task ends: status, by whom, whether paid."""

    name: str
    words: str
    status: str = "SUCCESS"
    by: str = "upstream"
    paid: bool = True

    @property
    def ends(self) -> tuple[str, str, str]:
        return self.status, self.by, "hold+charge" if self.paid else "hold+release"


@dataclass(frozen=True)
class Pace:
    """Seconds that things take. `speed` is that of the sandbox."""

    deadline: float = 100.0
    lost: float = 60.0
    timeout: float = 10.0
    speed: float = 4.0

    def faults(self) -> list[Fault]:
        failure, by_us = ("FAILURE", "upstream", False), ("FAILURE", "deadline", False)
        return [
            Fault("none", ""),
            Fault("fail", "sandbox:fail", *failure),
            Fault("fail-late", "sandbox:fail-late", *failure),
            Fault("cancel", "sandbox:cancel", "CANCEL", "upstream", False),
            Fault("lost", f"sandbox:lost={_MIDWAY_S / self.speed}", "FAILURE", "lost", False),
            Fault("lost-at-once", "sandbox:lost", "FAILURE", "lost", False),
            Fault("hidden", f"sandbox:hidden={self.lost / 3}"),
            Fault("stuck", "sandbox:stuck", *by_us),
            Fault("unstarted", "sandbox:unstarted", *by_us),
            Fault("modal", "sandbox:modal", *by_us),
            Fault("late", f"sandbox:late={self.deadline + 8}", "SUCCESS", "deadline", False),
            Fault("backwards", "sandbox:backwards"),
            Fault("no-number", "sandbox:waiting"),
            Fault("nul", "sandbox:nul-progress"),
            Fault("no-status", "sandbox:status"),
            Fault("list-garbage", "sandbox:list:garbage"),
            Fault("list-mangled", "sandbox:list:mangled"),
            Fault("list-stray", "sandbox:list:stray"),
            Fault("list-twice", "sandbox:list:twice"),
            Fault("list-hangs", "sandbox:list:hang"),
        ]


FORGOTTEN = Fault("forgotten", "sandbox:late=600", "FAILURE", "lost", False)


@dataclass(frozen=True)
class Row:
    """What became of the tasks of a fault; `longest` is seconds from acceptance to the end."""

    fault: str
    tasks: int
    ends: Sequence[tuple[str, str, str]]
    longest: float


@dataclass(frozen=True)
class Report:
    """The table; `wrong` is empty where all is right."""

    rows: Sequence[Row]
    wrong: Sequence[str]

    def show(self) -> str:
        shown = [
            [row.fault, row.tasks, "; ".join(" ".join(end) for end in row.ends), row.longest]
            for row in self.rows
        ]
        table = tabulate(shown, ["fault", "tasks", "ended as", "longest wait, s"], floatfmt=".1f")
        return "\n".join([table, *(f"WRONG: {text}" for text in self.wrong)])


class Soak:
    """A server, an upstream with faults, and another that forgets."""

    def __init__(self, server: Server, upstream: str, forgetful: str, pace: Pace) -> None:
        self._server = server
        self._upstream = upstream
        self._forgetful = forgetful
        self._pace = pace

    async def run(self, tasks: int) -> Report:
        faults = self._pace.faults()
        many = max(1, tasks // (len(faults) + 1))
        made = await self._command("token", "create", "soak", "--json")
        async with aiohttp.ClientSession(headers={"mj-api-secret": json.loads(made)["token"]}) as s:
            await self._command("channel", "add", "one", "--url", self._upstream)
            await self._submit(s, faults, many)
            await self._command("channel", "set", "one", "--state", "draining")
            await self._command("channel", "add", "two", "--url", self._forgetful)
            await self._submit(s, [FORGOTTEN], many)
            await self._none(_UNSTARTED)
            async with s.post(f"{self._forgetful}/sandbox/forget") as response:
                assert 204 == response.status
        await self._none(_OPEN)
        await self._none(_LATE)
        audit = await asyncio.to_thread(self._server.command, "ledger", "audit")
        return self._report([*faults, FORGOTTEN], many, audit.stdout if audit.returncode else "")

    async def _command(self, *words: str) -> str:
        done = await asyncio.to_thread(self._server.command, *words)
        assert 0 == done.returncode, done.stderr
        return done.stdout

    async def _submit(
        self, session: aiohttp.ClientSession, faults: Sequence[Fault], many: int
    ) -> None:
        prompts = [f"{fault.name} {n} {fault.words}" for fault in faults for n in range(many)]
        random.shuffle(prompts)
        address = f"{self._server.address}/mj/submit/imagine"

        async def client(number: int) -> None:
            for prompt in prompts[number::_CLIENTS]:
                async with session.post(address, json={"prompt": prompt}) as response:
                    assert response.status in (200, 504), await response.text()

        await asyncio.gather(*map(client, range(_CLIENTS)))

    async def _none(self, query: str) -> None:
        """Waits until a query counts none; what is left then is in the report."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.deadline + 2 * _CYCLE_S + 30):
                while await asyncio.to_thread(ask_database, self._server, query) != [(0,)]:
                    await asyncio.sleep(0.5)

    def _report(self, faults: Sequence[Fault], many: int, audit: str) -> Report:
        found: dict[str, list[Any]] = {fault.name: [] for fault in faults}
        for name, *rest in ask_database(self._server, _ROWS):
            found[name].append(rest)
        rows, wrong = [], [f"the audit says: {audit}"] if audit else []
        for fault in faults:
            ends = [tuple(end) for *end, _ in found[fault.name]]
            waits = [wait for *_, wait in found[fault.name] if wait is not None]
            row = Row(fault.name, len(ends), sorted({*ends}), max(waits, default=0.0))
            rows.append(row)
            if [*row.ends] != [fault.ends] or many != row.tasks or len(waits) != many:
                wrong.append(f"{fault.name}: of {many}, {ends.count(fault.ends)} {fault.ends}")
            if row.longest > self._pace.deadline + _CYCLE_S:
                wrong.append(f"{fault.name}: one waited {row.longest:.1f} s")
        return Report(rows, wrong)


async def soak(tasks: int, pace: Pace) -> Report:
    """Runs it in a folder of its own."""
    settings = Settings(speed=pace.speed, core_size=100_000, kept=200_000, heard=10)
    with (
        tempfile.TemporaryDirectory(prefix="faults-") as folder,
        running_sandbox(settings) as upstream,
        running_sandbox(settings) as forgetful,
    ):
        server = begin(
            Path(folder),
            MJGATE_TASK_DEADLINE=str(pace.deadline),
            MJGATE_LOST_AFTER=str(pace.lost),
            MJGATE_UPSTREAM_TIMEOUT=str(pace.timeout),
        )
        try:
            await ready(server)
            return await Soak(server, upstream, forgetful, pace).run(tasks)
        finally:
            end(server)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", type=int, default=2000)
    options = parser.parse_args()
    report = asyncio.run(soak(options.tasks, Pace()))
    print(report.show())
    sys.exit(1 if report.wrong else 0)


if __name__ == "__main__":
    main()
