"""A submit, one way: quote, choose, intent, send, outcome (design, section 2)."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from mjgate.domain.action import IMAGINE, change_sign, model
from mjgate.domain.channel import Channel
from mjgate.domain.money import dollars
from mjgate.domain.outcome import Hold, Outcome, answer, read_outcome
from mjgate.domain.send import Decision, Intent, Settlement, Verdict
from mjgate.domain.task import MODAL, NOT_START, Phase
from mjgate.domain.token import Token
from mjgate.errors import (
    ApiError,
    Broken,
    BudgetSpent,
    Fault,
    Forbidden,
    InvalidRequest,
    NotFound,
    NotSent,
    RateLimited,
    RowRefused,
    StoreDown,
    StoreFull,
    TooManyInFlight,
    Unauthorized,
    Unavailable,
    UpstreamBroken,
    UpstreamUnclear,
)
from mjgate.gate import Gate
from mjgate.log import logger, milliseconds, note
from mjgate.services.choose import choose, choose_for, tuned
from mjgate.store.channels import note_fault
from mjgate.store.database import DOWN, reached
from mjgate.store.tasks import Parent, find_bound, find_parent, move_task
from mjgate.upstream.novicezk import NOT_SUCCESS, Change, Novicezk, Refusal, Request
from mjgate.upstream.upstreams import dialect_of

_MARGIN_S = 10.0
_RETRY_S = 0.2
_FLIGHT_RETRY_S = 5
Speak = Callable[[Novicezk, str], Request]


@dataclass(frozen=True, slots=True)
class Imagine:
    """A picture from a prompt. `body` is the request as received."""

    prompt: str
    state: str | None
    hook: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class ChangeOf:
    """A change of a task. `body` is the request as received."""

    parent: int
    action: str
    index: int | None
    state: str | None
    hook: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class _Draft:
    """A task to be: what it is, where it may go, and how it is said there."""

    action: str
    prompt: str | None
    description: str
    state: str | None
    hook: str | None
    channels: list[Channel]
    speak: Speak
    parent: int | None = None


async def imagine(gate: Gate, token: Token, request: Imagine) -> dict[str, Any]:
    """Submits a picture; the answer is the documented SubmitResult.

    Raises:
        ApiError: nothing was charged, unless it says that the outcome is unknown.
    """
    draft = _Draft(
        IMAGINE,
        request.prompt,
        f"/imagine {request.prompt}",
        request.state,
        request.hook,
        await choose(gate, model(IMAGINE)),
        lambda dialect, marker: dialect.imagine(request.body, marker),
    )
    return await _submit(gate, token, draft)


async def change(gate: Gate, token: Token, request: ChangeOf) -> dict[str, Any]:
    """Submits a change of a task of this token; answers and raises like `imagine`."""
    with reached():
        parent = await find_parent(gate.store.pool, token.id, request.parent)
    if parent is None:
        raise NotFound(f"There is no task {request.parent} of this token.")
    if parent.upstream_id is None:
        return answer(*NOT_SUCCESS, None, {})
    draft = _Draft(
        request.action,
        parent.prompt,
        f"/up {parent.id} {change_sign(request.action, request.index)}",
        request.state,
        request.hook,
        [await choose_for(gate, parent)],
        _speak_change(parent, parent.upstream_id, request),
        parent.id,
    )
    return await _submit(gate, token, draft)


def _speak_change(parent: Parent, upstream_id: str, request: ChangeOf) -> Speak:
    words = Change(
        request.action, request.index, upstream_id, parent.status, parent.buttons, request.body
    )
    return lambda dialect, marker: dialect.change(words, marker)


async def _submit(gate: Gate, token: Token, draft: _Draft) -> dict[str, Any]:
    intent = await _intent(gate, token, draft)
    note(task=intent.id)
    started = perf_counter()
    await _admit(gate, intent)
    admitted = perf_counter()
    outcome, channel = await _send(gate, intent, draft)
    note(
        channel=channel.name,
        admit_ms=milliseconds(admitted - started),
        upstream_ms=milliseconds(perf_counter() - admitted),
    )
    if outcome.blames_key:
        with contextlib.suppress(*DOWN):
            await note_fault(gate.store.pool, channel.id, "the upstream refuses the key")
    try:
        return await _settle(gate, intent, channel, outcome)
    except StoreDown:
        raise _unknown(intent, UpstreamBroken) from None


async def _intent(gate: Gate, token: Token, draft: _Draft) -> Intent:
    name = model(draft.action)
    prices = (await gate.store.catalog()).prices
    price = prices.quote(name)
    if price is None:
        raise Forbidden(f"This gateway has no price for {name}; its operator can set one.")
    with reached():
        task_id = await gate.store.ids.take()
    return Intent(
        id=task_id,
        token=token.id,
        channel=draft.channels[0].id,
        action=draft.action,
        model=name,
        price=price,
        prompt=draft.prompt,
        description=draft.description,
        state=draft.state,
        hook=draft.hook,
        marker=f"mjgate:{secrets.token_hex(16)}",
        submit_ms=gate.clock(),
        send_s=(gate.config.upstream_timeout + _MARGIN_S) * len(draft.channels) + _MARGIN_S,
        parent=draft.parent,
        price_version=prices.version,
    )


async def _admit(gate: Gate, intent: Intent) -> None:
    """Commits the intent before a byte goes out."""
    try:
        decision = await gate.store.writer.admit(intent)
    except StoreFull:
        raise Unavailable("Too many submits wait. Send it again.") from None
    except RowRefused as error:
        raise InvalidRequest(f"The gateway cannot keep a value of this request: {error}") from None
    if decision.verdict is not Verdict.HELD:
        raise _refusal(decision, intent)


def _refusal(decision: Decision, intent: Intent) -> ApiError:
    """What a submit that was not admitted is told; it has used up nothing."""
    match decision.verdict:
        case Verdict.MODEL:
            return Forbidden(f"This token may not use {intent.model}.")
        case Verdict.BUDGET:
            price = dollars(intent.price)
            return BudgetSpent(
                f"The budget of this token does not cover {intent.model} at {price} dollars."
            )
        case Verdict.FLIGHT:
            return TooManyInFlight("As many tasks of this token run as may.", _FLIGHT_RETRY_S)
        case Verdict.RATE:
            wait_s = -(-decision.wait_ms // 1000)
            return RateLimited(f"This token may submit again in {wait_s} seconds.", wait_s)
        case _:
            return Unauthorized("The token is wrong, has expired or was revoked.")


async def _send(gate: Gate, intent: Intent, draft: _Draft) -> tuple[Outcome, Channel]:
    """Sends to the first channel that can be reached; never twice."""
    for channel in draft.channels:
        try:
            able, request = await _prepare(gate, intent, draft, channel)
            return read_outcome(await gate.upstreams.send(able, request)), channel
        except NotSent:
            continue
        except Refusal as refusal:
            result = answer(refusal.code, refusal.description, None, {})
            return Outcome(Hold.RELEASE, result=result), channel
        except ApiError as error:
            return Outcome(Hold.RELEASE, error=error), channel
        except Broken:
            return Outcome(Hold.UNKNOWN, error=UpstreamBroken("")), channel
    none = Unavailable(f"No upstream of {intent.model} can be reached now.", 5)
    return Outcome(Hold.RELEASE, error=none), draft.channels[-1]


async def _prepare(
    gate: Gate, intent: Intent, draft: _Draft, channel: Channel
) -> tuple[Channel, Request]:
    """All that comes before the first byte: whatever fails here, nothing was sent."""
    try:
        if channel.id != draft.channels[0].id:
            with reached():
                await move_task(gate.store.pool, intent.id, channel.id)
        able = await tuned(gate, channel)
        return able, draft.speak(dialect_of(able), intent.marker)
    except (NotSent, Refusal):
        raise
    except StoreDown:
        raise Unavailable("The database is out of reach.", 2) from None
    except Exception as error:
        logger().exception("fault before a send", task=intent.id, channel=channel.name)
        raise Fault("The gateway failed before it sent anything.") from error


async def _settle(gate: Gate, intent: Intent, channel: Channel, outcome: Outcome) -> dict[str, Any]:
    """Commits the outcome and answers."""
    if outcome.exists:
        assert outcome.upstream_id is not None
        known = await _find_bound(gate, intent.token, channel.id, outcome.upstream_id)
        if known is not None:
            await gate.store.writer.settle(_settlement(gate, intent, channel, Phase.REJECTED))
            return _answer(outcome, known)
    if outcome.hold is Hold.UNKNOWN:
        return await _settle_unknown(gate, intent, channel, outcome)
    if outcome.hold is Hold.KEEP:
        return await _settle_accepted(gate, intent, channel, outcome)
    await gate.store.writer.settle(_settlement(gate, intent, channel, Phase.REJECTED))
    return _answer(outcome, None)


async def _find_bound(gate: Gate, token: int, channel: int, upstream_id: str) -> int | None:
    """Waits for the database: after a send there is no way back."""
    while True:
        try:
            return await find_bound(gate.store.pool, token, channel, upstream_id)
        except DOWN:
            await asyncio.sleep(_RETRY_S)


async def _settle_accepted(
    gate: Gate, intent: Intent, channel: Channel, outcome: Outcome
) -> dict[str, Any]:
    accepted = _settlement(
        gate,
        intent,
        channel,
        Phase.RUNNING,
        upstream_id=outcome.upstream_id,
        status=MODAL if outcome.modal else NOT_START,
        shares_upstream=outcome.exists,
    )
    try:
        await gate.store.writer.settle(accepted)
    except RowRefused as error:
        logger().error("upstream id refused", task=intent.id, channel=channel.name, why=str(error))
        return await _settle_unknown(gate, intent, channel, outcome)
    gate.background.follow(channel.id)
    return _answer(outcome, intent.id)


async def _settle_unknown(
    gate: Gate, intent: Intent, channel: Channel, outcome: Outcome
) -> dict[str, Any]:
    """Never sent again: whoever asks is told which task to fetch (design, section 6)."""
    await gate.store.writer.settle(_settlement(gate, intent, channel, Phase.UNKNOWN))
    raise _unknown(intent, type(outcome.error) if outcome.error else UpstreamUnclear)


def _unknown(intent: Intent, kind: type[ApiError]) -> ApiError:
    return kind(
        f"The outcome at the upstream is unknown. Fetch task {intent.id}.",
        properties={"taskId": str(intent.id)},
    )


def _settlement(
    gate: Gate, intent: Intent, channel: Channel, phase: Phase, **bound: Any
) -> Settlement:
    return Settlement(intent.id, channel.id, phase, gate.config.task_deadline, **bound)


def _answer(outcome: Outcome, task_id: int | None) -> dict[str, Any]:
    if outcome.error is not None:
        raise outcome.error
    assert outcome.result is not None
    return outcome.result | {"result": None if task_id is None else str(task_id)}
