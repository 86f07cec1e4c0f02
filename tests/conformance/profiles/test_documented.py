"""The documented API alone: what its page says is asked for, and nothing that was added."""

import json
from typing import Any

import pytest

from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.profiles.documented import KIND, says
from mjgate.conformance.rules import BY_NAME
from tests.conformance.profiles.recorded import (
    ORIGIN,
    all_of,
    answering,
    labelled,
    left,
    lets_pass,
    shown,
)

IMAGINE, CHANGE = "/mj/submit/imagine", "/mj/submit/change"
TASK = "/mj/task/1320098173412546/fetch"
JSON = (("Content-Type", "application/json"),)
EXAMPLE = {"base64": "", "notifyHook": "", "prompt": "Cat", "state": ""}
"""The documented example of a request."""
UPSCALE = {
    "action": "UPSCALE",
    "index": 1,
    "notifyHook": "",
    "state": "",
    "taskId": "1320098173412546",
}
NAMES = ("action", "description", "failReason", "imageUrl", "progress", "prompt", "promptEn")
TIMES = ("finishTime", "startTime", "submitTime")
DOCUMENTED = {
    **dict.fromkeys((*NAMES, "state", "status"), ""),
    **dict.fromkeys(TIMES, 0),
    "id": "any form",
}
"""The documented example of a task."""


def asked(path: str, body: Any, **changes: Any) -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", ORIGIN + path, changes.pop("headers", JSON), raw, **changes)


def answered(
    body: Any, value: Any = None, http: int = 200, path: str = IMAGINE, **changes: Any
) -> Exchange:
    return labelled(asked(path, body, **changes), Answer(http, (), json.dumps(value).encode()))


def made(body: Any = EXAMPLE, result: Any = "any form", **changes: Any) -> Exchange:
    value = {"code": 1, "description": "提交成功", "properties": {}, "result": result}
    return answered(body, value, **changes)


def refused(body: Any, code: int = 4, **changes: Any) -> Exchange:
    value = {"code": code, "description": "no", "properties": {}, "result": None}
    return answered(body, value, **changes)


def fetched(task: Any = DOCUMENTED, http: int = 200, **changes: Any) -> Exchange:
    changes.setdefault("url", ORIGIN + TASK)
    return labelled(Request("GET", **changes), Answer(http, (), json.dumps(task).encode()))


def task_of(**more: Any) -> dict[str, Any]:
    return {**DOCUMENTED, "id": "1320098173412546", **more}


@pytest.mark.parametrize(
    ("exchange", "said"),
    [
        (made(), "good"),
        (made(UPSCALE, path=CHANGE), "good"),
        (made({"action": "REROLL", "taskId": "1"}, path=CHANGE), "good"),
        (fetched(), "good"),
        (made({"prompt": ""}), "good"),
        (made({}), "bad"),
        (made({"prompt": None}), "bad"),
        (made({"prompt": 5}), "bad"),
        (made({"prompt": "a", "state": 5}), "bad"),
        (made([]), "bad"),
        (made(b"{"), "bad"),
        (made({**UPSCALE, "index": 5}, path=CHANGE), "bad"),
        (made({**UPSCALE, "index": "1"}, path=CHANGE), "bad"),
        (made({**UPSCALE, "action": "BLEND"}, path=CHANGE), "bad"),
        (made({"action": "UPSCALE", "taskId": "1"}, path=CHANGE), "bad"),
        (made({**UPSCALE, "taskId": 5}, path=CHANGE), "bad"),
        (made({"action": "REROLL"}, path=CHANGE), "bad"),
        (made({"prompt": "a", "state": None}), "open"),
        (made({"prompt": "a", "more": 1}), "open"),
        (made(headers=(("Content-Type", "application/json; charset=utf-8"),)), "open"),
        (made(form="Authorization"), "open"),
        (fetched(url=f"{ORIGIN}/mj/task/%20/fetch"), "open"),
        (labelled(Request("GET", ORIGIN + "/v1/key"), Answer(200)), "open"),
    ],
)
def test_the_page_says_what_is_good_and_what_is_bad(exchange: Exchange, said: str) -> None:
    assert said == says(exchange)


SHOWN = {
    "not-forbidden": [
        made({"prompt": "x" * 65_537}),
        made({"prompt": "a", "notifyHook": "x"}),
        made({"prompt": "a", "base64Array": 5}),
        answered(EXAMPLE, http=401, form="Authorization", headers=()),
    ],
    "not-promised": [
        refused({"prompt": "a", "more": 1}, http=400),
        refused({"action": "REROLL", "taskId": 5}, http=400, path=CHANGE),
        answered(EXAMPLE, http=401, form="Authorization"),
    ],
    "refused-by-code": [refused({}), refused({**UPSCALE, "index": 9}, 3, path=CHANGE)],
    "errors-without-form": [answered({}, http=400), fetched("no", http=404)],
    "forbidden-for-unauthorized": [
        answered(EXAMPLE, http=403, sender="none"),
        answered(EXAMPLE, http=403, sender="bad"),
    ],
    "open-elsewhere": [
        labelled(Request("GET", ORIGIN + "/mj", sender="none"), Answer(302)),
        labelled(Request("GET", ORIGIN + TASK.replace("fetch", "x"), sender="bad"), Answer(200)),
    ],
    "tasks-without-properties": [fetched(task_of())],
    "numbers-as-result": [made(result=1320098173412546)],
    "ids-of-any-form": [
        made(),
        fetched(task_of(id="any-form"), url=f"{ORIGIN}/mj/task/any-form/fetch"),
    ],
}


@pytest.mark.parametrize(
    ("name", "exchange"),
    [(name, exchange) for name, found in SHOWN.items() for exchange in found],
)
def test_a_deviation_is_let_pass_by_its_name(name: str, exchange: Exchange) -> None:
    assert name in shown(exchange, KIND)
    assert [] == left(exchange, KIND)


MISSES = {
    "not-forbidden": [made({}), made({"prompt": "a", "more": "\0"}, http=500)],
    "not-promised": [refused(EXAMPLE, http=400), refused({"prompt": "a", "more": 1}, http=302)],
    "refused-by-code": [made({}), refused({}, 22), refused({}, http=201)],
    "errors-without-form": [answered(EXAMPLE, {}), answered({}, http=500)],
    "forbidden-for-unauthorized": [
        answered(EXAMPLE, http=404, sender="bad"),
        made(sender="none"),
    ],
    "open-elsewhere": [
        labelled(Request("GET", ORIGIN + "/mj", sender="none"), Answer(500)),
        fetched(sender="none"),
    ],
    "tasks-without-properties": [
        fetched({k: v for k, v in task_of().items() if k != "state"}),
        fetched(task_of(submitTime="now")),
        fetched(task_of(properties=None)),
    ],
    "numbers-as-result": [made(result=[]), made(result=None), made(result=True)],
    "ids-of-any-form": [fetched(task_of(id=5)), fetched(task_of(id=""))],
}


@pytest.mark.parametrize(
    ("name", "exchange"),
    [(name, exchange) for name, missed in MISSES.items() for exchange in missed],
)
def test_a_near_miss_is_a_failure(name: str, exchange: Exchange) -> None:
    assert left(exchange, KIND)


def test_every_deviation_has_its_exchange_and_its_near_miss() -> None:
    assert {each.name for each in KIND.deviations} == SHOWN.keys() == MISSES.keys()


def test_403_is_as_good_as_401_to_a_story() -> None:
    text = "a wrong token as mj-api-secret got 403"
    wrong = answered({}, http=403, sender="bad")
    assert {"forbidden-for-unauthorized"} == lets_pass(KIND, "bad_token_refused", wrong, text)
    assert not lets_pass(KIND, "bad_token_refused", answering(wrong, http=200), text)


def test_what_is_not_asked_are_rules() -> None:
    asked_for = BY_NAME.keys() - {each.what for each in KIND.unasked}
    assert KIND.profile.unasked < BY_NAME.keys()
    assert asked_for == {
        "answers",
        "bad_refused",
        "bad_token_refused",
        "body_matches_schema",
        "callback_arrives",
        "coverage",
        "good_accepted",
        "no_server_error",
        "nothing_bought",
        "state_kept",
        "status_documented",
        "submitted_fetchable",
        "task_ids",
        "task_keys",
        "text_kept",
        "token_needed",
    }


def test_what_novicezk_does_otherwise_than_documented_is_little() -> None:
    """It fails at what is not added: empty answers, and requests that make it fail."""
    found = {text for exchange in all_of("novicezk") for _, text in left(exchange, KIND)}
    assert {"200 is no JSON", "500"} <= found
