"""The operations tagged `tasks`."""

from collections.abc import Coroutine
from typing import Any

from mjgate.contract import etag, prefer
from mjgate.contract.attend import attended
from mjgate.contract.call import Answer, Call
from mjgate.contract.schema import broken
from mjgate.domain.hook import NO_HOOK, parse_hook
from mjgate.domain.send import Claim, claim_of
from mjgate.errors import NotFound, Replay, Violation
from mjgate.gate import Gate
from mjgate.log import note
from mjgate.services.show import show, version
from mjgate.services.submit import ChangeOf, Imagine, change, imagine
from mjgate.services.wait import MOST_S, Look, wait
from mjgate.store.database import reached
from mjgate.store.tasks import fetch_tasks

_MOST_DIGITS = 16
_REPLAYED = {"Idempotency-Replayed": "true"}
_WAITED = {prefer.APPLIED: prefer.WAIT}


async def submit_imagine(gate: Gate, call: Call) -> Answer:
    body = call.body
    if body["prompt"].isspace():
        raise broken([Violation("/prompt", "must not be blank")])
    request = Imagine(
        body["prompt"], body.get("state"), _hook(body), call.raw, _claim("submit_imagine", call)
    )
    return await _submitted(gate, imagine(gate, call.client, request))


async def submit_change(gate: Gate, call: Call) -> Answer:
    body = call.body
    parent = _number(body["taskId"])
    if parent is None:
        raise NotFound(f"There is no task {body['taskId']} of this token.")
    request = ChangeOf(
        parent,
        body["action"],
        body.get("index"),
        body.get("state"),
        _hook(body),
        call.raw,
        _claim("submit_change", call),
    )
    return await _submitted(gate, change(gate, call.client, request))


async def fetch_task(gate: Gate, call: Call) -> Answer:
    wanted = call.parameters["id"]
    number = _number(wanted)
    known = etag.known(call.parameters.get("If-None-Match", ""))
    look = Look(None) if number is None else await _look(gate, call, number, known)
    task = look.task
    if task is None:
        raise NotFound(f"There is no task {wanted} of this token.")
    note(task=number)
    tag = version(gate, task)
    headers = {"ETag": etag.weak(tag), **(_WAITED if look.waited else {})}
    if known.has(tag):
        return Answer(304, None, headers)
    return Answer(200, show(gate, task), headers)


async def list_tasks(gate: Gate, call: Call) -> Answer:
    numbers = [_number(reference) for reference in call.body.get("ids") or ()]
    asked = list(dict.fromkeys(number for number in numbers if number is not None))
    with reached():
        tasks = await fetch_tasks(gate.store.pool, call.client.id, asked) if asked else []
    found = {task.id: task for task in tasks}
    return Answer(200, [show(gate, found[number]) for number in asked if number in found])


async def _look(gate: Gate, call: Call, number: int, known: etag.Known) -> Look:
    """The task, waited for where its client would rather have it changed.

    One who has whatever there is waits for nothing: any version is known.
    """
    seconds = prefer.wait_s(call.parameters.get("Prefer", ""), MOST_S) if known.tags else 0
    if not seconds or known.anything:
        return Look(await gate.store.reader.task(call.client.id, number))
    waiting = wait(
        gate, call.client.id, number, lambda task: known.has(version(gate, task)), seconds
    )
    return await attended(call, waiting)


async def _submitted(gate: Gate, work: Coroutine[Any, Any, dict[str, Any]]) -> Answer:
    try:
        with reached():
            return Answer(200, await gate.flight.run(work))
    except Replay as replay:
        return Answer(replay.status, replay.body, _REPLAYED)


def _claim(operation: str, call: Call) -> Claim | None:
    key = call.parameters.get("Idempotency-Key")
    return None if key is None else claim_of(key, operation, call.body)


def _number(reference: Any) -> int | None:
    """A task id given as digits or as a number; None for what can be no id of ours."""
    if isinstance(reference, int):
        return reference
    if len(reference) <= _MOST_DIGITS and reference.isascii() and reference.isdigit():
        return int(reference)
    return None


def _hook(body: dict[str, Any]) -> str | None:
    """Where its client wants to be called; None where it does not say.

    Raises:
        InvalidRequest: nobody could be called there.
    """
    text = (body.get("notifyHook") or "").strip()
    try:
        return parse_hook(text) if text else None
    except ValueError:
        raise broken([Violation("/notifyHook", NO_HOOK)]) from None
