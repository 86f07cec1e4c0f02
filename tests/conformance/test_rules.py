"""Each rule holds of what keeps it, breaks on what breaks it, and reads whatever comes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjgate.conformance.contract_view import CHANGE, IMAGINE, LIST, USAGE
from mjgate.conformance.exchange import Answer, Request
from mjgate.conformance.rules import BY_NAME, RULES, day_of, is_id, submitted
from tests.conformance.exchanges import (
    CONTRACT,
    TASK,
    answer,
    broken,
    error,
    expected,
    judged,
    request,
    sight,
)

ID = str(TASK["id"])
FETCH = f"/mj/task/{ID}/fetch"
FETCHED = request("GET", FETCH)
SUBMIT = request("POST", IMAGINE, {"prompt": "a red fox"})
BLANK = request("POST", IMAGINE, {"prompt": ""})
LISTED = request("POST", LIST, {"ids": ["1", "2", "3"]})
UNKNOWN = request("GET", "/mj/nothing")
DELETED = request("DELETE", FETCH)
MADE = {"code": 1, "description": "", "properties": {}, "result": ID}
KEY = {
    "label": "alice",
    "budget": "20",
    "spent": "3.45",
    "held": "0.1",
    "remaining": "16.45",
    "period": None,
    "resetAt": None,
    "inFlight": 0,
    "mostInFlight": None,
    "ratePerMinute": None,
    "models": None,
    "expiresAt": None,
    "addresses": None,
}
ASKED_KEY = request("GET", "/v1/key")


def task(**more: Any) -> dict[str, Any]:
    return {**TASK, **more}


def tasks(*ids: Any) -> list[dict[str, Any]]:
    return [task(id=each) for each in ids]


@pytest.mark.parametrize(
    ("rule", "asked", "answered"),
    [
        ("status_documented", FETCHED, answer(200, TASK)),
        ("no_server_error", FETCHED, answer(404)),
        ("content_type", FETCHED, answer(200, TASK)),
        ("body_matches_schema", FETCHED, answer(200, TASK)),
        ("body_matches_schema", FETCHED, answer(304)),
        ("headers_match", FETCHED, answer(200, TASK, {"etag": 'W/"1"'})),
        ("error_shape", FETCHED, error(404, "not_found")),
        ("error_shape", SUBMIT, error(429, "rate_limited", retry_after="2")),
        ("error_shape", UNKNOWN, error(404, "not_found")),
        ("request_id_echoed", FETCHED, answer(200, TASK)),
        ("good_accepted", SUBMIT, answer(200, MADE)),
        ("good_accepted", SUBMIT, error(402, "budget_spent")),
        ("good_accepted", FETCHED, answer(304)),
        ("bad_refused", BLANK, error(400, "invalid_request", "/prompt")),
        ("refusal_says_where", BLANK, error(400, "invalid_request", "/prompt")),
        ("token_needed", request("GET", FETCH, sender="none"), error(401, "unauthorized")),
        ("both_forms_taken", FETCHED, answer(200, TASK)),
        ("methods_refused", DELETED, error(405, "method_not_allowed")),
        ("unknown_paths_refused", UNKNOWN, error(404, "not_found")),
        ("task_keys", FETCHED, answer(200, TASK)),
        ("task_ids", FETCHED, answer(200, TASK)),
        ("task_ids", SUBMIT, answer(200, MADE)),
        ("progress_is_true", FETCHED, answer(200, task(status="SUCCESS", progress="100%"))),
        ("progress_is_true", FETCHED, answer(200, TASK)),
        (
            "picture_shown",
            FETCHED,
            answer(200, task(status="SUCCESS", imageUrl="https://a.example/b")),
        ),
        ("times_plausible", FETCHED, answer(200, TASK)),
        ("times_in_order", FETCHED, answer(200, task(startTime=1_795_408_020_562))),
        ("times_in_order", LISTED, answer(200, [task(startTime=1_795_408_020_563)])),
        ("statements_exact", ASKED_KEY, answer(200, KEY)),
        ("statements_exact", ASKED_KEY, answer(200, KEY | {"spent": "30", "remaining": "0"})),
        ("list_in_order", LISTED, answer(200, tasks("1", "3"))),
        ("list_in_order", request("POST", LIST, {"ids": [2, "1"]}), answer(200, tasks("2", "1"))),
        ("tokens_not_shown", FETCHED, answer(200, TASK)),
    ],
)
def test_a_rule_holds_of_what_keeps_it(rule: str, asked: Request, answered: Answer) -> None:
    found = judged(rule, asked, answered)
    assert found
    assert not any(found), found


@pytest.mark.parametrize(
    ("rule", "asked", "answered", "text"),
    [
        ("status_documented", FETCHED, answer(418), "418 is not documented"),
        ("no_server_error", FETCHED, answer(500), "500"),
        ("content_type", FETCHED, answer(200, TASK, {"content-type": ""}), "has no Content-Type"),
        (
            "content_type",
            FETCHED,
            answer(200, TASK, {"content-type": "text/html"}),
            "200 is not sent as JSON",
        ),
        ("content_type", UNKNOWN, answer(404, b"x", {"content-type": "text/html"}), "404 is not"),
        ("body_matches_schema", FETCHED, answer(200, task(progress=31)), "/progress breaks type"),
        ("body_matches_schema", FETCHED, answer(200, {}), "/id breaks required"),
        ("body_matches_schema", FETCHED, answer(200, 1), "the body breaks type"),
        ("body_matches_schema", FETCHED, answer(200, b"<html>"), "200 is no JSON"),
        ("body_matches_schema", FETCHED, answer(304, TASK), "304 has a body"),
        (
            "body_matches_schema",
            LISTED,
            answer(200, [task(), task(id=1)]),
            "200: /*/id breaks type",
        ),
        ("headers_match", FETCHED, answer(200, TASK), "200 has no etag"),
        ("headers_match", FETCHED, answer(200, TASK, {"etag": "x"}), "etag does not fit"),
        (
            "headers_match",
            SUBMIT,
            answer(200, MADE, {"idempotency-replayed": "perhaps"}),
            "idempotency-replayed does not fit",
        ),
        (
            "headers_match",
            SUBMIT,
            error(429, "rate_limited", retry_after="soon"),
            "retry-after does not fit",
        ),
        ("error_shape", FETCHED, answer(404, {"error": "x"}), "/code breaks required"),
        ("error_shape", FETCHED, answer(502, b"<html>"), "502 is no JSON"),
        ("error_shape", FETCHED, error(404, "invalid_request"), "slug of another status"),
        ("error_shape", DELETED, error(405, "method_not_allowed"), "405 has no allow"),
        (
            "error_shape",
            FETCHED,
            answer(404, json.loads(error(400, "not_found").body)),
            "another code than 3",
        ),
        ("request_id_echoed", FETCHED, answer(200, TASK, {"x-request-id": ""}), "is not there"),
        ("request_id_echoed", FETCHED, answer(200, TASK, {"x-request-id": "a b"}), "is not 1 to"),
        (
            "request_id_echoed",
            request("GET", FETCH, headers={"X-Request-Id": "mine"}),
            answer(200, TASK),
            "did not come back",
        ),
        ("good_accepted", SUBMIT, error(400, "invalid_request"), "a good request got 400"),
        ("good_accepted", FETCHED, answer(302), "a good request got 302"),
        ("bad_refused", BLANK, answer(200, MADE), "Prompt minLength got 200"),
        ("bad_refused", BLANK, error(404, "not_found"), "got 404"),
        ("refusal_says_where", BLANK, error(400, "invalid_request"), "does not say what"),
        ("refusal_says_where", BLANK, error(400, "invalid_request", "/state"), "another place"),
        ("refusal_says_where", BLANK, error(400, "invalid_request", "#prompt"), "another place"),
        (
            "token_needed",
            request("GET", FETCH, sender="none"),
            answer(200, TASK),
            "no token got 200",
        ),
        (
            "token_needed",
            request("GET", FETCH, sender="bad"),
            answer(200, TASK),
            "a wrong token got",
        ),
        (
            "both_forms_taken",
            request("GET", FETCH, form="Authorization"),
            error(401, "unauthorized"),
            "a good token in Authorization got 401",
        ),
        ("methods_refused", DELETED, answer(200, TASK), "DELETE where it is not allowed got 200"),
        ("unknown_paths_refused", UNKNOWN, answer(200, {}), "an unknown path got 200"),
        ("task_keys", FETCHED, answer(200, {"id": ID}), "a task without action"),
        ("task_ids", FETCHED, answer(200, task(id="abc")), "is not 1 to 16 digits"),
        ("task_ids", FETCHED, answer(200, task(id="12")), "a task of another id"),
        ("task_ids", SUBMIT, answer(200, MADE | {"result": "x"}), "id of a submit is not"),
        ("task_ids", SUBMIT, answer(200, MADE | {"result": None}), "names no task"),
        ("progress_is_true", FETCHED, answer(200, task(progress="100%")), "100% at IN_PROGRESS"),
        (
            "progress_is_true",
            FETCHED,
            answer(200, task(progress="100%", status="?")),
            "100% at another status",
        ),
        ("statements_exact", ASKED_KEY, answer(200, KEY | {"held": "0.10"}), "held is no exact"),
        ("statements_exact", ASKED_KEY, answer(200, KEY | {"held": 0.1}), "held is no exact"),
        (
            "statements_exact",
            ASKED_KEY,
            answer(200, KEY | {"remaining": "17"}),
            "remaining is not what",
        ),
        (
            "statements_exact",
            request("GET", USAGE),
            answer(200, {"lines": [{"time": 1}, {"time": 2}]}),
            "lines are not newest first",
        ),
        ("list_in_order", LISTED, answer(200, tasks("3", "1")), "not in the order"),
        ("list_in_order", LISTED, answer(200, tasks("4")), "was not asked for"),
        ("list_in_order", LISTED, answer(200, tasks(["1"])), "was not asked for"),
        ("list_in_order", LISTED, answer(200, tasks("1", "1")), "a task twice"),
        (
            "tokens_not_shown",
            FETCHED,
            answer(200, task(state="the-token-of-tests")),
            "shows a token",
        ),
        *(
            (
                "picture_shown",
                FETCHED,
                answer(200, task(status="SUCCESS", imageUrl=address)),
                "no abs",
            )
            for address in (None, "", 1, "/b.png", "ftp://a.example/b", "https://", "http://[a")
        ),
        *(
            ("times_plausible", LISTED, answer(200, [task(submitTime=time)]), text)
            for time, text in ((0, "submitTime is 0"), (1_795_408_020, "between 2020 and 2100"))
        ),
        ("times_in_order", FETCHED, answer(200, task(startTime=1)), "startTime lies before submit"),
        (
            "times_in_order",
            FETCHED,
            answer(200, task(startTime=1_795_408_020_600, finishTime=1_795_408_020_599)),
            "finishTime lies before startTime",
        ),
        ("times_in_order", FETCHED, answer(200, task(startTime=0, finishTime=1)), "before submit"),
        (
            "tokens_not_shown",
            FETCHED,
            answer(200, TASK, {"x-key": "the-token-of-tests"}),
            "shows a token",
        ),
    ],
)
def test_a_rule_breaks_on_what_breaks_it(
    rule: str, asked: Request, answered: Answer, text: str
) -> None:
    assert any(text in each for each in broken(rule, asked, answered)), broken(
        rule, asked, answered
    )


@pytest.mark.parametrize(
    ("rule", "asked", "answered"),
    [
        ("status_documented", UNKNOWN, answer(404)),
        ("picture_shown", FETCHED, answer(200, TASK)),
        ("picture_shown", FETCHED, answer(200, task(status="SUCCESS", action="DESCRIBE"))),
        ("times_in_order", FETCHED, answer(200, TASK)),
        ("content_type", FETCHED, answer(304)),
        ("content_type", request("OPTIONS", IMAGINE), answer(204)),
        ("body_matches_schema", FETCHED, answer(418)),
        ("body_matches_schema", request("HEAD", FETCH), answer(200)),
        ("headers_match", UNKNOWN, answer(404)),
        ("error_shape", request("HEAD", FETCH), answer(405)),
        ("error_shape", FETCHED, answer(200, TASK)),
        ("good_accepted", BLANK, answer(200, MADE)),
        ("bad_refused", SUBMIT, answer(200, MADE)),
        ("bad_refused", BLANK, answer(502)),
        ("bad_refused", UNKNOWN, answer(200)),
        ("refusal_says_where", SUBMIT, answer(400)),
        ("refusal_says_where", UNKNOWN, answer(400)),
        ("token_needed", FETCHED, answer(200, TASK)),
        ("both_forms_taken", request("GET", FETCH, sender="none"), answer(401)),
        ("methods_refused", FETCHED, answer(200, TASK)),
        ("unknown_paths_refused", DELETED, answer(200)),
        ("task_keys", FETCHED, answer(404)),
        ("task_keys", FETCHED, answer(200, [1])),
        ("statements_exact", ASKED_KEY, answer(401)),
        ("list_in_order", LISTED, answer(400)),
        ("list_in_order", LISTED, answer(200, {})),
    ],
)
def test_a_rule_is_not_applied_where_it_has_no_say(
    rule: str, asked: Request, answered: Answer
) -> None:
    assert [] == broken(rule, asked, answered)


def test_a_request_id_that_comes_twice_is_wrong() -> None:
    twice = Answer(200, (("x-request-id", "a"), ("x-request-id", "a")))
    assert ["X-Request-Id came twice"] == broken("request_id_echoed", FETCHED, twice)


def test_a_list_of_repeated_ids_may_come_either_way() -> None:
    asked = request("POST", LIST, {"ids": ["1", "2", "1"]})
    for got in (tasks("1", "2"), tasks("2", "1"), tasks("1", "2", "1")):
        assert [] == broken("list_in_order", asked, answer(200, got))


def test_an_unlimited_key_has_nothing_left_over() -> None:
    free = KEY | {"budget": None, "remaining": None}
    assert [] == broken("statements_exact", ASKED_KEY, answer(200, free))
    odd = KEY | {"budget": "much"}
    assert ["budget is no exact decimal"] == broken("statements_exact", ASKED_KEY, answer(200, odd))


@pytest.mark.parametrize(
    ("asked", "answered", "made"),
    [
        (SUBMIT, answer(200, MADE), ID),
        (SUBMIT, answer(200, MADE | {"code": 22}), ID),
        (SUBMIT, answer(200, MADE | {"code": 21}), ID),
        (SUBMIT, answer(200, MADE | {"code": 4}), None),
        (SUBMIT, answer(200, MADE | {"result": 1}), None),
        (SUBMIT, answer(200, b"<html>"), None),
        (SUBMIT, error(504, "outcome_unknown"), None),
        (
            SUBMIT,
            answer(504, {"properties": {"error": "outcome_unknown", "taskId": ID}}),
            ID,
        ),
        (SUBMIT, error(400, "invalid_request"), None),
        (FETCHED, answer(200, MADE), None),
        (UNKNOWN, answer(200, MADE), None),
    ],
)
def test_what_a_submit_has_made(asked: Request, answered: Answer, made: str | None) -> None:
    assert made == submitted(sight(asked, answered))


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("1", True),
        ("9007199254740991", True),
        ("9007199254740992", False),
        ("0", False),
        ("01", False),
        ("1" * 17, False),
        (1, False),
        ("\u0661", False),
    ],
)
def test_an_id_is_what_javascript_can_count(text: Any, good: bool) -> None:
    assert good == is_id(text)


def test_every_rule_has_a_sentence_and_a_place_in_the_contract() -> None:
    assert len(RULES) == len(BY_NAME)
    for rule in RULES:
        assert rule.says.endswith(".")
        assert CONTRACT.at(rule.where) is not None, rule.name


BODIES = st.binary(max_size=50) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["code", "properties", "error", "errors", "result", "id", "lines"])
            | st.sampled_from(["time", "budget", "spent", "held", "remaining", "days", "status"])
            | st.sampled_from(["pointer", "progress", "taskId"]),
            inner,
            max_size=4,
        )
    ),
).map(json.dumps).map(str.encode)
ASKED = (FETCHED, SUBMIT, BLANK, LISTED, UNKNOWN, DELETED, ASKED_KEY, request("GET", USAGE))


@given(
    st.sampled_from([*ASKED, request("POST", CHANGE, {"action": 1}, sender="none")]),
    st.sampled_from([100, 200, 201, 204, 302, 304, 400, 401, 404, 405, 418, 429, 500, 503, 999]),
    st.lists(
        st.tuples(
            st.sampled_from(["content-type", "x-request-id", "etag", "retry-after", "allow"]),
            st.text(max_size=5),
        ),
        max_size=4,
    ),
    BODIES,
)
def test_no_answer_is_too_odd_for_any_rule(
    asked: Request, status: int, headers: list[tuple[str, str]], body: bytes
) -> None:
    odd = Answer(status, tuple(headers), body)
    for rule in RULES:
        if rule.judge is not None:
            list(rule.judge(sight(asked, odd, ("the-token-of-tests",))))


def test_a_body_too_deep_to_read_is_no_json() -> None:
    deep = answer(200, b"[" * 100_000)
    assert ["200 is no JSON"] == broken("body_matches_schema", FETCHED, deep)
    assert "bad" == expected(BLANK).says


def test_a_time_that_no_calendar_has_is_of_no_day() -> None:
    assert ("2026-11-27", "never") == (day_of(1_795_737_600_000), day_of(10**18))
