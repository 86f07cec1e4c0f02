"""Follows the running tasks of a channel: one list call for a hundred of them."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from mjgate.domain.channel import Channel
from mjgate.domain.task import FAILURE, Sight, Task, advance
from mjgate.errors import SendError
from mjgate.gate import Gate
from mjgate.log import logger
from mjgate.services.choose import tuned
from mjgate.store.tasks import Followed, advance_tasks, claim_due
from mjgate.upstream.upstreams import dialect_of

MOST_IDS = 100
_UNFINISHED = "上游任务超时"


async def follow_channel(gate: Gate, channel_id: int) -> int:
    """One look at the due tasks of a channel; returns how many were due.

    An upstream that does not answer changes no task.
    """
    due = await claim_due(gate.store.pool, channel_id, MOST_IDS)
    channel = (await gate.store.catalog()).channels.get(channel_id)
    if due and channel is not None:
        await _look(gate, channel, due)
    return len(due)


async def end_overdue(gate: Gate, tasks: Iterable[Task]) -> None:
    """Ends tasks past their own deadline: FAILURE, and the hold is released."""
    now_ms = gate.clock()
    ended = [
        replace(task, status=FAILURE, fail_reason=_UNFINISHED, finish_ms=now_ms) for task in tasks
    ]
    if ended:
        await advance_tasks(gate.store.pool, [(task, None) for task in ended])


async def _look(gate: Gate, channel: Channel, due: list[Followed]) -> None:
    try:
        able = await tuned(gate, channel)
        seen = await _list(gate, able, [followed.upstream_id for followed in due])
    except SendError as error:
        logger().warning("upstream does not answer", channel=channel.name, why=str(error))
        return
    now_ms = gate.clock()
    changed = []
    for followed in due:
        if followed.upstream_id in seen:
            sight = _ours(followed, seen[followed.upstream_id])
            task = advance(followed.task, sight, now_ms)
            if task != followed.task:
                changed.append((task, sight.buttons))
    if changed:
        await advance_tasks(gate.store.pool, changed)


async def _list(gate: Gate, channel: Channel, ids: list[str]) -> dict[str, Sight]:
    """What the upstream shows of these ids; ids not asked for and garbage are left out."""
    dialect = dialect_of(channel)
    request = dialect.list_request(ids)
    reply = await gate.upstreams.transport.post(channel, request.path, request.body)
    if reply.status != 200 or not isinstance(reply.body, list):
        raise SendError(f"{channel.name}: its list is none (HTTP {reply.status})")
    sights = (dialect.sight(item) for item in reply.body)
    asked = set(ids)
    return {found[0]: found[1] for found in sights if found and found[0] in asked}


def _ours(followed: Followed, sight: Sight) -> Sight:
    """The description with our ids: upstream ids never leave the house."""
    names: list[tuple[str | None, Any]] = [
        (followed.upstream_id, followed.task.id),
        (followed.parent_upstream_id, followed.parent_id),
    ]
    description = sight.description
    for theirs, ours in names:
        if description and theirs:
            description = description.replace(theirs, str(ours))
    return replace(sight, description=description)
