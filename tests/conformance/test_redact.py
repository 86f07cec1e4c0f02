"""What a run leaves behind names no token."""

from dataclasses import replace

import pytest

from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.redact import MARK, redacted
from mjgate.conformance.report.html import html_report
from mjgate.conformance.report.json import json_report
from mjgate.conformance.report.junit import junit_report
from mjgate.conformance.report.text import text_report
from mjgate.conformance.verdict import Verdict
from tests.conformance.report.verdicts import FAILED, TARGET, exchange, failure, verdict

TOKEN, OTHER = 'mj-1/"é', "mj-second-token"


def leaky() -> Verdict:
    """A server that says its tokens everywhere."""
    shown = f'{{"a": "mj-1/\\"\\u00e9", "b": "mj-1/\\"é", "c": "{OTHER}"}}'.encode()
    request = Request("POST", f"{TARGET}/mj-1%2F%22%C3%A9/{OTHER}", (("X-A", TOKEN),), shown)
    answer = Answer(200, ((OTHER, OTHER), ("location", f"/?{OTHER}")), shown)
    bad = failure(f"it shows {OTHER}", exchanges=(Exchange(request, answer), exchange(None)))
    return verdict(failures=(bad,), notes=(f"{OTHER} is shown",))


@pytest.mark.parametrize("token", ["mj-1", "second-token"])
def test_no_report_of_a_server_that_shows_its_tokens_shows_them(token: str) -> None:
    found = redacted(leaky(), [TOKEN, OTHER])
    reports = (text_report(found), json_report(found), html_report(found), junit_report(found))
    for report in (*map(str, reports[:3]), reports[3].decode()):
        assert token not in report
        assert MARK in report


@pytest.mark.parametrize(
    "written",
    [
        r"mj-1\/\"\u00E9",
        r"\u006d\u006A-1/\u0022é",
        "%6dj%2D1%2f%22%c3%a9",
        "mj-1&#x2F;&quot;&#233;",
        "mj-1/&#34;&#x00E9;",
    ],
)
def test_a_token_is_known_however_it_is_written(written: str) -> None:
    shown = Exchange(exchange().request, Answer(200, (), f"<{written}>".encode()))
    found = redacted(verdict(failures=(failure(f"<{written}>", exchanges=(shown,)),)), [TOKEN])
    (hidden,) = found.failures
    assert f"<{MARK}>" == hidden.text
    assert hidden.exchanges[0].answer is not None
    assert f"<{MARK}>".encode() == hidden.exchanges[0].answer.body


def test_all_else_stays_as_it_was() -> None:
    assert FAILED == redacted(FAILED, [TOKEN, "", "1"])
    sent = exchange(sent=None)
    assert (
        replace(sent)
        == redacted(verdict(failures=(failure(exchanges=(sent,)),)), [TOKEN])
        .failures[0]
        .exchanges[0]
    )
