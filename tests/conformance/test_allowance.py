"""What might be accepted is told from what cannot, and never sent beyond what is allowed."""

import json
from typing import Any

import pytest

from mjgate.conformance.allowance import (
    NOWHERE,
    Allowance,
    Withheld,
    costly,
    harmless,
    is_accepted,
)
from mjgate.conformance.contract_view import CHANGE, IMAGINE, LIST
from mjgate.conformance.exchange import Answer, Request
from tests.conformance.exchanges import answer, error, request

SUBMIT = request("POST", IMAGINE, {"prompt": "a red fox"})
BLANK = request("POST", IMAGINE, {"prompt": ""})
FETCHED = request("GET", "/mj/task/1/fetch")
MADE = answer(200, {"code": 1, "result": "1"})
REFUSED = error(400, "invalid_request")
NOBODY = str(NOWHERE.start)


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "a red fox"},
        {"prompt": 1},
        {"prompt": True},
        {"prompt": "\u3000"},
        {"prompt": "\0"},
        {"PROMPT": "a"},
        {"Prompt ": "a"},
        {"prompt": {"prompt": "a"}},
        [{"prompt": "a"}],
        b'{"prompt": "a"',
        b'{"prompt": "a", "prompt": null}',
        b'{"prompt": null, "prompt": "a"}',
        b'{"\\u0070rompt": "a"',
        b"prompt=a",
        '{"prompt": "a"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"prompt": "a"}',
        b'{"prompt": "\xff"}',
        {"taskId": "1320098173412546", "action": "REROLL"},
        {"taskId": 1320098173412546},
        {"taskId": True},
        {"taskid": "12"},
        {"task_id": "12"},
        {"taskId": "１２"},
        {"taskId": f" {NOWHERE.start - 1} "},
        {"taskId": 9007100000000000.0},
        {"content": "1320098173412546 U1"},
        {"action": "UPSCALE", "index": 1},
        {"action": "UPSCALE", "index": 1, "taskId": " "},
    ],
)
def test_what_some_server_makes_a_picture_of_is_not_harmless(body: Any) -> None:
    assert not harmless(request("POST", IMAGINE, body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1,",
        b"\xff\xfe",
        {},
        [],
        None,
        1,
        "text",
        {"prompt": None},
        {"prompt": ""},
        {"prompt": " \t\n"},
        {"prompt": []},
        {"prompt": {}},
        {"state": "x", "base64": "data:"},
        {"taskId": None},
        {"taskId": ""},
        {"taskId": []},
        {"taskId": NOBODY, "action": "REROLL"},
        {"taskId": int(NOBODY)},
        {"taskId": "mjgate-nowhere-1"},
        {"taskId": "x" * 65},
        {"taskId": -1},
        {"taskId": 2**64},
        {"action": "UPSCALE"},
        {"action": "UPSCALE", "index": 1, "taskId": NOBODY},
    ],
)
def test_what_no_server_can_make_a_picture_of_is_harmless(body: Any) -> None:
    assert harmless(request("POST", CHANGE, body))


@pytest.mark.parametrize(
    "asked",
    [
        request("POST", IMAGINE + "?prompt=x", {}),
        request("POST", CHANGE + "?task%49d=1", {}),
        request("POST", IMAGINE, {}, {"Content-Encoding": "gzip"}),
    ],
)
def test_a_query_and_a_packed_body_may_hold_a_prompt(asked: Request) -> None:
    assert not harmless(asked)


@pytest.mark.parametrize(
    ("path", "orders"),
    [
        (IMAGINE, True),
        ("/MJ/%53ubmit/imagine", True),
        ("//mj/submit/imagine/", True),
        ("/mj/insight-face/swap", True),
        (LIST, False),
        ("/mj/task/1/fetch", False),
        ("/v1/usage", False),
    ],
)
def test_pictures_are_ordered_at_some_paths(path: str, orders: bool) -> None:
    assert orders == costly(request("POST", path, {}))


@pytest.mark.parametrize(
    ("answered", "accepted"),
    [
        (MADE, True),
        (answer(200, {"code": 22, "result": "1"}), True),
        (answer(200, {"code": True}), True),
        (answer(200, {"result": "1"}), True),
        (answer(200, b"<html>"), True),
        (answer(204), True),
        (answer(200, {"code": 24}), False),
        (answer(302), False),
        (REFUSED, False),
        (answer(500), False),
    ],
)
def test_what_may_stand_for_a_picture_counts(answered: Answer, accepted: bool) -> None:
    assert accepted == is_accepted(answered)


def test_a_page_for_another_method_is_no_picture() -> None:
    page = Answer(200, (("content-type", "text/html; charset=utf-8"),), b"<html>")
    assert not Allowance().told(request("GET", IMAGINE), page, False)
    assert Allowance().told(BLANK, page, False)


def test_without_an_allowance_only_what_is_harmless_goes_out() -> None:
    allowance = Allowance()
    assert not allowance.take(FETCHED)
    assert not allowance.take(BLANK)
    assert not allowance.told(BLANK, REFUSED, False)
    assert not allowance.told(FETCHED, MADE, False)
    with pytest.raises(Withheld):
        allowance.take(SUBMIT)
    assert (0, 1, 0) == (allowance.accepted, allowance.withheld, allowance.left)


def test_after_a_harmless_submit_was_accepted_none_goes_out() -> None:
    allowance = Allowance()
    assert not allowance.take(BLANK)
    assert allowance.told(BLANK, MADE, False)
    assert (1, True) == (allowance.accepted, allowance.breached)
    for asked in (BLANK, SUBMIT):
        with pytest.raises(Withheld):
            allowance.take(asked)
    assert not allowance.take(FETCHED)


def test_an_allowance_is_used_up_by_what_was_or_may_have_been_accepted() -> None:
    allowance = Allowance(2)
    assert allowance.take(SUBMIT)
    assert 1 == allowance.left
    assert not allowance.told(SUBMIT, REFUSED, True)
    assert 2 == allowance.left
    assert allowance.take(SUBMIT)
    assert not allowance.told(SUBMIT, MADE, True)
    assert allowance.take(SUBMIT)
    assert not allowance.told(SUBMIT, None, True)
    assert (1, 0) == (allowance.accepted, allowance.left)
    with pytest.raises(Withheld):
        allowance.take(SUBMIT)


def test_a_harmless_submit_that_is_accepted_takes_from_the_allowance_first() -> None:
    allowance = Allowance(1)
    assert not allowance.told(BLANK, MADE, allowance.take(BLANK))
    assert 0 == allowance.left
    assert not allowance.breached
    assert allowance.told(BLANK, MADE, allowance.take(BLANK))
    assert allowance.breached


def test_an_answer_that_is_given_again_is_no_picture_more() -> None:
    keyed = request("POST", IMAGINE, {"prompt": "a"}, {"Idempotency-Key": "one"})
    again = answer(200, {"code": 1, "result": "1"}, {"idempotency-replayed": "true"})
    allowance = Allowance(9)
    for asked, answered, accepted in (
        # Who says so of a key that is new, or of none, has drawn one all the same.
        (SUBMIT, again, 1),
        (keyed, again, 2),
        (keyed, again, 2),
        # Sent at the same time, what they repeat may be told last.
        (keyed, MADE, 2),
        (keyed, again, 2),
        (keyed, MADE, 3),
    ):
        assert not allowance.told(asked, answered, allowance.take(asked))
        assert accepted == allowance.accepted


def test_ids_that_exist_nowhere_fit_the_contract() -> None:
    assert NOWHERE.stop - 1 == 2**53 - 1
    assert harmless(request("POST", CHANGE, json.dumps({"taskId": NOWHERE[-1]}).encode()))
