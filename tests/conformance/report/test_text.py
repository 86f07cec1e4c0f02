"""The report on a terminal."""

from dataclasses import replace
from pathlib import Path
from unicodedata import category

from mjgate.conformance.report.text import class_of, text_report
from tests.conformance.report.verdicts import BIG, EMPTY, FAILED, PASSED, WAIVED, hostile, verdict


def test_a_run_that_passed_says_all_that_there_is_to_know() -> None:
    assert """\
http://127.0.0.1:8080
profile mjgate, contract 0.3.0, seed 20, 1,234 answers in 61.2 s

operation                  2xx    3xx    4xx    5xx
-----------------------  -----  -----  -----  -----
(no operation)               .      .      2      .
POST /mj/submit/imagine     12      .   1200      .
GET /mj/task/{id}/fetch      .      .     20      .
GET /v1/key                  .      .      .      .

covered: operations 2 of 3, statuses 1 of 3, parameters 1 of 1, keywords 1 of 1, security 1 of 1

let pass by the profile mjgate:
  14 x errors-are-200 (error_shape): errors are HTTP 200 with a code [novicezk 2.6.3, measured]

known, and not counted:
  3 x no_server_error at POST /mj/submit/imagine: 500 is an error of the server
      until 2027-01-31: mended in the next version

notes:
  - The server asked to wait 2 times.
  - 3 submits accepted of 5 allowed
  - rules that nothing was asked of: key_holds

passed: 1,234 answers, 2 rules, none broken, 1 known failure (--seed 20)
""" == text_report(PASSED)


def test_each_failure_is_told_and_the_last_line_is_the_verdict() -> None:
    lines = text_report(FAILED, Path("out")).splitlines()
    titles = [line for line in lines if line.startswith("failure ")]
    assert [
        "failure 1: status_documented at POST /mj/submit/imagine",
        "failure 2: status_documented at POST /mj/submit/imagine",
        "failure 3: state_kept at no operation",
    ] == titles
    assert "send a stored case again: mjgate conformance replay out/CASE" in lines
    assert lines[-1].startswith("failed: 2 rules broken in 3 ways")


def test_without_stored_cases_nothing_is_said_of_sending_them_again() -> None:
    assert "replay" not in text_report(FAILED)
    assert "replay" not in text_report(PASSED, Path("out"))


def test_a_run_that_checked_nothing_says_so_at_its_end() -> None:
    said = text_report(EMPTY)
    assert said.endswith("\n\ncould not run: nothing was checked\n")
    assert "operation" not in said


def test_a_run_without_allowance_names_none() -> None:
    assert "- 3 submits accepted\n" in text_report(verdict(allowance=None))


def test_deviations_that_were_not_met_are_named_alone() -> None:
    unmet = replace(WAIVED, name="never", times=0)
    other = replace(WAIVED, rule="content_type", times=0)
    said = text_report(verdict(waived=(unmet, unmet, other, WAIVED)))
    assert "errors-are-200 (error_shape): errors are HTTP 200 with a code" in said
    assert "measured]\n  not met: never\n\n" in said


def test_an_odd_status_has_a_column_of_its_own() -> None:
    assert ["2xx", "5xx", "other", "other"] == [class_of(each) for each in (200, 599, 99, 600)]
    assert "other" in text_report(hostile()).splitlines()[3]


def test_a_big_report_has_every_failure() -> None:
    assert 500 == text_report(BIG).count("\nfailure ")


def test_nothing_that_a_server_writes_commands_the_terminal() -> None:
    said = text_report(hostile(), Path("out\x1b"))
    assert set() == {sign for sign in said if category(sign) in ("Cc", "Cf", "Cs")} - {"\n", "\t"}
    assert said.encode()
