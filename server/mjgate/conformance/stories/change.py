"""What is made of a picture: changes, and lists of both."""

from mjgate.conformance.contract_view import CHANGE
from mjgate.conformance.stories.follow import follow, kept
from mjgate.conformance.stories.stage import (
    PROMPT,
    STATE,
    Drawn,
    Stage,
    accepted,
    change_of,
    value_of,
)

LONG_PROMPT = ("狐狸 🦊 in the snow, " * 280).strip()
"""Some 5,000 characters: Discord takes 6,000."""
LONG_STATE = "状态 🦊 " * 3_000
_UNKNOWN = 150
"""More than the hundred ids that some servers look at."""


def one_change(stage: Stage) -> None:
    """A picture is upscaled; what comes of it names the picture, and ends too."""
    made = _changed(stage, "UPSCALE", 1)
    if made is not None:
        stage.second = made
        follow(stage, made)


def other_changes(stage: Stage) -> None:
    """A picture, named by its id as text, is varied and drawn again."""
    for action, index in (("VARIATION", 4), ("REROLL", 1)):
        made = _changed(stage, action, index, as_text=True)
        if made is not None:
            kept(stage, made)


def long_prompt(stage: Stage) -> None:
    """A prompt of some 5,000 characters comes back whole, and a state of 15,000."""
    made = stage.imagine(LONG_PROMPT, LONG_STATE) if stage.session.may_submit() else None
    if made is not None:
        stage.second = stage.second or made
        kept(stage, made)


def list_of_two(stage: Stage) -> None:
    """Two tasks are listed in the order asked for, unknown ones are left out, however many."""
    first = stage.drawn()
    if stage.second is None and stage.session.may_submit():
        stage.second = stage.imagine(PROMPT)
    second = stage.second
    if first is None or second is None:
        return
    numeric = second.id.isascii() and second.id.isdecimal()
    for one, other in ((first, second), (second, first)):
        nowhere = [stage.session.nowhere] * _UNKNOWN
        seen = stage.list([*nowhere, int(one.id) if numeric else one.id, other.id])
        tasks = value_of(seen)
        got = [task.get("id") for task in tasks] if isinstance(tasks, list) else []
        text = "a list of two tasks and unknown ones is not the two, in order"
        stage.check("list_in_order", got == [one.id, other.id], text, seen)


def _changed(stage: Stage, action: str, index: int, *, as_text: bool = False) -> Drawn | None:
    """A change of the picture, seen once and held to its parent."""
    parent = stage.drawn()
    if parent is None or not stage.session.may_submit():
        return None
    if not parent.ended:
        follow(stage, parent)
    if parent.status != "SUCCESS":
        stage.session.note(f"The picture ended as {parent.status}, so {action} was not asked for.")
        return None
    more = {"taskId": parent.id} if as_text else {}
    made = stage.submit(CHANGE, change_of(parent, action, index, state=STATE, **more))
    if made is None:
        stage.session.note(f"{action} of a finished picture was not accepted.")
        return None
    _names_parent(stage, made, parent, action)
    return made


def _names_parent(stage: Stage, made: Drawn, parent: Drawn, action: str) -> None:
    if not made.looks:
        return
    rule, led = "change_names_parent", (parent.submit, made.submit, *made.looks[-1:])
    other = accepted(made.submit) != parent.id
    stage.check(rule, other, f"{action} is answered with the picture it was made from", *led)
    named = parent.id in str(made.task.get("description")) or parent.id in str(
        made.task.get("properties")
    )
    stage.check(rule, named, f"the task of {action} does not name its picture", *led)
    right = made.task.get("action") == action
    stage.check(rule, right, f"the task of {action} has another action", *led)
