"""Kills at random moments under load: what is left is true, to the cent.

Half of the kills end the server, the other half the server and its PostgreSQL. Clients submit all
the while, each prompt once; every other one with an Idempotency-Key, repeated until it is
answered. When all tasks have ended, what clients were told, what the upstream took and what the
database holds are laid side by side.

    python tests/soak/crash.py --kills 30 --dialect novicezk
"""

import argparse
import asyncio
import json
import os
import random
import secrets
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp
import psutil
import psycopg

if not __package__:  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from mjgate.sandbox import DIALECTS, DialectName, Settings, running_sandbox
from tests.harness import free_port
from tests.process import Server, begin, end, postmaster_of, ready

_CLIENTS = 12
_SHORTEST_S, _LONGEST_S = 0.3, 2.5
_SANDBOX = {"speed": 60, "core_size": 512, "queue_size": 5000, "kept": 200_000, "heard": 50_000}
_SETTINGS = {"MJGATE_UPSTREAM_TIMEOUT": "1", "MJGATE_TASK_DEADLINE": "45"}
_PRICE = 100_000
_SETTLED_S = 180.0
_COUNTS = """
select count(*), count(*) filter (where upstream_id is null and phase = 'ended'),
  (select count(*) from ledger where kind = 'hold'),
  (select count(*) from ledger where kind = 'charge'),
  (select count(*) from ledger where kind = 'release')
from tasks
"""
_OPEN = "select count(*) from tasks where phase in ('sending', 'unknown', 'running')"
_SOON = "update tasks set send_deadline = now() where phase = 'sending'"
_LATE = "update tasks set deadline = now() where phase = 'unknown'"


@dataclass
class Told:
    """What clients were told."""

    accepted: dict[str, str] = field(default_factory=dict)
    """Prompts by the id that was given for them."""
    statuses: Counter[int] = field(default_factory=Counter)
    cut: int = 0


@dataclass(frozen=True)
class Report:
    """The books after it all; `faults` is empty where they are true."""

    counts: dict[str, int]
    faults: list[str]

    def show(self) -> str:
        rows = [f"  {name:<24}{count:>8,}" for name, count in self.counts.items()]
        return "\n".join([*rows, *(f"  WRONG: {fault}" for fault in self.faults)])


class Crash:
    """One server that is killed and started again, its upstream and its clients."""

    def __init__(self, folder: Path, upstream: str, dialect: DialectName) -> None:
        self._folder = folder
        self._upstream = upstream
        self._dialect = dialect
        self._words = ("--port", str(free_port()))
        self._told = Told()
        self._stopped = asyncio.Event()

    async def run(self, kills: int, *, patient: bool) -> Report:
        """`patient` waits for deadlines; else they are brought forward once nothing is sent."""
        server = await self._start()
        try:
            key = await self._prepare(server)
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, limit=0),
                headers={"mj-api-secret": key},
            ) as session:
                clients = [
                    asyncio.create_task(self._submit(session, server.address, number))
                    for number in range(_CLIENTS)
                ]
                for number in range(kills):
                    await asyncio.sleep(random.uniform(_SHORTEST_S, _LONGEST_S))
                    await _kill(server, with_database=number % 2 == 1)
                    server = await self._start()
                self._stopped.set()
                await asyncio.gather(*clients)
            await self._settled(server, patient=patient)
            audit = await asyncio.to_thread(server.command, "ledger", "audit")
            return await self._report(server, audit.returncode, audit.stdout + audit.stderr)
        finally:
            end(server)

    async def _start(self) -> Server:
        server = begin(self._folder, *self._words, **_SETTINGS)
        await ready(server)
        return server

    async def _prepare(self, server: Server) -> str:
        channel = ("sandbox", "--url", self._upstream, "--dialect", self._dialect)
        added = await asyncio.to_thread(server.command, "channel", "add", *channel)
        made = await asyncio.to_thread(server.command, "token", "create", "soak", "--json")
        assert 0 == added.returncode == made.returncode, added.stderr + made.stderr
        return str(json.loads(made.stdout)["token"])

    async def _submit(self, session: aiohttp.ClientSession, address: str, client: int) -> None:
        number = 0
        while not self._stopped.is_set():
            number += 1
            prompt = f"picture {client} {number}"
            keyed = {"Idempotency-Key": secrets.token_hex(8)} if number % 2 else {}
            while not await self._ask(session, address, prompt, keyed) and keyed:
                await asyncio.sleep(0.05)

    async def _ask(
        self, session: aiohttp.ClientSession, address: str, prompt: str, keyed: dict[str, str]
    ) -> bool:
        """Whether there is an answer that a repeat would not change."""
        body = {"prompt": prompt}
        try:
            async with session.post(
                f"{address}/mj/submit/imagine", json=body, headers=keyed
            ) as response:
                answer = await response.json()
        except aiohttp.ClientError:
            self._told.cut += 1
            await asyncio.sleep(0.05)
            return False
        self._told.statuses[response.status] += 1
        if response.status == 200 and answer["code"] in (1, 22):
            self._told.accepted[answer["result"]] = prompt
        return response.status not in (409, 503)

    async def _settled(self, server: Server, *, patient: bool) -> None:
        """Waits until every task has ended."""
        async with asyncio.timeout(_SETTLED_S):
            while await asyncio.to_thread(ask_database, server, _OPEN) != [(0,)]:
                await asyncio.sleep(1)
                if not patient:
                    await asyncio.to_thread(_do, server, _SOON)
                if not patient and not self._lists:
                    await asyncio.to_thread(_do, server, _LATE)

    @property
    def _lists(self) -> bool:
        """Whether the upstream names its tasks with the mark that each was given."""
        return self._dialect != "new-api"

    async def _report(self, server: Server, audited: int, audit: str) -> Report:
        taken = await self._taken()
        rows = await asyncio.to_thread(
            ask_database,
            server,
            "select id::text, prompt, status, upstream_id, image_url, phase from tasks",
        )
        charged = await asyncio.to_thread(
            ask_database, server, "select task_id::text from ledger where kind = 'charge'"
        )
        [(held, spent)] = await asyncio.to_thread(
            ask_database, server, "select held, spent from tokens"
        )
        [(tasks, unbound, holds, charges, releases)] = await asyncio.to_thread(
            ask_database, server, _COUNTS
        )
        known = {prompt for _, prompt, _, upstream_id, _, _ in rows if upstream_id is not None}
        lost = taken.keys() - known
        pictures = {task for task, _, status, _, image, _ in rows if status == "SUCCESS" and image}
        faults = [
            *(f"{p!r} was taken {n} times" for p, n in taken.items() if n > 1),
            *(f"{t} was answered and is no task" for t in self._unkept(rows)),
            *(f"{t} is charged without a picture" for (t,) in charged if t not in pictures),
            *(f"{p!r} was taken and is not known" for p in lost if self._lists),
            *([f"{held} is still held"] if held else []),
            *([f"spent is {spent}, not {charges} pictures"] if spent != charges * _PRICE else []),
            *([f"{holds} holds end {charges + releases} times"] * (holds != charges + releases)),
            *([f"the audit exits with {audited}: {audit}"] if audited else []),
        ]
        counts = {
            "accepted upstream": len(taken),
            "answered as accepted": len(self._told.accepted),
            "requests cut": self._told.cut,
            "tasks": tasks,
            "held": holds,
            "charged": charges,
            "released": releases,
            "found again": self._found_again(),
            "unknown at the end": unbound,
            "accepted, not found": len(lost),
        }
        answers = {f"answered {code}": n for code, n in sorted(self._told.statuses.items())}
        return Report(counts | answers, faults)

    async def _taken(self) -> dict[str, int]:
        """How often the upstream took each prompt."""
        address = f"{self._upstream}/sandbox/requests"
        async with (
            aiohttp.ClientSession() as session,
            session.get(address, params={"path": "/none"}) as response,
        ):
            heard = await response.json()
        return cast(dict[str, int], heard["accepted"].get("imagine", {}))

    def _unkept(self, rows: Sequence[tuple[Any, ...]]) -> list[str]:
        kept = {task: prompt for task, prompt, _, _, _, phase in rows if phase == "ended"}
        return [task for task, prompt in self._told.accepted.items() if kept.get(task) != prompt]

    def _found_again(self) -> int:
        said = "".join(out.read_text() for out in self._folder.glob("*.out"))
        return said.count('"event":"found again"')


async def _kill(server: Server, *, with_database: bool) -> None:
    victims = _database(server) if with_database else []
    os.killpg(server.pid, signal.SIGKILL)
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    await server.ended()


def _database(server: Server) -> list[psutil.Process]:
    postmaster = postmaster_of(server.settings)
    return [postmaster, *postmaster.children(recursive=True)] if postmaster else []


def ask_database(server: Server, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(_address(server), autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def _do(server: Server, statement: str) -> None:
    with psycopg.connect(_address(server), autocommit=True) as connection:
        connection.execute(statement.encode())


def _address(server: Server) -> str:
    folder = Path(server.settings["MJGATE_DATA_DIR"]) / "postgres"
    port, host = (folder / "postmaster.pid").read_text().splitlines()[3:5]
    return f"postgresql://postgres@/mjgate?host={host}&port={port}"


async def crash(kills: int, dialect: DialectName, *, patient: bool = False) -> Report:
    """Runs it in a folder of its own."""
    settings = Settings(dialect=dialect, **cast(Any, _SANDBOX))
    with tempfile.TemporaryDirectory(prefix="crash-") as folder, running_sandbox(settings) as url:
        return await Crash(Path(folder), url, dialect).run(kills, patient=patient)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--dialect", choices=DIALECTS, default="novicezk")
    parser.add_argument("--seed", type=int, default=None, help="Of the moments of the kills.")
    options = parser.parse_args()
    seed = secrets.randbits(32) if options.seed is None else options.seed
    random.seed(seed)
    print(f"{options.kills} kills, {options.dialect}, seed {seed}", flush=True)
    report = asyncio.run(crash(options.kills, options.dialect, patient=True))
    print(report.show())
    sys.exit(1 if report.faults else 0)


if __name__ == "__main__":
    main()
