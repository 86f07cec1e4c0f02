"""Old tasks are deleted beside submits: how fast they go, and what it costs.

A server that keeps tasks for ever is loaded for a while; then one, on the same database, while it
deletes so many that are too old, and as long again once they are gone.

    python tests/soak/forget.py --tasks 100000
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from tabulate import tabulate

if not __package__:  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.bench.load import Request, Run, load
from tests.bench.process import start_module, tree_cpu
from tests.process import Server, postmaster_of, serving
from tests.soak.memory import address_of, count

_CONNECTIONS = 16
_RUN_S = 15.0
_RUNS = 4
_IMAGINE = Request("POST", "/mj/submit/imagine", '{"prompt": "a red fox"}')
_LEAST = 0.8
_SETTINGS = {"MJGATE_PICTURES": "off"}
"""The pictures of the stub are nowhere."""
_OLD = """
with t as (
  insert into tasks (id, token_id, channel_id, action, model, price, price_version, phase, status,
    marker, send_deadline, submit_ms, accepted_at, ended_at, upstream_id, prompt, prompt_en,
    description, image_url, progress, properties, buttons)
  select n, 1, 1, 'IMAGINE', 'mj_imagine', 100000, 0, 'ended', 'SUCCESS', 'mjgate:' || md5(n::text),
    old, 1, old, old, 'old' || n, repeat('a red fox ', 12), repeat('a red fox ', 12),
    repeat('a red fox ', 12), 'https://pictures.example.org/' || md5(n::text), '100%%',
    '{"finalPrompt": "a red fox"}', '[]'
  from generate_series(1, %s) n, lateral (
    select now() - interval '100 days' + n * interval '1 second' as old) o
  returning id
), k as (update tokens set spent = spent + 100000 * %s::bigint where id = 1)
insert into ledger (token_id, task_id, kind, held_delta, spent_delta)
select 1, id, kind, held, spent
from t, (values ('hold', 100000, 0), ('charge', -100000, 100000)) m(kind, held, spent)
"""
_LEFT = "select count(*) from tasks where ended_at < now() - interval '90 days'"


@dataclass
class Phase:
    """Runs of the load generator, and the CPU seconds of server and database meanwhile."""

    server: Server
    token: str
    runs: list[Run] = field(default_factory=list)
    cpu: float = 0.0

    async def load(self) -> None:
        before = self._used()
        self.runs.append(
            await asyncio.to_thread(
                load, self.server.address, _IMAGINE, self.token, _CONNECTIONS, _RUN_S
            )
        )
        self.cpu += self._used() - before

    def _used(self) -> float:
        postmaster = postmaster_of(self.server.settings)
        assert postmaster is not None
        return tree_cpu(self.server.pid, without=postmaster.pid) + tree_cpu(postmaster.pid)

    @property
    def submits(self) -> int:
        return sum(run.requests for run in self.runs)

    @property
    def rate(self) -> float:
        return self.submits / sum(run.seconds for run in self.runs)

    def cells(self, name: str) -> list[str]:
        slowest = max(run.p99 for run in self.runs)
        cpu = self.cpu / self.submits * 1e6
        return [name, f"{self.rate:,.0f}", f"{slowest:.1f}", f"{cpu:.0f}"]


async def forget(tasks: int) -> int:
    """Prints what was measured; returns an exit code."""
    with tempfile.TemporaryDirectory(prefix="forget-") as name:
        folder = Path(name)
        with _stub(folder) as upstream:
            async with serving(folder, MJGATE_KEEP_TASKS_DAYS="0", **_SETTINGS) as server:
                token = await asyncio.to_thread(_prepare, server, upstream, tasks)
                before = Phase(server, token)
                for _ in range(_RUNS):
                    await before.load()
            async with serving(folder, **_SETTINGS) as server:
                started = time.monotonic()
                beside, after = Phase(server, token), Phase(server, token)
                while await asyncio.to_thread(count, server, _LEFT):
                    await beside.load()
                took = time.monotonic() - started
                for _ in range(_RUNS):
                    await after.load()
                audit = await asyncio.to_thread(server.command, "ledger", "audit")
    share = beside.rate / ((before.rate + after.rate) / 2)
    phases = {"before": before, "meanwhile": beside, "after": after}
    headers = ["", "submits/s", "p99 ms", "CPU us each"]
    rows = [phase.cells(name) for name, phase in phases.items()]
    print(tabulate(rows, headers=headers, disable_numparse=True))
    print(f"{tasks:,} tasks deleted in {took:.0f} s; submits keep {share:.2f} of their speed")
    print(audit.stdout.strip())
    return 0 if share >= _LEAST and not audit.returncode else 1


@contextmanager
def _stub(folder: Path) -> Iterator[str]:
    upstream = start_module("stub", [], folder, "")
    try:
        yield upstream.url
    finally:
        upstream.end()


def _prepare(server: Server, upstream: str, tasks: int) -> str:
    """The key of a token that has so many old tasks."""
    added = server.command("channel", "add", "stub", "--url", upstream, "--dialect", "novicezk")
    made = server.command("token", "create", "soak", "--json")
    assert 0 == added.returncode == made.returncode, added.stderr + made.stderr
    with psycopg.connect(address_of(server), autocommit=True) as connection:
        connection.execute(_OLD.encode(), [tasks, tasks])
        connection.execute("vacuum analyze")
    return str(json.loads(made.stdout)["token"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", type=int, default=100_000)
    sys.exit(asyncio.run(forget(parser.parse_args().tasks)))


if __name__ == "__main__":
    main()
