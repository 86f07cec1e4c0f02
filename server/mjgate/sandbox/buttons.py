"""The dialect of the trueai-org fork 11.10.3: `/action` with the parent's buttons.

From `reference/midjourney-proxy.md`, columns T; no recordings of it exist.
"""

import json
import re
import time
from dataclasses import replace
from http import HTTPStatus
from typing import Any, ClassVar

from flask import Response, request

from mjgate.sandbox.dialect import (
    ACTION,
    FETCH,
    IMAGINE,
    INSTANCE,
    LIST,
    LIST_BY_CONDITION,
    Dialect,
    banned_word,
    bare,
    described,
    is_data_url,
    is_json,
    knows,
    refuse,
)
from mjgate.sandbox.life import Known, Stage, fails_at_once
from mjgate.sandbox.studio import Order, Placed, Task

ACCOUNT = {"discordInstanceId": INSTANCE, "discordChannelId": INSTANCE}
TICKS_AT_1970 = 621_355_968_000_000_000
BOTS = {"niji": "NIJI_JOURNEY", "NIJI_JOURNEY": "NIJI_JOURNEY"}
NULLS = (
    "userId", "interactionMetadataId", "remixModalMessageId", "subInstanceId", "language",
    "baseImageUrl", "thumbnailUrl", "partnerTaskInfo", "seed", "seedError", "jobId", "mode",
    "requestMode", "accountFilter", "url", "proxyUrl", "height", "width", "size", "contentType",
    "imageHeight", "imageWidth", "videoUrls", "version", "storageOption",
)  # fmt: skip
FALSES = (
    "isWhite", "remixAutoSubmit", "remixModaling", "hasAIReviewRetried", "isThirdParty",
    "isPartner", "isOfficial",
)  # fmt: skip
_JOB = re.compile(r"MJ::JOB::(upsample|variation|reroll)::(\d)::[0-9a-f-]+(?:::SOLO)?")
_ACTIONS = {"upsample": "UPSCALE", "variation": "VARIATION", "reroll": "REROLL"}


class Buttons(Dialect):
    routes = (IMAGINE, ACTION, FETCH, LIST_BY_CONDITION, LIST)
    listed = 100
    notify_headers: ClassVar[dict[str, str]] = {"Content-Type": "application/json; charset=utf-8"}

    def admit(self) -> None:
        """A foreign Authorization header hides a good mj-api-secret; Bearer is not removed."""
        if not self.settings.secret or request.path.startswith(self.picture_rule):
            return
        given = request.headers.get("Authorization", request.headers.get("mj-api-secret", ""))
        if given.strip() != self.settings.secret:
            refuse(bare(401, "Authorization header missing."))

    def imagine(self) -> Order:
        body = self._body(("prompt", str), ("botType", str), ("base64Array", list))
        prompt = body.get("prompt") or ""
        if not prompt.strip():
            refuse(self.verdict(4, "prompt不能为空"))
        if len(body.get("state") or "") > 255:
            refuse(self.verdict(4, "State参数过长，最大255字符"))
        if not all(map(is_data_url, body.get("base64Array") or [])):
            refuse(self.verdict(4, "base64格式错误"))
        bot = BOTS.get(body.get("botType") or "", "MID_JOURNEY")
        order = self.order(
            "imagine", "IMAGINE", prompt, body, bot_type=bot, client_ip=request.remote_addr
        )
        banned = banned_word(prompt, self.settings.banned)
        return failing(order, "可能包含敏感词") if banned else order

    def action(self) -> Order:
        body = self._body(("taskId", str), ("customId", str))
        task_id, custom_id = body.get("taskId"), body.get("customId")
        if not task_id or not custom_id:
            refuse(self.verdict(4, "参数错误"))
        parent = self._parent(task_id)
        job = _JOB.fullmatch(custom_id)
        if job is None:
            refuse(self.verdict(4, "未知的 Action 类型"))
        action, index = _ACTIONS[job[1]], int(job[2])
        if action == "REROLL" and parent.order.action == "UPSCALE":
            refuse(self.verdict(4, "该任务不支持重新生成"))
        order = self.order(
            "action", retired(action, parent), parent.order.prompt, body,
            parent=parent, index=index, custom_id=custom_id, bot_type=parent.order.bot_type,
            client_ip=request.remote_addr,
        )  # fmt: skip
        offered = any(button["customId"] == custom_id for button in buttons(parent))
        return order if offered else failing(order, "Invalid Form Body")

    def ids(self) -> list[str]:
        return list(self._body(("ids", list)).get("ids") or [])

    def placed(self, placed: Placed) -> Response:
        if placed.waiting == 0:
            return self.verdict(1, "提交成功", placed.task.id, ACCOUNT)
        told = {"numberOfQueues": placed.waiting, **ACCOUNT}
        return self.verdict(22, f"排队中，前面还有{placed.waiting}个任务", placed.task.id, told)

    def full(self) -> Response:
        return self.verdict(9, "提交失败，队列已满，请稍后重试")

    def absent(self) -> Response:
        return bare(204)

    def verdict(
        self, code: int, description: str, result: Any = None, properties: Any = None
    ) -> Response:
        return self.json(outcome(code, description, result, properties))

    def json(self, data: Any, status: int = 200) -> Response:
        return Response(self.encode(data), status, content_type="application/json; charset=utf-8")

    def error(self, status: int) -> Response:
        if status != 415:
            response = bare(status)
            if status == 301:
                response.headers["Location"] = request.url
            return response
        problem = {
            "type": "https://tools.ietf.org/html/rfc9110#section-15.5.16",
            "title": HTTPStatus(status).phrase,
            "status": status,
        }
        kind = "application/problem+json; charset=utf-8"
        return Response(self.encode(problem), status, content_type=kind)

    def encode(self, data: Any) -> bytes:
        return json.dumps(data, separators=(",", ":")).encode()

    def task(self, task: Task, stage: Stage) -> dict[str, Any]:
        order, picture = task.order, self.picture(task, stage)
        prompt = order.prompt
        parent = order.parent
        return {
            "parentId": parent.id if parent else None,
            "botType": order.bot_type,
            "realBotType": None,
            **dict.fromkeys(FALSES, False),
            **dict.fromkeys(NULLS),
            "nonce": task.nonce,
            "messageId": task.message_id if knows(stage, Known.END) else None,
            "instanceId": INSTANCE,
            "messageIds": [task.progress_message_id] if knows(stage, Known.START) else [],
            "isCompleted": stage.ended,
            "promptFull": prompt if knows(stage, Known.START) else None,
            "imageUrls": [],
            "buttons": buttons(task) if stage.status == "SUCCESS" else [],
            "displays": [],
            "clientIp": order.client_ip,
            "useTime": None,
            "action": order.action,
            "status": stage.status,
            "prompt": prompt,
            "promptEn": prompt,
            "description": self._description(task),
            "state": order.state,
            "submitTime": task.submit_time,
            "startTime": task.start_time(stage),
            "finishTime": task.finish_time(stage),
            "imageUrl": picture,
            "progress": stage.progress,
            "failReason": stage.fail_reason,
            "properties": self._properties(task, stage),
            "id": task.id,
        }

    def _parent(self, task_id: str) -> Task:
        parent = self.studio.find(task_id)
        if parent is None:
            refuse(self.json(outcome(3, "关联任务不存在或已失效"), 404))
        if parent.stage(time.monotonic()).status != "SUCCESS":
            refuse(self.verdict(4, "关联任务状态错误"))
        return parent

    @staticmethod
    def _description(task: Task) -> str:
        order = task.order
        if order.parent is None:
            return f"/imagine {order.prompt}"
        return described(order.action, order.parent, order.index)

    @staticmethod
    def _properties(task: Task, stage: Stage) -> dict[str, Any]:
        said: dict[str, Any] = {
            "notifyHook": task.order.notify_hook,
            "botType": task.order.bot_type,
            **ACCOUNT,
            "nonce": task.nonce,
        }
        if task.order.custom_id:
            said["custom_id"] = task.order.custom_id
        if knows(stage, Known.START):
            said |= {"finalPrompt": task.order.prompt, "messageContent": task.order.prompt}
        if knows(stage, Known.END):
            said |= {"messageId": task.message_id, "messageHash": task.message_hash, "flags": 0}
        return said

    def _body(self, *fields: tuple[str, type]) -> dict[str, Any]:
        """Reads JSON strictly: an object, its known fields null or of their type."""
        if not is_json():
            refuse(self.error(415))
        try:
            body = json.loads(request.get_data())
        except (ValueError, RecursionError):
            refuse(self._stumble("The input does not contain valid JSON tokens."))
        if not isinstance(body, dict):
            refuse(self._stumble("The JSON value could not be converted."))
        for name, kind in (("state", str), ("notifyHook", str), *fields):
            if not _fits(body.get(name), kind):
                refuse(self._stumble(f"The JSON value could not be converted. Path: $.{name}"))
        return body

    def _stumble(self, message: str) -> Response:
        """The other envelope, with HTTP 200, of a body that it cannot read."""
        ticks = TICKS_AT_1970 + time.time_ns() // 100
        return self.json(
            {"success": False, "code": -1, "message": message, "timestamp": str(ticks)}
        )


def outcome(
    code: int, description: str, result: Any = None, properties: Any = None
) -> dict[str, Any]:
    return {
        "code": code,
        "description": description,
        "result": result,
        "properties": properties or {},
    }


def retired(action: str, parent: Task) -> str:
    """The action a task is filed under: a reroll has its parent's."""
    return parent.order.action if action == "REROLL" else action


def _fits(value: Any, kind: type) -> bool:
    """Whether a field is null or of its type; the elements of lists are texts."""
    if isinstance(value, list) and kind is list:
        return all(isinstance(each, str) for each in value)
    return value is None or isinstance(value, kind)


def failing(order: Order, reason: str) -> Order:
    return replace(order, script=fails_at_once(order.script, reason))


def buttons(task: Task, numbers: tuple[int, ...] = (1, 2, 3, 4)) -> list[dict[str, Any]]:
    """What may be done with a finished sheet; a single picture offers nothing here."""
    if task.order.action == "UPSCALE":
        return []
    job = task.message_hash
    return [
        *(button(f"upsample::{number}::{job}", f"U{number}") for number in numbers),
        button(f"reroll::0::{job}::SOLO", "", "🔄"),
        *(button(f"variation::{number}::{job}", f"V{number}") for number in numbers),
    ]


def button(job: str, label: str, emoji: str = "") -> dict[str, Any]:
    return {"customId": f"MJ::JOB::{job}", "emoji": emoji, "label": label, "style": 2, "type": 2}
