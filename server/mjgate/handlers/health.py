"""Pages for machines that watch the gateway; they stand outside the contract."""

from prometheus_client.core import Metric
from starlette.types import Receive, Scope, Send

from mjgate.contract.call import Answer
from mjgate.contract.send import send_answer, send_bytes
from mjgate.domain.money import MICROS
from mjgate.errors import StoreDown, StoreLocked
from mjgate.gate import Gate
from mjgate.metrics import CONTENT_TYPE, gauge, render
from mjgate.store.census import Census, take_census
from mjgate.store.database import reached


async def healthz(scope: Scope, receive: Receive, send: Send) -> None:
    """Alive: this process answers."""
    await send_answer(send, Answer(200, {"status": "alive"}))


async def readyz(scope: Scope, receive: Receive, send: Send) -> None:
    """Ready: the database answers, the worker runs and we are not stopping; else 503."""
    gate: Gate = scope["state"]["gate"]
    problem = await _problem(gate)
    status = 503 if problem else 200
    await send_answer(send, Answer(status, {"status": problem or "ready"}))


async def metrics(scope: Scope, receive: Receive, send: Send) -> None:
    """Prometheus' text, right across worker processes."""
    gate: Gate = scope["state"]["gate"]
    with reached():
        census = await take_census(gate.store.pool)
    headers = [(b"content-type", CONTENT_TYPE.encode())]
    await send_bytes(send, 200, headers, render(_gauges(census)))


async def _problem(gate: Gate) -> str | None:
    if gate.flight.draining:
        return "stopping"
    if not gate.background.alive:
        return "the background work has ended"
    try:
        with reached():
            async with gate.store.pool.connection() as connection:
                await connection.execute("select 1")
        await gate.store.catalog()
    except StoreLocked as error:
        return str(error)
    except StoreDown:
        return "the database is out of reach"
    return None


def _gauges(census: Census) -> list[Metric]:
    unknown = {"": float(census.phases.get("unknown", 0))}
    phases = {phase: float(count) for phase, count in sorted(census.phases.items())}
    pictures = {state: float(count) for state, count in sorted(census.pictures.items())}
    return [
        gauge("mjgate_tasks", "Tasks by phase.", "phase", phases),
        gauge("mjgate_unknown_tasks", "Sends whose outcome is unknown.", None, unknown),
        gauge("mjgate_held_dollars", "Held of all tokens.", None, {"": census.held / MICROS}),
        gauge("mjgate_spent_dollars", "Spent of all tokens.", None, {"": census.spent / MICROS}),
        gauge(
            "mjgate_waiting_callbacks",
            "Callbacks to be delivered.",
            None,
            {"": float(census.callbacks)},
        ),
        gauge(
            "mjgate_oldest_callback_seconds",
            "How long the oldest of them has waited.",
            None,
            {"": census.oldest_s},
        ),
        gauge("mjgate_pictures", "Pictures by state.", "state", pictures),
        gauge("mjgate_picture_bytes", "Of those kept.", None, {"": float(census.kept_bytes)}),
    ]
