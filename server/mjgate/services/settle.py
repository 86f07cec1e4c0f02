"""What a send came to: booked, kept with its key, and said to its client."""

import asyncio
from typing import Any

from mjgate.domain.channel import Channel
from mjgate.domain.outcome import Hold, Outcome
from mjgate.domain.send import Claim, Conclusion, Intent, Settlement
from mjgate.domain.task import MODAL, NOT_START, Phase
from mjgate.errors import ApiError, RowRefused, UpstreamUnclear
from mjgate.gate import Gate
from mjgate.log import logger
from mjgate.store.database import DOWN
from mjgate.store.tasks import find_bound

_RETRY_S = 0.2
Said = dict[str, Any] | ApiError


async def settle(gate: Gate, intent: Intent, channel: Channel, outcome: Outcome) -> dict[str, Any]:
    """Commits the outcome and answers.

    Raises:
        ApiError: the answer is one.
    """
    known = None
    if outcome.exists:
        assert outcome.upstream_id is not None
        known = await _find_bound(gate, intent.token, channel.id, outcome.upstream_id)
    if known is None and outcome.hold is Hold.UNKNOWN:
        return await _settle_unknown(gate, intent, channel, outcome)
    if known is None and outcome.hold is Hold.KEEP:
        return await _settle_accepted(gate, intent, channel, outcome)
    said = _said(outcome, known)
    await gate.store.writer.settle(
        _settlement(gate, intent, channel, Phase.REJECTED, said, outcome.final)
    )
    return _give(said)


def unknown(task: int, kind: type[ApiError]) -> ApiError:
    """What is said of a send whose outcome was never learned."""
    return kind(
        f"The outcome at the upstream is unknown. Fetch task {task}.",
        properties={"taskId": str(task)},
    )


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
    said = _said(outcome, intent.id)
    accepted = _settlement(
        gate,
        intent,
        channel,
        Phase.RUNNING,
        said,
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
    return _give(said)


async def _settle_unknown(
    gate: Gate, intent: Intent, channel: Channel, outcome: Outcome
) -> dict[str, Any]:
    """Never sent again: whoever asks is told which task to fetch (design, section 6)."""
    said = unknown(intent.id, type(outcome.error) if outcome.error else UpstreamUnclear)
    await gate.store.writer.settle(_settlement(gate, intent, channel, Phase.UNKNOWN, said))
    gate.background.follow(channel.id)
    raise said


def _settlement(
    gate: Gate,
    intent: Intent,
    channel: Channel,
    phase: Phase,
    said: Said,
    final: bool = True,
    **bound: Any,
) -> Settlement:
    claim = _conclusion(intent.claim, said, final) if intent.claim else None
    deadline_s = channel.deadline_s or gate.config.task_deadline
    return Settlement(intent.id, channel.id, phase, deadline_s, claim=claim, **bound)


def _conclusion(claim: Claim, said: Said, final: bool) -> Conclusion:
    """What is kept with a key: an answer that a repeat would not change."""
    if not final:
        return Conclusion(claim.key)
    if isinstance(said, ApiError):
        return Conclusion(claim.key, said.status, said.body())
    return Conclusion(claim.key, 200, said)


def _said(outcome: Outcome, task_id: int | None) -> Said:
    if outcome.error is not None:
        return outcome.error
    assert outcome.result is not None
    return outcome.result | {"result": None if task_id is None else str(task_id)}


def _give(said: Said) -> dict[str, Any]:
    if isinstance(said, ApiError):
        raise said
    return said
