import gzip
from typing import Any

import pytest

from mjgate.conformance.client.reply import NOTHING, Reply, as_json, canonical, value_of


@pytest.mark.parametrize(
    "content",
    [b"", b"NaN", b"-Infinity", b"1e999", b'{"a": 1, "a": 1}', b'"\xff"', b"[" * 100_000, b"1 2"],
)
def test_what_is_no_json_to_every_reader_is_nothing(content: bytes) -> None:
    assert value_of(content) is NOTHING
    assert "no JSON" == repr(value_of(content))


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"null", None), (b"\xef\xbb\xbf[1.5]", [1.5]), (b'{"a": {}}', {"a": {}})],
)
def test_json_is_its_value(content: bytes, value: Any) -> None:
    assert canonical(value) == canonical(value_of(content))


def test_values_that_python_holds_to_be_equal_differ() -> None:
    assert 3 == len({canonical(True), canonical(1), canonical(1.0)})


def test_a_lone_surrogate_is_escaped_and_other_text_is_not() -> None:
    assert b'"\\ud800"' == as_json("\ud800")
    assert '"猫"'.encode() == as_json("猫")


def test_a_reply_goes_out_with_its_length_and_is_shown_as_it_came() -> None:
    packed = gzip.compress(b"{}")
    headers = (("Content-Encoding", "gzip"), ("ETag", 'W/"é"'))
    reply = Reply("it", "valid", 200, headers, packed, decoded=b"{}", end="close")
    head, _, body = reply.wire.partition(b"\r\n\r\n")
    assert packed == body
    assert [
        b"HTTP/1.1 200 OK",
        b"Content-Encoding: gzip",
        b'ETag: W/"\xe9"',
        b"Content-Length: %d" % len(packed),
        b"Connection: close",
    ] == head.split(b"\r\n")
    assert ({}, b"{}") == (reply.value, reply.content)
    assert (200, packed, "gzip") == (
        reply.answer.status,
        reply.answer.body,
        reply.answer.header("content-encoding"),
    )


@pytest.mark.parametrize("status", [204, 304])
def test_a_reply_without_a_body_says_no_length(status: int) -> None:
    assert b"Content-Length" not in Reply("it", "odd", status, ()).wire


def test_a_status_without_a_name_goes_out() -> None:
    assert Reply("it", "odd", 999, ()).wire.startswith(b"HTTP/1.1 999 Odd\r\n")


def test_what_is_no_answer_is_shown_as_its_bytes_and_holds_nothing() -> None:
    reply = Reply("it", "broken", 200, (), raw=b"SSH")
    assert (b"SSH", b"SSH", NOTHING) == (reply.wire, reply.answer.body, reply.value)
