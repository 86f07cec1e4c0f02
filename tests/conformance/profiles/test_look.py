"""Exchanges are read without falling over what is not there."""

import pytest

from mjgate.conformance.exchange import Answer, Exchange, Request
from mjgate.conformance.profiles import look

ASKED = Request("GET", "http://x/mj/task/a%2fb/fetch")
SILENT = Exchange(ASKED, None)


def test_no_answer_says_nothing() -> None:
    assert (0, "", None) == (look.status(SILENT), look.kind(SILENT), look.header(SILENT, "etag"))
    assert look.told(SILENT) is look.NOTHING
    assert not look.is_bare(SILENT, 401)
    assert not look.lacks(SILENT, "etag")
    assert [] == look.tasks(SILENT)
    assert None is look.outcome(SILENT)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[NaN]", b"[" * 100_000])
def test_what_is_no_json_is_nothing(body: bytes) -> None:
    assert look.read(body) is look.NOTHING


def test_a_body_is_read_whole() -> None:
    assert [None, 10**20, "a"] == look.read(b"[null, " + b"1" * 9999 + b', "a"]')
    assert None is look.field(SILENT, "prompt")
    asked = Request("POST", "http://x", body=b'{"prompt": 5}')
    assert 5 == look.field(Exchange(asked, None), "prompt")


def test_paths_are_read_as_they_were_meant() -> None:
    assert "/mj/task/a/b/fetch" == look.path(SILENT)
    assert look.is_split(SILENT)


@pytest.mark.parametrize(
    ("body", "good"),
    [
        (b'{"code":1,"description":"a","properties":{},"result":"1"}', True),
        (b'{"code":4,"description":"a","properties":{},"result":null}', True),
        (b'{"code":1,"description":"a","properties":{},"result":null}', False),
        (b'{"code":4,"description":"a","properties":{},"result":"1"}', False),
        (b'{"code":4,"description":"a","properties":{},"result":5}', False),
        (b'{"code":true,"description":"a","properties":{},"result":null}', False),
        (b'{"code":4,"description":1,"properties":{},"result":null}', False),
        (b'{"code":4,"description":"a","properties":[],"result":null}', False),
        (b'{"code":4,"description":"a","properties":{}}', False),
    ],
)
def test_the_outcome_of_a_submit_has_four_fields(body: bytes, good: bool) -> None:
    answer = Answer(200, (("content-type", "application/json"),), body)
    exchange = Exchange(Request("POST", "http://x"), answer, look.IMAGINE)
    assert good == (look.outcome(exchange) is not None)
