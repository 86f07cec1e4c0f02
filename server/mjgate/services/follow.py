"""Follows the running tasks of a channel: one list call for a hundred, one commit for all."""

import asyncio
import heapq
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mjgate.domain.channel import Channel
from mjgate.domain.task import DEADLINE, ENDS, FAILURE, Sight, Task, advance
from mjgate.errors import SendError
from mjgate.gate import Gate
from mjgate.log import logger
from mjgate.services.choose import tuned
from mjgate.services.find import find
from mjgate.store.tasks import Followed, accepted_since, advance_tasks, followed_tasks
from mjgate.upstream.upstreams import dialect_of, listed

MOST_IDS = 100
_CALLS_AT_ONCE = 8
MOST_LOOKED = MOST_IDS * _CALLS_AT_ONCE
_MOST_MET = 20_000
_OVERLAPS_S = (1.0, 1.0, 1.0, 1.0, 15.0)
"""How far back each look for new tasks goes: a commit may be that late, and rarely is."""
_MEET_EVERY_MS = 900
_QUICKEST_S, _SLOWEST_S, _SLOWING = 0.9, 10.0, 0.02
_UNFINISHED = "上游任务超时"


class Follower:
    """Follows one channel: keeps its running tasks, and looks at each when it is due.

    Only one process follows a channel at a time; what it writes is guarded by versions all
    the same.
    """

    def __init__(self, gate: Gate, channel: int) -> None:
        self._gate = gate
        self._channel = channel
        self._known: dict[int, Followed] = {}
        self._due: list[tuple[float, int]] = []
        self._since_s = 0.0
        self._overlaps_s = itertools.cycle(_OVERLAPS_S)
        self._meet_ms = 0
        self._find_ms: float = 0
        self._seeking = False

    @property
    def idle(self) -> bool:
        return not self._known and not self._seeking

    async def look(self) -> int:
        """Looks at up to `MOST_LOOKED` due tasks; returns how many were due.

        An upstream that does not answer changes no task.
        """
        now_ms = self._gate.clock()
        if now_ms >= self._meet_ms:
            self._meet_ms = now_ms + _MEET_EVERY_MS
            await self._find(now_ms)
            await self._meet(now_ms)
        due = [self._known[task] for task in self._most_overdue(now_ms)]
        channel = (await self._gate.store.catalog()).channels.get(self._channel)
        if due and channel is not None:
            await self._look(channel, due)
        for followed in due:
            self._put_off(followed, now_ms)
        return len(due)

    def _most_overdue(self, now_ms: int) -> list[int]:
        """The others have their turn next; none is passed over for ever."""
        overdue: list[int] = []
        while self._due and self._due[0][0] <= now_ms and len(overdue) < MOST_LOOKED:
            overdue.append(heapq.heappop(self._due)[1])
        return overdue

    async def _meet(self, now_ms: int) -> None:
        """Takes in tasks accepted since the last look, and a little before: commits overlap."""
        pool, since_s = self._gate.store.pool, max(0.0, self._since_s - next(self._overlaps_s))
        accepted = await accepted_since(pool, self._channel, since_s, _MOST_MET)
        new = [task for task, _ in accepted if task not in self._known]
        if new:
            self._since_s = accepted[-1][1]
            for followed in await followed_tasks(pool, new):
                self._known[followed.task.id] = followed
                # The database's clock may be ahead of ours.
                accepted_ms = min(followed.accepted_s * 1000, now_ms)
                first_ms = accepted_ms + _QUICKEST_S * 1000
                heapq.heappush(self._due, (first_ms, followed.task.id))

    async def _find(self, now_ms: int) -> None:
        """Looks for sends without an outcome, the less often the older they are."""
        channel = (await self._gate.store.catalog()).channels.get(self._channel)
        if channel is None or now_ms < self._find_ms:
            return
        again_s = await find(self._gate, channel)
        self._seeking = again_s is not None
        self._find_ms = now_ms + (again_s or 0) * 1000

    async def _look(self, channel: Channel, due: list[Followed]) -> None:
        seen = await self._seen(channel, [followed.upstream_id for followed in due])
        now_ms = self._gate.clock()
        changed: dict[int, Task] = {}
        buttons: dict[int, list[Any]] = {}
        for followed in due:
            sight = seen.get(followed.upstream_id)
            if sight is not None:
                task = advance(followed.task, _ours(followed, sight), now_ms)
                if task != followed.task:
                    changed[task.id] = task
                    if sight.buttons:
                        buttons[task.id] = sight.buttons
        if changed:
            await self._write(changed, buttons)

    async def _seen(self, channel: Channel, ids: list[str]) -> dict[str, Sight]:
        """What the upstream shows of these ids, asked by the hundred, all calls at once."""
        try:
            able = await tuned(self._gate, channel)
        except SendError as error:
            _warn(channel, error)
            return {}
        parts = [ids[start : start + MOST_IDS] for start in range(0, len(ids), MOST_IDS)]
        lists = await asyncio.gather(*(_listed(self._gate, able, part) for part in parts))
        return {upstream_id: sight for seen in lists for upstream_id, sight in seen.items()}

    async def _write(self, changed: dict[int, Task], buttons: dict[int, list[Any]]) -> None:
        written = await advance_tasks(self._gate.store.pool, list(changed.values()), buttons)
        for task in changed.values():
            if task.id in written and task.status not in ENDS:
                advanced = replace(task, version=task.version + 1)
                self._known[task.id] = replace(self._known[task.id], task=advanced)
            else:
                del self._known[task.id]

    def _put_off(self, followed: Followed, now_ms: int) -> None:
        """Fresh tasks are looked at every second, old ones up to ten seconds apart."""
        if followed.task.id in self._known:
            age_s = now_ms / 1000 - followed.accepted_s
            wait_s = min(_SLOWEST_S, _QUICKEST_S + max(age_s, 0) * _SLOWING)
            heapq.heappush(self._due, (now_ms + wait_s * 1000, followed.task.id))


async def end_overdue(gate: Gate, tasks: Sequence[Task]) -> int:
    """Ends tasks past their own deadline: FAILURE, and the hold is released.

    Returns how many were ended: one that changed meanwhile is looked at anew.
    """
    now_ms = gate.clock()
    return len(await advance_tasks(gate.store.pool, [_unfinished(task, now_ms) for task in tasks]))


async def _listed(gate: Gate, channel: Channel, ids: list[str]) -> dict[str, Sight]:
    """What one call shows; nothing where it fails."""
    try:
        return await _list(gate, channel, ids)
    except SendError as error:
        _warn(channel, error)
        return {}


def _warn(channel: Channel, error: SendError) -> None:
    logger().warning("upstream does not answer", channel=channel.name, why=str(error))


async def _list(gate: Gate, channel: Channel, ids: list[str]) -> dict[str, Sight]:
    """What the upstream shows of these ids; ids not asked for and garbage are left out."""
    dialect = dialect_of(channel)
    request = dialect.list_request(ids)
    reply = await gate.upstreams.transport.post(channel, request.path, request.body)
    sights = (dialect.sight(item) for item in listed(channel, reply))
    asked = set(ids)
    return {found[0]: found[1] for found in sights if found and found[0] in asked}


def _unfinished(task: Task, now_ms: int) -> Task:
    return replace(
        task, status=FAILURE, fail_reason=_UNFINISHED, finish_ms=now_ms, ended_by=DEADLINE
    )


def _ours(followed: Followed, sight: Sight) -> Sight:
    """The description with our ids: upstream ids never leave the house."""
    text = sight.description or ""
    names = {followed.upstream_id: str(followed.task.id)}
    if followed.parent_upstream_id:
        names[followed.parent_upstream_id] = str(followed.parent_id)
    if not any(theirs in text for theirs in names):
        return sight
    return replace(sight, description=_renamed(text, names))


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """Whole words only: a short id is also a part of other numbers."""
    words = "|".join(map(re.escape, names))
    return re.sub(rf"(?<![0-9A-Za-z])(?:{words})(?![0-9A-Za-z])", lambda m: names[m[0]], text)
