"""What is read in the source of the fork with buttons passes with its profile, and no more."""

import json
from typing import Any

import pytest

from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.profiles.buttons import KIND
from tests.conformance.profiles.recorded import (
    ORIGIN,
    answering,
    asking,
    labelled,
    left,
    lets_pass,
    shown,
)

IMAGINE, CHANGE = "/mj/submit/imagine", "/mj/submit/change"
LIST, TASK = "/mj/task/list-by-condition", "/mj/task/1795408020557714/fetch"
AS_JSON = (("content-type", "application/json; charset=utf-8"),)
JSON = (("Content-Type", "application/json"),)


def asked(method: str, path: str, body: Any = None, **changes: Any) -> Request:
    raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    changes.setdefault("headers", () if body is None else JSON)
    return Request(method, ORIGIN + path, body=raw, **changes)


def said(request: Request, value: Any, http: int = 200) -> Exchange:
    return labelled(request, Answer(http, AS_JSON, json.dumps(value).encode()))


def bare(request: Request, http: int, *headers: tuple[str, str]) -> Exchange:
    return labelled(request, Answer(http, headers))


def made(**body: Any) -> Exchange:
    properties = {"discordInstanceId": "1", "discordChannelId": "1"}
    value = {"code": 1, "description": "提交成功", "result": "1795", "properties": properties}
    return said(asked("POST", IMAGINE, {"prompt": "a cat", **body}), value)


def refused(words: str = "prompt不能为空", **body: Any) -> Exchange:
    value = {"code": 4, "description": words, "result": None, "properties": {}}
    return said(asked("POST", IMAGINE, {"prompt": "", **body}), value)


def unreadable(path: str, body: Any) -> Exchange:
    value = {"success": False, "code": -1, "message": "no", "timestamp": "639313707579449810"}
    return said(asked("POST", path, body), value)


def unauthorised(text: str = "Authorization header missing.", **changes: Any) -> Exchange:
    request = asked("GET", TASK, **{"sender": "none", **changes})
    headers = (("content-type", "text/plain; charset=utf-8"),)
    return labelled(request, Answer(401, headers, text.encode()))


def bearer(method: str = "GET", path: str = TASK) -> Exchange:
    return asking(
        unauthorised(), sender="token", form="Authorization", method=method, url=ORIGIN + path
    )


def problem(**more: Any) -> Exchange:
    value = {"type": "https://tools.ietf.org", "title": "Unsupported Media Type", "status": 415}
    request = asked("POST", IMAGINE, {}, headers=(("Content-Type", "text/plain"),))
    headers = (("content-type", "application/problem+json; charset=utf-8"),)
    return labelled(request, Answer(415, headers, json.dumps({**value, **more}).encode()))


def fetched(**more: Any) -> Exchange:
    names = ("failReason", "finishTime", "imageUrl", "startTime", "state")
    task = dict.fromkeys(names) | {
        "action": "IMAGINE",
        "buttons": [],
        "description": "/imagine a",
        "id": "1795408020557714",
        "progress": "15%",
        "prompt": "a",
        "promptEn": "a",
        "properties": {},
        "status": "IN_PROGRESS",
        "submitTime": 1_795_408_020_557,
    }
    return said(asked("GET", TASK), task | more)


def listed(ids: list[Any], **changes: Any) -> Exchange:
    return said(asked("POST", LIST, {"ids": ids}, **changes), [])


SHOWN = {
    "no-request-id": [made(), fetched()],
    "no-etag": [fetched()],
    "plain-401": [unauthorised(), unauthorised("账号已禁用", sender="bad")],
    "bearer-unknown": [bearer(), bearer("PUT"), bearer("GET", "/v1/keys")],
    "bare-errors": [
        bare(asked("GET", "/v1/keys"), 404),
        bare(asked("GET", "/mj/task/1%2F2/fetch"), 404),
        bare(asked("POST", CHANGE, {"action": "REROLL", "taskId": "1"}), 404),
        bare(asked("GET", IMAGINE), 405, ("allow", "POST")),
    ],
    "more-paths": [said(asked("GET", "/mj/task/list"), [])],
    "problem-415": [problem(), problem(traceId="00-1")],
    "unreadable-is-200": [
        unreadable(IMAGINE, b"{"),
        unreadable(IMAGINE, []),
        unreadable(IMAGINE, {"prompt": 1}),
        unreadable(IMAGINE, {"prompt": "a", "base64Array": [1]}),
        unreadable(LIST, {"ids": "1"}),
        unreadable(LIST, {"ids": [1]}),
    ],
    "refused-with-200": [
        refused(),
        refused(prompt=" "),
        refused("State参数过长，最大255字符", prompt="a", state="x" * 16_385),
        refused("base64格式错误", prompt="a", base64=1),
    ],
    "unknown-task-is-204": [
        bare(asked("GET", TASK), 204),
        bare(asked("GET", f"/mj/task/{'9' * 65}/fetch"), 204),
    ],
    "json-by-other-names": [
        listed([], headers=(("Content-Type", "text/json"),)),
        listed([], headers=(("Content-Type", "application/vnd.api+json"),)),
    ],
    "lengths-not-limited": [made(prompt="x" * 65_537), listed(["", "1" * 65])],
    "hooks-not-checked": [made(notifyHook="not an address")],
    "base64-unread": [made(base64={}), made(base64=5)],
    "odd-values-taken": [made(state="a\0b"), made(more=2**63)],
    "idempotency-key-unread": [
        asking(made(), headers=(*JSON, ("Idempotency-Key", "two words"))),
    ],
}
STORIES = {"numbers-are-no-ids", "progress-in-words", "properties-grow"}
"""Deviations that only a story or the memory can show."""


@pytest.mark.parametrize(
    ("name", "exchange"),
    [(name, exchange) for name, found in SHOWN.items() for exchange in found],
)
def test_a_deviation_is_let_pass_by_its_name(name: str, exchange: Exchange) -> None:
    assert name in shown(exchange, KIND)
    assert [] == left(exchange, KIND)


MISSES = {
    "no-request-id": [answering(made(), headers={"x-request-id": "two words"})],
    "no-etag": [answering(fetched(), headers={"etag": "strong"})],
    "plain-401": [
        unauthorised("no"),
        answering(unauthorised(), http=403),
        answering(unauthorised(), headers={"content-type": "text/html"}),
        asking(unauthorised(), sender="token"),
    ],
    "bearer-unknown": [asking(bearer(), form="mj-api-secret")],
    "bare-errors": [
        bare(asked("POST", IMAGINE, {"prompt": "a"}), 404),
        answering(bare(asked("GET", "/v1/keys"), 404), body=b"no"),
        bare(asked("GET", "/v1/keys"), 403),
    ],
    "more-paths": [said(asked("GET", "/mj/task/list"), {}), said(asked("GET", "/mj/nope"), [])],
    "problem-415": [problem(status=400), problem(more=1), answering(problem(), http=400)],
    "unreadable-is-200": [
        unreadable(IMAGINE, {"prompt": "a"}),
        unreadable(LIST, {"ids": ["1"]}),
        answering(unreadable(IMAGINE, b"{"), success=True),
        answering(unreadable(IMAGINE, b"{"), code=1),
        answering(unreadable(IMAGINE, b"{"), message=None),
        answering(unreadable(IMAGINE, b"{"), timestamp=...),
        answering(unreadable(IMAGINE, b"{"), headers={"content-type": "text/plain"}),
        answering(unreadable(IMAGINE, b"{"), http=201),
    ],
    "refused-with-200": [refused("no"), refused(prompt=[]), answering(refused(), code=3)],
    "unknown-task-is-204": [bare(asked("POST", LIST, {"ids": []}), 204)],
    "json-by-other-names": [listed([], headers=(("Content-Type", "text/plain"),))],
    "lengths-not-limited": [made(prompt=["x" * 65_537])],
    "hooks-not-checked": [made(notifyHook=1)],
    "base64-unread": [made(base64={}, prompt=1)],
    "odd-values-taken": [made(state=["a\0b"])],
    "idempotency-key-unread": [
        asking(made(), state=1, headers=(*JSON, ("Idempotency-Key", "two words"))),
    ],
}


@pytest.mark.parametrize(
    ("name", "exchange"),
    [(name, exchange) for name, missed in MISSES.items() for exchange in missed],
)
def test_a_near_miss_is_a_failure(name: str, exchange: Exchange) -> None:
    assert left(exchange, KIND)


def test_every_deviation_has_its_exchange_and_its_near_miss() -> None:
    assert {each.name for each in KIND.deviations} == SHOWN.keys() | STORIES
    assert SHOWN.keys() == MISSES.keys()


@pytest.mark.parametrize("rule", ["submitted_listed", "list_in_order"])
def test_a_list_by_numbers_may_not_be_read(rule: str) -> None:
    assert {"numbers-are-no-ids"} == lets_pass(KIND, rule, unreadable(LIST, {"ids": [1]}), "x")
    assert not lets_pass(KIND, rule, unreadable(LIST, {"ids": "1"}), "x")
    assert not lets_pass(KIND, rule, listed([1]), "x")


def test_words_of_the_bot_are_no_way_back() -> None:
    back = "a task went back in its progress"
    words = fetched(progress="Waiting to start")
    assert {"progress-in-words"} == lets_pass(KIND, "tasks_go_forward", words, back)
    assert not lets_pass(KIND, "tasks_go_forward", fetched(), back)


def test_a_callback_may_have_fewer_properties() -> None:
    text = "a callback has another properties than fetch at the same progress"
    assert {"properties-grow"} == lets_pass(KIND, "callback_is_fetch", fetched(), text)
    assert not lets_pass(KIND, "callback_is_fetch", made(), text)
