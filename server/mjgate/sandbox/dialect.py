"""What every dialect of the sandbox has: its routes, its words for outcomes, its tasks."""

import json
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NoReturn

from flask import Response, request

from mjgate.sandbox import faults, life
from mjgate.sandbox.faults import SUBMIT
from mjgate.sandbox.life import Known, Stage
from mjgate.sandbox.pictures import Kind, Picture, sheet
from mjgate.sandbox.settings import Settings
from mjgate.sandbox.studio import Order, Placed, Studio, Task

INSTANCE = "1118138338562560102"
LETTERS = {"UPSCALE": "U", "VARIATION": "V", "REROLL": "R"}

Operation = Literal["imagine", "change", "action", "fetch", "list-by-condition", "list"]
_SURROGATE = re.compile("[\ud800-\udfff]")
_DATA_URL = re.compile(r"data:[^,;]*(;[^,;]*)*;base64,.*", re.DOTALL)


@dataclass(frozen=True)
class Route:
    """An operation and where it is served, below the origin."""

    operation: Operation
    method: str
    rule: str


IMAGINE = Route("imagine", "POST", "/mj/submit/imagine")
CHANGE = Route("change", "POST", "/mj/submit/change")
ACTION = Route("action", "POST", "/mj/submit/action")
FETCH = Route("fetch", "GET", "/mj/task/<task_id>/fetch")
LIST_BY_CONDITION = Route("list-by-condition", "POST", "/mj/task/list-by-condition")
LIST = Route("list", "GET", "/mj/task/list")


class ChunkedResponse(Response):
    """A response whose length is not announced."""

    automatically_set_content_length = False


class Dialect(ABC):
    """One upstream's way of speaking."""

    routes: ClassVar[tuple[Route, ...]]
    notifies: ClassVar[bool] = True
    notify_headers: ClassVar[dict[str, str]] = {}
    notify_repeats: ClassVar[bool] = False
    listed: ClassVar[int | None] = None
    """How many tasks `list` shows; None for all."""
    picture_rule: ClassVar[str] = "/attachments"

    def __init__(self, settings: Settings, studio: Studio) -> None:
        self.settings = settings
        self.studio = studio

    @abstractmethod
    def admit(self) -> None:
        """Refuses a request without the secret."""

    @abstractmethod
    def imagine(self) -> Order:
        """Reads an imagine; raises RefusedError as the upstream would refuse. Others likewise."""

    def change(self) -> Order:
        raise NotImplementedError

    def action(self) -> Order:
        raise NotImplementedError

    @abstractmethod
    def ids(self) -> list[str]:
        """Reads which tasks a list-by-condition asks for."""

    @abstractmethod
    def placed(self, placed: Placed) -> Response:
        """Answers an accepted submit."""

    @abstractmethod
    def full(self) -> Response:
        """Answers a submit that finds the queue full."""

    @abstractmethod
    def absent(self) -> Response:
        """Answers a fetch of an unknown task."""

    @abstractmethod
    def task(self, task: Task, stage: Stage) -> dict[str, Any]:
        """The task as it goes over the wire."""

    @abstractmethod
    def json(self, data: Any, status: int = 200) -> Response:
        """Answers data outside the submits."""

    @abstractmethod
    def verdict(
        self, code: int, description: str, result: Any = None, properties: Any = None
    ) -> Response:
        """Answers a submit with an outcome."""

    @abstractmethod
    def error(self, status: int) -> Response:
        """Answers a fault of the protocol."""

    @abstractmethod
    def encode(self, data: Any) -> bytes:
        """JSON as this upstream writes it."""

    def broke(self) -> Response:
        """Answers a submit for which the account has no money or no turns left."""
        return self.verdict(4, "用户今日绘图次数已达上限")

    def not_found(self) -> Response:
        return self.error(404)

    def method_not_allowed(self, allowed: Sequence[str]) -> Response:
        response = self.error(405)
        response.headers["Allow"] = ",".join(allowed)
        return response

    def finish(self, response: Response) -> Response:
        """Adds what every answer of this upstream carries."""
        return response

    def said(self, response: Response, data: Any) -> Response:
        """The response with other data in it."""
        response.set_data(self.encode(data))
        return response

    def now(self, task: Task) -> dict[str, Any]:
        return self.task(task, task.stage(time.monotonic()))

    def order(
        self,
        operation: Operation,
        action: str,
        prompt: str,
        body: dict[str, Any],
        *,
        parent: Task | None = None,
        index: int | None = None,
        **more: Any,
    ) -> Order:
        """An order with the life and the picture that its words ask for."""
        asked = faults.words(prompt, SUBMIT if parent is None else "change")
        script = life.usual(action, self.settings.speed)
        return Order(
            operation=operation,
            action=action,
            prompt=prompt,
            picture=_picture(action, prompt, parent, index),
            script=faults.shaped(script, asked),
            base=self.settings.public_url or request.host_url.rstrip("/"),
            busy=script[-1].at,
            state=body.get("state"),
            notify_hook=body.get("notifyHook") or None,
            parent=parent,
            index=index,
            **more,
        )

    def picture(self, task: Task, stage: Stage) -> str | None:
        """The address of the picture shown at this stage."""
        if stage.shows == "nothing":
            return None
        return stage.address or self.address(task, "png" if stage.shows == "final" else "webp")

    def address(self, task: Task, kind: Kind) -> str:
        fault = next(iter(faults.words(task.order.prompt, "picture")), None)
        spoilt = f"/{fault.name}={fault.value or ''}" if fault else ""
        order = task.order
        return f"{order.base}{self.picture_rule}{spoilt}/{order.picture.name(kind)}"


def _picture(action: str, prompt: str, parent: Task | None, index: int | None) -> Picture:
    if parent is None:
        return sheet(prompt, "")
    if action == "UPSCALE":
        return parent.order.picture.crop(index or 1)
    return parent.order.picture.variant(f"{action} {index}")


class RefusedError(Exception):
    """Raised to end a request with an answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response


def refuse(response: Response) -> NoReturn:
    """Ends the request with this answer."""
    raise RefusedError(response)


def bare(status: int, text: str | None = None) -> Response:
    """An answer without content type, or with plain text."""
    response = Response(text, status, content_type="text/plain; charset=utf-8")
    if text is None:
        del response.headers["Content-Type"]
    return response


def utf8(data: Any) -> bytes:
    """Compact JSON in raw UTF-8; lone surrogates, which UTF-8 has not, are escaped."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def is_json() -> bool:
    """Whether the request says that it is JSON, in any of its kinds."""
    kind = request.mimetype
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def is_data_url(text: str | None) -> bool:
    return bool(text and _DATA_URL.fullmatch(text))


def banned_word(prompt: str, words: Sequence[str]) -> str | None:
    """The first banned whole word of the prompt, as typed, in any case."""
    pattern = "|".join(map(re.escape, words))
    found = re.search(rf"\b(?:{pattern})\b", prompt, re.IGNORECASE) if words else None
    return found[0] if found else None


def described(action: str, parent: Task, index: int | None) -> str:
    letter = LETTERS.get(action, "U")
    return f"/up {parent.id} {letter}{'' if letter == 'R' else index}"


def knows(stage: Stage, least: Known) -> bool:
    return stage.known >= least
