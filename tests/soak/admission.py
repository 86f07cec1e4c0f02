"""Admission under forced overlap: two connections, one token, batches that meet on its row.

Each round a new token gets random limits; two batches wait for its row at once. What they are
told must be what one of the two orders would have been told, budget, places in flight and rate
together.

    python tests/soak/admission.py --rounds 10000
"""

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

if not __package__:  # started by its path
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from mjgate.domain.send import Intent
from mjgate.store.writer import Writer
from tests.harness import new_database, running_postgres
from tests.store.rows import intent

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


async def overlap(uri: str, rounds: int, seed: int) -> int:
    """Runs so many rounds; returns how many were exact, which is all of them or it raises."""
    rng = random.Random(seed)
    writers = [Writer(uri, 10_000), Writer(uri, 10_000)]
    for writer in writers:
        await writer.start()
    async with await psycopg.AsyncConnection.connect(uri, autocommit=True) as watch:
        for number in range(rounds):
            await _round(uri, watch, writers, rng, number)
    for writer in writers:
        await writer.stop()
    return rounds


async def _round(
    uri: str,
    watch: psycopg.AsyncConnection,
    writers: Sequence[Writer],
    rng: random.Random,
    number: int,
) -> None:
    limits = _limits(rng)
    token = await _token(watch, limits)
    prices = [[rng.randint(0, 9) for _ in range(rng.randint(1, _MOST))] for _ in writers]
    first = 1 + number * 2 * _MOST
    batches = [
        [intent(first + place * _MOST + n, token, price) for n, price in enumerate(each)]
        for place, each in enumerate(prices)
    ]
    told = await _meet(uri, watch, writers, token, batches)
    possible = [_serial(limits, prices, order) for order in ((0, 1), (1, 0))]
    assert told in possible, f"round {number}: {limits} {prices} {told}"
    held = [
        price
        for batch, verdicts in zip(prices, told, strict=True)
        for price, verdict in zip(batch, verdicts, strict=True)
        if verdict == "held"
    ]
    cursor = await watch.execute(
        "select held, spent, in_flight, (select coalesce(sum(held_delta), 0) from ledger "
        "where token_id = t.id), (select count(*) from tasks where token_id = t.id) "
        "from tokens t where id = %s",
        [token],
    )
    kept = await cursor.fetchone()
    assert (sum(held), 0, len(held), sum(held), len(held)) == kept, f"round {number}: {kept}"


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
    uri: str,
    watch: psycopg.AsyncConnection,
    writers: Sequence[Writer],
    token: int,
    batches: Sequence[Sequence[Intent]],
) -> list[list[str]]:
    """Lets go of the token's row once both batches wait for it."""
    async with await psycopg.AsyncConnection.connect(uri) as holder:
        await holder.execute("select from tokens where id = %s for update", [token])
        waiting = [
            [asyncio.create_task(writer.admit(each)) for each in batch]
            for writer, batch in zip(writers, batches, strict=True)
        ]
        while await _blocked(watch) < len(writers):
            await asyncio.sleep(0)
        await holder.rollback()
    return [[str((await each).verdict) for each in batch] for batch in waiting]


async def _blocked(watch: psycopg.AsyncConnection) -> int:
    cursor = await watch.execute(
        "select count(*) from pg_stat_activity where application_name = 'mjgate writer' "
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
