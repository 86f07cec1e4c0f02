"""What several reports say in the same words."""

from dataclasses import replace

import pytest

from mjgate.conformance.report.words import (
    MOST_CURL,
    block,
    command,
    count,
    outcome,
    percent,
    sentence,
)
from mjgate.conformance.verdict import Verdict
from tests.conformance.report.verdicts import (
    EMPTY,
    FAILED,
    PASSED,
    exchange,
    failure,
    hostile,
    verdict,
)


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (verdict(), "passed: 1,234 answers, 2 rules, none broken (--seed 20)"),
        (
            PASSED,
            "passed: 1,234 answers, 2 rules, none broken, 1 known failure (--seed 20)",
        ),
        (
            FAILED,
            "failed: 2 rules broken in 3 ways, 5 times in 1,234 answers, "
            "1 known failure (--seed 20)",
        ),
        (
            verdict(failures=(failure(),), least=99.0),
            "passed: 1 rule broken in 1 way, 3 times in 1,234 answers, "
            "99.75 % right where 99 % is asked for (--seed 20)",
        ),
        (EMPTY, "could not run: nothing was checked"),
    ],
)
def test_a_verdict_in_one_line(verdict: Verdict, said: str) -> None:
    assert said == sentence(verdict)
    assert said.startswith(outcome(verdict))


def test_a_percentage_is_never_rounded_up_to_all() -> None:
    assert ["100 %", "99.99 %", "0 %"] == [percent(100), percent(99.99999), percent(0)]


def test_a_number_goes_with_its_noun() -> None:
    assert ["0 cases", "1 case", "2 ways"] == [
        count(0, "case"),
        count(1, "case"),
        count(2, "way", "ways"),
    ]


def test_a_failure_is_a_block_to_read() -> None:
    assert """\
rule      Every status is named.
broken    418 is not in the contract (3 times)
contract  #/paths/~1mj~1submit~1imagine/post/responses
sent      | curl -i -X POST -H 'Content-Type: application/json' -H "mj-api-secret: $TOKEN" \
--data-raw '{"prompt": ""}' http://127.0.0.1:8080/mj/submit/imagine
came      | HTTP 418 after 12 ms
          | content-type: application/json
          |
          | {"code": 1}
stored    cases/status_documented-1.json""" == block(failure(), "Every status is named.")


def test_a_failure_without_an_answer_says_so() -> None:
    bare = failure(exchanges=(exchange(None),), where="", case="", times=1)
    assert block(bare, "").splitlines() == [
        "broken    418 is not in the contract (1 time)",
        next(line for line in block(bare, "").splitlines() if line.startswith("sent ")),
        "came      | no answer",
    ]


def test_an_answer_without_a_body_is_its_head() -> None:
    assert "came      | HTTP 204 after 12 ms\n          | a: b\n" in block(
        failure(exchanges=(exchange(204, b"", ("a", "b")),)), ""
    )


def test_what_an_exception_said_stands_behind_a_bar() -> None:
    lines = block(replace(failure(), detail="sync raised\nKeyError\x1b[2J"), "").split("\n")
    assert "in detail | sync raised KeyError\ufffd[2J" in lines
    assert not any("in detail" in line for line in block(failure(), "").split("\n"))


def test_of_a_long_story_the_last_steps_are_shown_and_the_last_answer_in_full() -> None:
    lines = block(FAILED.failures[2], "").splitlines()
    assert "before    3 requests more, in the stored case" in lines
    assert 6 == sum(line.startswith("sent ") for line in lines)
    assert 1 == sum("content-type" in line for line in lines)
    assert "content-type" in lines[-4]


def test_a_command_that_is_too_long_is_cut_and_says_so() -> None:
    shown, whole = command(exchange(sent=b"y" * 9000))
    assert not whole
    assert shown.endswith("yyy... (and more, in the stored case)")
    assert len(shown) < MOST_CURL + 50


@pytest.mark.parametrize("length", [MOST_CURL - 500, MOST_CURL - 50])
def test_a_command_is_whole_or_says_that_it_is_not(length: int) -> None:
    sent = exchange(sent=b"y" * length)
    shown, whole = command(sent)
    assert whole is (shown == sent.request.curl())
    assert whole is (length == MOST_CURL - 500)


def test_no_line_of_others_stands_at_the_beginning_of_a_line() -> None:
    bad = hostile().failures[0]
    names = {"rule", "broken", "in", "contract", "sent", "came", "stored", "|"}
    lines = block(bad, hostile().sentences["status_documented"]).split("\n")
    assert set() == {each.split()[0] for each in lines} - names


def test_the_share_that_is_right_counts_no_known_failure() -> None:
    assert 100.0 == PASSED.right
    assert 0.0 == replace(PASSED, cases=2, failures=(failure(),)).right
