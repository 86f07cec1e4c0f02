"""Faults on request: words in a prompt, one for each fault seen of real upstreams.

`sandbox:<fault>` or `sandbox:<fault>=<value>` concerns the imagine that carries it and the life
of its task. With a scope before the fault it concerns what is later asked about that task:
`sandbox:change:<fault>` its changes and actions, `sandbox:fetch:<fault>`, `sandbox:list:<fault>`
(any list that holds it) and `sandbox:picture:<fault>` its pictures. Seconds in values are real
ones, whatever the speed. `ANSWERS` spoil an answer, `LIVES` the life of a task; `accept` beside
an answer makes the task all the same, though the answer does not say so.
"""

import json
import re
import select
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Response, request

from mjgate.sandbox import life
from mjgate.sandbox.life import Script

SUBMIT = "submit"
SCOPES = ("change", "fetch", "list", "picture")
SUBMITS = frozenset((SUBMIT, "change"))
TASKS = frozenset(("fetch", "list"))
OPERATIONS = {
    "imagine": SUBMIT,
    "change": "change",
    "action": "change",
    "fetch": "fetch",
    "list": "list",
    "list-by-condition": "list",
    "picture": "picture",
}
"""The scope that each operation's faults have."""
ACCEPT = "accept"
RESET = "mjgate.sandbox.reset"
"""The environ key that asks the server for a TCP reset."""
UNKNOWN_ID = "1111111111111111"
FOREVER = 600.0
STATUSES = (301, 400, 401, 403, 404, 405, 413, 415, 418, 422, 429, 500, 502, 503, 504)

_WORD = re.compile(r"sandbox:(?:(\w+):)?([a-z][a-z0-9-]*)(?:=(\S+))?", re.ASCII)


class UnknownFaultError(ValueError):
    """Raised when a prompt asks for a fault that nobody knows."""


@dataclass(frozen=True)
class Word:
    """One fault asked for."""

    scope: str
    name: str
    value: str | None

    def seconds(self) -> float:
        return float(self.value or 0)


class Voice(Protocol):
    """How a dialect says what a fault wants said."""

    def verdict(
        self, code: int, description: str, result: Any = None, properties: Any = None
    ) -> Response: ...

    def error(self, status: int) -> Response: ...

    def broke(self) -> Response: ...

    def said(self, response: Response, data: Any) -> Response: ...


@dataclass(frozen=True)
class Ask:
    """What an answer fault may use."""

    voice: Voice
    genuine: Callable[[], Response]
    """Does what was asked and answers truly."""
    collide: Callable[[], Response]
    """The same, but under the id of the newest task there is."""
    newest_id: str

    def reshaped(self, change: Callable[[Any], Any]) -> Response:
        """The true answer with its JSON changed."""
        response = self.genuine()
        return self.voice.said(response, change(json.loads(response.get_data() or b"{}")))

    def with_fields(self, **fields: Any) -> Response:
        return self.reshaped(lambda data: {**data, **fields})


@dataclass(frozen=True)
class Answer:
    """A fault of one answer."""

    meaning: str
    reply: Callable[[Ask, Word], Response]
    scopes: frozenset[str] = frozenset((SUBMIT, *SCOPES))
    """Where it makes sense."""


@dataclass(frozen=True)
class Life:
    """A fault of a task's life."""

    meaning: str
    shape: Callable[[Script, Word], Script]


def words(text: str | None, scope: str) -> list[Word]:
    """The faults that `text` asks for in a scope; raises UnknownFaultError."""
    if not text or "sandbox:" not in text:
        return []
    found = [Word(scope or SUBMIT, *rest) for scope, *rest in _WORD.findall(text)]
    for word in found:
        _check(word)
    return [word for word in found if word.scope == scope]


def switched(operation: str, names: str) -> list[Word]:
    """Faults named without their prefix, for an operation; raises UnknownFaultError."""
    scope = OPERATIONS.get(operation, operation)
    prefix = "sandbox:" if scope == SUBMIT else f"sandbox:{scope}:"
    return words(" ".join(prefix + name for name in names.split()), scope)


def reply(asked: Iterable[Word], ask: Ask) -> Response:
    """The answer that these words make of a request."""
    names = {word.name for word in asked}
    for word in asked:
        if word.name in ANSWERS:
            if ACCEPT in names:
                ask.genuine()
            return ANSWERS[word.name].reply(ask, word)
    return ask.genuine()


def shaped(script: Script, asked: Iterable[Word]) -> Script:
    """The life that these words make of a healthy one."""
    for word in asked:
        if word.name in LIVES:
            script = LIVES[word.name].shape(script, word)
    return script


def _check(word: Word) -> None:
    if word.name in ANSWERS:
        known = word.scope in ANSWERS[word.name].scopes
    else:
        known = word.scope in SUBMITS and (word.name == ACCEPT or word.name in LIVES)
    if not known:
        raise UnknownFaultError(f"'{word.name}' is no fault of '{word.scope}'")


def _hang(ask: Ask, word: Word) -> Response:
    if word.value:
        return _slow(ask, word)
    _await_hang_up()
    return _reset(ask, word)


def _await_hang_up() -> None:
    connection = request.environ.get("werkzeug.socket")
    if connection is None:
        return
    deadline = time.monotonic() + FOREVER
    while time.monotonic() < deadline and not _hung_up(connection):
        pass


def _hung_up(connection: socket.socket) -> bool:
    """Waits up to a second for the client to go."""
    try:
        readable, _, _ = select.select([connection], [], [], 1.0)
        return bool(readable) and not connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True


def _slow(ask: Ask, word: Word) -> Response:
    response = ask.genuine()
    time.sleep(word.seconds())
    return response


def _reset(_ask: Ask, _word: Word) -> Response:
    request.environ[RESET] = True
    return Response()


def _cut(ask: Ask, _word: Word) -> Response:
    whole = ask.genuine()
    data = whole.get_data()
    half = Response(data[: len(data) // 2], whole.status, content_type=whole.content_type)
    half.headers["Content-Length"] = str(len(data))
    half.headers["Connection"] = "close"
    return half


def _status(status: int) -> Answer:
    def answer(ask: Ask, word: Word) -> Response:
        response = ask.voice.error(status)
        if word.value:
            response.headers["Retry-After"] = word.value
        return response

    return Answer(f"HTTP {status}; the value is its Retry-After", answer)


def _empty(_ask: Ask, _word: Word) -> Response:
    response = Response()
    del response.headers["Content-Type"]
    return response


def _raw(text: str, content_type: str) -> Callable[[Ask, Word], Response]:
    return lambda _ask, _word: Response(text, content_type=content_type)


def _verdict(
    code: int, description: str, result: str | None = None, properties: Any = None
) -> Callable[[Ask, Word], Response]:
    return lambda ask, _word: ask.voice.verdict(code, description, result, properties)


def _existed(ask: Ask, word: Word) -> Response:
    known = word.value or ask.newest_id
    return ask.voice.verdict(21, "任务已存在", known, {"status": "IN_PROGRESS", "imageUrl": None})


def _confirm(ask: Ask, _word: Word) -> Response:
    return ask.with_fields(
        code=21,
        description="Waiting for window confirm",
        properties={"finalPrompt": "sandbox", "remix": True},
    )


def _as_number(ask: Ask, _word: Word) -> Response:
    return ask.reshaped(lambda data: {**data, "result": int(data["result"])})


def _without(key: str) -> Callable[[Ask, Word], Response]:
    def drop(data: Any) -> Any:
        return {name: value for name, value in data.items() if name != key}

    return lambda ask, _word: ask.reshaped(drop)


def _fields(**fields: Any) -> Callable[[Ask, Word], Response]:
    return lambda ask, _word: ask.with_fields(**fields)


def _queued(ask: Ask, _word: Word) -> Response:
    return ask.with_fields(
        code=22, description="排队中，前面还有1个任务", properties={"numberOfQueues": 1}
    )


def _stray(ask: Ask, _word: Word) -> Response:
    """Adds a finished task nobody asked about and things that are no tasks."""

    def add(tasks: list[Any]) -> list[Any]:
        strays = [{**task, "id": UNKNOWN_ID, "status": "SUCCESS"} for task in tasks[:1]]
        return [*strays, None, 7, {}, {"id": None}, {"id": 1}, *tasks]

    return ask.reshaped(add)


def _twice(ask: Ask, _word: Word) -> Response:
    return ask.reshaped(lambda tasks: [*tasks, *tasks])


def _mangled(ask: Ask, _word: Word) -> Response:
    """Every field but id has a type that it should not have."""

    def mangle(task: Any) -> Any:
        return {name: value if name == "id" else [value] for name, value in task.items()}

    def change(data: Any) -> Any:
        return [mangle(task) for task in data] if isinstance(data, list) else mangle(data)

    return ask.reshaped(change)


def _seconds_after(shape: Callable[[Script, float], Script]) -> Callable[[Script, Word], Script]:
    return lambda script, word: shape(script, word.seconds())


def _plain(shape: Callable[[Script], Script]) -> Callable[[Script, Word], Script]:
    return lambda script, _word: shape(script)


def _because(
    shape: Callable[[Script, str], Script], reason: str
) -> Callable[[Script, Word], Script]:
    return lambda script, word: shape(script, word.value or reason)


def _told(meaning: str, reply: Callable[[Ask, Word], Response]) -> Answer:
    """A fault in what a submit is told."""
    return Answer(meaning, reply, SUBMITS)


_PAGE = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_OBJECT = '{"code":1,"description":"提交成功","result":"17'

ANSWERS: Mapping[str, Answer] = {
    **{f"http{status}": _status(status) for status in STATUSES},
    "hang": Answer("answers never; with a value: after so many seconds, truly", _hang),
    "slow": Answer("answers truly after so many seconds", _slow),
    "reset": Answer("resets the connection once the request was read", _reset),
    "cut": Answer("does as asked, sends headers and half a body, then closes", _cut),
    "empty": Answer("200 with nothing in it", _empty),
    "garbage": Answer("200 that is no JSON", _raw(_OBJECT, "application/json")),
    "html": Answer("200 with a page for people", _raw(_PAGE, "text/html; charset=utf-8")),
    "array": Answer("200 with a JSON array of numbers", _raw("[1,2,3]", "application/json")),
    "null": Answer("200 with JSON null", _raw("null", "application/json")),
    "nocode": _told("does as asked, but says no code", _without("code")),
    "textcode": _told("does as asked, the code is a text", _fields(code="1")),
    "noid": _told("does as asked, code 1 without an id", _fields(code=1, result=None)),
    "blankid": _told("does as asked, code 1 with an empty id", _fields(code=1, result="")),
    "queued": _told("does as asked, code 22", _queued),
    "queued-noid": _told("does as asked, code 22 without an id", _fields(code=22, result=None)),
    "numeric": _told("does as asked, the id is a JSON number", _as_number),
    "noproperties": _told("does as asked, properties are null", _fields(properties=None)),
    "nul": _told("does as asked, U+0000 in the description", _fields(description="提交\x00成功")),
    "surrogate": _told(
        "does as asked, a lone surrogate in the description", _fields(description="提交\ud800成功")
    ),
    "nul-id": _told("does as asked, U+0000 in the id", _fields(result="1\x001")),
    "surrogate-id": _told("does as asked, a lone surrogate in the id", _fields(result="1\ud8001")),
    "long-id": _told("does as asked, an id of 5000 digits", _fields(result="9" * 5000)),
    "collide": _told(
        "does as asked, under the id of the newest task", lambda ask, _word: ask.collide()
    ),
    "code3": _told("code 3", _verdict(3, "无可用的账号实例")),
    "code4": _told("code 4", _verdict(4, "prompt不能为空")),
    "code5": _told("code 5", _verdict(5, "unmarshal_response_body_failed")),
    "code9": _told("code 9", _verdict(9, "提交失败，系统异常")),
    "code21": _told("code 21 with the id of the newest task, or the value", _existed),
    "code21-unknown": _told("code 21, unknown id", _verdict(21, "任务已存在", UNKNOWN_ID)),
    "code21-noid": _told("code 21 without an id", _verdict(21, "任务已存在")),
    "code21-modal": _told("does as asked, code 21 that waits for a confirm", _confirm),
    "code23": _told("code 23", _verdict(23, "队列已满，请稍后尝试")),
    "code24": _told(
        "code 24",
        _verdict(24, "可能包含敏感词", None, {"promptEn": "nude body", "bannedWord": "nude"}),
    ),
    "code30": _told("code 30", _verdict(30, "当前分组上游负载已饱和")),
    "code99": _told("a code nobody documents", _verdict(99, "未知")),
    "quota": _told("the account has no money left", lambda ask, _word: ask.voice.broke()),
    "stray": Answer("lists tasks and things that nobody asked for", _stray, frozenset({"list"})),
    "twice": Answer("lists every task twice", _twice, frozenset({"list"})),
    "mangled": Answer("tasks whose fields have wrong types", _mangled, TASKS),
}

_MODERATED = "[Could not complete] moderated"

LIVES: Mapping[str, Life] = {
    "fail": Life("FAILURE midway, keeps its preview", _because(life.fails_midway, _MODERATED)),
    "fail-early": Life("FAILURE at once", _because(life.fails_at_once, "Missing Access")),
    "fail-late": Life("FAILURE in place of SUCCESS", _because(life.fails_last, _MODERATED)),
    "fail-nul": Life("FAILURE, U+0000 in its reason", _because(life.fails_midway, "a\x00b")),
    "fail-surrogate": Life(
        "FAILURE, a lone surrogate in its reason", _because(life.fails_midway, "a\ud800b")
    ),
    "fail-long": Life(
        "FAILURE, 100,000 letters of reason", _because(life.fails_midway, "x" * 100_000)
    ),
    "fail-blank": Life("FAILURE with an empty reason", lambda s, _: life.fails_midway(s, "")),
    "stuck": Life("stays at 85%", lambda script, _: life.sticks(script, "85%")),
    "unstarted": Life("stays NOT_START", _plain(life.never_starts)),
    "lost": Life("unknown after so many seconds, or at once", _seconds_after(life.vanishes)),
    "hidden": Life("unknown for so many seconds, then there", _seconds_after(life.hides)),
    "backwards": Life("progress falls before it succeeds", _plain(life.goes_backwards)),
    "waiting": Life("progress is a text", lambda s, _: life.tells(s, "Waiting to start")),
    "full": Life("100% while it runs", lambda script, _: life.tells(script, "100%")),
    "nul-progress": Life("U+0000 in its progress", lambda s, _: life.tells(s, "1\x005%")),
    "status": Life(
        "a status nobody documents, or the value, while it runs",
        lambda script, word: life.calls_itself(script, word.value or "PONDERING"),
    ),
    "modal": Life("waits for a confirm for ever", lambda s, _: life.awaits(s, "MODAL")),
    "cancel": Life("CANCEL midway", lambda s, _: life.ends(s, "CANCEL")),
    "blind": Life("SUCCESS without a picture", _plain(life.succeeds_blind)),
    "address": Life(
        "SUCCESS with the value as picture address",
        lambda script, word: life.succeeds_elsewhere(script, word.value or "javascript:alert(1)"),
    ),
    "late": Life("SUCCESS after so many seconds", _seconds_after(life.succeeds_late)),
    "undone": Life("FAILURE after SUCCESS", _because(life.succeeds_then_fails, _MODERATED)),
    "revived": Life("SUCCESS after FAILURE", _because(life.fails_then_succeeds, _MODERATED)),
    "relapsed": Life("IN_PROGRESS after SUCCESS", _plain(life.succeeds_then_runs)),
}
