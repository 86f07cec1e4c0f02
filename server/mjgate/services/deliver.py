"""Delivers callbacks: what is due goes out, few at a time to each receiver (design, section 8)."""

import asyncio
import contextlib
import hashlib
import time
from collections import Counter, deque

import orjson

from mjgate.callback import Caller
from mjgate.domain.delivery import Outcome, Result
from mjgate.domain.signature import signed_headers
from mjgate.errors import ConfigError
from mjgate.gate import Gate
from mjgate.guard import Guard
from mjgate.log import logger
from mjgate.metrics import callbacks
from mjgate.services.show import show
from mjgate.store.database import DOWN
from mjgate.store.deliveries import Claimed, book_outcomes, claim_deliveries, hurry_deliveries
from mjgate.store.signing import signing_secrets

_MOST_AT_ONCE = 1024
_MOST_OF_TOKEN = 256
"""However many receivers a token names: the others' callbacks do not wait for them."""
_FAILING_AT_ONCE = 2
"""To a receiver whose last answer was none: enough to see that it is back."""
_MOST_FAILING = 1000
"""Receivers of which that is remembered, the last ones."""
_LEASE_MARGIN_S = 15.0
_HURRY_EVERY_S, _HURRY_AGAIN_S = 1.0, 300.0
_IDLE_S = 0.05
_LOOK_S = 1.0
_LAND_S = 2.0
_RETRY_S = 0.5


class Deliverer:
    """The callbacks of one process: sends what is due, books what came of it.

    It sends while it is on duty, one process of a cluster at a time; it books for as long as it
    runs, all that came back in one commit. An answer that is booked is never asked for again.
    One that came and was not booked, since the process died or had no database for longer than a
    lease, is: with the same id.
    """

    def __init__(self, gate: Gate, caller: Caller) -> None:
        self._gate = gate
        self._caller = caller
        self._lease_s = gate.config.callback_timeout + _LEASE_MARGIN_S
        self._good_s = _LEASE_MARGIN_S / 2
        self._flying: dict[asyncio.Task[Outcome | None], Claimed] = {}
        self._landed: list[tuple[Claimed, Outcome]] = []
        self._failing: deque[str] = deque(maxlen=_MOST_FAILING)
        self._hurried: dict[str, float] = {}
        self._stirred = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.on_duty = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="deliverer")

    async def stop(self, seconds: float = _LAND_S) -> None:
        """Waits for what is in the air, at most so long, and books it; the rest is cut."""
        self.on_duty = False
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._flying:
            await asyncio.wait(set(self._flying), timeout=seconds)
        for flight in list(self._flying):
            flight.cancel()
        with contextlib.suppress(*DOWN):
            await self._book()
        await self._caller.close()

    def wake(self) -> None:
        """There may be something to deliver."""
        self._stirred.set()

    async def look(self) -> bool:
        """Books what came back, then sends what is due as far as there is room.

        Returns whether anything came back or is in the air.
        """
        self._stirred.clear()
        landed = bool(self._landed)
        await self._book()
        if self.on_duty:
            await self._claim()
        return landed or bool(self._flying)

    async def _run(self) -> None:
        while True:
            try:
                if not await self.look():
                    # Changes of tasks without a hook wake us as well: many a second.
                    await asyncio.sleep(_IDLE_S)
                await self._rest(_LOOK_S)
            except DOWN as error:
                logger().warning("deliveries wait", why=type(error).__name__)
                await asyncio.sleep(_RETRY_S)
            except Exception:
                logger().exception("deliveries interrupted")
                await asyncio.sleep(_RETRY_S)

    async def _rest(self, seconds: float) -> None:
        """Waits until something came back or somebody wakes us, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stirred.wait()

    async def _book(self) -> None:
        """What cannot be booked now is kept for the next time."""
        landed = list(self._landed)
        if not landed:
            return
        outcomes = [outcome for _, outcome in landed]
        await book_outcomes(self._gate.store.pool, outcomes, self._gate.config.callback_schedule)
        del self._landed[: len(landed)]
        for outcome in outcomes:
            callbacks(outcome.result).inc()
        await self._hurry({claimed.receiver for claimed, each in landed if _is_taken(each)})

    async def _hurry(self, answering: set[str]) -> None:
        now = time.monotonic()
        due = {
            receiver
            for receiver in answering
            if now - self._hurried.get(receiver, -_HURRY_EVERY_S) >= _HURRY_EVERY_S
        }
        if due:
            recent = {r: at for r, at in self._hurried.items() if now - at < _HURRY_EVERY_S}
            self._hurried = recent | dict.fromkeys(due, now)
            await hurry_deliveries(self._gate.store.pool, due, _HURRY_AGAIN_S)

    async def _claim(self) -> None:
        room = _MOST_AT_ONCE - len(self._flying)
        most = self._gate.config.callback_concurrency
        claimed = await claim_deliveries(
            self._gate.store.pool,
            self._free(most),
            most,
            Counter(each.token for each in self._flying.values()),
            _MOST_OF_TOKEN,
            room,
            self._lease_s,
        )
        until = time.monotonic() + self._good_s
        for each in claimed:
            flight = asyncio.create_task(self._fly(each, until))
            self._flying[flight] = each
            flight.add_done_callback(self._land_one)

    def _free(self, most: int) -> dict[str, int]:
        """How many more may be in the air to each receiver that is not free altogether."""
        taken = Counter(claimed.receiver for claimed in self._flying.values())
        return {
            receiver: self._bound(receiver, most) - taken[receiver]
            for receiver in taken.keys() | set(self._failing)
        }

    def _bound(self, receiver: str, most: int) -> int:
        return min(most, _FAILING_AT_ONCE) if receiver in self._failing else most

    def _land_one(self, flight: asyncio.Task[Outcome | None]) -> None:
        claimed = self._flying.pop(flight)
        self._stirred.set()
        if flight.cancelled():
            return
        outcome = flight.result()
        if outcome is None:
            return
        self._landed.append((claimed, outcome))
        with contextlib.suppress(ValueError):
            self._failing.remove(claimed.receiver)
        if outcome.result is Result.FAILED:
            self._failing.append(claimed.receiver)

    async def _fly(self, claimed: Claimed, until: float) -> Outcome | None:
        """One attempt; none where this process slept so long that its lease may be another's."""
        try:
            return await self._attempt(claimed, until)
        except Exception as error:
            logger().error("delivery failed", task=claimed.task.id, why=type(error).__name__)
            return _outcome(claimed, Result.FAILED, error="the gateway failed")

    async def _secrets(self, claimed: Claimed) -> list[str]:
        store = self._gate.store
        return await signing_secrets(store.pool, store.cipher, claimed.token, claimed.ciphers)

    async def _attempt(self, claimed: Claimed, until: float) -> Outcome | None:
        task = claimed.task
        digest = hashlib.sha256(orjson.dumps(task.wire())).hexdigest()[:32]
        if digest == claimed.told:
            return _outcome(claimed, Result.SAME, digest)
        if self._caller.hopeless(claimed.hook):
            return _outcome(claimed, Result.REFUSED, error="not a public address")
        try:
            secrets = await self._secrets(claimed)
        except ConfigError:
            return _outcome(claimed, Result.FAILED, error="its signing secret does not open")
        body = orjson.dumps(show(self._gate, task))
        headers = signed_headers(f"{task.id}.{task.version}", self._gate.clock(), body, secrets)
        if time.monotonic() > until:
            return None
        reply = await self._caller.post(claimed.hook, body, headers)
        return Outcome(
            task.id,
            claimed.claim,
            task.version,
            reply.result,
            digest,
            reply.status,
            reply.ms,
            reply.error,
            reply.answer,
            reply.wait_s,
        )


def open_caller(gate: Gate) -> Caller:
    """What calls receivers by the settings of a gate."""
    config = gate.config
    return Caller(Guard(config.allow_private_hooks), config.callback_timeout, config.keepalive)


def _is_taken(outcome: Outcome) -> bool:
    return outcome.result is Result.DELIVERED


def _outcome(
    claimed: Claimed, result: Result, digest: str = "", error: str | None = None
) -> Outcome:
    return Outcome(
        claimed.task.id, claimed.claim, claimed.task.version, result, digest, error=error
    )
