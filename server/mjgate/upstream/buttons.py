"""The fork with buttons (trueai): a change is an action by the parent's button."""

from typing import Any

from mjgate.domain.action import REROLL, UPSCALE
from mjgate.domain.task import SUCCESS
from mjgate.upstream.edit import edited
from mjgate.upstream.novicezk import (
    NOT_ALLOWED,
    NOT_SUCCESS,
    Change,
    Novicezk,
    Refusal,
    Request,
    marks,
)

_OURS = ("notifyHook", "action", "index")


class Buttons(Novicezk):
    """It has no `/mj/submit/change`; `/mj/task/list` names the newest 100."""

    def change(self, change: Change, marker: str, hook: str | None = None) -> Request:
        custom_id = _custom_id(change)
        if custom_id is None:
            done = change.parent_status == SUCCESS
            raise Refusal(*(NOT_ALLOWED if done else NOT_SUCCESS))
        named = {"taskId": change.parent, "customId": custom_id}
        replaced = {**marks(marker, hook), **named}
        return Request("/mj/submit/action", edited(change.body, replaced, _OURS))


def _custom_id(change: Change) -> str | None:
    for button in change.buttons or ():
        custom_id = button.get("customId")
        if isinstance(custom_id, str) and _fits(custom_id, change):
            return custom_id
    return None


def _fits(custom_id: str, change: Change) -> bool:
    """`MJ::JOB::upsample::2::…`, `MJ::JOB::variation::2::…`, `MJ::JOB::reroll::0::…`."""
    parts: list[Any] = custom_id.split("::")
    if len(parts) < 4 or parts[1] != "JOB":
        return False
    if change.action == REROLL:
        return bool(parts[2] == "reroll")
    kind = "upsample" if change.action == UPSCALE else "variation"
    return bool(parts[2] == kind and parts[3] == str(change.index))
