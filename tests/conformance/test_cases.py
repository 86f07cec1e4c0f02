"""A case holds what led to a failure, and fills in what the server gives when it is sent again."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mjgate.conformance.cases import (
    MOST_PAUSE_MS,
    Filler,
    Step,
    StoredCase,
    case_of,
    read_case,
    store,
    to_json,
)
from mjgate.conformance.contract_view import IMAGINE, LIST
from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.verdict import CannotRun, Failure, Verdict
from tests.conformance.exchanges import TARGET, answer, error, request

OLD, NEW = "1795408020562001", "1795408020562999"
MADE = {"code": 1, "result": OLD}
SUBMIT = Exchange(request("POST", IMAGINE, {"prompt": "a red fox"}), answer(200, MADE))
FETCH = Exchange(
    request("GET", f"/mj/task/{OLD}/fetch", headers={"If-None-Match": 'W/"1"'}),
    answer(200, {"id": OLD}, {"etag": 'W/"7"'}),
    at_ms=1000,
)
AGAIN = Exchange(
    request("GET", f"/mj/task/{OLD}/fetch", headers={"If-None-Match": 'W/"7"'}),
    answer(200, {}),
    at_ms=90_000,
)
LISTED = Exchange(
    request("POST", LIST, f'{{"ids": [{OLD}, "{OLD}"], "odd": "{{{{given 1}}}}"}}'.encode()),
    answer(200, []),
    at_ms=90_001,
)
FAILURE = Failure(
    "etag_holds", "GET /mj/task/{id}/fetch", "no 304", "#", (SUBMIT, FETCH, AGAIN, LISTED)
)
VERDICT = Verdict(TARGET, "mjgate", "0.3.0", 7, failures=(FAILURE,))


def test_ids_of_earlier_answers_are_placeholders_in_later_requests() -> None:
    case = case_of(FAILURE, VERDICT)
    urls = [step.request.url for step in case.steps]
    assert f"{{{{target}}}}{IMAGINE}" == urls[0]
    assert ["{{target}}/mj/task/{{given 1}}/fetch"] * 2 == urls[1:3]
    assert [{"given 1": "/result"}, {"given 2": "header etag"}, {}, {}] == [
        dict(step.gives) for step in case.steps
    ]
    assert "{{given 2}}" == case.steps[2].request.header("If-None-Match")
    assert b'{"ids": [{{given 1}}, "{{given 1}}"]' in (case.steps[3].request.body or b"")
    assert [0, 1000, MOST_PAUSE_MS, 0] == [step.pause_ms for step in case.steps]
    assert 1 == case.submits


def test_a_case_is_sent_again_with_what_the_server_gives_now() -> None:
    steps = [replace(step, pause_ms=0) for step in case_of(FAILURE, VERDICT).steps]
    filler = Filler("http://other.example")
    assert f"http://other.example{IMAGINE}" == filler.fill(steps[0]).url
    filler.learn(steps[0], answer(200, MADE | {"result": NEW}))
    assert f"http://other.example/mj/task/{NEW}/fetch" == filler.fill(steps[1]).url
    filler.learn(steps[1], answer(200, {}, {"etag": 'W/"9"'}))
    assert 'W/"9"' == filler.fill(steps[2]).header("If-None-Match")
    assert NEW.encode() in (filler.fill(steps[3]).body or b"")


@pytest.mark.parametrize("answered", [None, answer(200, b"<html>"), answer(200, {"result": 1})])
def test_a_case_cannot_go_on_where_the_server_gives_too_little(answered: Any) -> None:
    first, second, *_ = (replace(step, pause_ms=0) for step in case_of(FAILURE, VERDICT).steps)
    filler = Filler(TARGET)
    filler.learn(first, answered)
    with pytest.raises(KeyError):
        filler.fill(second)


def test_bodies_of_any_bytes_are_kept() -> None:
    raw = b'\xff\x00{{given 1}} {"a": "\xf0"}'
    sent = Exchange(Request("POST", TARGET + IMAGINE, (), raw), None)
    failure = replace(FAILURE, exchanges=(sent,))
    (step,) = case_of(failure, VERDICT).steps
    assert raw == step.request.body


def test_each_failure_is_stored_and_named(tmp_path: Path) -> None:
    bare = replace(FAILURE, rule="coverage", exchanges=())
    other = replace(FAILURE, text="another")
    verdict = store(replace(VERDICT, failures=(FAILURE, other, bare)), tmp_path)
    first, second, third = verdict.failures
    assert first.case.startswith("cases/etag-holds-get-mj-task-id-fetch-")
    assert "" == third.case
    assert 2 == len({first.case, second.case})
    stored = (tmp_path / first.case).read_text()
    assert first.case == store(VERDICT, tmp_path).failures[0].case
    read = read_case(tmp_path / first.case)
    plain = case_of(FAILURE, VERDICT)
    assert plain == read
    assert json.loads(stored) == to_json(plain)


@pytest.mark.parametrize(
    ("came", "draws"), [(answer(200, MADE), 1), (error(400, "invalid_request"), 0), (None, 0)]
)
def test_what_was_drawn_though_it_had_to_be_refused_may_be_drawn_again(
    came: Answer | None, draws: int
) -> None:
    blank = Exchange(request("POST", IMAGINE, {"prompt": ""}), came)
    case = case_of(replace(FAILURE, exchanges=(SUBMIT, FETCH, blank)), VERDICT)
    assert 1 + draws == case.submits
    assert draws == replace(case, story="picture").submits


def test_a_page_for_another_method_was_no_picture() -> None:
    page = answer(200, b"<html>", {"content-type": "text/html"})
    (step,) = case_of(
        replace(FAILURE, exchanges=(Exchange(request("GET", IMAGINE), page),)), VERDICT
    ).steps
    assert not step.unasked


def test_nothing_is_written_where_nothing_failed(tmp_path: Path) -> None:
    assert VERDICT.failures
    assert replace(VERDICT, failures=()) == store(replace(VERDICT, failures=()), tmp_path)
    assert [] == [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": 2}', '{"format": 1}', '{"format": 1, "seed": "x"}']
)
def test_what_is_no_case_is_not_read(text: str, tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_text(text)
    with pytest.raises(CannotRun, match=r"case\.json"):
        read_case(path)


def test_a_case_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="cannot be read: No such file"):
        read_case(tmp_path / "none.json")


def test_a_task_whose_outcome_was_unknown_gives_its_id_too() -> None:
    lost = error(504, "outcome_unknown")
    body = json.loads(lost.body)
    body["properties"]["taskId"] = OLD
    submit = Exchange(SUBMIT.request, answer(504, body))
    case = case_of(replace(FAILURE, exchanges=(submit, AGAIN)), VERDICT)
    assert {"given 1": "/properties/taskId"} == dict(case.steps[0].gives)


def test_a_step_waits_as_long_as_was_waited() -> None:
    asked = Request("GET", "{{target}}/v1/key")
    assert f"{TARGET}/v1/key" == Filler(TARGET).fill(Step(asked, {}, pause_ms=1)).url
    plain = StoredCase("a", "b", "c", "#", "", TARGET, "mjgate", 1, (Step(asked, {}),))
    assert 0 == plain.submits
