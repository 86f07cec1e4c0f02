"""Deletes by age what nobody needs any more: a little at a time, so that submits go before."""

import asyncio
import time

from mjgate.gate import Gate
from mjgate.store.failures import forget_failures
from mjgate.store.retention import forget_tasks

_AT_ONCE = 500
_BATCHES = 20
_REST = 3.0
"""Of the time that a batch took, so long is paused after it."""


async def forget(gate: Gate) -> int:
    """Deletes tasks past their days, and old failures of jobs; returns how many tasks.

    So many batches are its most: there is another time.
    """
    pool, days = gate.store.pool, gate.config.keep_tasks_days
    await forget_failures(pool)
    count = 0
    for _ in range(_BATCHES if days else 0):
        started = time.monotonic()
        batch = await forget_tasks(pool, days, _AT_ONCE)
        count += batch
        if batch < _AT_ONCE:
            break
        await asyncio.sleep(_REST * (time.monotonic() - started))
    return count
