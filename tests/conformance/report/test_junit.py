"""The report for CI that reads JUnit."""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from mjgate.conformance.report.junit import junit_report
from mjgate.conformance.verdict import Verdict
from tests.conformance.report.verdicts import (
    BIG,
    EMPTY,
    FAILED,
    FETCH,
    IMAGINE,
    PASSED,
    failure,
    hostile,
    verdict,
)


def suite(verdict: Verdict) -> Element:
    root = ElementTree.fromstring(junit_report(verdict))
    assert "testsuites" == root.tag
    (found,) = root
    return found


def cases(verdict: Verdict) -> dict[str, Element]:
    """Test cases by name; each has its own."""
    found = suite(verdict).findall("testcase")
    named = {case.attrib["name"]: case for case in found}
    assert len(found) == len(named)
    return named


def test_each_rule_has_a_case_at_each_operation_where_it_was_applied() -> None:
    assert {
        "status_documented",
        f"status_documented at {IMAGINE}",
        f"status_documented at {FETCH}",
        f"error_shape at {IMAGINE}",
        f"error_shape at {FETCH}",
        "key_holds",
    } == cases(verdict()).keys()


def test_a_run_that_was_interrupted_is_an_error_there_too() -> None:
    stopped = verdict(interrupted=True, ended="interrupted after 3 answers")
    assert "1" == suite(stopped).attrib["errors"]
    error = cases(stopped)["the run"].find("error")
    assert error is not None
    assert "interrupted" in error.attrib["message"]
    assert "0" == suite(verdict()).attrib["errors"]


def test_a_rule_that_nothing_was_asked_of_is_skipped() -> None:
    skipped = [name for name, case in cases(verdict()).items() if case.find("skipped") is not None]
    assert ["key_holds"] == skipped


def test_a_rule_that_was_counted_as_a_whole_alone_is_not_skipped() -> None:
    assert cases(verdict(rules={"a": 1}, applied={}))["a"].find("skipped") is None


def test_a_failure_is_that_of_its_rule_at_its_operation() -> None:
    found = cases(FAILED)
    failed = {name for name, case in found.items() if case.find("failure") is not None}
    assert {f"status_documented at {IMAGINE}", "state_kept"} == failed
    (told,) = found[f"status_documented at {IMAGINE}"].findall("failure")
    assert "418 is not in the contract (and 1 more way)" == told.attrib["message"]
    assert "status_documented" == told.attrib["type"]
    assert told.text
    assert "came      | HTTP 418 after 12 ms" in told.text
    assert "came      | no answer" in told.text
    assert "Every status is one that the contract names." in told.text


def test_the_numbers_are_those_of_the_cases() -> None:
    found = suite(FAILED).attrib
    assert ("mjgate conformance", "8", "2", "0", "1", "61.234") == tuple(
        found[name] for name in ("name", "tests", "failures", "errors", "skipped", "time")
    )


def test_what_is_excused_is_no_failure_and_is_said() -> None:
    case = cases(PASSED)[f"no_server_error at {IMAGINE}"]
    assert case.find("failure") is None
    assert (
        "known until 2027-01-31: 500 is an error of the server (mended in the next version)"
        == case.findtext("system-out")
    )
    said = suite(PASSED).findtext("system-out") or ""
    assert "let pass 14 x errors-are-200 (error_shape): errors are HTTP 200 with a code" in said
    assert "The server asked to wait 2 times." in said
    assert "known until 2027-01-31: no_server_error at POST" in said


def test_a_known_failure_beside_a_new_one_is_both() -> None:
    both = verdict(known=PASSED.known, failures=(failure("two", rule="no_server_error"),))
    case = cases(both)[f"no_server_error at {IMAGINE}"]
    assert ["failure", "system-out"] == [part.tag for part in case]


def test_the_run_is_named_by_its_properties() -> None:
    named = {each.attrib["name"]: each.attrib["value"] for each in suite(PASSED).iter("property")}
    assert {
        "target": "http://127.0.0.1:8080",
        "profile": "mjgate",
        "contract": "0.3.0",
        "seed": "20",
    } == named


def test_a_run_that_checked_nothing_has_no_case() -> None:
    assert {} == cases(EMPTY)


@pytest.mark.parametrize("verdict", [hostile(), BIG], ids=["hostile", "big"])
def test_it_is_xml_whatever_bodies_hold(verdict: Verdict) -> None:
    found = cases(verdict)
    assert any(case.find("failure") is not None for case in found.values())
    assert b"<script" not in junit_report(verdict)
