"""The dialect of new-api v0.6.3.1 as an upstream, as in `recordings/new-api`."""

import json
import secrets
import time
from datetime import UTC, datetime
from typing import Any

from flask import Response, g, request

from mjgate.sandbox.buttons import buttons
from mjgate.sandbox.dialect import (
    ACTION,
    CHANGE,
    FETCH,
    IMAGINE,
    INSTANCE,
    LIST_BY_CONDITION,
    Dialect,
    banned_word,
    is_data_url,
    refuse,
    utf8,
)
from mjgate.sandbox.life import Stage
from mjgate.sandbox.novicezk import spring
from mjgate.sandbox.studio import Order, Placed, Task

CHANGES = ("UPSCALE", "VARIATION", "REROLL")
PLAIN = "text/plain; charset=utf-8"
PAGE = '<!doctype html><html lang="en"><head><title>New API</title></head><body></body></html>'
FIELDS: dict[str, type] = {
    **dict.fromkeys(("prompt", "customId", "botType", "notifyHook", "action", "state"), str),
    **dict.fromkeys(("taskId", "content", "maskBase64"), str),
    "index": int,
    "base64Array": list,
}
"""What it reads of any submit, and as what; the elements of the list are texts."""
JOBS = (("upsample", "UPSCALE"), ("variation", "VARIATION"), ("reroll", "REROLL"))


class NewApi(Dialect):
    routes = (IMAGINE, CHANGE, ACTION, FETCH, LIST_BY_CONDITION)
    notifies = False
    picture_rule = "/mj/image"

    def admit(self) -> None:
        if request.url_rule is None or request.path.startswith(self.picture_rule):
            return
        given = _token(request.headers.get("Authorization", ""))
        if given in ("", "midjourney-proxy"):
            given = _token(request.headers.get("mj-api-secret", ""))
        key = _key(given)
        if not self.settings.secret:
            return
        if not key:
            refuse(self._relayed(401, "未提供令牌"))
        if key != _key(_token(self.settings.secret)):
            refuse(self._relayed(401, "无效的令牌"))

    def imagine(self) -> Order:
        body = self._body()
        prompt = body.get("prompt") or ""
        if not prompt:
            refuse(self._fault("prompt_is_required"))
        self._pass_on(body, prompt)
        if word := banned_word(prompt, self.settings.banned):
            said = {"bannedWord": word, "promptEn": prompt}
            refuse(self.verdict(24, "可能包含敏感词", None, said))
        return self.order("imagine", "IMAGINE", prompt, body)

    def change(self) -> Order:
        body = self._body()
        action, index = body.get("action") or "", body.get("index") or 0
        if action not in CHANGES:
            refuse(self.error(503, f"mj_{action.lower()}"))
        if not body.get("taskId"):
            refuse(self.verdict(4, "taskId不能为空"))
        if not index:
            refuse(self._fault("index_is_required"))
        parent = self._parent(body["taskId"])
        return self.order("change", action, parent.order.prompt, body, parent=parent, index=index)

    def action(self) -> Order:
        body = self._body()
        custom_id = body.get("customId") or ""
        parts = custom_id.split("::")
        job = parts[2] if len(parts) > 2 and parts[1] == "JOB" else "".join(parts[1:2])
        action = next((name for word, name in JOBS if word in job), None)
        if action is None:
            refuse(self._fault(f"unknown_action:{custom_id}"))
        parent = self._parent(body.get("taskId") or "")
        index = int(parts[3]) if len(parts) > 3 and parts[3].isdecimal() else 0
        return self.order(
            "action", action, parent.order.prompt, body,
            parent=parent, index=index, custom_id=custom_id,
        )  # fmt: skip

    def ids(self) -> list[str]:
        try:
            ids = json.loads(request.get_data()).get("ids")
        except (ValueError, RecursionError, AttributeError):
            refuse(self._fault("do_request_failed"))
        if ids is None:
            return []
        if not isinstance(ids, list) or not all(isinstance(task_id, str) for task_id in ids):
            refuse(self._fault("do_request_failed"))
        return ids

    def placed(self, placed: Placed) -> Response:
        """Code 22 is rewritten to 1."""
        if placed.waiting == 0:
            return self.verdict(1, "提交成功", placed.task.id)
        told = {"discordInstanceId": INSTANCE, "numberOfQueues": placed.waiting}
        return self.verdict(1, f"排队中，前面还有{placed.waiting}个任务", placed.task.id, told)

    def full(self) -> Response:
        return self.verdict(23, "队列已满，请稍后尝试", None, {"discordInstanceId": INSTANCE})

    def absent(self) -> Response:
        return self._fault("task_no_found")

    def broke(self) -> Response:
        return self._fault("quota_not_enough")

    def verdict(
        self, code: int, description: str, result: Any = None, properties: Any = None
    ) -> Response:
        """Passed on from its own upstream; 5 is what it says of that upstream itself."""
        if code == 5:
            return self._fault(description, code)
        said = {
            "code": code,
            "description": description,
            "result": result,
            "properties": properties or {},
        }
        return Response(utf8(said), content_type=PLAIN)

    def json(self, data: Any, status: int = 200) -> Response:
        return Response(self.encode(data), status, content_type="application/json")

    def error(self, status: int, model: str = "mj_imagine") -> Response:
        response = self._relayed(status, f"当前分组 default 下对于模型 {model} 无可用渠道")
        if status == 301:
            response.headers["Location"] = request.url
        return response

    def not_found(self) -> Response:
        """Every path that is not routed shows its own web page."""
        return Response(PAGE, content_type="text/html; charset=utf-8")

    def method_not_allowed(self, allowed: Any) -> Response:
        return self.not_found()

    def finish(self, response: Response) -> Response:
        response.headers["X-Oneapi-Request-Id"] = _request_id()
        return response

    def encode(self, data: Any) -> bytes:
        """JSON as Go writes it, safe inside HTML."""
        text = utf8(data)
        for sign in b"<>&":
            text = text.replace(bytes([sign]), b"\\u%04x" % sign)
        return text

    def task(self, task: Task, stage: Stage) -> dict[str, Any]:
        """Before its first poll it knows nothing but what it was sent itself."""
        order = task.order
        polled = stage.status != "NOT_START"
        prompt = order.prompt
        return {
            "id": task.id,
            "action": order.action,
            "customId": "",
            "botType": "",
            "prompt": prompt,
            "promptEn": prompt if polled else "",
            "description": "提交成功",
            "state": "",
            "submitTime": task.submit_time,
            "startTime": task.start_time(stage) or 0,
            "finishTime": task.finish_time(stage) or 0,
            "imageUrl": self._image(task, stage),
            "status": stage.status if polled else "",
            "progress": "100%" if stage.status == "FAILURE" else stage.progress or "0%",
            "failReason": stage.fail_reason or "",
            "buttons": _buttons(task, stage) if polled else None,
            "maskBase64": "",
            "properties": {"finalPrompt": prompt, "finalZhPrompt": ""} if polled else None,
        }

    def _image(self, task: Task, stage: Stage) -> str:
        address = self.picture(task, stage) or ""
        if address and stage.status != "SUCCESS":
            return f"{address}?rand={time.time_ns()}"
        return address

    def _parent(self, task_id: str) -> Task:
        parent = self.studio.find(task_id)
        if parent is None:
            refuse(self._fault("task_not_found"))
        if parent.stage(time.monotonic()).status != "SUCCESS":
            refuse(self._fault("task_status_not_success"))
        return parent

    def _pass_on(self, body: dict[str, Any], prompt: str) -> None:
        """Answers as its upstream, a novicezk, would what it does not look at itself."""
        if isinstance(body.get("base64"), dict | list):
            passed = spring(400)
            passed.content_type = PLAIN
            refuse(passed)
        if not prompt.strip():
            refuse(self.verdict(4, "prompt不能为空"))
        if not all(map(is_data_url, body.get("base64Array") or [])):
            refuse(self.verdict(4, "base64格式错误"))

    def _body(self) -> dict[str, Any]:
        """Reads JSON as Go does: null is an empty object, types are exact."""
        if request.mimetype != "application/json":
            return {}
        try:
            body = json.loads(request.get_data() or b"{")
        except (ValueError, RecursionError):
            refuse(self._relayed(400, "Invalid request, unexpected end of JSON input"))
        if body is None:
            return {}
        if not isinstance(body, dict):
            refuse(self._relayed(400, "Invalid request, json: cannot unmarshal into Go value"))
        for name, kind in FIELDS.items():
            if not _fits(body.get(name), kind):
                said = f"Invalid request, json: cannot unmarshal into Go struct field .{name}"
                refuse(self._relayed(400, said))
        return body

    def _relayed(self, status: int, message: str) -> Response:
        """Shape A of its errors."""
        text = f"{message} (request id: {_request_id()})"
        said = {"error": {"message": text, "type": "new_api_error"}}
        return self._gin(said, status)

    def _fault(self, description: str, code: int = 4) -> Response:
        """Shape B of its errors, with the blank that always ends it."""
        said = {"code": code, "description": f"{description} ", "type": "upstream_error"}
        return self._gin(said, 400)

    def _gin(self, said: Any, status: int) -> Response:
        kind = "application/json; charset=utf-8"
        return Response(self.encode(said), status, content_type=kind)


def _fits(value: Any, kind: type) -> bool:
    if isinstance(value, list) and kind is list:
        return all(each is None or isinstance(each, str) for each in value)
    return value is None or (isinstance(value, kind) and not isinstance(value, bool))


def _buttons(task: Task, stage: Stage) -> list[dict[str, Any]]:
    return buttons(task) if stage.status == "SUCCESS" else []


def _token(header: str) -> str:
    return header.strip().removeprefix("Bearer").strip()


def _key(token: str) -> str:
    """What follows a second dash pins a channel."""
    return token.removeprefix("sk-").split("-")[0]


def _request_id() -> str:
    if "request_id" not in g:
        moment = datetime.now(UTC).strftime("%Y%m%d%H%M%S%f")
        g.request_id = moment + secrets.token_hex(4)
    return str(g.request_id)
