"""Old tasks are deleted beside submits: how fast they go, and what it costs.

A server that keeps tasks for ever is loaded for a while, then one that deletes so many that are
too old, on the same database, until they are gone.

    python tests/soak/forget.py --tasks 100000
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

if not __package__:  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.bench.load import Request, Run, load
from tests.bench.process import start_module
from tests.process import Server, serving
from tests.soak.memory import address_of, count

_CONNECTIONS = 16
_RUN_S = 15.0
_IMAGINE = Request("POST", "/mj/submit/imagine", '{"prompt": "a red fox"}')
_LEAST = 0.8
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
  returning id, accepted_at
), k as (update tokens set spent = spent + 100000 * %s::bigint where id = 1)
insert into ledger (token_id, task_id, kind, held_delta, spent_delta, created_at)
select 1, id, kind, held, spent, accepted_at
from t, (values ('hold', 100000, 0), ('charge', -100000, 100000)) m(kind, held, spent)
"""
_LEFT = "select count(*) from tasks where ended_at < now() - interval '90 days'"


async def forget(tasks: int) -> int:
    """Prints what was measured; returns an exit code."""
    with tempfile.TemporaryDirectory(prefix="forget-") as name:
        folder = Path(name)
        with _stub(folder) as upstream:
            async with serving(folder, MJGATE_KEEP_TASKS_DAYS="0") as server:
                token = await asyncio.to_thread(_prepare, server, upstream, tasks)
                before = [await _load(server, token) for _ in range(4)]
            async with serving(folder) as server:
                started, beside = time.monotonic(), []
                while await asyncio.to_thread(count, server, _LEFT):
                    beside.append(await _load(server, token))
                took = time.monotonic() - started
                audit = await asyncio.to_thread(server.command, "ledger", "audit")
    share = _rate(beside) / _rate(before)
    print(f"{tasks:,} tasks deleted in {took:.0f} s beside {_CONNECTIONS} connections")
    print(f"submits/s before {_rate(before):,.0f}, meanwhile {_rate(beside):,.0f}: {share:.2f}")
    print(f"p99 in ms before {_slowest(before):.1f}, meanwhile {_slowest(beside):.1f}")
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


async def _load(server: Server, token: str) -> Run:
    return await asyncio.to_thread(load, server.address, _IMAGINE, token, _CONNECTIONS, _RUN_S)


def _rate(runs: Sequence[Run]) -> float:
    return sum(run.requests for run in runs) / sum(run.seconds for run in runs)


def _slowest(runs: Sequence[Run]) -> float:
    return max(run.p99 for run in runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", type=int, default=100_000)
    sys.exit(asyncio.run(forget(parser.parse_args().tasks)))


if __name__ == "__main__":
    main()
