"""Every fault that can be asked for, over real sockets."""

import http.client
import socket
from typing import Any

import pytest

from mjgate.sandbox.faults import ANSWERS, LIVES, STATUSES, SUBMIT, UnknownFaultError, words
from tests.sandbox.conftest import Caller, Start

DIALECTS = ("novicezk", "buttons", "new-api")


def code_and_result(caller: Caller, fault: str) -> tuple[Any, Any]:
    told = caller.imagine(f"a cat sandbox:{fault}").json
    return told["code"], told["result"]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("status", STATUSES)
def test_a_status_is_answered(start: Start, dialect: str, status: int) -> None:
    caller = start(dialect)
    assert status == caller.imagine(f"a cat sandbox:http{status}").status
    assert {} == caller.control("GET", "/requests").json["accepted"]


def test_an_unaccepted_fault_may_make_the_task_all_the_same(start: Start) -> None:
    caller = start()
    caller.imagine("a cat sandbox:http500 sandbox:accept", state="s")
    assert ["s"] == [task["state"] for task in caller.get("/mj/task/list").json]


def test_a_redirect_says_where(start: Start) -> None:
    for dialect in DIALECTS:
        assert start(dialect).imagine("sandbox:http301")["location"] is not None


@pytest.mark.parametrize(
    ("fault", "body"), [("empty", b""), ("null", b"null"), ("array", b"[1,2,3]")]
)
def test_a_body_that_is_no_object(start: Start, fault: str, body: bytes) -> None:
    answer = start().imagine(f"a cat sandbox:{fault}")
    assert (200, body) == (answer.status, answer.body)


@pytest.mark.parametrize("fault", ["garbage", "html"])
def test_a_body_that_is_no_json(start: Start, fault: str) -> None:
    answer = start().imagine(f"a cat sandbox:{fault}")
    with pytest.raises(ValueError, match=r"char"):
        _ = answer.json


def test_an_answer_without_a_code(start: Start) -> None:
    assert "code" not in start().imagine("a cat sandbox:nocode").json


@pytest.mark.parametrize(
    ("fault", "code", "result"),
    [
        ("noid", 1, None),
        ("blankid", 1, ""),
        ("queued-noid", 22, None),
        ("nul-id", 1, "1\x001"),
        ("surrogate-id", 1, "1\ud8001"),
        ("long-id", 1, "9" * 5000),
    ],
)
def test_a_success_with_a_bad_id(start: Start, fault: str, code: int, result: str) -> None:
    caller = start()
    assert (code, result) == code_and_result(caller, fault)
    assert 1 == len(caller.get("/mj/task/list").json)


def test_a_numeric_id_is_the_tasks(start: Start) -> None:
    caller = start()
    _, result = code_and_result(caller, "numeric")
    assert isinstance(result, int)
    assert str(result) == caller.fetch(str(result)).json["id"]


@pytest.mark.parametrize("code", [3, 4, 9, 21, 23, 24, 30, 99])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_code_is_answered(start: Start, dialect: str, code: int) -> None:
    answer = start(dialect).imagine(f"a cat sandbox:code{code}")
    assert (200, code) == (answer.status, answer.json["code"])


def test_code_21_names_the_newest_task_or_the_one_given(start: Start) -> None:
    caller = start()
    newest = caller.made("a cat")
    assert (21, newest) == code_and_result(caller, "code21")
    assert (21, "17") == code_and_result(caller, "code21=17")


def test_code_21_may_name_nothing_or_nobody(start: Start) -> None:
    caller = start()
    assert (21, None) == code_and_result(caller, "code21-noid")
    _, unknown = code_and_result(caller, "code21-unknown")
    assert b"" == caller.fetch(unknown).body


def test_code_21_may_wait_for_a_confirm(start: Start) -> None:
    told = start("buttons").imagine("a cat sandbox:code21-modal").json
    assert (21, True) == (told["code"], told["properties"]["remix"])


def test_code_22_is_answered_without_a_queue(start: Start) -> None:
    told = start().imagine("a cat sandbox:queued").json
    assert (22, 1) == (told["code"], told["properties"]["numberOfQueues"])


def test_texts_that_no_database_takes(start: Start) -> None:
    caller = start()
    assert "\x00" in caller.imagine("a cat sandbox:nul").json["description"]
    assert "\ud800" in caller.imagine("a cat sandbox:surrogate").json["description"]


def test_an_id_can_collide(start: Start) -> None:
    caller = start()
    first = caller.made("a cat", state="first")
    assert first == caller.made("a dog sandbox:collide", state="second")
    assert "second" == caller.fetch(first).json["state"]


def test_a_hang_ends_when_the_client_goes(start: Start) -> None:
    caller = start()
    host, port = caller.place.split(":")
    body = b'{"prompt":"a cat sandbox:hang"}'
    with socket.create_connection((host, int(port))) as client:
        head = f"POST /mj/submit/imagine HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        client.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
    assert 200 == caller.imagine("a cat").status


@pytest.mark.parametrize("fault", ["slow=0.2", "hang=0.2"])
def test_a_slow_answer_is_a_true_one(start: Start, fault: str) -> None:
    caller = start()
    code, result = code_and_result(caller, fault)
    assert 1 == code
    assert result == caller.fetch(result).json["id"]


def test_a_reset_is_a_reset(start: Start) -> None:
    caller = start()
    with pytest.raises(ConnectionResetError):
        caller.imagine("a cat sandbox:reset")
    assert [] == caller.get("/mj/task/list").json


def test_a_cut_answer_is_half_of_a_true_one(start: Start) -> None:
    caller = start()
    with pytest.raises(http.client.IncompleteRead) as caught:
        caller.imagine("a cat sandbox:cut")
    assert caught.value.partial.startswith(b'{"code":1,')
    assert 1 == len(caller.get("/mj/task/list").json)


def test_a_task_fails_midway_and_keeps_its_preview(start: Start) -> None:
    task = start().finished("a cat sandbox:fail=boom")
    assert ("FAILURE", "", "boom") == (task["status"], task["progress"], task["failReason"])
    assert task["imageUrl"].endswith(".webp")


def test_a_task_fails_at_once(start: Start) -> None:
    task = start().finished("a cat sandbox:fail-early")
    assert ("FAILURE", None, "Missing Access") == (
        task["status"], task["imageUrl"], task["failReason"],
    )  # fmt: skip
    assert task["startTime"] == task["finishTime"]


def test_a_task_fails_last(start: Start) -> None:
    task = start().finished("a cat sandbox:fail-late")
    assert ("FAILURE", "") == (task["status"], task["progress"])


def test_fail_reasons_that_no_database_takes(start: Start) -> None:
    caller = start()
    reasons = [
        caller.finished(f"a cat sandbox:{fault}")["failReason"]
        for fault in ("fail-nul", "fail-surrogate", "fail-blank")
    ]
    assert ["a\x00b", "a\ud800b", ""] == reasons
    assert 100_000 == len(caller.finished("a cat sandbox:fail-long")["failReason"])


def test_a_task_is_lost(start: Start) -> None:
    caller = start()
    task_id = caller.made("a cat sandbox:lost")
    assert b"" == caller.fetch(task_id).body
    assert [] == caller.ids(task_id).json
    assert [] == caller.get("/mj/task/list").json


def test_a_task_succeeds_blind(start: Start) -> None:
    task = start().finished("a cat sandbox:blind")
    assert ("SUCCESS", None) == (task["status"], task["imageUrl"])


def test_a_task_succeeds_elsewhere(start: Start) -> None:
    task = start().finished("a cat sandbox:address=http://169.254.169.254/x.png")
    assert "http://169.254.169.254/x.png" == task["imageUrl"]


def test_a_change_has_its_own_faults(start: Start) -> None:
    caller = start()
    parent = caller.finished("a cat sandbox:change:http503")
    assert "SUCCESS" == parent["status"]
    assert 503 == caller.change(parent["id"], "REROLL").status


def test_a_changed_task_has_its_own_life(start: Start) -> None:
    caller = start()
    parent = caller.finished("a cat sandbox:change:fail")
    task_id = caller.change(parent["id"], "UPSCALE", index=1).json["result"]
    assert "FAILURE" == caller.until(task_id, "SUCCESS", "FAILURE")["status"]


def test_a_fetch_has_its_own_faults(start: Start) -> None:
    caller = start()
    task_id = caller.made("a cat sandbox:fetch:http500")
    assert 500 == caller.fetch(task_id).status
    assert [task_id] == [task["id"] for task in caller.ids(task_id).json]


def test_a_list_has_its_own_faults(start: Start) -> None:
    caller = start()
    bad, good = caller.made("a cat sandbox:list:garbage"), caller.made("a cat")
    with pytest.raises(ValueError, match=r"Unterminated"):
        _ = caller.ids(bad, good).json
    assert [good] == [task["id"] for task in caller.ids(good).json]


def test_a_list_may_hold_strays(start: Start) -> None:
    caller = start()
    task_id = caller.made("a cat sandbox:list:stray")
    listed = caller.ids(task_id).json
    assert 6 == len(listed) - 1
    assert task_id == listed[-1]["id"]


def test_a_list_may_hold_a_task_twice(start: Start) -> None:
    caller = start()
    task_id = caller.made("a cat sandbox:list:twice")
    assert [task_id] * 2 == [task["id"] for task in caller.ids(task_id).json]


def test_a_task_may_have_wrong_types(start: Start) -> None:
    caller = start()
    task = caller.fetch(caller.made("a cat sandbox:fetch:mangled")).json
    assert {list} == {type(value) for key, value in task.items() if key != "id"}


def test_a_picture_has_its_own_faults(start: Start) -> None:
    caller = start()
    task = caller.finished("a cat sandbox:picture:http404")
    assert 404 == caller.get(task["imageUrl"].removeprefix(caller.url)).status


def test_a_fault_can_be_switched_for_so_many_answers(start: Start) -> None:
    caller = start()
    caller.control("PUT", "/faults/list-by-condition", {"fault": "http502", "times": 2})
    assert [502, 502, 200] == [caller.ids("1").status for _ in range(3)]


def test_a_fault_can_be_switched_off(start: Start) -> None:
    caller = start()
    caller.control("PUT", "/faults/imagine", {"fault": "http502"})
    switched = [caller.imagine("a cat").status for _ in range(3)]
    caller.control("DELETE", "/faults")
    assert [502, 502, 502, 200] == [*switched, caller.imagine("a cat").status]


@pytest.mark.parametrize(
    "prompt",
    ["sandbox:nothing", "sandbox:nowhere:http500", "sandbox:fetch:fail", "sandbox:stray"],
)
def test_an_unknown_fault_is_refused_aloud(start: Start, prompt: str) -> None:
    answer = start().imagine(prompt)
    assert 501 == answer.status
    assert b"is no fault of" in answer.body


def test_an_unknown_operation_cannot_be_switched(start: Start) -> None:
    assert 501 == start().control("PUT", "/faults/describe", {"fault": "http500"}).status


def test_every_fault_is_explained(start: Start) -> None:
    assert {*ANSWERS, *LIVES} == set(start().control("GET", "/faults").json)


def test_words_are_found_for_their_scope() -> None:
    text = "a cat sandbox:slow=2 sandbox:change:http500, sandbox:fail"
    assert ["slow", "fail"] == [word.name for word in words(text, SUBMIT)]
    assert ["http500"] == [word.name for word in words(text, "change")]
    with pytest.raises(UnknownFaultError):
        words("sandbox:list:nothing", SUBMIT)


def test_a_status_may_say_when_to_come_again(start: Start) -> None:
    assert start().imagine("sandbox:http429=7")["retry-after"] == "7"


def test_a_task_may_wait_for_a_confirm(start: Start) -> None:
    caller = start("buttons")
    told = caller.imagine("a cat sandbox:code21-modal sandbox:modal").json
    assert "MODAL" == caller.until(told["result"], "MODAL")["status"]


def test_a_task_may_be_cancelled(start: Start) -> None:
    caller = start("buttons")
    task = caller.until(caller.made("a cat sandbox:cancel"), "CANCEL")
    assert task["finishTime"] >= task["startTime"]
