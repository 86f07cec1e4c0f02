"""The report for programs."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from mjgate.conformance.report.json import SCHEMA, json_report, read_failures, to_json
from mjgate.conformance.verdict import CannotRun, Verdict
from tests.conformance.report.verdicts import (
    BIG,
    EMPTY,
    FAILED,
    IMAGINE,
    PASSED,
    exchange,
    failure,
    hostile,
    verdict,
)

VALIDATOR = Draft7Validator(json.loads(SCHEMA.read_text("utf-8")))
EVERY = {"passed": PASSED, "failed": FAILED, "empty": EMPTY, "big": BIG, "hostile": hostile()}


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("verdict", EVERY.values(), ids=EVERY)
def test_every_report_is_as_its_schema_says(verdict: Verdict) -> None:
    report = json.loads(json_report(verdict).encode())
    assert [] == [error.message for error in VALIDATOR.iter_errors(report)]


def keys(value: Any) -> set[str]:
    """Every key of a report but those that are operations."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    if not isinstance(value, dict):
        return set()
    return {name for name in value if " " not in name and name}.union(*map(keys, value.values()))


def described(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(described, schema))
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("properties", {})).union(*map(described, schema.values()))


def test_the_schema_describes_every_key() -> None:
    binary = verdict(failures=(failure(exchanges=(exchange(sent=b"\xff"),)),))
    found = keys(to_json(FAILED)) | keys(to_json(binary))
    assert found == described(VALIDATOR.schema)


def test_a_report_has_all_of_a_verdict() -> None:
    report = to_json(FAILED)
    assert ("failed", 1, 5, 1234) == tuple(
        report[name] for name in ("outcome", "exit_code", "wrong", "cases")
    )
    assert {"operation": IMAGINE, "status": 400, "times": 1200} in report["answers"]
    assert "2027-01-31" == report["known"][0]["expires"]
    assert 9 == len(report["failures"][2]["exchanges"])
    sent = report["failures"][0]["exchanges"][0]
    assert {"text": '{"prompt": ""}'} == sent["request"]["body"]
    assert sent["curl"].startswith("curl ")
    rules = {rule["name"]: rule for rule in report["rules"]}
    assert 1212 == rules["status_documented"]["operations"][IMAGINE]
    assert 0 == rules["key_holds"]["applied"]


def test_a_command_too_long_to_read_is_left_out_and_its_body_is_not() -> None:
    sent = to_json(BIG)["failures"][0]["exchanges"][0]
    assert (None, 9000) == (sent["curl"], len(sent["request"]["body"]["text"]))


def test_what_is_no_text_stands_escaped() -> None:
    assert "\\\\ud800" in json_report(verdict(notes=("\ud800",)))


def test_the_failures_of_a_stored_report_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json_report(FAILED))
    assert [each.key for each in FAILED.failures] == [
        (each["rule"], each["operation"], each["text"]) for each in read_failures(path)
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "cannot be read: "),
        (b"\xff", "cannot be read: "),
        (b"[" * 100_000, "cannot be read: "),
        (b"[]", "is no report of `mjgate conformance`"),
        (b'{"format": "other"}', "is no report of `mjgate conformance`"),
        (b'{"format": "mjgate-conformance-report", "version": 2}', "has version 2, not 1"),
        (b'{"format": "mjgate-conformance-report", "version": 1}', "has no list of failures"),
        (
            b'{"format": "mjgate-conformance-report", "version": 1, "failures": [{"rule": 1}]}',
            "has no list of failures",
        ),
    ],
)
def test_what_is_no_report_is_not_read(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(CannotRun) as raised:
        read_failures(path)
    assert f"{path} {why}" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_report_that_is_not_there_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="No such file"):
        read_failures(tmp_path / "none.json")
