"""Asks an upstream about its tasks, with so many questions at once and no more."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from mjgate.domain.channel import Channel
from mjgate.errors import Broken, SendError, Unusable
from mjgate.gate import Gate
from mjgate.upstream.listing import Shown, fetch_task, list_tasks

MOST_IDS: Final = 100
"""How many tasks one call asks for."""
FEW_IDS: Final = 10
"""How many it asks for where a hundred got no answer: then one after the other."""
_TIMEOUT_S = 10.0
_FEW_TIMEOUT_S = 3.0
_NO_MARKS: Mapping[int, str] = {}


class Asker:
    """Questions to one upstream; beyond `at_once` they wait for their turn.

    A list has ten seconds, one of `FEW_IDS` or fewer three: another like it may hang as well.
    """

    def __init__(self, gate: Gate, at_once: int) -> None:
        self._transport = gate.upstreams.transport
        self._timeout_s = min(_TIMEOUT_S, gate.config.upstream_timeout)
        self._few_timeout_s = min(_FEW_TIMEOUT_S, gate.config.upstream_timeout)
        self._turns = asyncio.Semaphore(at_once)

    async def list(
        self, channel: Channel, ids: Sequence[str], marks: Mapping[int, str] = _NO_MARKS
    ) -> Shown:
        """What a list shows of these ids; raises as `list_tasks` does."""
        timeout_s = self._timeout_s if len(ids) > FEW_IDS else self._few_timeout_s
        async with self._turns:
            return await list_tasks(self._transport, channel, ids, marks, timeout_s)

    async def fetch(self, channel: Channel, task_id: str) -> Shown:
        """What is shown of one task, nothing where there is none; raises as `fetch_task` does."""
        async with self._turns:
            sight = await fetch_task(self._transport, channel, task_id, self._timeout_s)
        return Shown({task_id: (sight, 0)} if sight else {})


def may_divide(error: SendError) -> bool:
    """Whether fewer ids may get an answer where many got none: one of them may be the reason."""
    return isinstance(error, Broken | Unusable)
