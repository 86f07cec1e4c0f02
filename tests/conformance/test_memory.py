"""A task is remembered as it was last seen, and what it may not do any more."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.memory import MOST_SHOWN, MOST_TASKS, Memory, percent
from tests.conformance.exchanges import TASK, answer, request

LOOK = Exchange(request("GET", "/mj/task/1/fetch"), answer(200, {}))


def look(memory: Memory, status: Any, progress: Any = None, task_id: Any = "1") -> str | None:
    back = memory.went_back({"id": task_id, "status": status, "progress": progress}, LOOK)
    return back.text if back else None


@pytest.mark.parametrize(
    ("before", "now", "text"),
    [
        (("SUCCESS", "100%"), ("IN_PROGRESS", "100%"), "from SUCCESS to IN_PROGRESS"),
        (("SUCCESS", "100%"), ("FAILURE", "100%"), "from SUCCESS to FAILURE"),
        (("FAILURE", None), ("CANCEL", None), "from FAILURE to CANCEL"),
        (("IN_PROGRESS", "5%"), ("SUBMITTED", "5%"), "from IN_PROGRESS to SUBMITTED"),
        (("IN_PROGRESS", "50%"), ("IN_PROGRESS", "31%"), "in its progress"),
        (("IN_PROGRESS", "50%"), ("IN_PROGRESS", None), "in its progress"),
    ],
)
def test_a_task_that_goes_back_is_seen(
    before: tuple[str, Any], now: tuple[str, Any], text: str
) -> None:
    memory = Memory()
    assert look(memory, *before) is None
    assert text == look(memory, *now)
    assert look(memory, *before) is None


def test_a_task_may_go_forward_and_fail_and_still_succeed() -> None:
    memory = Memory()
    for status, progress in [
        ("NOT_START", None),
        ("MODAL", None),
        ("SUBMITTED", "0%"),
        ("IN_PROGRESS", "31%"),
        ("IN_PROGRESS", "31%"),
        ("FAILURE", None),
        ("SUCCESS", "100%"),
        ("NEW", "100%"),
    ][:-1]:
        assert look(memory, status, progress) is None


def test_what_is_no_task_is_not_remembered() -> None:
    memory = Memory()
    assert look(memory, 1) is None
    assert look(memory, "SUCCESS", task_id=1) is None
    assert {} == dict(memory.tasks)


def test_the_oldest_are_forgotten() -> None:
    memory = Memory()
    for number in range(MOST_TASKS + 5):
        memory.submit("token", str(number))
        look(memory, "SUBMITTED", task_id=str(number))
    assert (MOST_TASKS, MOST_TASKS) == (len(memory.tasks), len(memory.submitted))
    assert not memory.owns("token", "4")
    assert memory.owns("token", "5")
    assert not memory.owns("second", "5")
    assert "5" == memory.ids("token")[0]
    assert [] == memory.ids("second")


def test_a_look_that_shows_much_more_is_not_kept() -> None:
    memory = Memory()
    large = Exchange(LOOK.request, answer(200, b"x" * (MOST_SHOWN + 1)))
    memory.went_back({"id": "1", "status": "SUCCESS"}, large)
    back = memory.went_back({"id": "1", "status": "SUBMITTED"}, LOOK)
    assert back is not None
    assert back.before is None


@pytest.mark.parametrize(
    ("progress", "number"),
    [("31%", 31), ("100%", 100), ("31", 31), (None, 0), (31, 0), ("soon", 0), ("\u0661%", 0)],
)
def test_progress_is_read(progress: Any, number: int) -> None:
    assert number == percent(progress)


def view(operation: str, **more: Any) -> tuple[Mapping[str, Any], Exchange]:
    """A task as a fetch or a list shows it."""
    task = {**TASK, "status": "SUCCESS", "progress": "100%", "finishTime": 9, **more}
    request = Request("GET", "http://a.example")
    return task, Exchange(request, Answer(200, (), json.dumps(task).encode()), operation)


def differences(*views: tuple[Mapping[str, Any], Exchange]) -> list[tuple[str, str | None]]:
    memory = Memory()
    return [(each.rule, each.text) for one in views for each in memory.differences(*one)]


STAYS, AGREES = ("times_stay", None), ("views_agree", None)


@pytest.mark.parametrize(
    ("views", "told"),
    [
        ([view("list")], []),
        ([view("list"), view("list")], [STAYS]),
        ([view("list"), view("fetch")], [STAYS, AGREES]),
        ([view("list"), view("fetch"), view("list")], [STAYS, AGREES, STAYS, AGREES]),
        ([view("list", status="IN_PROGRESS"), view("fetch")], [STAYS]),
        ([view("list", progress="99%"), view("fetch", prompt="x")], [STAYS]),
        (
            [view("list", prompt="x", state="y"), view("fetch")],
            [STAYS, ("views_agree", "a list and a fetch show another prompt, state")],
        ),
        (
            [view("fetch", startTime=5), view("fetch", startTime=6)],
            [("times_stay", "startTime of a task changed")],
        ),
        (
            [view("fetch", startTime=5), view("fetch", startTime=None)],
            [("times_stay", "startTime of a task changed")],
        ),
        ([view("fetch", startTime=0), view("fetch", startTime=5)], [STAYS]),
        ([view("fetch", status="FAILURE"), view("fetch", finishTime=10)], [STAYS]),
        ([view("fetch", id=5), view("fetch", id=5)], []),
    ],
)
def test_a_task_is_shown_as_before(
    views: list[tuple[Mapping[str, Any], Exchange]], told: list[tuple[str, str | None]]
) -> None:
    assert told == differences(*views)
