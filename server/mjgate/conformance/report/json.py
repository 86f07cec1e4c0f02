"""The report for programs, as `report.schema.json` beside this module describes it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mjgate.conformance.exchange import Exchange
from mjgate.conformance.report.coverage import coverage
from mjgate.conformance.report.words import command, outcome
from mjgate.conformance.verdict import CannotRun, Failure, Verdict

FORMAT = "mjgate-conformance-report"
VERSION = 1
"""Raised where a reader of an older one would be misled; new keys are not such a change."""
SCHEMA = Path(__file__).with_name("report.schema.json")


def json_report(verdict: Verdict) -> str:
    """All of a verdict."""
    return json.dumps(_text_only(to_json(verdict)), ensure_ascii=False, indent=2) + "\n"


def to_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "outcome": outcome(verdict),
        "exit_code": verdict.exit_code,
        "target": verdict.target,
        "profile": verdict.profile,
        "contract": verdict.contract,
        "seed": verdict.seed,
        "took_ms": verdict.took_ms,
        "cases": verdict.cases,
        "wrong": verdict.wrong,
        "right": verdict.right,
        "least": verdict.least,
        "submits": verdict.submits,
        "allowance": verdict.allowance,
        "answers": [
            {"operation": operation, "status": status, "times": times}
            for (operation, status), times in sorted(verdict.by_status.items())
        ],
        "rules": [_rule(verdict, rule) for rule in sorted(verdict.rules)],
        "failures": [_failure(each) for each in verdict.failures],
        "known": [
            {**_failure(each.failure), "reason": each.reason, "expires": str(each.expires)}
            for each in verdict.known
        ],
        "waived": [
            {
                "name": each.name,
                "rule": each.rule,
                "reason": each.reason,
                "source": each.source,
                "times": each.times,
            }
            for each in verdict.waived
        ],
        "coverage": [
            {
                "kind": share.kind,
                "covered": share.covered,
                "total": share.total,
                "missing": list(share.missing),
            }
            for share in coverage(verdict)
        ],
        "seen": [
            {
                "operation": each.operation,
                "kind": each.kind,
                "name": each.name,
                "good": each.good,
                "bad": each.bad,
            }
            for each in verdict.seen
        ],
        "notes": list(verdict.notes),
    }


def read_failures(path: Path) -> list[Mapping[str, str]]:
    """The failures of a stored report, each with its `rule`, `operation` and `text`.

    Raises:
        CannotRun: it cannot be read, or is no such report.
    """
    try:
        report = json.loads(path.read_bytes())
    except OSError as error:
        raise CannotRun(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CannotRun(f"{path} cannot be read: {error}") from None
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        raise CannotRun(f"{path} is no report of `mjgate conformance`")
    if report.get("version") != VERSION:
        raise CannotRun(f"{path} has version {report.get('version')!r}, not {VERSION}")
    failures = report.get("failures")
    if not isinstance(failures, list) or not all(map(_is_failure, failures)):
        raise CannotRun(f"{path} has no list of failures")
    return failures


def _is_failure(value: object) -> bool:
    named = ("rule", "operation", "text")
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in named)


def _rule(verdict: Verdict, rule: str) -> dict[str, Any]:
    return {
        "name": rule,
        "sentence": verdict.sentences.get(rule, ""),
        "applied": verdict.rules[rule],
        "operations": {
            operation: times
            for (name, operation), times in sorted(verdict.applied.items())
            if name == rule
        },
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "rule": failure.rule,
        "operation": failure.operation,
        "text": failure.text,
        "detail": failure.detail,
        "where": failure.where,
        "story": failure.story,
        "times": failure.times,
        "case": failure.case,
        "exchanges": [_exchange(each) for each in failure.exchanges],
    }


def _exchange(exchange: Exchange) -> dict[str, Any]:
    curl, whole = command(exchange)
    return {
        "operation": exchange.operation,
        "request": exchange.request.to_json(),
        "answer": None if exchange.answer is None else exchange.answer.to_json(),
        "curl": curl if whole else None,
    }


def _text_only(value: Any) -> Any:
    """The same without lone surrogates, which are not text: they stand escaped."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_text_only(name): _text_only(part) for name, part in value.items()}
    return [_text_only(part) for part in value] if isinstance(value, list) else value
