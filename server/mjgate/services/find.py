"""Looks at an upstream for sends whose outcome was never learned (design, section 6)."""

from collections.abc import Iterable
from typing import Any

from mjgate.domain.channel import Channel
from mjgate.domain.outcome import upstream_id
from mjgate.errors import SendError
from mjgate.gate import Gate
from mjgate.log import logger
from mjgate.services.choose import tuned
from mjgate.store.tasks import bind_found, unknown_tasks
from mjgate.upstream.upstreams import dialect_of

_SOONEST_S, _LATEST_S = 1.0, 60.0


async def find(gate: Gate, channel: Channel) -> float | None:
    """Takes up the unknown tasks of a channel that its upstream lists with our mark as `state`.

    Returns the seconds until the next look is worth its while; None where there is nothing to
    look for, or the upstream lists nothing.
    """
    missing = await unknown_tasks(gate.store.pool, channel.id)
    if not missing:
        return None
    try:
        able = await tuned(gate, channel)
        everything = dialect_of(able).everything
        if everything is None:
            return None
        listed = await _list(gate, able, everything)
    except SendError as error:
        logger().warning("upstream lists nothing", channel=channel.name, why=str(error))
    else:
        await _bind(gate, channel, {task.marker: task.id for task in missing}, listed)
    youngest_s = gate.clock() / 1000 - max(task.submit_ms for task in missing) / 1000
    return min(_LATEST_S, max(_SOONEST_S, youngest_s))


async def _list(gate: Gate, channel: Channel, path: str) -> list[Any]:
    reply = await gate.upstreams.transport.get(channel, path)
    if reply.status != 200 or not isinstance(reply.body, list):
        raise SendError(f"{channel.name}: its list is none (HTTP {reply.status})")
    return reply.body


async def _bind(
    gate: Gate, channel: Channel, wanted: dict[str, int], listed: Iterable[Any]
) -> None:
    for item in listed:
        task, theirs = _named(item, wanted)
        if (
            task is not None
            and theirs is not None
            and await bind_found(gate.store.pool, task, theirs)
        ):
            logger().info("found again", task=task, channel=channel.name)


def _named(item: Any, wanted: dict[str, int]) -> tuple[int | None, str | None]:
    """Our task that an item of a list is, and the upstream's id of it; None for garbage."""
    if not isinstance(item, dict) or not isinstance(item.get("state"), str):
        return None, None
    return wanted.get(item["state"]), upstream_id(item.get("id"))
