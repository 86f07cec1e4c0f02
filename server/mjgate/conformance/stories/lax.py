"""What lax servers take: each thing that a real one is known not to look at is asked for.

Chance may miss them. A server that keeps the contract refuses all of it, and draws nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mjgate.conformance.contract_view import CHANGE, FETCH, IMAGINE, LIST
from mjgate.conformance.stories.follow import follow
from mjgate.conformance.stories.stage import Stage

_OTHER_JSON = ("application/vnd.api+json", "text/json")
_NO_JSON = ("text/html", "application/xml")
_TOO_LONG = 65_537
_PROMPT = "a cat"


def lax(stage: Stage) -> None:
    """Lists, which cost nothing; and as many submits as may be, each wrong in one way."""
    session = stage.session
    for accepted in _NO_JSON:
        session.post(IMAGINE, b"{", headers={"Accept": accepted})
        session.get(FETCH.replace("{id}", session.nowhere), headers={"Accept": accepted})
    if stage.has(LIST):
        for body, headers in _lists():
            session.post(LIST, body, headers=headers)
    if stage.has(CHANGE):
        change = {"action": "REROLL", "index": 1, "taskId": session.nowhere}
        session.post(CHANGE, change)
        # A field that the contract does not know may be of any type.
        session.post(CHANGE, {**change, "botType": 1})
    for body, headers in _imagines():
        if session.may_submit():
            session.post(IMAGINE, body, headers=headers)


def lax_changes(stage: Stage) -> None:
    """Changes of a finished picture, each wrong in one way."""
    drawn = stage.drawn()
    if drawn is None or not stage.has(CHANGE):
        return
    if not drawn.ended:
        follow(stage, drawn)
    if drawn.status != "SUCCESS":
        return
    for body in _changes(drawn.id):
        if stage.session.may_submit():
            stage.session.post(CHANGE, body)


def _lists() -> Iterator[tuple[Any, Mapping[str, str]]]:
    yield b'{"ids": []} and more', {}
    for kind in _OTHER_JSON:
        yield {"ids": []}, {"Content-Type": kind}
    for task_id in (True, 1.5, None, "", "9" * 65):
        yield {"ids": [task_id]}, {}


def _imagines() -> Iterator[tuple[Any, Mapping[str, str]]]:
    yield {"prompt": 12345}, {}
    yield b'{"prompt": "a cat"} and more', {}
    yield {"prompt": _PROMPT}, {"Content-Type": _OTHER_JSON[0]}
    yield {"prompt": _PROMPT}, {"Idempotency-Key": "two words"}
    yield {"prompt": _PROMPT, "notifyHook": "not an address"}, {}
    yield {"prompt": "a\0cat"}, {}
    yield {"prompt": _PROMPT, "base64": 5}, {}
    yield {"prompt": _PROMPT, "base64": {}}, {}
    yield {"prompt": "x" * _TOO_LONG}, {}


def _changes(task_id: str) -> Iterator[dict[str, Any]]:
    yield {"action": "UPSCALE", "taskId": task_id}
    yield {"action": "REROLL", "index": 1}
    yield {"action": "UPSCALE", "index": 9, "taskId": task_id}
    yield {"action": "UPSCALE", "index": "3", "taskId": task_id}
    yield {"action": 1, "index": 1, "taskId": task_id}
