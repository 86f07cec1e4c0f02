"""novicezk/midjourney-proxy, the documented dialect (`reference/midjourney-proxy.md`)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from mjgate.domain.action import REROLL
from mjgate.domain.outcome import clean, upstream_id
from mjgate.domain.task import NOT_START, Sight
from mjgate.upstream.edit import edited

NOT_SUCCESS = (4, "关联任务状态错误")
NOT_ALLOWED = (4, "关联任务不允许执行变化")

_OURS = ("notifyHook",)
_KEPT_PROPERTIES = ("finalPrompt", "finalZhPrompt")
_MOST_MS = 2**53
_MOST_SMALL = 2**31


@dataclass(frozen=True, slots=True)
class Request:
    """What goes out: a path below the channel's address, and a JSON body."""

    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """Raised where the dialect cannot say it; the answer that an upstream would give."""

    code: int
    description: str


@dataclass(frozen=True, slots=True)
class Change:
    """A change in words that no dialect owns. `body` is the client's, as received."""

    action: str
    index: int | None
    parent: str
    parent_status: str
    buttons: list[Any] | None
    body: bytes


class Novicezk:
    """Changes go to `/mj/submit/change`; `state` is echoed; `/mj/task/list` names all tasks."""

    reroll_extra: ClassVar[Mapping[str, Any]] = {}
    everything: ClassVar[str | None] = "/mj/task/list"
    """Where it lists its tasks with the `state` that each was given."""

    def imagine(self, body: bytes, marker: str) -> Request:
        return Request("/mj/submit/imagine", edited(body, {"state": marker}, _OURS))

    def change(self, change: Change, marker: str) -> Request:
        """The change as the upstream takes it.

        Raises:
            Refusal: the parent offers no such change.
        """
        replaced = {"state": marker, "taskId": change.parent}
        if change.action != REROLL:
            return Request("/mj/submit/change", edited(change.body, replaced, _OURS))
        body = edited(change.body, {**replaced, **self.reroll_extra}, (*_OURS, "index"))
        return Request("/mj/submit/change", body)

    def list_request(self, ids: Iterable[str]) -> Request:
        return Request("/mj/task/list-by-condition", orjson.dumps({"ids": list(ids)}))

    def sight(self, item: Any) -> tuple[str, Sight, Any] | None:
        """A task of a list: the upstream's id, what it shows, `state`; None for garbage."""
        if not isinstance(item, dict):
            return None
        task_id, status = upstream_id(item.get("id")), self._status(item)
        if task_id is None or status is None:
            return None
        return task_id, self._sight(item, status), item.get("state")

    def _status(self, item: dict[str, Any]) -> str | None:
        status = item.get("status")
        if status is None or status == "":
            return NOT_START
        named = isinstance(status, str) and len(status) <= 32 and status.isascii()
        return status if named and status.isprintable() else None

    def _sight(self, item: dict[str, Any], status: str) -> Sight:
        shown = item.get
        return Sight(
            status,
            _text(shown("progress")),
            _text(shown("description")),
            _text(shown("failReason")),
            _text(shown("prompt")),
            _text(shown("promptEn")),
            _text(shown("imageUrl")),
            _moment(shown("startTime")),
            _moment(shown("finishTime")),
            _properties(shown("properties")),
            _buttons(shown("buttons")),
        )


def _text(value: Any) -> str | None:
    return (clean(value) or None) if value else None


def _moment(value: Any) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 < value < _MOST_MS else None


def _properties(given: Any) -> dict[str, Any] | None:
    if not isinstance(given, dict):
        return None
    kept = {key: clean(given[key]) for key in _KEPT_PROPERTIES if given.get(key)}
    return {key: value for key, value in kept.items() if value} or None


def _buttons(given: Any) -> list[Any] | None:
    if not isinstance(given, list):
        return None
    return [_button(button) for button in given if isinstance(button, dict)] or None


def _button(button: dict[str, Any]) -> dict[str, Any]:
    return {key: clean(button.get(key)) for key in ("customId", "emoji", "label")} | {
        key: button[key] for key in ("style", "type") if _is_small(button.get(key))
    }


def _is_small(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST_SMALL
