"""novicezk/midjourney-proxy, the documented dialect (`reference/midjourney-proxy.md`)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec
import orjson
from msgspec import Struct

from mjgate.domain.action import REROLL
from mjgate.domain.outcome import clean, upstream_id
from mjgate.domain.picture import distinct
from mjgate.domain.task import NOT_START, PICTURES, Sight
from mjgate.upstream.edit import edited
from mjgate.upstream.transport import parse_json

NOT_SUCCESS = (4, "关联任务状态错误")
NOT_ALLOWED = (4, "关联任务不允许执行变化")

_OURS = ("notifyHook",)
_MOST_MS = 2**53
_MOST_SMALL = 2**31
_NUL = b"\\u0000"


class Request(Struct, frozen=True):
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


class Properties(msgspec.Struct, rename="camel", gc=False):
    """What of a task's `properties` is read."""

    final_prompt: str | None = None
    final_zh_prompt: str | None = None


class Button(msgspec.Struct, rename="camel", gc=False):
    """A change that a task offers."""

    custom_id: str | None = None
    emoji: str | None = None
    label: str | None = None
    style: int | None = None
    type: int | None = None


class Item(msgspec.Struct, rename="camel", gc=False):
    """A task of a list, where every field has its documented type; one with several pictures
    is read as if it had not."""

    id: str | int
    status: str | None = None
    progress: str | None = None
    description: str | None = None
    fail_reason: str | None = None
    prompt: str | None = None
    prompt_en: str | None = None
    image_url: str | None = None
    image_urls: Any = None
    start_time: int | None = None
    finish_time: int | None = None
    properties: Properties | None = None
    buttons: list[Button] | None = None


_decode = msgspec.json.Decoder(Item).decode


class Novicezk:
    """Changes go to `/mj/submit/change`; `state` is echoed; `/mj/task/list` names all tasks."""

    reroll_extra: ClassVar[Mapping[str, Any]] = {}
    everything: ClassVar[str | None] = "/mj/task/list"
    """Where it lists its tasks with the `state` that each was given."""
    describes: ClassVar[bool] = True
    """Whether the description of a task is more than the answer to its submit."""

    def imagine(self, body: bytes, marker: str, hook: str | None = None) -> Request:
        """The picture as the upstream takes it; `hook` is where it may say that it changed."""
        return Request("/mj/submit/imagine", edited(body, marks(marker, hook), _OURS))

    def change(self, change: Change, marker: str, hook: str | None = None) -> Request:
        """The change as the upstream takes it.

        Raises:
            Refusal: the parent offers no such change.
        """
        replaced = {**marks(marker, hook), "taskId": change.parent}
        if change.action != REROLL:
            return Request("/mj/submit/change", edited(change.body, replaced, _OURS))
        body = edited(change.body, {**replaced, **self.reroll_extra}, (*_OURS, "index"))
        return Request("/mj/submit/change", body)

    def list_request(self, ids: Iterable[str]) -> Request:
        return Request("/mj/task/list-by-condition", orjson.dumps({"ids": list(ids)}))

    def fetch_path(self, task_id: str) -> str:
        return f"/mj/task/{quote(task_id, safe='')}/fetch"

    def read(self, text: bytes) -> tuple[str, Sight] | None:
        """A task from its JSON: the upstream's id and what it shows; None for garbage."""
        try:
            item = _decode(text) if _NUL not in text else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            item = None
        if item is None or item.image_urls:
            found = self.sight(parse_json(text))
            return found[:2] if found else None
        task_id, status = upstream_id(item.id), _status(item.status)
        if task_id is None or status is None:
            return None
        return task_id, self._shown(item, status)

    def sight(self, item: Any) -> tuple[str, Sight, Any] | None:
        """A task of a list: the upstream's id, what it shows, `state`; None for garbage."""
        if not isinstance(item, dict):
            return None
        task_id, status = upstream_id(item.get("id")), _status(item.get("status"))
        if task_id is None or status is None:
            return None
        return task_id, self._sight(item, status), item.get("state")

    def _shown(self, item: Item, status: str) -> Sight:
        return Sight(
            status=status,
            progress=item.progress or None,
            description=item.description or None if self.describes else None,
            fail_reason=item.fail_reason or None,
            prompt=item.prompt or None,
            prompt_en=item.prompt_en or None,
            image_url=item.image_url or None,
            start_ms=_within(item.start_time),
            finish_ms=_within(item.finish_time),
            properties=_told(item.properties) if item.properties else None,
            buttons=[*map(_offered, item.buttons)] if item.buttons else None,
        )

    def _sight(self, item: dict[str, Any], status: str) -> Sight:
        first, others = _text(item, "imageUrl"), _pictures(item)
        first = first or next(iter(others), None)
        return Sight(
            status=status,
            progress=_text(item, "progress"),
            description=_text(item, "description") if self.describes else None,
            fail_reason=_text(item, "failReason"),
            prompt=_text(item, "prompt"),
            prompt_en=_text(item, "promptEn"),
            image_url=first,
            start_ms=_moment(item, "startTime"),
            finish_ms=_moment(item, "finishTime"),
            properties=_properties(item, distinct(first, others)),
            buttons=_buttons(item),
        )


def marks(marker: str, hook: str | None) -> dict[str, str]:
    """What we say in place of what the client said."""
    return {"state": marker} if hook is None else {"state": marker, "notifyHook": hook}


def _status(status: Any) -> str | None:
    if status is None or status == "":
        return NOT_START
    named = isinstance(status, str) and len(status) <= 32 and status.isascii()
    return status if named and status.isprintable() else None


def _within(moment: int | None) -> int | None:
    return moment if moment and 0 < moment < _MOST_MS else None


def _told(given: Properties) -> dict[str, Any] | None:
    prompts = {"finalPrompt": given.final_prompt, "finalZhPrompt": given.final_zh_prompt}
    return {key: value for key, value in prompts.items() if value} or None


def _offered(button: Button) -> dict[str, Any]:
    texts = {"customId": button.custom_id, "emoji": button.emoji, "label": button.label}
    numbers = {"style": button.style, "type": button.type}
    return {key: value or "" for key, value in texts.items()} | {
        key: value for key, value in numbers.items() if _is_small(value)
    }


def _text(item: dict[str, Any], key: str) -> str | None:
    value = item.get(key)
    return clean(value) or None if value else None


def _moment(item: dict[str, Any], key: str) -> int | None:
    value = item.get(key)
    return _within(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _properties(item: dict[str, Any], pictures: list[str]) -> dict[str, Any] | None:
    given = item.get("properties")
    if not isinstance(given, dict):
        given = {}
    kept: dict[str, Any] = {key: clean(given.get(key)) for key in ("finalPrompt", "finalZhPrompt")}
    kept[PICTURES] = pictures
    return {key: value for key, value in kept.items() if value} or None


def _pictures(item: dict[str, Any]) -> list[str]:
    """The addresses of `imageUrls`, as the fork with buttons gives them: `[{"url": ...}]`."""
    given = item.get(PICTURES)
    found = given if isinstance(given, list) else []
    urls = [clean(each.get("url")) for each in found if isinstance(each, dict)]
    return [url for url in urls if url]


def _buttons(item: dict[str, Any]) -> list[Any] | None:
    given = item.get("buttons")
    if not isinstance(given, list):
        return None
    return [_button(button) for button in given if isinstance(button, dict)] or None


def _button(button: dict[str, Any]) -> dict[str, Any]:
    return {key: clean(button.get(key)) for key in ("customId", "emoji", "label")} | {
        key: button[key] for key in ("style", "type") if _is_small(button.get(key))
    }


def _is_small(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST_SMALL
