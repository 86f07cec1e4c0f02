"""What Schemathesis draws is sent as HTTP can carry it, and bent to what may be asked."""

import json
import random
from collections.abc import Mapping
from typing import Any

import pytest
from schemathesis import Case

from mjgate.conformance.allowance import NOWHERE, harmless
from mjgate.conformance.contract_view import CHANGE, FETCH, IMAGINE, LIST, USAGE
from mjgate.conformance.exchange import Exchange, Request
from mjgate.conformance.generate import ROUND, Sender, deck, load, request_of
from mjgate.conformance.oracle import Expectation
from mjgate.conformance.profile import Profile
from mjgate.conformance.session import Habits, Session
from mjgate.conformance.wire import Tokens
from tests.conformance.exchanges import CONTRACT
from tests.conformance.scripted import refusal, scripted

# Hypothesis says so of a failure with a large body, in place of the failure.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
SCHEMA = load(CONTRACT)
TARGET = "http://server.example/under"


def case(path: str, method: str = "POST", **parts: Any) -> Case[Any]:
    made: Case[Any] = SCHEMA[path][method].Case(**parts)
    return made


def drawn(made: Case[Any], seed: int = 1) -> Request:
    request = request_of(made, TARGET, random.Random(seed))
    assert request is not None
    return request


def test_a_case_becomes_what_goes_out() -> None:
    body = {"prompt": "\ud800"}
    request = drawn(case(IMAGINE, body=body, media_type="application/json"))
    assert (f"{TARGET}{IMAGINE}", "POST") == (request.url, request.method)
    assert body == json.loads(request.body or b"")
    names = {name.lower() for name, _ in request.headers}
    assert {"content-type"} <= names <= {"content-type", "x-request-id"}
    fetched = drawn(case(FETCH, "GET", path_parameters={"id": "a b"}))
    assert f"{TARGET}/mj/task/a%20b/fetch" == fetched.url
    assert fetched.body is None
    usage = drawn(case(USAGE, "GET", query={"limit": 5}))
    assert f"{TARGET}{USAGE}?limit=5" == usage.url


def test_tokens_of_cases_are_not_sent() -> None:
    request = drawn(case(FETCH, "GET", path_parameters={"id": "1"}, headers={"mj-api-secret": "x"}))
    assert request.header("mj-api-secret") is None


def test_what_http_cannot_carry_is_left_out() -> None:
    made = case(FETCH, "GET", path_parameters={"id": "1"}, headers={"X-Odd": "a\r\nb"})
    assert request_of(made, TARGET, random.Random(1)) is None


def test_a_session_passes_over_what_cannot_be_sent() -> None:
    made = case(FETCH, "GET", path_parameters={"id": "1"}, headers={"X-Odd": "a\r\nb"})
    assert [] == sent([made])


def test_senders_and_forms_and_request_ids_vary() -> None:
    made = case(FETCH, "GET", path_parameters={"id": "1"})
    requests = [drawn(made, seed) for seed in range(300)]
    assert {"token", "none", "bad"} == {each.sender for each in requests}
    assert {"mj-api-secret", "Authorization"} == {each.form for each in requests}
    ids = [each.header("X-Request-Id") for each in requests]
    assert {None, "two words"} < set(ids)


def sent(cases: list[Case[Any]], allow: int | None = None, **known: str) -> list[Request]:
    """What a session sends of cases; `known` are ids of tasks by their sender."""
    asked: list[Request] = []

    def listen(exchange: Exchange, expected: Expectation) -> None:
        asked.append(exchange.request)

    with scripted(lambda _: refusal(400, "invalid_request", "/x")) as server:
        profile = Profile("plain", "plain")
        habits = Habits(listen=listen)
        session = Session(server.url, CONTRACT, profile, Tokens(), allow, habits=habits)
        for sender, task_id in known.items():
            session.memory.submit(sender, task_id)
        sender_ = Sender(session, 1)
        for each in cases:
            sender_.send(each)
        session.close()
    return asked


def bodies(requests: list[Request]) -> list[Mapping[str, Any]]:
    return [json.loads(each.body or b"null") for each in requests]


def test_a_submit_asks_for_nothing_where_no_picture_may_be_asked_for() -> None:
    made = case(IMAGINE, body={"prompt": "a", "state": 1}, media_type="application/json")
    assert [{"prompt": "", "state": 1}] == bodies(sent([made]))
    assert [{"prompt": "a", "state": 1}] == bodies(sent([made], allow=1))
    # Another server may read this as a prompt.
    odd = case(IMAGINE, body={"PROMPT": "a"}, media_type="application/json")
    assert [] == sent([odd])


@pytest.mark.parametrize("task_id", ["1320098173412546", 1320098173412546])
def test_a_change_is_of_a_task_that_exists_nowhere_or_is_known(task_id: Any) -> None:
    made = case(CHANGE, body={"action": "REROLL", "taskId": task_id}, media_type="application/json")
    requests = sent([made] * 20)
    assert all(map(harmless, requests))
    ids = {each["taskId"] for each in bodies(requests)}
    assert all(int(each) in NOWHERE for each in ids)
    assert {type(task_id)} == {type(each) for each in ids}
    known = bodies(sent([made] * 20, 9, token="1795408020562001"))
    assert type(task_id)("1795408020562001") in {each["taskId"] for each in known}
    odd = case(CHANGE, body={"action": 1, "taskId": [1]}, media_type="application/json")
    assert [[1]] == [each["taskId"] for each in bodies(sent([odd]))]


def test_known_tasks_are_fetched_and_listed() -> None:
    fetch = case(FETCH, "GET", path_parameters={"id": "x"})
    listed = case(LIST, body={"ids": ["1"]}, media_type="application/json")
    requests = sent([fetch, listed] * 40, token="1795408020562001")
    assert any("/1795408020562001/" in each.url for each in requests)
    assert any(b'"1", "1795408020562001"' in (each.body or b"") for each in requests)
    plain = case(LIST, body=[1], media_type="application/json")
    assert [b"[1]"] == [each.body for each in sent([plain])]


def test_a_deck_holds_what_a_run_would_draw() -> None:
    cases = deck(CONTRACT, 7, ROUND + 10)
    by_label: dict[str, int] = {}
    for each in cases:
        by_label[each.operation.label] = by_label.get(each.operation.label, 0) + 1
    assert {each.label for each in CONTRACT.operations} == set(by_label)
    assert by_label[f"POST {IMAGINE}"] > ROUND
