"""Takes up what a process left behind when it died."""

from mjgate.gate import Gate
from mjgate.log import logger
from mjgate.services.follow import end_overdue
from mjgate.store.claims import forget_claims
from mjgate.store.tasks import channels_with_work, mark_unknown, overdue_tasks
from mjgate.store.usage import fold_usage

_AT_ONCE = 500
_FOLD_S = 600.0


async def sweep(gate: Gate, *, ends: bool = True) -> list[int]:
    """Ends what is overdue, forgets old keys.

    Returns the channels that have tasks to follow.

    Without `ends` it only takes up: after an outage tasks are looked at before they are ended.
    """
    pool = gate.store.pool
    left = await mark_unknown(pool, gate.config.task_deadline)
    if left:
        logger().warning("sends without an outcome", tasks=left)
    await fold_usage(pool, _FOLD_S)
    while ends and await end_overdue(gate, await overdue_tasks(pool, _AT_ONCE)):
        pass
    while await forget_claims(pool, _AT_ONCE) == _AT_ONCE:
        pass
    return await channels_with_work(pool)
