"""Pages of a usage fit together, and a picture is billed once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mjgate.conformance.profile import Profile
from mjgate.conformance.stories.statements import bill, pages
from tests.conformance.bodies import USAGE
from tests.conformance.honest import LIFE, Body, Call, Entry, Manners, Reply, error, result
from tests.conformance.stories.conftest import Open, applied, broken

USAGE_ABSENT = Profile("x", "x", absent=frozenset({"GET /v1/usage"}))
Change = Callable[[Body], Body]


def test_a_token_without_lines_has_nothing_to_fit(staged: Open) -> None:
    stage = staged()
    pages(stage)
    assert ([], 3) == (broken(stage), applied(stage)["pages_whole"])


def test_pages_and_a_bill_that_are_right_break_nothing(staged: Open) -> None:
    stage = staged()
    bill(stage)
    stage.imagine("another")
    pages(stage)
    assert [] == broken(stage)
    assert 2 == applied(stage)["billed_once"]
    assert 8 <= applied(stage)["pages_whole"]


def test_a_picture_that_failed_is_released(staged: Open) -> None:
    stage = staged(Manners(life=(*LIFE[:-1], ("FAILURE", "62%"))))
    bill(stage)
    assert [] == broken(stage)
    assert 2 == applied(stage)["billed_once"]


def test_a_server_without_a_usage_is_not_asked_for_it(staged: Open) -> None:
    stage = staged(profile=USAGE_ABSENT)
    pages(stage)
    bill(stage)
    assert [] == broken(stage)
    assert "GET /v1/usage" not in {label for label, _ in stage.session.findings.by_status}


def test_a_usage_that_fails_is_judged_by_other_rules(staged: Open) -> None:
    failing = error(500, "failed")
    stage = staged(Manners(hasty=lambda call: failing if call.operation == USAGE else None))
    pages(stage)
    bill(stage)
    assert {"no_server_error"} == set(dict(broken(stage)))


def test_without_a_picture_there_is_no_bill(staged: Open) -> None:
    refused = Reply(200, result(24, "no", None))
    stage = staged(Manners(hasty=lambda call: refused if call.path.endswith("imagine") else None))
    bill(stage)
    assert [] == broken(stage)


def test_a_picture_without_an_end_has_no_bill_yet(staged: Open) -> None:
    stage = staged(Manners(life=LIFE[:-1]))
    stage.patience_s = 0.3
    bill(stage)
    assert {"every_task_ends"} == set(dict(broken(stage)))


def test_totals_of_more_lines_than_a_page_has_are_not_added_up(staged: Open) -> None:
    stage = staged(Manners(page=lambda cursor, limit: (cursor, 1)))
    bill(stage)
    pages(stage)
    assert "totals of a usage are not those of its lines" not in dict(broken(stage)).values()


def only_holds(entries: list[Entry]) -> list[Entry]:
    return [each for each in entries if each.kind == "hold"]


def dearer(entries: list[Entry]) -> list[Entry]:
    return [replace(each, spent=7) if each.kind == "charge" else each for each in entries]


@pytest.mark.parametrize(
    ("ledger", "text"),
    [
        (only_holds, "a task that ended as SUCCESS has not one hold and one charge"),
        (
            lambda entries: entries * 2,
            "a task that ended as SUCCESS has not one hold and one charge",
        ),
        (dearer, "charge of a task is not of the price that was held"),
    ],
)
def test_a_bill_that_is_wrong_is_found(
    staged: Open, ledger: Callable[[list[Entry]], list[Entry]], text: str
) -> None:
    stage = staged(Manners(ledger=ledger))
    bill(stage)
    assert ("billed_once", text) in broken(stage)


def first_twice(call: Call, reply: Reply) -> Reply:
    """Every page shows the newest line again."""
    if call.operation != USAGE or "cursor" not in call.query:
        return reply
    lines = [{**each, "taskId": "1"} for each in reply.body["lines"]]
    return replace(reply, body={**reply.body, "lines": lines})


@pytest.mark.parametrize(
    ("manners", "text"),
    [
        (Manners(leaving=first_twice), "pages of a usage repeat or skip a line"),
        (
            Manners(page=lambda cursor, limit: (cursor, max(2, limit))),
            "a page has more lines than its limit",
        ),
    ],
)
def test_pages_that_do_not_fit_are_found(staged: Open, manners: Manners, text: str) -> None:
    stage = staged(manners)
    bill(stage)
    pages(stage)
    assert ("pages_whole", text) in broken(stage)


def changed(name: str, change: Callable[[list[Any]], list[Any]]) -> Change:
    """A usage whose totals are others."""

    def statement(body: Body) -> Body:
        return {**body, name: change(body[name])} if body.get(name) else body

    return statement


@pytest.mark.parametrize(
    "change",
    [
        changed("days", lambda rows: [{**rows[0], "submitted": 7}]),
        changed("days", lambda rows: [{**rows[0], "spent": "7"}]),
        changed("days", lambda rows: [{**rows[0], "spent": "seven"}]),
        changed("days", lambda rows: [{**rows[0], "day": "2001-01-01"}]),
        changed("days", lambda rows: [*rows, *rows]),
        changed("models", lambda rows: []),
        changed("lines", lambda lines: [{**each, "time": None} for each in lines]),
    ],
)
def test_totals_that_are_not_those_of_the_lines_are_found(staged: Open, change: Change) -> None:
    stage = staged(Manners(statement=change))
    bill(stage)
    pages(stage)
    assert ("pages_whole", "totals of a usage are not those of its lines") in broken(stage)


def test_lines_that_are_none_are_left_to_the_schema(staged: Open) -> None:
    def odd(body: Body) -> Body:
        return {**body, "lines": {"no": "list"}} if "lines" in body else body

    stage = staged(Manners(statement=odd))
    pages(stage)
    bill(stage)
    assert "body_matches_schema" in dict(broken(stage))
