"""Every recorded answer of novicezk passes with its profile; what differs from them does not."""

from typing import Any

import pytest

from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.profiles.novicezk import KIND
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
LIST, TASK = "/mj/task/list-by-condition", "/mj/task/1795408020557714/fetch"
PARENT = "1795408020557714"
JSON = (("Content-Type", "application/json"),)
SEEN = {
    "list-unordered": "the order of several known tasks was not recorded",
    "page-outside": "no path outside of /mj was recorded",
    "properties-grow": "callbacks were recorded, not compared",
    "progress-in-words": "no task that failed was recorded",
}
"""Deviations that no recorded exchange shows, and why."""


def imagine(body: str) -> Exchange:
    return one_of("novicezk", "POST", IMAGINE, body)


def change(body: str) -> Exchange:
    return one_of("novicezk", "POST", CHANGE, f'{{"taskId":"{PARENT}",{body}}}')


def made() -> Exchange:
    return change('"action":"REROLL"')


def fetched() -> Exchange:
    """A task while it is made."""
    return one_of("novicezk", "GET", TASK, sender="token")


def listed() -> Exchange:
    return one_of("novicezk", "POST", LIST, f'{{"ids":["{PARENT}","123"]}}')


def nothing_listed() -> Exchange:
    return one_of("novicezk", "POST", LIST, '{"ids":["123"]}')


def missing() -> Exchange:
    return one_of("novicezk", "GET", "/mj/task/123/fetch")


def refused() -> Exchange:
    return imagine("{}")


def malformed() -> Exchange:
    return imagine('{"prompt":')


def unauthorised() -> Exchange:
    return one_of("novicezk", "POST", IMAGINE, sender="none")


def bearer() -> Exchange:
    return one_of("novicezk", "POST", IMAGINE, form="Authorization")


def outside(body: bytes = b"<!doctype html>", kind: str = "text/html;charset=utf-8") -> Exchange:
    request = Request("GET", ORIGIN + "/v1/keys")
    return labelled(request, Answer(404, (("content-type", kind),), body))


def two_listed(*ids: str) -> Exchange:
    """A list of tasks, whatever was asked for."""
    answer = listed().answer or Answer(0)
    task = answer.body[1:-1].decode()
    tasks = ",".join(task.replace(PARENT, each) for each in ids).encode()
    return answering(asking(listed(), ids=["1", "2"]), body=b"[" + tasks + b"]")


@pytest.mark.parametrize("exchange", all_of("novicezk"), ids=str)
def test_what_was_recorded_passes(exchange: Exchange) -> None:
    assert [] == left(exchange, KIND)
    assert broken(exchange), "and the whole contract finds something in it"


SHOWN = {
    "no-request-id": [made(), fetched()],
    "no-etag": [fetched(), missing()],
    "bare-401": [unauthorised(), bearer(), one_of("novicezk", "POST", IMAGINE, sender="bad")],
    "bearer-unknown": [bearer(), asking(bearer(), method="PUT"), asking(bearer(), body=b"{}")],
    "spring-errors": [
        malformed(),
        imagine('{"prompt":{"a":1}}'),
        change('"action":"FOO","index":1'),
    ],
    "more-paths": [
        one_of("novicezk", "GET", "/mj"),
        one_of("novicezk", "GET", "/mj/task/list", sender="token"),
    ],
    "page-outside": [outside()],
    "accept-is-heeded": [
        one_of("novicezk", "POST", IMAGINE, Accept="text/html"),
        one_of("novicezk", "GET", "/mj/task/list", Accept="application/xml"),
    ],
    "refused-with-200": [
        refused(),
        imagine('{"prompt":"   "}'),
        imagine('{"prompt":null}'),
        asking(imagine("{}"), headers=(*JSON, ("Idempotency-Key", "two words"))),
        asking(imagine('{"prompt":"cat","base64Array":["notadataurl"]}'), base64Array=[1]),
        asking(imagine('{"prompt":"A Nude statue"}'), state=1),
        one_of("novicezk", "POST", CHANGE, '{"action":"UPSCALE","index":1}'),
        change('"action":"DESCRIBE","index":1'),
        one_of(
            "novicezk", "POST", CHANGE, '{"taskId":"9999999999999999","action":"UPSCALE","index":9}'
        ),
    ],
    "missing-action-is-500": [change('"index":1')],
    "missing-index-is-500": [change('"action":"UPSCALE"')],
    "unknown-task-is-empty": [
        missing(),
        asking(missing(), url=f"{ORIGIN}/mj/task/{'9' * 65}/fetch"),
    ],
    "list-unordered": [two_listed("2", "1")],
    "rest-is-ignored": [
        imagine('{"prompt":"tail cat"} xx'),
        asking(listed(), body=b'{"ids":[]} x'),
    ],
    "json-by-other-names": [
        asking(made(), headers=(("Content-Type", "application/vnd.api+json"),)),
        asking(listed(), headers=(("Content-Type", "application/problem+json; a=b"),)),
    ],
    "scalars-are-text": [
        imagine('{"prompt":12345}'),
        asking(made(), state=True),
        asking(made(), taskId=1.5),
        asking(made(), notifyHook=1),
        asking(nothing_listed(), ids=[True, None, 1]),
    ],
    "action-by-ordinal": [change('"action":1,"index":1')],
    "index-is-coerced": [
        change('"action":"UPSCALE","index":"3"'),
        change('"action":"UPSCALE","index":1.5'),
    ],
    "index-not-limited": [
        change('"action":"UPSCALE","index":9'),
        change('"action":"VARIATION","index":0'),
    ],
    "lengths-not-limited": [
        asking(imagine('{"prompt":12345}'), prompt="x" * 65_537),
        asking(made(), state="x" * 16_385),
        asking(nothing_listed(), ids=["9" * 65, ""]),
        asking(nothing_listed(), ids=["1"] * 10_001),
    ],
    "hooks-not-checked": [asking(made(), notifyHook="not an address")],
    "odd-values-taken": [
        asking(made(), state="a\0b"),
        asking(made(), more=2**63),
        asking(
            made(), body=f'{{"taskId":"1","action":"REROLL","a":{"[" * 200}{"]" * 200}}}'.encode()
        ),
        asking(made(), body=b'{"taskId":"1","action":"REROLL","\\ud800":1}'),
    ],
    "idempotency-key-unread": [asking(made(), headers=(*JSON, ("Idempotency-Key", "two words")))],
}


@pytest.mark.parametrize(
    ("name", "exchange"),
    [(name, exchange) for name, found in SHOWN.items() for exchange in found],
)
def test_a_deviation_is_let_pass_by_its_name(name: str, exchange: Exchange) -> None:
    assert name in shown(exchange, KIND)
    assert [] == left(exchange, KIND)


def test_every_deviation_has_its_exchange() -> None:
    elsewhere = {"properties-grow", "progress-in-words"}
    assert {each.name for each in KIND.deviations} == SHOWN.keys() | elsewhere
    recorded = {name for exchange in all_of("novicezk") for name in shown(exchange, KIND)}
    crafted = SEEN.keys() | {
        "json-by-other-names",
        "lengths-not-limited",
        "hooks-not-checked",
        "odd-values-taken",
        "idempotency-key-unread",
    }
    assert {each.name for each in KIND.deviations} == recorded | crafted


MISSES = {
    "no-request-id": [answering(made(), headers={"x-request-id": "two words"})],
    "no-etag": [answering(fetched(), headers={"etag": "strong"})],
    "bare-401": [
        answering(unauthorised(), body=b"no"),
        answering(unauthorised(), http=403),
        answering(unauthorised(), headers={"content-type": "text/plain"}),
    ],
    "bearer-unknown": [asking(bearer(), form="mj-api-secret"), answering(bearer(), http=403)],
    "spring-errors": [
        answering(malformed(), more=1),
        answering(malformed(), path="/mj/elsewhere"),
        answering(malformed(), error="Server Error"),
        answering(malformed(), http=500),
        answering(malformed(), http=599),
        answering(malformed(), headers={"content-type": "text/plain"}),
        answering(malformed(), timestamp=...),
        answering(malformed(), body=b"[]"),
    ],
    "more-paths": [
        answering(one_of("novicezk", "GET", "/mj"), headers={"location": "http://x/elsewhere"}),
        answering(one_of("novicezk", "GET", "/mj/task/list", sender="token"), body=b"{}"),
        asking(
            one_of("novicezk", "GET", "/mj/task/list", sender="token"), url=ORIGIN + "/mj/tasks"
        ),
    ],
    "page-outside": [outside(kind="text/plain"), asking(outside(), url=ORIGIN + "/mj/keys")],
    "accept-is-heeded": [
        asking(one_of("novicezk", "POST", IMAGINE, Accept="text/html"), headers=JSON),
        asking(
            one_of("novicezk", "POST", IMAGINE, Accept="text/html"),
            headers=(*JSON, ("Accept", "text/html, */*")),
        ),
        answering(one_of("novicezk", "POST", IMAGINE, Accept="text/html"), http=200),
    ],
    "refused-with-200": [
        answering(refused(), description="no"),
        answering(refused(), code=3),
        answering(refused(), result="1"),
        answering(refused(), properties=None),
        answering(refused(), more=1),
        answering(refused(), http=201),
        answering(refused(), headers={"content-type": "text/plain"}),
        asking(refused(), body=b"{"),
        asking(refused(), prompt={}),
        asking(change('"action":"DESCRIBE","index":1'), action="FOO"),
        asking(change('"action":"DESCRIBE","index":1'), taskId=None),
    ],
    "missing-action-is-500": [
        asking(change('"index":1'), action="UPSCALE"),
        asking(change('"index":1'), taskId=" "),
        answering(change('"index":1'), body=b""),
        answering(malformed(), http=500, error="Internal Server Error"),
    ],
    "missing-index-is-500": [
        asking(change('"action":"UPSCALE"'), index=1),
        asking(change('"action":"UPSCALE"'), action="REROLL"),
    ],
    "unknown-task-is-empty": [
        answering(missing(), body=b"null"),
        answering(missing(), body=b"{}", headers={"content-type": "application/json"}),
        answering(listed(), body=b"", headers={"content-type": None}),
        answering(made(), body=b"", headers={"content-type": None}),
    ],
    "list-unordered": [two_listed("2", "2"), two_listed("3", "1"), asking(listed(), ids=0)],
    "rest-is-ignored": [asking(imagine('{"prompt":"tail cat"} xx'), body=b'{"prompt":{}} x')],
    "json-by-other-names": [asking(made(), headers=(("Content-Type", "text/json"),))],
    "scalars-are-text": [
        asking(made(), state=[]),
        answering(imagine('{"prompt":12345}'), code=24),
        answering(asking(listed(), ids=[True]), body=b"{}"),
    ],
    "action-by-ordinal": [asking(made(), action=9), asking(made(), action=True)],
    "index-is-coerced": [asking(made(), index="x"), asking(made(), action="UPSCALE", index=True)],
    "index-not-limited": [asking(made(), action="FOO", index=9)],
    "lengths-not-limited": [asking(made(), state=["x" * 16_385])],
    "hooks-not-checked": [asking(made(), notifyHook=["not an address"])],
    "odd-values-taken": [asking(made(), state=["a\0b"])],
    "idempotency-key-unread": [
        asking(made(), state={}, headers=(*JSON, ("Idempotency-Key", "two words"))),
    ],
}


@pytest.mark.parametrize(
    ("name", "exchange"),
    [(name, exchange) for name, missed in MISSES.items() for exchange in missed],
)
def test_a_near_miss_is_a_failure(name: str, exchange: Exchange) -> None:
    assert left(exchange, KIND)


def test_every_deviation_has_a_near_miss() -> None:
    assert SHOWN.keys() == MISSES.keys()


@pytest.mark.parametrize(
    ("status", "progress", "known"),
    [
        ("IN_PROGRESS", "Waiting to start", True),
        ("FAILURE", "", True),
        ("IN_PROGRESS", "", False),
        ("IN_PROGRESS", "15%", False),
        ("IN_PROGRESS", 15, False),
        ("SUCCESS", "done", False),
        ("FAILURE", "failed", False),
    ],
)
def test_words_after_a_percentage_are_no_way_back(status: str, progress: Any, known: bool) -> None:
    words = answering(fetched(), status=status, progress=progress)
    back = "a task went back in its progress"
    found = lets_pass(KIND, "tasks_go_forward", words, back)
    assert found == ({"progress-in-words"} if known else set())
    other = "a task went back from SUCCESS to FAILURE"
    assert not lets_pass(KIND, "tasks_go_forward", words, other)


def test_a_callback_may_have_fewer_properties_and_nothing_else() -> None:
    rule = "callback_is_fetch"
    text = "a callback has another properties than fetch at the same progress"
    assert {"properties-grow"} == lets_pass(KIND, rule, fetched(), text)
    assert not lets_pass(KIND, rule, fetched(), text.replace("properties", "prompt, properties"))
    assert not lets_pass(KIND, rule, made(), text)
