"""The dialect of novicezk/midjourney-proxy 2.6.3, as in `recordings/novicezk`."""

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, ClassVar, NoReturn

from flask import Response, request
from werkzeug.exceptions import NotFound

from mjgate.sandbox import pictures
from mjgate.sandbox.dialect import (
    CHANGE,
    FETCH,
    IMAGINE,
    INSTANCE,
    LIST,
    LIST_BY_CONDITION,
    ChunkedResponse,
    Dialect,
    banned_word,
    bare,
    described,
    is_data_url,
    is_json,
    knows,
    refuse,
    utf8,
)
from mjgate.sandbox.life import Known, Stage
from mjgate.sandbox.studio import Order, Placed, Task

ACTIONS = ("IMAGINE", "UPSCALE", "VARIATION", "REROLL", "DESCRIBE", "BLEND")
CHANGES = ("UPSCALE", "VARIATION", "REROLL")
PARENTS = ("IMAGINE", "VARIATION", "REROLL", "BLEND")
PROTECTED = ("/mj/submit/", "/mj/task/", "/mj/account/")
CLOSING = (400, 500)
"""Statuses after which it was seen to close the connection."""


class Novicezk(Dialect):
    routes = (IMAGINE, CHANGE, FETCH, LIST_BY_CONDITION, LIST)
    notify_headers: ClassVar[dict[str, str]] = {
        "Content-Type": "application/json",
        "Accept": "text/plain, application/json, application/*+json, */*",
        "User-Agent": "Java/17.0.15",
    }
    notify_repeats = True

    def admit(self) -> None:
        if (
            self.settings.secret
            and request.path.startswith(PROTECTED)
            and request.headers.get("mj-api-secret", "").strip() != self.settings.secret
        ):
            refuse(_unauthorised())

    def imagine(self) -> Order:
        body = self._body()
        prompt = _text(body, "prompt")
        images = _texts(body, "base64Array")
        body = _coerced(body)
        if not prompt or not prompt.strip():
            refuse(self.verdict(4, "prompt不能为空"))
        if word := banned_word(prompt, self.settings.banned):
            said = {"promptEn": prompt, "bannedWord": word}
            refuse(self.verdict(24, "可能包含敏感词", None, said))
        if not all(map(is_data_url, images)):
            refuse(self.verdict(4, "base64格式错误"))
        return self.order("imagine", "IMAGINE", prompt, body, images=len(images))

    def change(self) -> Order:
        body = self._body()
        task_id, action, index = _text(body, "taskId"), _action(body), _index(body)
        body = _coerced(body)
        if not task_id or not task_id.strip():
            refuse(self.verdict(4, "taskId不能为空"))
        if action is None:
            refuse(spring(500))
        if action not in CHANGES:
            refuse(self.verdict(4, "action参数错误"))
        parent = self._parent(task_id)
        if action != "REROLL" and index is None:
            refuse(spring(500))
        return self.order("change", action, parent.order.prompt, body, parent=parent, index=index)

    def ids(self) -> list[str]:
        return _texts(self._body(), "ids")

    def placed(self, placed: Placed) -> Response:
        account = {"discordInstanceId": INSTANCE}
        if placed.waiting == 0:
            return self.verdict(1, "提交成功", placed.task.id, account)
        told = {"numberOfQueues": placed.waiting, **account}
        return self.verdict(22, f"排队中，前面还有{placed.waiting}个任务", placed.task.id, told)

    def full(self) -> Response:
        return self.verdict(23, "队列已满，请稍后尝试", None, {"discordInstanceId": INSTANCE})

    def absent(self) -> Response:
        return bare(200)

    def verdict(
        self, code: int, description: str, result: Any = None, properties: Any = None
    ) -> Response:
        return self.json(
            {
                "code": code,
                "description": description,
                "result": result,
                "properties": properties or {},
            }
        )

    def json(self, data: Any, status: int = 200) -> Response:
        if status == 200 and not _takes_json():
            return bare(406)
        return _chunked(self.encode(data), status)

    def error(self, status: int) -> Response:
        return spring(status)

    def not_found(self) -> Response:
        return _varying(spring(404))

    def method_not_allowed(self, allowed: Sequence[str]) -> Response:
        if request.method != "OPTIONS":
            return super().method_not_allowed(allowed)
        response = bare(200)
        response.headers["Allow"] = ",".join([*allowed, "OPTIONS"])
        response.headers["Accept-Patch"] = ""
        return response

    def encode(self, data: Any) -> bytes:
        return utf8(data)

    def task(self, task: Task, stage: Stage) -> dict[str, Any]:
        prompt = self._prompt(task, stage)
        return {
            "id": task.id,
            "properties": self._properties(task, stage),
            "action": task.order.action,
            "status": stage.status,
            "prompt": prompt,
            "promptEn": prompt,
            "description": self._description(task, prompt),
            "state": task.order.state,
            "submitTime": task.submit_time,
            "startTime": task.start_time(stage),
            "finishTime": task.finish_time(stage),
            "imageUrl": self.picture(task, stage),
            "progress": stage.progress,
            "failReason": stage.fail_reason,
        }

    def _parent(self, task_id: str) -> Task:
        parent = self.studio.find(task_id)
        if parent is None:
            refuse(self.verdict(3, "关联任务不存在或已失效"))
        if self.now(parent)["status"] != "SUCCESS":
            refuse(self.verdict(4, "关联任务状态错误"))
        if parent.order.action not in PARENTS:
            refuse(self.verdict(4, "关联任务不允许执行变化"))
        return parent

    def _properties(self, task: Task, stage: Stage) -> dict[str, Any]:
        parent = task.order.parent
        said: dict[str, Any] = {
            "notifyHook": task.order.notify_hook,
            "discordInstanceId": INSTANCE,
        }
        if knows(stage, Known.END):
            said |= {"flags": 0, "messageId": task.message_id}
        if knows(stage, Known.HASH):
            said["messageHash"] = None if stage.shows == "nothing" else task.message_hash
        said["nonce"] = task.nonce
        if knows(stage, Known.START):
            said["finalPrompt"] = self._prompt(task, stage)
            said["progressMessageId"] = task.progress_message_id
        elif parent:
            said["finalPrompt"] = task.order.prompt
            said["progressMessageId"] = parent.message_id
        if parent:
            said["referencedMessageId"] = parent.message_id
        return said

    def _prompt(self, task: Task, stage: Stage) -> str:
        """Once sent on, the addresses of uploaded pictures stand before the prompt."""
        order = task.order
        if not order.images or stage.status == "NOT_START":
            return order.prompt
        uploaded = (pictures.sheet("", f"{task.id} {number}") for number in range(order.images))
        places = (f"{order.base}{self.picture_rule}/{one.name('png')}" for one in uploaded)
        return " ".join([*places, order.prompt])

    @staticmethod
    def _description(task: Task, prompt: str) -> str:
        order = task.order
        if order.parent is None:
            return f"/imagine {prompt}"
        return described(order.action, order.parent, order.index)

    def _body(self) -> dict[str, Any]:
        """Reads JSON as Jackson does: an object, and whatever follows it is ignored."""
        if not is_json():
            refuse(spring(415))
        try:
            text = request.get_data().decode().lstrip()
            body, _ = json.JSONDecoder(parse_constant=_no_constant).raw_decode(text)
        except (ValueError, RecursionError):
            refuse(spring(400))
        if not isinstance(body, dict):
            refuse(spring(400))
        return body


def spring(status: int) -> Response:
    """An error as Spring Boot words it, as a page if a page was asked for."""
    error = HTTPStatus(status).phrase
    if request.accept_mimetypes.best == "text/html":
        response = Response(
            "<html><body><h1>Whitelabel Error Page</h1>"
            f"<div>There was an unexpected error (type={error}, status={status}).</div>"
            "</body></html>",
            status,
            content_type="text/html;charset=UTF-8",
        )
        response.headers["Content-Language"] = "en"
    else:
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        said = {"timestamp": moment, "status": status, "error": error, "path": request.path}
        response = _chunked(utf8(said), status)
    if status in CLOSING:
        response.headers["Connection"] = "close"
    if status == 415:
        response.headers["Accept"] = "application/json, application/*+json"
    if status == 301:
        response.headers["Location"] = request.url
    return response


def _unauthorised() -> Response:
    response = bare(401)
    if request.method == "OPTIONS":
        response.headers["Allow"] = "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"
    unknown = isinstance(request.routing_exception, NotFound)
    return _varying(response) if unknown else response


def _varying(response: Response) -> Response:
    for name in ("Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"):
        response.headers.add("Vary", name)
    return response


def _chunked(body: bytes, status: int) -> Response:
    kind = Response if request.method == "HEAD" else ChunkedResponse
    return kind(body, status, content_type="application/json")


def _takes_json() -> bool:
    accepted = request.accept_mimetypes
    return not accepted or accepted.quality("application/json") > 0


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)


def _text(body: dict[str, Any], key: str) -> str | None:
    """A string as Jackson coerces it."""
    value = body.get(key)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        refuse(spring(400))
    return json.dumps(value)


def _coerced(body: dict[str, Any]) -> dict[str, Any]:
    """The body with the texts that every submit may have."""
    return body | {name: _text(body, name) for name in ("base64", "notifyHook", "state")}


def _texts(body: dict[str, Any], key: str) -> list[str]:
    values = body.get(key)
    if values is None:
        return []
    if not isinstance(values, list):
        refuse(spring(400))
    return [_text({key: value}, key) or "" for value in values]


def _action(body: dict[str, Any]) -> str | None:
    """An enum as Jackson reads it: by exact name or by ordinal."""
    value = body.get("action")
    if value is None or value in ACTIONS:
        return value
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < len(ACTIONS):
        refuse(spring(400))
    return ACTIONS[value]


def _index(body: dict[str, Any]) -> int | None:
    """An Integer as Jackson coerces it: texts are parsed, fractions cut off."""
    value = body.get("index")
    if value is None or value == "":
        return None
    if isinstance(value, (bool, list, dict)):
        refuse(spring(400))
    return _or_400(int if isinstance(value, str) else math.trunc, value)


def _or_400(read: Callable[[Any], int], value: Any) -> int:
    try:
        number = read(value)
    except (ValueError, OverflowError):
        refuse(spring(400))
    if not -(2**31) <= number < 2**31:
        refuse(spring(400))
    return number
