"""One failure of a kind is kept, the one that is easiest to read; all are counted."""

from dataclasses import replace

from mjgate.conformance.exchange import Exchange
from mjgate.conformance.findings import MOST_FAILURES, MOST_KEPT, MOST_NOTES, TOO_MANY, Findings
from mjgate.conformance.profile import Profile
from mjgate.conformance.rules import BY_NAME
from tests.conformance.exchanges import answer, request

PROFILE = Profile("plain", "plain", frozenset({"key_holds"}))


def findings() -> Findings:
    return Findings(PROFILE, dict(BY_NAME))


def exchange(length: int) -> Exchange:
    return Exchange(request("GET", f"/mj/task/{'1' * length}/fetch"), answer(500))


def test_the_shortest_way_to_a_failure_is_kept() -> None:
    found = findings()
    for length in (20, 3, 9):
        found.broke("no_server_error", "GET /x", "500", "#", (exchange(length),), f"at {length}")
    found.broke("no_server_error", "GET /x", "500", "#", (exchange(1), exchange(1)))
    (failure,) = found.failures()
    assert (exchange(3),) == failure.exchanges
    assert (4, "at 3") == (failure.times, failure.story)


def test_failures_come_in_the_order_of_the_rules() -> None:
    found = findings()
    for rule in ("coverage", "task_ids", "no_server_error"):
        found.broke(rule, "", "wrong", "#", ())
    assert ["no_server_error", "task_ids", "coverage"] == [each.rule for each in found.failures()]


def test_a_rule_that_is_not_asked_for_is_not_applied() -> None:
    found = findings()
    found.broke("key_holds", "", "wrong", "#", ())
    found.held("key_holds")
    assert () == found.failures()
    assert "key_holds" not in found.totals()


def test_there_is_an_end_to_what_is_kept() -> None:
    found = findings()
    for number in range(MOST_FAILURES + 2):
        found.broke("no_server_error", "", f"{number}", "#", ())
    for number in range(MOST_NOTES + 2):
        found.note(f"note {number}")
    assert MOST_FAILURES + 1 == len(found.failures())
    assert [2] == [each.times for each in found.failures() if each.text == TOO_MANY]
    assert MOST_NOTES + 1 == len(found.said())
    assert found.said()[-1].startswith("2 failures were not kept")


def test_of_a_large_answer_no_more_is_kept_than_is_read() -> None:
    found = findings()
    large = replace(exchange(1), answer=answer(500, b"x" * (MOST_KEPT + 1)))
    found.broke("no_server_error", "", "500", "#", (large,))
    (failure,) = found.failures()
    kept = failure.exchanges[0].answer
    assert kept is not None
    assert MOST_KEPT == len(kept.body)


def test_what_could_be_seen_is_there_with_nothing() -> None:
    found = findings()
    found.good["a", "status", "200"] += 2
    found.bad["a", "parameter", "query x"] += 1
    seen = {each.name: (each.good, each.bad) for each in found.seen([("a", "status", "404")])}
    assert {"404": (0, 0), "200": (2, 0), "query x": (0, 1)} == seen
