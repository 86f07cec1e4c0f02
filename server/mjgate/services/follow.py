"""Follows the running tasks of a channel: one list call for a hundred, one commit for all."""

import asyncio
import heapq
import itertools
from collections.abc import Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from mjgate.domain.channel import Channel
from mjgate.domain.refresh import QUICKEST_S, Absence, look_again_s
from mjgate.domain.task import DEADLINE, ENDS, FAILURE, LOST, Sight, Task, advance
from mjgate.errors import SendError
from mjgate.gate import Gate
from mjgate.log import logger
from mjgate.services.ask import FEW_IDS, MOST_IDS, Asker, may_divide
from mjgate.services.choose import tuned
from mjgate.services.find import find
from mjgate.services.naming import ours
from mjgate.store.tasks import Followed, accepted_since, advance_tasks, followed_tasks
from mjgate.upstream.listing import Shown

_CALLS_AT_ONCE = 8
MOST_LOOKED: Final = MOST_IDS * _CALLS_AT_ONCE
_ASIDE_AT_ONCE, _MOST_ASIDE = 24, 1000
"""Calls beside the lists, for tasks whose lists got no answer or were without them: so many may
be under way, and wait for their turn. The lists do not wait for them."""
_MOST_ALONE = 1000
_PAGE, _READ_AT_ONCE = 5000, 500
_OVERLAPS_US = (1_000_000, 1_000_000, 1_000_000, 1_000_000, 15_000_000)
"""How far back each look for new tasks goes: a commit may be that late, and rarely is."""
_MEET_EVERY_MS = 900
_LIVELY_MS = 15_000
_ALONE_MS, _MOST_ALONE_MS = 10_000, 300_000
_LEFT_MS = 60_000
"""A task so far past its deadline is left to the sweep, which ends it."""
_FAILED_S, _REFUSED_S = 3.0, 30.0
_PATIENCE_S = 1.0
_UNFINISHED, _VANISHED = "上游任务超时", "上游任务丢失"


T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Kept:
    """A task under way. `due_ms` is when it is looked at next, 0 while it is.

    `mark` tells whether the upstream shows it as it did before; 0 is unlike all. `spoiled` is how
    often a list of it alone got no answer.
    """

    id: int
    followed: Followed
    ends_ms: float
    due_ms: float = 0
    mark: int = 0
    absence: Absence | None = None
    spoiled: int = 0


@dataclass(frozen=True, slots=True)
class _Call:
    """A question under way. `aside` it is beside the lists, `alone` a fetch of one task.

    `checks` asks for a task that an answered list was without.
    """

    lot: Sequence[_Kept]
    begun_ms: int
    aside: bool = False
    alone: bool = False
    checks: bool = False


class _Change(Struct, frozen=True):
    task: Task
    mark: int
    buttons: list[Any] | None


class Follower:
    """Follows one channel: keeps its running tasks, and looks at each when it is due.

    Only one process follows a channel at a time; what it writes is guarded by versions all
    the same. `lost_s` is for how long a task must be absent to be lost, by default what is
    configured; `patience_s` for how long a look waits for answers: later ones are taken in by a
    later look.
    """

    def __init__(
        self,
        gate: Gate,
        channel: int,
        *,
        lost_s: float | None = None,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._gate = gate
        self._channel = channel
        self._lost_s = gate.config.lost_after if lost_s is None else lost_s
        self._patience_s = patience_s
        self._lists, self._others = Asker(gate, _CALLS_AT_ONCE), Asker(gate, _ASIDE_AT_ONCE)
        self._known: dict[int, _Kept] = {}
        self._alone: dict[int, float] = {}
        self._due: list[tuple[float, int]] = []
        self._calls: dict[asyncio.Task[Shown], _Call] = {}
        self._wanted: list[_Call] = []
        self._changed: dict[int, _Change] = {}
        self._finding: asyncio.Task[float | None] | None = None
        self._answered_ms = self._listed_ms = 0
        self._since_us = 0
        self._overlaps_us = itertools.cycle(_OVERLAPS_US)
        self._meet_ms = 0
        self._find_ms: float = 0
        self._seeking = False
        self._hinted: set[str] = set()
        self.news = asyncio.Event()

    def hint(self, upstream_ids: Collection[str]) -> None:
        """Has these looked at next, if they are running; `news` tells that there are any."""
        self._hinted.update(upstream_ids)
        self.news.set()

    @property
    def idle(self) -> bool:
        return not self._known and not self._seeking

    @property
    def behind(self) -> bool:
        """Whether more tasks are due than one look took."""
        return bool(self._due) and self._due[0][0] <= self._gate.clock()

    async def look(self) -> int:
        """Looks at up to `MOST_LOOKED` due tasks; returns at how many.

        An upstream that does not answer changes no task. After a look that raised, as it does
        without a database, another follower has to take the channel up.
        """
        now_ms = self._gate.clock()
        channel = (await self._gate.store.catalog()).channels.get(self._channel)
        begun: set[asyncio.Task[Any]] = set()
        if now_ms >= self._meet_ms:
            self._meet_ms = now_ms + _MEET_EVERY_MS
            begun = self._find(channel, now_ms)
            await self._meet(now_ms)
        self._take_hints(now_ms)
        many, alone = self._take(now_ms)
        able = await self._able(channel) if many or alone or self._calls else None
        self._wanted += [_Call(lot, now_ms) for lot in _lots(many, MOST_IDS)]
        self._wanted += [_Call([kept], now_ms, aside=True, alone=True) for kept in alone]
        await self._ask(able, begun)
        await self._write()
        return len(many) + len(alone)

    async def close(self) -> None:
        """Ends what is under way."""
        left = [*self._calls, *([self._finding] if self._finding else [])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _able(self, channel: Channel | None) -> Channel | None:
        """The channel with its dialect known; None where it cannot be asked."""
        if channel is None:
            return None
        try:
            return await tuned(self._gate, channel)
        except SendError as error:
            _warn(channel, error)
            return None

    # Meeting tasks

    def _find(self, channel: Channel | None, now_ms: int) -> set[asyncio.Task[Any]]:
        """Begins to look for sends without an outcome, the less often the older they are."""
        if channel is None or now_ms < self._find_ms or self._finding is not None:
            return set()
        self._finding = asyncio.create_task(find(self._gate, channel))
        self._find_ms = now_ms
        return {self._finding}

    def _take_hints(self, now_ms: int) -> None:
        """Those that were hinted at are due now, but for those that are being looked at."""
        named, self._hinted = self._hinted, set()
        self.news.clear()
        for kept in self._known.values() if named else ():
            if kept.followed.upstream_id in named and kept.due_ms > now_ms:
                self._put_at(kept, now_ms)

    async def _meet(self, now_ms: int) -> None:
        """Takes in tasks accepted since the last look, and a little before: commits overlap."""
        pool, since_us, after = self._gate.store.pool, self._since_us - next(self._overlaps_us), 0
        full = True
        while full:
            page = await accepted_since(pool, self._channel, max(0, since_us), _PAGE, after)
            for some in _lots([task for task, _ in page if task not in self._known], _READ_AT_ONCE):
                self._keep(await followed_tasks(pool, some), now_ms)
            if full := len(page) == _PAGE:
                now_ms = self._gate.clock()
            if page:
                after, since_us = page[-1]
        self._since_us = max(self._since_us, since_us)

    def _keep(self, tasks: Iterable[Followed], now_ms: int) -> None:
        for followed in tasks:
            kept = _Kept(followed.task.id, followed, now_ms + followed.left_s * 1000)
            self._known[kept.id] = kept
            # The database's clock may be ahead of ours.
            accepted_ms = min(followed.accepted_s * 1000, now_ms)
            self._put_at(kept, min(accepted_ms + QUICKEST_S * 1000, kept.ends_ms))

    def _forget(self, kept: _Kept) -> None:
        self._known.pop(kept.id, None)
        self._alone.pop(kept.id, None)

    # When each has its turn

    def _take(self, now_ms: int) -> tuple[list[_Kept], list[_Kept]]:
        """The most overdue tasks, and those of them that are asked for alone.

        The others have their turn next; none is passed over for ever.
        """
        many: list[_Kept] = []
        alone: list[_Kept] = []
        aside = self._aside()
        room = MOST_LOOKED - MOST_IDS * (len(self._calls) - aside)
        while self._due and self._due[0][0] <= now_ms and len(many) + len(alone) < room:
            due_ms, number = heapq.heappop(self._due)
            kept = self._known.get(number)
            if kept is None or kept.due_ms != due_ms:
                continue
            if self._alone.get(number, 0) <= now_ms:
                self._alone.pop(number, None)
                many.append(kept)
            elif aside + len(alone) < _MOST_ASIDE:
                alone.append(kept)
            else:
                self._put_off(kept, now_ms, _FAILED_S)
                continue
            kept.due_ms = 0
        return many, alone

    def _aside(self) -> int:
        return sum(call.aside for call in (*self._calls.values(), *self._wanted))

    def _put_off(self, kept: _Kept, now_ms: int, least_s: float = 0.0) -> None:
        """Fresh tasks are looked at every second, old ones up to ten seconds apart."""
        if self._known.get(kept.id) is not kept:
            return
        if now_ms > kept.ends_ms + _LEFT_MS and kept.id not in self._changed:
            self._forget(kept)
            return
        if kept.id in self._alone:
            least_s = max(least_s, _FAILED_S)
        age_s = now_ms / 1000 - kept.followed.accepted_s
        wait_s = max(least_s, look_again_s(age_s, len(self._known)))
        due_ms = now_ms + wait_s * 1000
        self._put_at(kept, min(due_ms, kept.ends_ms) if now_ms < kept.ends_ms else due_ms)

    def _put_at(self, kept: _Kept, due_ms: float) -> None:
        kept.due_ms = due_ms
        heapq.heappush(self._due, (due_ms, kept.id))

    # Asking

    def _begin(self, channel: Channel | None) -> set[asyncio.Task[Any]]:
        """Begins the calls that are wanted; without a channel that can be asked there are none."""
        wanted, self._wanted = self._wanted, []
        if channel is None:
            for kept in (kept for call in wanted for kept in call.lot):
                self._put_off(kept, self._gate.clock())
            return set()
        begun = {asyncio.create_task(self._question(channel, call)): call for call in wanted}
        self._calls |= begun
        return {*begun}

    def _question(self, channel: Channel, call: _Call) -> Coroutine[Any, Any, Shown]:
        if call.alone:
            return self._others.fetch(channel, call.lot[0].followed.upstream_id)
        asker = self._others if call.aside else self._lists
        ids = [kept.followed.upstream_id for kept in call.lot]
        # Where two tasks share an id, one may not have been shown what the other was.
        fresh = {kept.followed.upstream_id for kept in call.lot if not kept.mark}
        marks = {
            kept.mark: kept.followed.upstream_id
            for kept in call.lot
            if kept.followed.upstream_id not in fresh
        }
        return asker.list(channel, ids, marks)

    async def _ask(self, channel: Channel | None, begun: set[asyncio.Task[Any]]) -> None:
        """Asks what is wanted, takes in answers, and asks what they call for."""
        clock = asyncio.get_running_loop().time
        end = clock() + self._patience_s
        begun = begun | self._begin(channel)
        while True:
            if begun:
                await asyncio.wait(begun, timeout=max(0.0, end - clock()))
            self._take_in()
            if not self._wanted:
                return
            begun = self._begin(channel)

    def _take_in(self) -> None:
        now_ms = self._gate.clock()
        if self._finding and self._finding.done():
            again_s = self._finding.result()
            self._finding = None
            self._seeking = again_s is not None
            self._find_ms += (again_s or 0) * 1000
        for task in [task for task in self._calls if task.done()]:
            call = self._calls.pop(task)
            try:
                shown = task.result()
            except SendError as error:
                self._failed(call, error, now_ms)
            else:
                self._heard(call, shown, now_ms)

    # What answers mean

    def _failed(self, call: _Call, error: SendError, now_ms: int) -> None:
        """No answer; one of those asked for may be the reason, and then harms no other."""
        if not call.aside:
            logger().warning("upstream does not answer", why=str(error))
        if parts := self._parts(call, error, now_ms):
            self._wanted += parts
        else:
            for kept in call.lot:
                self._put_off(kept, now_ms, _FAILED_S)

    def _parts(self, call: _Call, error: SendError, now_ms: int) -> list[_Call]:
        """The same question in smaller calls; none of an upstream that answers nobody."""
        aside = self._aside()
        if call.alone or not may_divide(error):
            return []
        if aside and now_ms - self._answered_ms > _LIVELY_MS:
            return []
        lots = _lots(call.lot, FEW_IDS if len(call.lot) > FEW_IDS else 1)
        if aside + len(lots) > _MOST_ASIDE:
            return []
        last = len(call.lot) == 1
        if last:
            self._part(call.lot[0], call, now_ms)
        return [_Call(lot, now_ms, aside=True, alone=last) for lot in lots]

    def _part(self, kept: _Kept, call: _Call, now_ms: int) -> None:
        """It is fetched for a while: a long one where other lists were answered meanwhile."""
        if len(self._alone) >= _MOST_ALONE:
            return
        proved = self._listed_ms >= call.begun_ms
        for_ms = _MOST_ALONE_MS if proved else min(_ALONE_MS * 4**kept.spoiled, _MOST_ALONE_MS)
        self._alone[kept.id] = now_ms + for_ms
        kept.spoiled += 1

    def _heard(self, call: _Call, shown: Shown, now_ms: int) -> None:
        """What was shown changes tasks; one that a list is without is asked for alone."""
        self._answered_ms = now_ms
        if not call.alone:
            self._listed_ms = now_ms
        for kept in call.lot:
            if self._known.get(kept.id) is not kept:
                continue
            upstream_id = kept.followed.upstream_id
            seen = shown.sights.get(upstream_id)
            if seen is not None:
                self._see(kept, *seen, now_ms)
            elif upstream_id in shown.same:
                kept.absence = None
            elif not call.alone:
                if self._doubtful(kept, now_ms) and self._aside() < _MOST_ASIDE:
                    self._wanted.append(_Call([kept], now_ms, aside=True, alone=True, checks=True))
                    continue
            elif call.checks:
                self._miss(kept, now_ms)
            if now_ms >= kept.ends_ms:
                self._end(kept, now_ms)
            if not self._is_ending(kept):
                self._put_off(kept, now_ms)

    def _see(self, kept: _Kept, sight: Sight, mark: int, now_ms: int) -> None:
        kept.absence = None
        task = advance(kept.followed.task, ours(kept.followed, sight), now_ms)
        if task == kept.followed.task:
            kept.mark = mark
        else:
            self._changed[task.id] = _Change(task, mark, sight.buttons)

    def _is_ending(self, kept: _Kept) -> bool:
        """Whether this look saw it end: once that is written, nobody looks at it again."""
        change = self._changed.get(kept.id)
        return change is not None and change.task.status in ENDS

    def _doubtful(self, kept: _Kept, now_ms: int) -> bool:
        """Whether an absence counts: not when one has counted just now."""
        absence = kept.absence
        return absence is None or now_ms / 1000 - absence.last_s >= self._lost_s / 2

    def _miss(self, kept: _Kept, now_ms: int) -> None:
        """Its upstream does not know it; in the end it is lost."""
        now_s = now_ms / 1000
        kept.absence = kept.absence.again(now_s) if kept.absence else Absence(now_s, now_s)
        if kept.absence.proves(self._lost_s):
            logger().warning("lost", task=kept.id, channel=self._channel)
            task = _ended(kept.followed.task, now_ms, LOST, _VANISHED)
            self._changed[kept.id] = _Change(task, 0, None)

    def _end(self, kept: _Kept, now_ms: int) -> None:
        """Ends a task that its upstream did not end by its deadline."""
        change = self._changed.get(kept.id) or _Change(kept.followed.task, 0, None)
        if change.task.status not in ENDS:
            self._changed[kept.id] = replace(change, task=_unfinished(change.task, now_ms))

    # Writing

    async def _write(self) -> None:
        changed, self._changed = self._changed, {}
        if not changed:
            return
        buttons = {number: change.buttons for number, change in changed.items() if change.buttons}
        tasks = [change.task for change in changed.values()]
        written = await advance_tasks(self._gate.store.pool, tasks, buttons)
        for number in written:
            change, kept = changed[number], self._known[number]
            if change.task.status in ENDS:
                self._forget(kept)
            else:
                task = replace(change.task, version=change.task.version + 1)
                kept.followed = replace(kept.followed, task=task)
                kept.mark = change.mark
        if len(written) < len(changed):
            await self._read_again([self._known[n] for n in changed if n not in written])

    async def _read_again(self, stale: Sequence[_Kept]) -> None:
        """Takes up tasks that somebody else has changed; what is refused is not hurried."""
        now_ms = self._gate.clock()
        found = await followed_tasks(self._gate.store.pool, [kept.id for kept in stale])
        fresh = {followed.task.id: followed for followed in found}
        for kept in stale:
            followed = fresh.get(kept.id)
            if followed is None:
                self._forget(kept)
            elif followed.task.version == kept.followed.task.version:
                self._put_off(kept, now_ms, _REFUSED_S)
            else:
                kept.followed, kept.mark = followed, 0
                self._put_off(kept, now_ms)


async def end_overdue(gate: Gate, tasks: Sequence[Task]) -> int:
    """Ends tasks past their own deadline: FAILURE, and the hold is released.

    Returns how many were ended: one that changed meanwhile is looked at anew.
    """
    now_ms = gate.clock()
    return len(await advance_tasks(gate.store.pool, [_unfinished(task, now_ms) for task in tasks]))


def _lots(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _warn(channel: Channel, error: SendError) -> None:
    logger().warning("upstream does not answer", channel=channel.name, why=str(error))


def _unfinished(task: Task, now_ms: int) -> Task:
    return _ended(task, now_ms, DEADLINE, _UNFINISHED)


def _ended(task: Task, now_ms: int, by: str, why: str) -> Task:
    """Ended by us, not by its upstream."""
    return replace(task, status=FAILURE, fail_reason=why, finish_ms=now_ms, ended_by=by)
