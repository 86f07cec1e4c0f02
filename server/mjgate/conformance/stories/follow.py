"""A picture from its submit to its end, and what its `ETag` says on the way."""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from mjgate.conformance.contract_view import CHANGE, FETCH, LIST
from mjgate.conformance.exchange import Exchange
from mjgate.conformance.stories.stage import (
    Drawn,
    Stage,
    accepted,
    change_of,
    pause,
    status_of,
    task_in,
)

_WAIT_S = 10
_EARLY_MS = 500
_TRIES = 3
_LATE_S = 0.5
_WORTH_MORE = 3
"""Submits of the stories after it: a change, a key, a long prompt."""
_ADDRESSES = ("imageUrl", "imageUrls")
"""They may differ in their signatures while the task is the same."""


def picture(stage: Stage) -> None:
    """A picture is submitted, found, and followed until it ends."""
    drawn = stage.drawn()
    if drawn is None:
        stage.session.note("No picture was accepted, so no story about one was told.")
        return
    if stage.has(LIST):
        stage.list([drawn.id])
    early = _change_early(stage, drawn) if stage.has(CHANGE) else None
    follow(stage, drawn)
    if early is not None:
        _judge_early(stage, drawn, early)
    _slash_is_ignored(stage, drawn)
    _tag_settles(stage, drawn)
    if drawn.ended:
        # The session remembers that nothing may come after an end.
        time.sleep(_LATE_S)
        stage.look(drawn)
        if stage.has(LIST):
            # What it shows is held to what the fetches have shown.
            stage.list([drawn.id])


def _slash_is_ignored(stage: Stage, drawn: Drawn) -> None:
    """Of a task that exists: one that does not is 404 either way."""
    if drawn.looks:
        path = FETCH.replace("{id}", quote(drawn.id, safe=""))
        seen = stage.session.get(f"{path}/")
        text = f"a fetch with a slash at its end got {status_of(seen)}"
        stage.check("good_accepted", status_of(seen) == 200, text, drawn.submit, seen)


def _change_early(stage: Stage, drawn: Drawn) -> Exchange | None:
    """A change of a task that no look has shown finished, where it was accepted."""
    if drawn.ended:
        return None
    if stage.session.allowance.left <= _WORTH_MORE:
        stage.session.note(
            "Whether a task can be changed before it has ended was not asked: --allow-submits "
            f"{_WORTH_MORE + 2} lets it be."
        )
        return None
    # By its id as text, and with an index: some servers want both.
    made = stage.session.post(CHANGE, change_of(drawn, "REROLL", 1, taskId=drawn.id))
    if accepted(made) is not None:
        return made
    stage.check("changes_only_finished", True, "", made)
    return None


def _judge_early(stage: Stage, drawn: Drawn, made: Exchange) -> None:
    """A server may know of an end before it shows it; by its own clock no change is earlier."""
    look = stage.session.fetch(accepted(made) or "")
    begun, ended = (task_in(look) or {}).get("submitTime"), drawn.task.get("finishTime")
    if isinstance(begun, int) and isinstance(ended, int):
        text = "a task that has not ended was changed"
        stage.check("changes_only_finished", ended <= begun, text, drawn.submit, made, look)


def follow(stage: Stage, drawn: Drawn) -> None:
    """Looks at a task until it ends; by waiting, where the server lets wait."""
    deadline = time.monotonic() + stage.patience_s
    plain, pauses = not drawn.looks, 0
    while not drawn.ended and (left := deadline - time.monotonic()) > 0:
        before = drawn.looks[-1] if drawn.looks else None
        wait_s = max(1, min(_WAIT_S, int(left)))
        look = stage.look(drawn, {} if plain else _waiting(drawn.tag, wait_s))
        same = status_of(look) == 304
        if before is not None:
            _judge_tag(stage, before, look, wait_s)
        if not _waited(look) or (before is not None and _same(before, look)):
            pause(pauses)
            pauses += 1
        # Who has only ever asked for changes would not see those that the tag hides.
        plain = same
    kept(stage, drawn)
    text = f"a task has not ended after {stage.patience_s:g} seconds"
    stage.check("every_task_ends", drawn.ended, text, *drawn.told)


def _same(before: Exchange, look: Exchange) -> bool:
    """Whether a look that shows the task shows nothing new."""
    return status_of(look) == 200 and _bare(task_in(before)) == _bare(task_in(look))


def _waiting(tag: str | None, seconds: int) -> Mapping[str, str]:
    return {} if tag is None else {"If-None-Match": tag, "Prefer": f"wait={seconds}"}


def _waited(look: Exchange) -> bool:
    applied = look.answer.header("preference-applied") if look.answer else None
    return "wait" in (applied or "")


def _judge_tag(stage: Stage, before: Exchange, look: Exchange, wait_s: int) -> None:
    """Holds two looks at a task, one after the other, to its tag."""
    if look.answer is None:
        return
    assert before.answer is not None
    old, new = before.answer.header("etag"), look.answer.header("etag")
    given = look.request.header("If-None-Match")
    early = look.answer.after_ms < 1000 * wait_s - _EARLY_MS
    if status_of(look) == 304:
        cut = _waited(look) and early
        stage.check("etag_holds", not cut, "a wait ended early though nothing changed", look)
    elif status_of(look) == 200 and old is not None:
        unseen = given is not None and new == old
        stage.check("etag_holds", not unseen, "an ETag given back got 200 with itself", look)
        changed = _bare(task_in(before)) != _bare(task_in(look))
        stale = changed and new == old
        text = "ETag stayed while the task changed"
        stage.check("etag_holds", not stale, text, before, look)


def _tag_settles(stage: Stage, drawn: Drawn) -> None:
    """The tag of a task that has ended matches; its picture may still be on its way to us."""
    if not drawn.ended or drawn.tag is None:
        return
    for number in range(_TRIES):
        look = stage.look(drawn, {"If-None-Match": drawn.tag or ""})
        if status_of(look) != 200:
            break
        pause(number)
    text = "an ETag given back after the end is never 304"
    if stage.check("etag_holds", status_of(look) == 304, text, look):
        among = stage.look(drawn, {"If-None-Match": f'"another", {drawn.tag}, W/"third"'})
        text = "an ETag given back among others is not 304"
        stage.check("etag_holds", status_of(among) == 304, text, among)


def kept(stage: Stage, drawn: Drawn) -> None:
    """What was submitted is what every look has shown."""
    for name, rule in (("prompt", "text_kept"), ("state", "state_kept")):
        if name not in drawn.sent:
            continue
        wrong = [each for each in drawn.looks if _of(each, name) != drawn.sent[name]]
        text = f"{name} came back otherwise than it was sent"
        stage.check(rule, not wrong, text, drawn.submit, *wrong[:1])


def _of(look: Exchange, name: str) -> Any:
    return (task_in(look) or {}).get(name)


def _bare(task: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return {name: value for name, value in (task or {}).items() if name not in _ADDRESSES}
