"""What only words refuse is found wherever it is, and taming leaves nothing of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjgate.conformance.words import (
    LEAST,
    MOST,
    NotJson,
    is_blank,
    is_odd_hook,
    odd_questions,
    parse,
    tame,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NUL, SURROGATE, HUGE = "U+0000", "a lone surrogate", "an integer outside 64 bits"


def refused(value: Any) -> dict[str, str]:
    return dict(parse(json.dumps(value).encode()).refused)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"a": [MOST, LEAST, 1.5, True, None, "x"]}, {}),
        ({"a\0": 1}, {"/a\0": NUL}),
        ({"a": [{"b/~": "\0"}]}, {"/a/0/b~1~0": NUL}),
        ([MOST + 1], {"/0": HUGE}),
        ([LEAST - 1, "\0"], {"/0": HUGE, "/1": NUL}),
        ({"a": "\ud800"}, {"/a": SURROGATE}),
        ([[[[1]]]], {}),
    ],
)
def test_what_is_refused_everywhere_is_found_with_its_place(
    value: Any, found: dict[str, str]
) -> None:
    assert found == refused(value)


def test_an_integer_longer_than_python_reads_is_refused() -> None:
    assert (("", HUGE),) == parse(b"1" * 5000).refused


def test_what_is_nested_too_deep_is_refused_as_a_whole() -> None:
    for depth, wrong in ((128, False), (129, True), (100_000, True)):
        found = parse(b"[" * depth + b"]" * depth).refused
        assert wrong == bool(found)
        assert not found or "" == found[0][0]


@pytest.mark.parametrize("body", [b"", b"{", b"nul", b"NaN", b"[-Infinity]", b"'a'", b'"\xff"'])
def test_what_is_no_json_is_not_read(body: bytes) -> None:
    with pytest.raises(NotJson):
        parse(body)


@pytest.mark.parametrize(
    ("body", "doubtful"),
    [
        (b'{"a": 1, "a": 2}', True),
        (b"\xef\xbb\xbf{}", True),
        (b"1e999", True),
        (b"-1e30", True),
        (b"1e2", False),
        (b"1.5e300", True),
        (b'{"a": {"a": 1}}', False),
    ],
)
def test_what_parsers_read_in_two_ways_is_doubtful(body: bytes, doubtful: bool) -> None:
    assert doubtful == parse(body).doubtful


@given(JSON)
def test_a_tame_value_is_refused_nowhere_and_what_was_tame_is_left_alone(value: Any) -> None:
    assert {} == refused(tame(value))
    assert refused(value) or repr(value) == repr(tame(value))


@pytest.mark.parametrize(
    ("query", "odd"),
    [
        ({}, []),
        ({"limit": "1", "to": "2026-03-01"}, []),
        ({"from": "2025-03-01", "to": "2026-03-01"}, []),
        ({"from": "2025-02-28", "to": "2026-03-01"}, ["from", "to"]),
        ({"from": "2026-03-02", "to": "2026-03-01"}, ["from", "to"]),
        ({"from": "2026-02-29", "cursor": "1"}, ["cursor", "from", "to"]),
    ],
)
def test_a_question_may_not_fit_where_days_or_cursors_do_not(
    query: dict[str, str], odd: list[str]
) -> None:
    assert odd == odd_questions(query)


@pytest.mark.parametrize(
    ("hook", "odd"),
    [
        ("", False),
        (None, False),
        (" ", False),
        ("https://example.org", False),
        ("http://example.org:8080/a", False),
        ("http://example.org:99999/", True),
        ("http://[::1]/", True),
        ("http://127.1/", True),
    ],
)
def test_an_address_is_odd_where_libraries_disagree(hook: Any, odd: bool) -> None:
    assert odd == is_odd_hook(hook)


@pytest.mark.parametrize(("prompt", "blank"), [("　", True), ("", True), ("a", False), (1, False)])
def test_a_prompt_is_blank_in_any_alphabet(prompt: Any, blank: bool) -> None:
    assert blank == is_blank(prompt)
