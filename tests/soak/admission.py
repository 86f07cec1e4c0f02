"""Admission under forced overlap: two connections, one token, batches that meet on its row.

Each round a new token gets random limits; two batches wait for its row at once. What they are
told must be what one of the two orders would have been told, budget, places in flight and rate
together. Then refusals, charges and a third batch meet there, in half of the rounds after a new
day has begun: the counters must be the sums of the ledger.

    python tests/soak/admission.py --rounds 10000
"""

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

if not __package__:  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from mjgate.domain.task import SUCCESS, Phase, Task
from mjgate.store.database import open_pool
from mjgate.store.tasks import advance_tasks
from mjgate.store.writer import Writer
from tests.harness import new_database, running_postgres
from tests.store.rows import intent, settled

_MOST = 8
_MOST_RATE = 6
"""So slow that no place of the bucket is free again within a round."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a token may do; None is no limit."""

    budget: int | None
    in_flight: int | None
    rate: int | None


@dataclass(slots=True)
class Model:
    """The same decisions, one after the other."""

    limits: Limits
    held: int = 0
    count: int = 0

    def decide(self, price: int) -> str:
        limits = self.limits
        if limits.budget is not None and self.held + price > limits.budget:
            return "budget"
        if limits.in_flight is not None and self.count >= limits.in_flight:
            return "flight"
        if limits.rate is not None and self.count >= limits.rate:
            return "rate"
        self.held += price
        self.count += 1
        return "held"


@dataclass(frozen=True, slots=True)
class Parties:
    """Who meets on the row of a token: two writers and one who ends tasks."""

    uri: str
    watch: psycopg.AsyncConnection
    writers: Sequence[Writer]
    pool: AsyncConnectionPool


async def overlap(uri: str, rounds: int, seed: int) -> int:
    """Runs so many rounds; returns how many were exact, which is all of them or it raises."""
    rng = random.Random(seed)
    writers = [Writer(uri, 10_000), Writer(uri, 10_000)]
    for writer in writers:
        await writer.start()
    async with (
        await psycopg.AsyncConnection.connect(uri, autocommit=True) as watch,
        open_pool(uri, size=1) as pool,
    ):
        parties = Parties(uri, watch, writers, pool)
        for number in range(rounds):
            first = 1 + number * 3 * _MOST
            token, held = await _begin(parties, rng, first)
            await _end(parties, token, held, first + 2 * _MOST, rng.random() < 0.5)
    for writer in writers:
        await writer.stop()
    return rounds


async def _begin(parties: Parties, rng: random.Random, first: int) -> tuple[int, list[int]]:
    """Two batches of intents meet; returns the token and the tasks that are held."""
    limits = _limits(rng)
    token = await _token(parties.watch, limits)
    prices = [[rng.randint(0, 9) for _ in range(rng.randint(1, _MOST))] for _ in range(2)]
    batches = [
        [intent(first + place * _MOST + n, token, price) for n, price in enumerate(each)]
        for place, each in enumerate(prices)
    ]
    meeting = [
        [writer.admit(each) for each in batch]
        for writer, batch in zip(parties.writers, batches, strict=True)
    ]
    decided = await _meet(parties, token, meeting)
    told = [[str(decision.verdict) for decision in each] for each in decided]
    possible = [_serial(limits, prices, order) for order in ((0, 1), (1, 0))]
    assert told in possible, f"task {first}: {limits} {prices} {told}"
    held = [
        each
        for batch, verdicts in zip(batches, told, strict=True)
        for each, verdict in zip(batch, verdicts, strict=True)
        if verdict == "held"
    ]
    assert (sum(each.price for each in held), 0, len(held)) == await _counted(parties, token)
    return token, [each.id for each in held]


async def _end(
    parties: Parties, token: int, held: Sequence[int], another: int, next_day: bool
) -> None:
    """Of the tasks that are held some are refused, others drawn, while one more is asked for."""
    refused, drawn = held[::2], held[1::2]
    first, second = parties.writers
    await asyncio.gather(*(first.settle(settled(n, upstream_id=f"up{n}")) for n in drawn))
    if next_day:
        await parties.watch.execute("update tokens set period = 'daily' where id = %s", [token])
    meeting: list[list[Any]] = [[second.admit(intent(another, token, 1))]]
    if refused:
        meeting.append([first.settle(settled(n, Phase.REJECTED)) for n in refused])
    if drawn:
        meeting.append([advance_tasks(parties.pool, [_drawn(n) for n in drawn])])
    await _meet(parties, token, meeting)
    await _counted(parties, token)


def _drawn(number: int) -> Task:
    return Task(number, "IMAGINE", SUCCESS, "a fox", 1, version=2)


async def _counted(parties: Parties, token: int) -> Any:
    """Held, spent and in flight; the ledger of the period and the tasks must say the same."""
    cursor = await parties.watch.execute(
        "select held, spent, in_flight, coalesce(sum(held_delta), 0)::bigint, "
        "coalesce(sum(spent_delta), 0)::bigint, (select count(*) from tasks "
        "where token_id = t.id and phase in ('sending', 'unknown', 'running')) from tokens t "
        "left join ledger l on l.token_id = t.id and l.period = t.period_start "
        "where t.id = %s group by t.id",
        [token],
    )
    row = await cursor.fetchone()
    assert row is not None
    assert row[:3] == row[3:], f"token {token}: {row}"
    return row[:3]


def _limits(rng: random.Random) -> Limits:
    return Limits(
        rng.choice([None, rng.randint(0, 40)]),
        rng.choice([None, rng.randint(0, _MOST)]),
        rng.choice([None, rng.randint(1, _MOST_RATE)]),
    )


def _serial(
    limits: Limits, prices: Sequence[Sequence[int]], order: Iterable[int]
) -> list[list[str]]:
    """What each batch is told if they come in this order."""
    model = Model(limits)
    told: list[list[str]] = [[], []]
    for place in order:
        told[place] = [model.decide(price) for price in prices[place]]
    return told


async def _token(watch: psycopg.AsyncConnection, limits: Limits) -> int:
    cursor = await watch.execute(
        "insert into tokens (label, key_hash, hint, budget, most_in_flight, rate_per_minute) "
        "values (%s, %s, '', %s, %s, %s) returning id",
        [
            secrets.token_hex(8),
            secrets.token_bytes(32),
            limits.budget,
            limits.in_flight,
            limits.rate,
        ],
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def _meet(
    parties: Parties, token: int, meeting: Sequence[Sequence[Coroutine[Any, Any, Any]]]
) -> list[list[Any]]:
    """Lets go of the token's row once each group, on a connection of its own, waits for it."""
    async with await psycopg.AsyncConnection.connect(parties.uri) as holder:
        await holder.execute("select from tokens where id = %s for update", [token])
        waiting = [[asyncio.create_task(each) for each in group] for group in meeting]
        while await _blocked(parties.watch) < len(waiting):
            await asyncio.sleep(0)
        await holder.rollback()
    return [[await each for each in group] for group in waiting]


async def _blocked(watch: psycopg.AsyncConnection) -> int:
    cursor = await watch.execute(
        "select count(*) from pg_stat_activity where application_name like 'mjgate%' "
        "and datname = current_database() and wait_event_type = 'Lock'"
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_postgres(Path(folder)) as uri:
        done = asyncio.run(overlap(new_database(uri), options.rounds, options.seed))
    print(f"{done} rounds exact, seed {options.seed}")


if __name__ == "__main__":
    main()
