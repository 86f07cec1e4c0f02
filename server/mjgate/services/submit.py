"""A submit, one way: quote, choose, intent, send, outcome (design, section 2)."""

import contextlib
import os
from collections.abc import Callable
from time import perf_counter
from typing import Any

from msgspec import Struct

from mjgate.domain.action import IMAGINE, change_sign, model
from mjgate.domain.channel import Channel
from mjgate.domain.money import dollars
from mjgate.domain.outcome import Hold, Outcome, answer, read_outcome
from mjgate.domain.send import Claim, Decision, Intent, Verdict
from mjgate.domain.token import Token
from mjgate.errors import (
    ApiError,
    Broken,
    BudgetSpent,
    Fault,
    Forbidden,
    InFlight,
    InvalidRequest,
    KeyReused,
    MjgateError,
    NotFound,
    NotSent,
    RateLimited,
    Replay,
    RowRefused,
    StoreDown,
    StoreFull,
    TooManyInFlight,
    Unauthorized,
    Unavailable,
    UpstreamBroken,
)
from mjgate.gate import Gate
from mjgate.log import logger, milliseconds, note
from mjgate.services.choose import choose, choose_for, tuned
from mjgate.services.hint import notify_address
from mjgate.services.settle import settle, unknown
from mjgate.store.channels import note_fault
from mjgate.store.claims import recall
from mjgate.store.database import DOWN, reached
from mjgate.store.tasks import Parent, find_parent, move_task
from mjgate.upstream.novicezk import NOT_SUCCESS, Change, Novicezk, Refusal, Request
from mjgate.upstream.upstreams import dialect_of

_MARGIN_S = 10.0
_FLIGHT_RETRY_S = 5
_MARK_BYTES = 16
Speak = Callable[[Novicezk, str, str | None], Request]
"""How it is said in a dialect, with our mark and the address for hints, if there is one."""


class Imagine(Struct, frozen=True):
    """A picture from a prompt. `body` is the request as received, `claim` that of its key."""

    prompt: str
    state: str | None
    hook: str | None
    body: bytes
    claim: Claim | None = None


class ChangeOf(Struct, frozen=True):
    """A change of a task. `body` is the request as received, `claim` that of its key."""

    parent: int
    action: str
    index: int | None
    state: str | None
    hook: str | None
    body: bytes
    claim: Claim | None = None


class _Draft(Struct, frozen=True):
    """A task to be: what it is, where it may go, and how it is said there."""

    action: str
    prompt: str | None
    description: str
    state: str | None
    hook: str | None
    channels: list[Channel]
    speak: Speak
    parent: int | None = None
    claim: Claim | None = None


async def imagine(gate: Gate, token: Token, request: Imagine) -> dict[str, Any]:
    """Submits a picture; the answer is the documented SubmitResult.

    Raises:
        ApiError: nothing was charged, unless it says that the outcome is unknown.
        Replay: its key was answered before.
    """
    if request.claim is not None:
        await _recall(gate, token, request.claim)
    draft = _Draft(
        IMAGINE,
        request.prompt,
        f"/imagine {request.prompt}",
        request.state,
        request.hook,
        await choose(gate, model(IMAGINE)),
        lambda dialect, marker, hook: dialect.imagine(request.body, marker, hook),
        claim=request.claim,
    )
    return await _submit(gate, token, draft)


async def change(gate: Gate, token: Token, request: ChangeOf) -> dict[str, Any]:
    """Submits a change of a task of this token; answers and raises like `imagine`."""
    if request.claim is not None:
        await _recall(gate, token, request.claim)
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
        request.claim,
    )
    return await _submit(gate, token, draft)


def _speak_change(parent: Parent, upstream_id: str, request: ChangeOf) -> Speak:
    words = Change(
        request.action, request.index, upstream_id, parent.status, parent.buttons, request.body
    )
    return lambda dialect, marker, hook: dialect.change(words, marker, hook)


async def _recall(gate: Gate, token: Token, claim: Claim) -> None:
    """Answers again what was answered, whatever has become of channels and prices since.

    Raises:
        ApiError: the key is not free.
        Replay: its first request was answered.
    """
    with reached():
        decision = await recall(gate.store.pool, token.id, claim)
    if decision is not None:
        raise _taken(decision)


def _taken(decision: Decision) -> MjgateError:
    """What whoever comes with a taken key is told."""
    if decision.verdict is Verdict.REUSED:
        return KeyReused("Another request had this Idempotency-Key. Take a new one.")
    if decision.verdict is Verdict.GOING:
        return InFlight("The first request with this Idempotency-Key has no outcome yet.")
    if decision.status is not None:
        return Replay(decision.status, decision.answer)
    assert decision.task is not None
    given = unknown(decision.task, UpstreamBroken)
    return Replay(given.status, given.body())


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
        return await settle(gate, intent, channel, outcome)
    except StoreDown:
        raise unknown(intent.id, UpstreamBroken) from None


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
        hook=draft.hook or token.hook or _global_hook(gate),
        marker=f"mjgate:{os.urandom(_MARK_BYTES).hex()}",
        submit_ms=gate.clock(),
        send_s=(gate.config.upstream_timeout + _MARGIN_S) * len(draft.channels) + _MARGIN_S,
        parent=draft.parent,
        price_version=prices.version,
        claim=draft.claim,
    )


def _global_hook(gate: Gate) -> str | None:
    hook = gate.config.notify_hook
    return hook.get_secret_value() if hook else None


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


def _refusal(decision: Decision, intent: Intent) -> MjgateError:
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
        case Verdict.REUSED | Verdict.GOING | Verdict.GIVEN:
            return _taken(decision)
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
            return Outcome(Hold.RELEASE, result=result, final=False), channel
        except ApiError as error:
            return Outcome(Hold.RELEASE, error=error, final=False), channel
        except Broken:
            return Outcome(Hold.UNKNOWN, error=UpstreamBroken("")), channel
    none = Unavailable(f"No upstream of {intent.model} can be reached now.", 5)
    return Outcome(Hold.RELEASE, error=none, final=False), draft.channels[-1]


async def _prepare(
    gate: Gate, intent: Intent, draft: _Draft, channel: Channel
) -> tuple[Channel, Request]:
    """All that comes before the first byte: whatever fails here, nothing was sent."""
    try:
        if channel.id != draft.channels[0].id:
            with reached():
                await move_task(gate.store.pool, intent.id, channel.id)
        able = await tuned(gate, channel)
        hook = notify_address(gate, channel.id)
        return able, draft.speak(dialect_of(able), intent.marker, hook)
    except (NotSent, Refusal):
        raise
    except StoreDown:
        raise Unavailable("The database is out of reach.", 2) from None
    except Exception as error:
        logger().exception("fault before a send", task=intent.id, channel=channel.name)
        raise Fault("The gateway failed before it sent anything.") from error
