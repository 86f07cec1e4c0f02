"""Looks at an upstream for sends whose outcome was never learned (design, section 6)."""

from mjgate.domain.channel import Channel
from mjgate.errors import SendError
from mjgate.gate import Gate
from mjgate.log import logger
from mjgate.services.choose import tuned
from mjgate.store.tasks import bind_found, unknown_tasks
from mjgate.upstream.upstreams import dialect_of, listed

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
        dialect = dialect_of(able)
        if dialect.everything is None:
            return None
        reply = await gate.upstreams.transport.get(able, dialect.everything)
        sights = [sight for item in listed(channel, reply) if (sight := dialect.sight(item))]
    except SendError as error:
        logger().warning("upstream lists nothing", channel=channel.name, why=str(error))
    else:
        marks = {task.marker: task.id for task in missing}
        for theirs, _, state in sights:
            task = marks.get(state) if isinstance(state, str) else None
            if task is not None and await bind_found(gate.store.pool, task, theirs):
                logger().info("found again", task=task, channel=channel.name)
    youngest_s = gate.clock() / 1000 - max(task.submit_ms for task in missing) / 1000
    return min(_LATEST_S, max(_SOONEST_S, youngest_s))
