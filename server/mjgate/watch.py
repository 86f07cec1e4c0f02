"""Watches channels for one process: follows tasks that run, chases those that we ended."""

import asyncio
import contextlib
import time
from collections.abc import Sequence

from mjgate.domain.refresh import MOST_LOOKS
from mjgate.gate import Gate
from mjgate.services.chase import Chaser
from mjgate.services.follow import Follower
from mjgate.store.locks import Lock, channel_lock
from mjgate.store.tasks import has_work

_CYCLE_S = 1.0
_SOONEST_S = 0.2
"""Between two looks of a channel, however many hints its upstream gives."""
_CHASE_S = 5.0
_CHECK_S, _CHECK_TIMEOUT_S = 5.0, 10.0


class Watch:
    """The channels that this process watches, each for at most `shift_s` seconds at a time.

    One process of a cluster watches a channel, for as long as it holds the lock of it.
    """

    def __init__(self, uri: str, gate: Gate, stopping: asyncio.Event, shift_s: float) -> None:
        self._uri = uri
        self._gate = gate
        self._stopping = stopping
        self._shift_s = shift_s
        self._followers: dict[int, Follower | None] = {}
        gate.store.changes.on_hints(self._hint)

    def has(self, channel: int) -> bool:
        return channel in self._followers

    def stop(self) -> None:
        """Wakes what rests, so that it sees that we are stopping."""
        for follower in self._followers.values():
            if follower:
                follower.news.set()

    async def take(self, channel: int) -> bool:
        """Watches a channel for a while, unless somebody does; whether there is more to do."""
        if channel in self._followers:
            return False
        self._followers[channel] = None
        try:
            async with channel_lock(self._uri, channel) as lock:
                if lock:
                    await self._watch(channel, lock)
        finally:
            del self._followers[channel]
        return lock is not None and await has_work(self._gate.store.pool, channel)

    async def hold(self, lock: Lock) -> None:
        """Returns after a shift; raises when the lock is lost, since another may have it then."""
        end = time.monotonic() + self._shift_s
        while time.monotonic() < end and not self._stopping.is_set():
            await pause(self._stopping, min(_CHECK_S, end - time.monotonic()))
            async with asyncio.timeout(_CHECK_TIMEOUT_S):
                await lock.check()

    async def _watch(self, channel: int, lock: Lock) -> None:
        follower, chaser = Follower(self._gate, channel), Chaser(self._gate, channel)
        self._followers[channel] = follower
        aside = [asyncio.create_task(each) for each in (_chase(chaser), self.hold(lock))]
        try:
            await self._look(follower, chaser, aside)
        finally:
            for task in aside:
                task.cancel()
            await asyncio.gather(*aside, return_exceptions=True)
            await follower.close()

    async def _look(
        self, follower: Follower, chaser: Chaser, aside: Sequence[asyncio.Task[None]]
    ) -> None:
        """Looks until the shift ends or nothing is left to look at; raises what `aside` does."""
        end = time.monotonic() + self._shift_s
        while time.monotonic() < end and not self._stopping.is_set():
            started = time.monotonic()
            looked = await follower.look()
            behind = looked and follower.behind
            await self._rest(follower, started, looked / MOST_LOOKS if behind else _CYCLE_S)
            for task in aside:
                if task.done():
                    task.result()
            if follower.idle and chaser.idle:
                return

    async def _rest(self, follower: Follower, started: float, seconds: float) -> None:
        """Until the next look is due, or sooner where there are hints."""
        soonest = started + min(seconds, _SOONEST_S)
        await pause(self._stopping, soonest - time.monotonic())
        if not self._stopping.is_set():
            await pause(follower.news, started + seconds - time.monotonic())

    def _hint(self, channel: int, upstream_ids: Sequence[str]) -> None:
        if follower := self._followers.get(channel):
            follower.hint(upstream_ids)


async def _chase(chaser: Chaser) -> None:
    while True:
        await chaser.look()
        await asyncio.sleep(_CHASE_S)


async def pause(until: asyncio.Event, seconds: float) -> None:
    """Waits for an event, no longer than so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0)):
            await until.wait()
