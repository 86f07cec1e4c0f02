"""Tasks: their phases, their wire form, and how they may change."""

import re
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct


class Phase(StrEnum):
    """Where a task stands for us; `status` is where it stands for its client."""

    SENDING = "sending"
    UNKNOWN = "unknown"
    RUNNING = "running"
    ENDED = "ended"
    REJECTED = "rejected"


NOT_START: Final = "NOT_START"
SUBMITTED: Final = "SUBMITTED"
IN_PROGRESS: Final = "IN_PROGRESS"
MODAL: Final = "MODAL"
SUCCESS: Final = "SUCCESS"
FAILURE: Final = "FAILURE"
CANCEL: Final = "CANCEL"
ENDS: Final = frozenset({SUCCESS, FAILURE, CANCEL})

DEADLINE: Final = "deadline"
LOST: Final = "lost"

_RANK = {NOT_START: 0, SUBMITTED: 1, MODAL: 1, IN_PROGRESS: 2, SUCCESS: 3, FAILURE: 3, CANCEL: 3}
_PERCENT = re.compile(r"([0-9]{1,3})%")
_SHOWN_PROPERTIES = frozenset({"finalPrompt", "finalZhPrompt"})
PICTURES: Final = "imageUrls"
"""The property that keeps where several pictures come from; clients see it beside `imageUrl`."""


class Sight(Struct, frozen=True, gc=False):
    """A task as its upstream shows it. Times are milliseconds since 1970."""

    status: str
    progress: str | None = None
    description: str | None = None
    fail_reason: str | None = None
    prompt: str | None = None
    prompt_en: str | None = None
    image_url: str | None = None
    start_ms: int | None = None
    finish_ms: int | None = None
    properties: dict[str, Any] | None = None
    buttons: list[Any] | None = None

    @property
    def ended(self) -> bool:
        return self.status in ENDS


class Task(Struct, frozen=True, gc=False):
    """A task as its client sees it, every documented field. Times are milliseconds.

    `ended_by` is DEADLINE or LOST where we ended it, not its upstream. `picture_gone` says that
    its pictures are no longer ours, and were not if it ended long ago.
    """

    id: int
    action: str
    status: str
    prompt: str | None
    submit_ms: int
    description: str | None = None
    state: str | None = None
    prompt_en: str | None = None
    progress: str | None = None
    fail_reason: str | None = None
    image_url: str | None = None
    start_ms: int | None = None
    finish_ms: int | None = None
    properties: dict[str, Any] | None = None
    version: int = 1
    ended_by: str | None = None
    picture_gone: bool = False

    @property
    def pictured(self) -> bool:
        """Whether its pictures are ours, or soon will be."""
        return self.status == SUCCESS and not self.picture_gone

    @property
    def pictures(self) -> list[str]:
        """Where its pictures come from, where there are several beside its `imageUrl`."""
        found: list[str] = (self.properties or {}).get(PICTURES) or []
        return found

    def wire(self) -> dict[str, Any]:
        """The documented Task: every key present, null when unset (`seed`)."""
        shown = {k: v for k, v in (self.properties or {}).items() if k in _SHOWN_PROPERTIES}
        return {
            "action": self.action,
            "description": self.description,
            "failReason": self.fail_reason,
            "finishTime": self.finish_ms,
            "id": str(self.id),
            "imageUrl": self.image_url,
            "progress": self.progress,
            "prompt": self.prompt,
            "promptEn": self.prompt_en,
            "properties": shown,
            "startTime": self.start_ms,
            "state": self.state,
            "status": self.status,
            "submitTime": self.submit_ms,
        }


def advance(task: Task, sight: Sight, now_ms: int) -> Task:
    """The task after a look at its upstream.

    A task that ended stays as it is, save a late success of one that we ended; status and
    progress never go backwards, and 100% is shown only at SUCCESS (design, section 6).
    """
    late = task.ended_by is not None and task.status == FAILURE and sight.status == SUCCESS
    if (task.status in ENDS and not late) or _rank(sight.status) < _rank(task.status):
        return task
    return Task(
        id=task.id,
        action=task.action,
        status=sight.status,
        prompt=sight.prompt or task.prompt,
        submit_ms=task.submit_ms,
        description=sight.description or task.description,
        state=task.state,
        prompt_en=sight.prompt_en or task.prompt_en,
        progress=_progress(task, sight),
        fail_reason=None if late else sight.fail_reason or task.fail_reason,
        image_url=sight.image_url or task.image_url,
        start_ms=task.start_ms or sight.start_ms,
        finish_ms=(sight.finish_ms or now_ms) if sight.ended else task.finish_ms,
        properties=sight.properties or task.properties,
        version=task.version,
        ended_by=task.ended_by,
        picture_gone=task.picture_gone,
    )


def percent(progress: str | None) -> int | None:
    """The number in `31%`; None for words such as `Waiting to start`."""
    match = _PERCENT.fullmatch(progress or "")
    return int(match[1]) if match else None


def _rank(status: str) -> int:
    return _RANK.get(status, _RANK[IN_PROGRESS])


def _progress(task: Task, sight: Sight) -> str | None:
    if sight.ended:
        return "100%" if sight.status == SUCCESS else task.progress
    seen, shown = percent(sight.progress), percent(task.progress)
    if seen is None:
        return task.progress if shown is not None or not sight.progress else sight.progress
    return f"{max(min(seen, 99), shown or 0)}%"
