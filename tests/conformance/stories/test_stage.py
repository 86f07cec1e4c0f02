"""A stage asks as the stories want, and judges only what was answered."""

import pytest

from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.stories.stage import accepted, status_of, task_in, value_of
from tests.conformance.stories.conftest import Open, applied, broken

ASKED = Request("GET", "http://127.0.0.1:1/mj/task/1/fetch")
SILENT = Exchange(ASKED, None)


def answered(body: bytes, status: int = 200) -> Exchange:
    return Exchange(ASKED, Answer(status, (), body))


def test_silence_breaks_no_rule_and_keeps_none(staged: Open) -> None:
    stage = staged()
    assert stage.check("key_holds", False, "it did not", SILENT) is False
    assert stage.check("key_holds", True, "it did", SILENT) is True
    assert ([], 0) == (broken(stage), applied(stage)["key_holds"])


def test_silence_is_no_value_and_no_status() -> None:
    assert (0, None) == (status_of(SILENT), value_of(SILENT))


@pytest.mark.parametrize(
    ("exchange", "task"),
    [
        (answered(b'{"id": "1"}'), {"id": "1"}),
        (answered(b'{"id": "1"}', 404), None),
        (answered(b"[]"), None),
        (answered(b"{"), None),
        (SILENT, None),
    ],
)
def test_a_task_is_an_object_in_a_200(exchange: Exchange, task: object) -> None:
    assert task == task_in(exchange)


@pytest.mark.parametrize(
    ("exchange", "task_id"),
    [
        (answered(b'{"code": 1, "result": "1"}'), "1"),
        (answered(b'{"code": 22, "result": "1"}', 201), "1"),
        (answered(b'{"code": 1, "result": 1}'), None),
        (answered(b'{"code": 4, "result": "1"}'), None),
        (answered(b'{"code": 1, "result": "1"}', 500), None),
        (answered(b"[]"), None),
    ],
)
def test_a_submit_is_accepted_by_its_code_and_result(
    exchange: Exchange, task_id: str | None
) -> None:
    assert task_id == accepted(exchange)


def test_a_picture_that_was_refused_is_not_asked_for_again(staged: Open) -> None:
    stage = staged(allow=0)
    assert stage.drawn() is None
    assert not stage.tried
