"""Every recorded answer of new-api passes with its profile; what differs from them does not."""

import json
from typing import Any

import pytest

from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.profiles.newapi import KIND
from tests.conformance.profiles.recorded import (
    ORIGIN,
    all_of,
    answering,
    asking,
    broken,
    labelled,
    left,
    lets_pass,
    one_of,
    shown,
)

IMAGINE, CHANGE = "/mj/submit/imagine", "/mj/submit/change"
LIST, FETCH = "/mj/task/list-by-condition", "/mj/task/1795407690128000002/fetch"
JSON = (("Content-Type", "application/json"),)
AS_JSON = {"content-type": "application/json; charset=utf-8"}
PLAIN = {"content-type": "text/plain; charset=utf-8"}


def _imagined(http: int, words: str) -> Exchange:
    return next(
        each
        for each in all_of("new-api")
        if each.answer and each.answer.status == http and words in each.answer.body.decode()
    )


def _task(exchange: Exchange) -> dict[str, Any]:
    fetched = exchange.operation == "GET /mj/task/{id}/fetch"
    body = json.loads(exchange.answer.body) if fetched and exchange.answer else {}
    return body if isinstance(body, dict) else {}


def imagine(prompt: str = "a") -> Exchange:
    return one_of("new-api", "POST", IMAGINE, json.dumps({"prompt": prompt}))


def made() -> Exchange:
    """A submit that was taken, of one prompt and nothing else."""
    return asking(one_of("new-api", "POST", IMAGINE, '{"prompt": "b"}'), form="mj-api-secret")


def changed() -> Exchange:
    body = {"taskId": "1795407690128000002", "action": "UPSCALE", "index": 1, "state": "s"}
    return one_of("new-api", "POST", CHANGE, json.dumps(body))


def unknown_parent() -> Exchange:
    return one_of("new-api", "POST", CHANGE, '{"taskId": "nope", "action": "UPSCALE", "index": 1}')


def unpolled() -> Exchange:
    return next(each for each in all_of("new-api") if _task(each).get("status") == "")


def drawn() -> Exchange:
    return next(each for each in all_of("new-api") if _task(each).get("status") == "SUCCESS")


def failed() -> Exchange:
    return next(each for each in all_of("new-api") if _task(each).get("status") == "FAILURE")


def unknown() -> Exchange:
    return one_of("new-api", "GET", "/mj/task/123/fetch")


def unauthorised() -> Exchange:
    return one_of("new-api", "POST", IMAGINE, sender="none")


def malformed() -> Exchange:
    return one_of("new-api", "POST", IMAGINE, '{"prompt":')


def spent() -> Exchange:
    return _imagined(401, "额度已用尽")


def without_channel() -> Exchange:
    return _imagined(503, "无可用渠道")


def listed(ids: list[Any], **more: Any) -> Exchange:
    """A list of nothing."""
    return answering(asking(one_of("new-api", "POST", LIST), ids=ids, **more), body=b"[]")


def faulty(asked: Exchange, words: str, code: int = 4) -> Exchange:
    """An error in the second of its shapes."""
    return answering(
        unknown_of(asked), description=f"{words} ", code=code, headers=AS_JSON, http=400
    )


def unknown_of(asked: Exchange) -> Exchange:
    return labelled(asked.request, unknown().answer or Answer(0))


def relayed(asked: Exchange, message: str, http: int = 400) -> Exchange:
    """An error in the first of its shapes."""
    error = {"message": f"{message} (request id: 2026)", "type": "new_api_error"}
    answer = answering(malformed(), error=error, http=http).answer
    return labelled(asked.request, answer or Answer(0))


def passed_on(asked: Exchange, code: int, words: str) -> Exchange:
    """What its upstream says."""
    answer = answering(made(), code=code, description=words, result=None).answer
    return labelled(asked.request, answer or Answer(0))


def unchannelled(**body: Any) -> Exchange:
    return relayed(asking(changed(), **body), "当前分组 vip 下对于模型 mj_ 无可用渠道", 503)


def page(method: str = "GET", path: str = IMAGINE, **changes: Any) -> Exchange:
    request = Request(method, ORIGIN + path, **changes)
    headers = (("content-type", "text/html; charset=utf-8"), ("x-oneapi-request-id", "2026"))
    return labelled(request, Answer(200, headers, b"<!doctype html>"))


def redirected(method: str = "GET", path: str = FETCH, http: int = 301) -> Exchange:
    """Led to the path without the slash at its end."""
    body = b'{"ids": []}' if method == "POST" else None
    request = Request(method, f"{ORIGIN}{path}/", JSON if body else (), body)
    headers = (("location", path), ("content-type", "text/html; charset=utf-8"))
    return labelled(request, Answer(http, headers, b"<a>"))


def spring() -> Exchange:
    """What novicezk says of base64 that is no text, sent on."""
    said = {"timestamp": "2026", "status": 400, "error": "Bad Request", "path": IMAGINE}
    return answering(
        asking(made(), base64={}), http=400, headers=PLAIN, body=json.dumps(said).encode()
    )


def taken(*, of: Exchange | None = None, **body: Any) -> Exchange:
    return asking(of or made(), **body)


@pytest.mark.parametrize("exchange", all_of("new-api"), ids=str)
def test_what_was_recorded_passes(exchange: Exchange) -> None:
    assert [] == left(exchange, KIND)
    assert broken(exchange), "and the whole contract finds something in it"


SHOWN = {
    "named-otherwise": [made(), unknown()],
    "no-etag": [drawn()],
    "unset-times-are-0": [unpolled()],
    "submits-are-plain-text": [made(), imagine("CODE23")],
    "relayed-errors": [malformed(), unauthorised(), without_channel()],
    "no-challenge": [unauthorised(), spent(), one_of("new-api", "POST", IMAGINE, sender="bad")],
    "own-errors": [unknown(), unknown_parent(), imagine("HTTP500")],
    "pages-for-the-unrouted": [
        page(),
        page("DELETE"),
        page(path="/v1/keys"),
        page(path="/mj/nope", sender="none"),
        page(path="/mj/task/1%2F2/fetch"),
    ],
    "slash-is-redirected": [redirected(), redirected("POST", LIST, 307)],
    "unknown-task-is-400": [unknown()],
    "unknown-parent-is-400": [unknown_parent()],
    "unfinished-parent-is-400": [faulty(changed(), "task_status_not_success")],
    "reroll-needs-index": [
        faulty(asking(changed(), action="REROLL", index=None), "index_is_required"),
        faulty(asking(changed(), action="REROLL", index=0), "index_is_required"),
    ],
    "numbers-are-no-ids": [
        relayed(asking(changed(), taskId=12), "Invalid request, json: cannot unmarshal number"),
        faulty(listed([12]), "do_request_failed"),
    ],
    "other-fields-typed": [
        relayed(asking(made(), botType=1), "Invalid request, json: cannot unmarshal number"),
        relayed(asking(made(), index="1"), "Invalid request, json: cannot unmarshal string"),
    ],
    "upstream-errors-passed-on": [spring()],
    "base64-passed-on": [taken(base64=False), taken(base64Array=[None])],
    "unknown-action-is-503": [
        unchannelled(action=None),
        unchannelled(action="FOO"),
        asking(unchannelled(), headers=(("Content-Type", "text/plain"),)),
    ],
    "quota-is-400": [faulty(made(), "quota_not_enough")],
    "spent-token-is-401": [spent()],
    "no-channel-is-503": [without_channel()],
    "upstream-faults-are-400": [imagine("HTTP500"), faulty(made(), "do_request_failed", 5)],
    "no-result-with-24": [imagine("CODE24")],
    "refused-with-200": [
        passed_on(asking(made(), prompt=" "), 4, "prompt不能为空"),
        passed_on(asking(made(), base64Array=[None]), 4, "base64格式错误"),
        passed_on(asking(changed(), taskId=None), 4, "taskId不能为空"),
        passed_on(asking(changed(), taskId=None, index=None), 4, "taskId不能为空"),
    ],
    "unpolled-tasks-are-empty": [unpolled()],
    "whole-at-failure": [failed()],
    "ids-of-its-upstream": [drawn(), imagine("CODE22")],
    "changes-of-nothing": [taken(of=changed(), taskId=None)],
    "index-not-limited": [taken(of=changed(), index=9), taken(of=changed(), index=-1)],
    "lists-sent-as-anything": [
        asking(listed([]), headers=(("Content-Type", "text/plain"),)),
        asking(listed([]), headers=()),
    ],
    "lengths-not-limited": [taken(prompt="x" * 65_537), listed(["", "x" * 65])],
    "hooks-not-checked": [taken(notifyHook="not an address")],
    "odd-values-taken": [taken(state="a\0b"), taken(more=2**63)],
    "idempotency-key-unread": [asking(made(), headers=(*JSON, ("Idempotency-Key", "two words")))],
}
STORIES = {"state-forgotten", "parent-not-named", "submit-time-is-copied"}
"""Deviations that only a story can show."""


@pytest.mark.parametrize(
    ("name", "exchange"),
    [(name, exchange) for name, found in SHOWN.items() for exchange in found],
)
def test_a_deviation_is_let_pass_by_its_name(name: str, exchange: Exchange) -> None:
    assert name in shown(exchange, KIND)
    assert [] == left(exchange, KIND)


MISSES = {
    "named-otherwise": [
        answering(made(), headers={"x-oneapi-request-id": None}),
        answering(made(), headers={"x-request-id": "two words"}),
    ],
    "no-etag": [answering(drawn(), headers={"etag": "strong"})],
    "unset-times-are-0": [
        answering(unpolled(), submitTime=0),
        answering(unpolled(), startTime=1_795_407_756),
    ],
    "submits-are-plain-text": [
        answering(made(), body=b"[]"),
        answering(made(), headers={"content-type": "text/html"}),
        answering(drawn(), headers=PLAIN),
    ],
    "relayed-errors": [
        answering(malformed(), error={"message": "no (request id: 1)", "type": "other"}),
        answering(malformed(), error={"message": "no", "type": "new_api_error"}),
        answering(malformed(), error={"message": 1, "type": "new_api_error"}),
        answering(malformed(), error={}),
        answering(malformed(), more=1),
        answering(malformed(), http=404),
        answering(malformed(), headers=PLAIN),
        answering(malformed(), http=403),
    ],
    "no-challenge": [answering(unauthorised(), http=403), answering(unauthorised(), body=b"{}")],
    "own-errors": [
        answering(unknown(), type="other"),
        answering(unknown(), description="task_no_found"),
        answering(unknown(), code=3),
        answering(unknown(), http=404),
        answering(unknown(), more=1),
        answering(unknown(), headers=PLAIN),
    ],
    "pages-for-the-unrouted": [
        page(path="/mj/task/12/fetch"),
        answering(page(), http=302),
        answering(page(), headers=PLAIN),
    ],
    "slash-is-redirected": [
        answering(redirected(), headers={"location": "/elsewhere"}),
        answering(redirected(), http=302),
        asking(redirected(), url=ORIGIN + FETCH),
    ],
    "unknown-task-is-400": [faulty(unknown(), "task_not_found")],
    "unknown-parent-is-400": [faulty(changed(), "task_no_found")],
    "unfinished-parent-is-400": [faulty(made(), "task_status_not_success")],
    "reroll-needs-index": [
        faulty(changed(), "index_is_required"),
        faulty(asking(changed(), action="REROLL"), "index_is_required"),
    ],
    "numbers-are-no-ids": [
        relayed(changed(), "Invalid request, json: cannot unmarshal number"),
        relayed(asking(changed(), taskId=12), "no"),
        faulty(listed(["12"]), "do_request_failed"),
    ],
    "other-fields-typed": [
        relayed(made(), "Invalid request, json: cannot unmarshal number"),
        relayed(asking(made(), more=1), "Invalid request, json: cannot unmarshal number"),
        relayed(asking(made(), botType=1), "no"),
    ],
    "upstream-errors-passed-on": [
        answering(spring(), path="/elsewhere"),
        answering(spring(), http=500),
        asking(answering(drawn(), http=400, headers=PLAIN, body=b"{}"), method="GET"),
    ],
    "base64-passed-on": [taken(base64=[]), taken(base64Array=[1])],
    "unknown-action-is-503": [
        unchannelled(action="upscale"),
        unchannelled(index=9),
    ],
    "quota-is-400": [faulty(drawn(), "quota_not_enough")],
    "spent-token-is-401": [relayed(made(), "无效的令牌", 401)],
    "no-channel-is-503": [relayed(drawn(), "无可用渠道", 503), relayed(made(), "no", 503)],
    "upstream-faults-are-400": [faulty(made(), "do_request_failed"), faulty(drawn(), "x", 5)],
    "no-result-with-24": [
        answering(imagine("CODE24"), code=23),
        answering(imagine("CODE24"), description=...),
        answering(imagine("CODE24"), properties=[]),
        answering(imagine("CODE24"), result=1),
    ],
    "refused-with-200": [
        passed_on(asking(made(), prompt=" "), 4, "no"),
        passed_on(asking(made(), prompt=None), 4, "prompt不能为空"),
        passed_on(asking(changed(), taskId=[]), 4, "taskId不能为空"),
    ],
    "unpolled-tasks-are-empty": [
        answering(unpolled(), status="SUBMITTED"),
        answering(unpolled(), prompt=1),
        answering(unpolled(), properties=...),
        answering(drawn(), properties=None),
    ],
    "whole-at-failure": [
        answering(drawn(), status="IN_PROGRESS"),
        answering(unpolled(), progress="100%"),
    ],
    "ids-of-its-upstream": [answering(made(), result="a" * 19), answering(made(), result="12a")],
    "changes-of-nothing": [
        taken(of=changed(), taskId=[]),
        taken(of=changed(), taskId=None, index={}),
    ],
    "index-not-limited": [taken(of=changed(), index="9"), taken(of=changed(), index=1.5)],
    "lists-sent-as-anything": [
        asking(made(), headers=(("Content-Type", "text/plain"),), prompt={}),
        answering(asking(listed([]), headers=()), body=b"{}"),
    ],
    "lengths-not-limited": [taken(prompt=["x" * 65_537]), listed([{}])],
    "hooks-not-checked": [taken(notifyHook=1)],
    "odd-values-taken": [taken(state=["a\0b"])],
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


def test_the_time_of_a_submit_may_become_another_and_no_other_time() -> None:
    found = lets_pass(KIND, "times_stay", drawn(), "submitTime of a task changed")
    assert {"submit-time-is-copied"} == found
    assert not lets_pass(KIND, "times_stay", drawn(), "startTime of a task changed")


def test_a_state_may_be_forgotten_and_not_changed() -> None:
    text = "state came back otherwise than it was sent"
    assert {"state-forgotten"} == lets_pass(KIND, "state_kept", drawn(), text)
    assert not lets_pass(KIND, "state_kept", answering(drawn(), state="other"), text)
    assert not lets_pass(KIND, "text_kept", drawn(), text)


def test_a_task_may_leave_out_its_parent_where_it_is_described_by_its_submit() -> None:
    rule, text = "change_names_parent", "the task of UPSCALE does not name its picture"
    assert {"parent-not-named"} == lets_pass(KIND, rule, drawn(), text)
    assert not lets_pass(KIND, rule, answering(drawn(), description="/up 1 U1"), text)
    assert not lets_pass(KIND, rule, drawn(), "the task of UPSCALE has another action")


@pytest.mark.parametrize("rule", ["submitted_listed", "list_in_order"])
def test_a_list_by_numbers_may_be_refused(rule: str) -> None:
    by_numbers = faulty(listed([12]), "do_request_failed")
    assert {"numbers-are-no-ids"} == lets_pass(KIND, rule, by_numbers, "not in a list")
    assert not lets_pass(KIND, rule, listed([12]), "not in a list")
