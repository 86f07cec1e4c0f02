"""What stands around a picture: its key, its callbacks, and who else may see it."""

import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mjgate.conformance.contract_view import CHANGE, IMAGINE, LIST
from mjgate.conformance.exchange import Exchange
from mjgate.conformance.memory import Memory
from mjgate.conformance.receiver import Post
from mjgate.conformance.stories.follow import follow
from mjgate.conformance.stories.stage import (
    ENDS,
    PROMPT,
    STATE,
    Drawn,
    Stage,
    accepted,
    change_of,
    path_of,
    status_of,
    task_in,
    value_of,
)

_ADDRESSES = ("imageUrl", "imageUrls")
_CALLBACK_S = 30.0
_AT_ONCE = 2
_PRIVATE = (
    "A server may refuse to call private addresses: a gateway of mjgate calls those that "
    "MJGATE_ALLOW_PRIVATE_HOOKS names."
)
_LATE_S = 0.5
"""What comes after the end comes soon after it."""


def key(stage: Stage) -> None:
    """The key of the picture is used again: with the same JSON, and with another."""
    drawn = stage.drawn()
    if drawn is None or not stage.asks("key_holds"):
        return
    headers = {"Idempotency-Key": drawn.key}
    # The same JSON is not the same bytes: its fields may stand in another order.
    same = stage.session.post(IMAGINE, dict(reversed(list(drawn.sent.items()))), headers=headers)
    led = (drawn.submit, same)
    equal = value_of(same) == value_of(drawn.submit)
    stage.check("key_holds", equal, "the same key and body got another answer", *led)
    said = same.answer is not None and same.answer.header("idempotency-replayed") == "true"
    text = "the answer to the same key and body does not say that it is a replay"
    stage.check("key_holds", said, text, *led)
    if stage.session.may_submit():
        other = stage.session.post(IMAGINE, {"prompt": "another one"}, headers=headers)
        text = f"the same key with another body got {status_of(other)}"
        stage.check("key_holds", status_of(other) == 422, text, drawn.submit, other)
    if stage.has(CHANGE) and stage.session.may_submit():
        change = change_of(drawn, "REROLL")
        other = stage.session.post(CHANGE, change, headers=headers)
        text = f"the same key for a change got {status_of(other)}"
        stage.check("key_holds", status_of(other) == 422, text, drawn.submit, other)


def key_race(stage: Stage) -> None:
    """The same submit comes twice at the same time, with one key: there is one picture."""
    if not stage.asks("key_holds"):
        return
    headers = {"Idempotency-Key": f"mjgate-{secrets.token_hex(8)}"}
    body = {"prompt": PROMPT, "state": STATE}

    def send(_: int) -> Exchange:
        return stage.session.post(IMAGINE, body, headers=headers)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        made = sorted(pool.map(send, range(_AT_ONCE)), key=lambda each: status_of(each) == 409)
    ids = {accepted(each) for each in made} - {None}
    text = "the same submit, sent twice at once with one key, made two tasks"
    stage.check("key_holds", len(ids) <= 1, text, *reversed(made))


def keys_apart(stage: Stage) -> None:
    """Another token uses the key of the picture for the same submit; that is a new picture."""
    drawn = stage.drawn()
    if drawn is None or not stage.asks("key_holds"):
        return
    headers = {"Idempotency-Key": drawn.key}
    other = stage.session.post(IMAGINE, drawn.sent, headers=headers, sender="second")
    text = "the key of another token was answered with its task"
    own = value_of(other) != value_of(drawn.submit) and status_of(other) != 422
    stage.check("tenants_apart", own, text, drawn.submit, other)


def tenants(stage: Stage) -> None:
    """Another token asks for the picture."""
    drawn = stage.drawn()
    if drawn is None:
        return
    session, second = stage.session, "second"
    fetched = session.fetch(drawn.id, sender=second)
    text = "a task of another token was fetched"
    stage.check("tenants_apart", task_in(fetched) is None, text, drawn.submit, fetched)
    if stage.has(LIST):
        listed = stage.list([drawn.id], second)
        shown = status_of(listed) == 200 and bool(value_of(listed))
        text = "a task of another token was listed"
        stage.check("tenants_apart", not shown, text, drawn.submit, listed)
    if stage.has(CHANGE) and session.may_submit():
        if not drawn.ended:
            follow(stage, drawn)
        changed = session.post(CHANGE, change_of(drawn, "REROLL"), sender=second)
        text = "a task of another token was changed"
        good = accepted(changed) is None
        stage.check("tenants_apart", good, text, drawn.submit, changed)


def callbacks(stage: Stage) -> None:
    """The hook of the picture has heard of it, in order, to its end."""
    drawn, receiver = stage.drawn(), stage.receiver
    if drawn is None or receiver is None:
        return
    if not drawn.ended:
        follow(stage, drawn)
    path = path_of(drawn.hook)
    seconds = min(_CALLBACK_S, stage.patience_s)
    if drawn.ended:
        receiver.wait(lambda posts: any(_is_last(each, path) for each in posts), seconds)
    heard = receiver.wait(lambda posts: False, _LATE_S)
    ours = [each for each in heard if each.path == path]
    if not heard and not receiver.asked:
        stage.session.note(
            f"No callback came to {receiver.base}. {_PRIVATE} Say with --receiver where it may "
            "call, and it is held to its callbacks."
        )
        return
    elsewhere = " but one to another address" if heard and not ours else ""
    stage.check("callback_arrives", bool(ours), f"no callback came{elsewhere}", drawn.submit)
    if not heard:
        stage.session.note(
            f"No callback came to {receiver.base}, though --receiver says that one can. {_PRIVATE}"
        )
    if ours:
        _judge_posts(stage, drawn, ours)


def _judge_posts(stage: Stage, drawn: Drawn, posts: Sequence[Post]) -> None:
    led = drawn.told
    tasks = [task for each in posts if (task := each.task) is not None]
    whole = len(tasks) == len(posts)
    stage.check("callback_is_fetch", whole, "the body of a callback is no JSON object", *led)
    posted = all(each.method == "POST" for each in posts)
    stage.check("callback_arrives", posted, "a callback is no POST", *led)
    own = all(task.get("id") == drawn.id for task in tasks)
    stage.check("callback_arrives", own, "a callback is of another task", *led)
    memory = Memory()
    back = [told for task in tasks if (told := memory.went_back(task, drawn.submit))]
    stage.check("callback_arrives", not back, "callbacks go backwards", *led)
    if drawn.ended:
        last = any(task.get("status") == drawn.status for task in tasks)
        stage.check("callback_arrives", last, "the end of a task was not called", *led)
    _judge_bodies(stage, drawn, tasks)


def _judge_bodies(stage: Stage, drawn: Drawn, tasks: Sequence[Mapping[str, Any]]) -> None:
    """Compares what was posted with fetches at the same point of the task's way."""
    for task in tasks:
        missing = sorted(stage.session.contract.task_keys - task.keys())
        text = f"a callback has no {', '.join(missing)}"
        if not stage.check("callback_is_fetch", not missing, text, *drawn.told):
            return
    fetched = {_point(seen): seen for each in drawn.looks if (seen := task_in(each))}
    for task in tasks:
        same = fetched.get(_point(task), {})
        wrong = sorted(
            name
            for name in same.keys() | task.keys()
            if same and name not in _ADDRESSES and task.get(name) != same.get(name)
        )
        text = f"a callback has another {', '.join(wrong)} than fetch at the same progress"
        stage.check("callback_is_fetch", not wrong, text, *drawn.told)


def _point(task: Mapping[str, Any]) -> tuple[str, str]:
    return str(task.get("status")), str(task.get("progress"))


def _is_last(post: Post, path: str) -> bool:
    task = post.task
    return post.path == path and task is not None and task.get("status") in ENDS
