"""What the stories share: how they ask, and the one picture that most of them are about."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from mjgate.conformance.contract_view import IMAGINE, LIST
from mjgate.conformance.exchange import Exchange
from mjgate.conformance.oracle import json_of
from mjgate.conformance.receiver import Receiver
from mjgate.conformance.rules import ACCEPTED, at
from mjgate.conformance.session import Session

PROMPT = "一只红狐在雪中 🦊 naïve “café”"
STATE = ' 订单 77 🦊 {"a": "b\\c"} '
UNSAID = (0, 429)
"""No answer, and one that puts the question off: they say nothing of what was asked."""
ENDS = ("SUCCESS", "FAILURE", "CANCEL")
Task = Mapping[str, Any]


@dataclass
class Drawn:
    """A task that a story has submitted, and all that was seen of it."""

    id: str
    sent: Mapping[str, Any]
    """The body of its submit."""
    key: str
    submit: Exchange
    hook: str = ""
    looks: list[Exchange] = field(default_factory=list)
    """Fetches that showed it, oldest first."""

    @property
    def task(self) -> Task:
        """It as it was last seen; empty before it was."""
        return task_in(self.looks[-1]) or {} if self.looks else {}

    @property
    def tag(self) -> str | None:
        answer = self.looks[-1].answer if self.looks else None
        return answer.header("etag") if answer else None

    @property
    def status(self) -> str:
        return str(self.task.get("status"))

    @property
    def ended(self) -> bool:
        return self.status in ENDS

    @property
    def told(self) -> tuple[Exchange, ...]:
        """What has led to it as it is."""
        return (self.submit, *self.looks[-2:])


@dataclass
class Stage:
    """Where the stories of one run are told.

    `patience_s` is how long a task may take to its end, and a callback to come.
    """

    session: Session
    receiver: Receiver | None = None
    patience_s: float = 900.0
    picture: Drawn | None = None
    second: Drawn | None = None
    """Another task, for stories about two."""
    tried: bool = False
    """Whether the picture was asked for; what was refused is not asked for again."""

    def asks(self, rule: str) -> bool:
        """Whether the server is held to a rule."""
        return rule not in self.session.profile.unasked

    def has(self, path: str) -> bool:
        """Whether the server has an operation."""
        label = self.session.contract.operation(path).label
        return label not in self.session.profile.absent

    def check(self, rule: str, good: bool, text: str, *led: Exchange) -> bool:
        """Applies a rule once to the last of `led`, unless that was not answered or turned away.

        Of silence `answers` speaks, of 429 a note, and nothing else can be said.
        """
        if led and status_of(led[-1]) in UNSAID:
            return good
        if good:
            self.session.held(rule, (led[-1].operation if led else None) or "")
        else:
            self.session.broke(rule, text, *led)
        return good

    def list(self, ids: list[Any], sender: str = "token") -> Exchange:
        return self.session.post(LIST, {"ids": ids}, sender=sender)

    def imagine(self, prompt: str, state: str = STATE, *, hooked: bool = False) -> Drawn | None:
        """A new picture, seen once; None where the server did not make one."""
        hook = self.receiver.address() if self.receiver and hooked else ""
        return self.submit(IMAGINE, {"prompt": prompt, "state": state, "notifyHook": hook})

    def submit(self, path: str, body: Mapping[str, Any]) -> Drawn | None:
        key = f"mjgate-{secrets.token_hex(8)}"
        made = self.session.post(path, body, headers={"Idempotency-Key": key})
        task_id = accepted(made)
        if task_id is None:
            return None
        drawn = Drawn(task_id, body, key, made, str(body.get("notifyHook") or ""))
        self.look(drawn)
        return drawn

    def look(self, drawn: Drawn, headers: Mapping[str, str] | None = None) -> Exchange:
        """A fetch of a task; it is remembered where it shows the task."""
        seen = self.session.fetch(drawn.id, headers=headers or {})
        if task_in(seen) is not None:
            drawn.looks.append(seen)
        return seen

    def drawn(self) -> Drawn | None:
        """The picture that the stories are about, submitted by whoever needs it first."""
        if not self.tried and self.session.may_submit():
            self.tried = True
            self.picture = self.imagine(PROMPT, hooked=True)
        return self.picture


def change_of(drawn: Drawn, action: str, index: int | None = None, **more: Any) -> dict[str, Any]:
    """The body of a change; the task is named by a number where it can be."""
    task_id: Any = int(drawn.id) if drawn.id.isascii() and drawn.id.isdecimal() else drawn.id
    indexed = {} if index is None else {"index": index}
    return {"action": action, "taskId": task_id, **indexed, **more}


def status_of(exchange: Exchange) -> int:
    """0 where no answer came."""
    return exchange.answer.status if exchange.answer else 0


def value_of(exchange: Exchange) -> Any:
    """The JSON of an answer; None where there is none."""
    if exchange.answer is None:
        return None
    try:
        return json_of(exchange.answer.body)
    except ValueError:
        return None


def task_in(exchange: Exchange) -> Task | None:
    """The task that a fetch showed."""
    value = value_of(exchange)
    return value if status_of(exchange) == 200 and isinstance(value, dict) else None


def accepted(exchange: Exchange) -> str | None:
    """The id of a task that a submit has made."""
    value = value_of(exchange)
    made = status_of(exchange) in (200, 201) and at(value, "code") in ACCEPTED
    task_id = at(value, "result")
    return task_id if made and isinstance(task_id, str) else None


def pause(times: int) -> None:
    """Between two looks at a server that does not let wait: ever longer, at most two seconds."""
    time.sleep(min(2.0, 0.05 * 1.5 ** min(times, 20)))


def path_of(address: str) -> str:
    return urlsplit(address).path
