"""Asks for tasks that we ended ourselves: a late SUCCESS is given to its client, and is free."""

import heapq
from collections.abc import Sequence

from mjgate.domain.channel import Channel
from mjgate.domain.refresh import LATE_FOR_S, late_look_s
from mjgate.domain.task import SUCCESS, Sight, advance
from mjgate.errors import SendError
from mjgate.gate import Gate
from mjgate.log import logger
from mjgate.services.ask import FEW_IDS, MOST_IDS, Asker, may_divide
from mjgate.services.choose import tuned
from mjgate.services.naming import ours
from mjgate.store.tasks import advance_tasks, failed_tasks, late_tasks
from mjgate.upstream.listing import Shown

_MOST_CHASED = 100_000
_MOST_ASKED = 5000
_AGAIN_S = 60.0
"""How far back each look for tasks that ended goes, after the first; it is also how late one
may be that another process was to ask for."""
_MOST_FAILURES = 3


class Chaser:
    """Asks one channel for what it ended up with, for a day, ever more rarely.

    When a task is asked for follows from when it ended: whoever takes over goes on with it.
    """

    def __init__(self, gate: Gate, channel: int) -> None:
        self._gate = gate
        self._channel = channel
        self._asker = Asker(gate, 1)
        self._within_s: float = LATE_FOR_S
        self._chased: dict[int, tuple[str, float]] = {}
        self._due: list[tuple[float, int]] = []
        self._failures = 0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to ask for; not before the first look."""
        return not self._chased and self._within_s != LATE_FOR_S

    async def look(self) -> None:
        """Asks for those that are due; an upstream that does not answer is asked the next time."""
        now_ms = self._gate.clock()
        await self._meet(now_ms)
        due = self._take(now_ms)
        channel = (await self._gate.store.catalog()).channels.get(self._channel)
        if due and channel is not None:
            await self._ask(channel, due)
        for task in due:
            self._put_off(task, now_ms, now_ms)

    async def _meet(self, now_ms: int) -> None:
        pool = self._gate.store.pool
        for late in await late_tasks(pool, self._channel, self._within_s, _MOST_CHASED):
            if late.id not in self._chased:
                self._chased[late.id] = (late.upstream_id, now_ms - late.ended_s * 1000)
                self._put_off(late.id, now_ms, now_ms - _AGAIN_S * 1000)
        self._within_s = _AGAIN_S

    def _take(self, now_ms: int) -> list[int]:
        due: list[int] = []
        while self._due and self._due[0][0] <= now_ms and len(due) < _MOST_ASKED:
            due.append(heapq.heappop(self._due)[1])
        return [task for task in due if task in self._chased]

    def _put_off(self, task: int, now_ms: float, asked_ms: float) -> None:
        """To its first moment after `asked_ms`; after a day it is final."""
        if task not in self._chased:
            return
        ended_ms = self._chased[task][1]
        next_s = late_look_s((asked_ms - ended_ms) / 1000)
        if next_s is None:
            del self._chased[task]
        else:
            heapq.heappush(self._due, (ended_ms + next_s * 1000, task))

    async def _ask(self, channel: Channel, due: Sequence[int]) -> None:
        try:
            able = await tuned(self._gate, channel)
        except SendError as error:
            logger().warning("upstream does not answer", channel=channel.name, why=str(error))
            return
        self._failures = 0
        for start in range(0, len(due), MOST_IDS):
            lot = due[start : start + MOST_IDS]
            shown = await self._shown(able, [self._chased[task][0] for task in lot])
            await self._give({task: s for task in lot if (s := self._success(task, shown))})

    async def _shown(self, channel: Channel, ids: Sequence[str]) -> Shown:
        """Asked in ever smaller lots where there is no answer, until it fails too often."""
        if self._failures >= _MOST_FAILURES:
            return Shown()
        try:
            many = len(ids) > 1
            found = self._asker.list(channel, ids) if many else self._asker.fetch(channel, ids[0])
            shown = await found
        except SendError as error:
            self._failures += 1
            logger().warning("upstream does not answer", channel=channel.name, why=str(error))
            if len(ids) == 1 or not may_divide(error):
                return Shown()
        else:
            self._failures = 0
            return shown
        size = FEW_IDS if len(ids) > FEW_IDS else 1
        parts = [
            await self._shown(channel, ids[start : start + size])
            for start in range(0, len(ids), size)
        ]
        return Shown({name: seen for part in parts for name, seen in part.sights.items()})

    def _success(self, task: int, shown: Shown) -> Sight | None:
        seen = shown.sights.get(self._chased[task][0])
        return seen[0] if seen and seen[0].status == SUCCESS else None

    async def _give(self, sights: dict[int, Sight]) -> None:
        if not sights:
            return
        pool, now_ms = self._gate.store.pool, self._gate.clock()
        failed = await failed_tasks(pool, list(sights))
        tasks = [advance(each.task, ours(each, sights[each.task.id]), now_ms) for each in failed]
        buttons = {task: sight.buttons for task, sight in sights.items() if sight.buttons}
        written = await advance_tasks(pool, tasks, buttons)
        for task in sights.keys() - {each.id for each in tasks} | written:
            del self._chased[task]
        logger().info("late success", tasks=sorted(written), channel=self._channel)
