"""Editing single keys of a body."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjgate.upstream.edit import edited

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v), max_leaves=5
)


@pytest.mark.parametrize(
    "value",
    [
        "12345678901234567890123",
        "1.10",
        "1e5",
        "-0.0",
        '"\\u4e2d\\ud83d\\ude00\\/"',
        '"中"',
        '{"b": 1,  "a" : [ 1 ]}',
        "[null, true]",
    ],
)
def test_values_keep_every_byte(value: str) -> None:
    body = f'{{"prompt":"a","odd" : {value}}}'.encode()

    assert f'"odd":{value}'.encode() in edited(body, {"state": "x"})


def test_keys_are_replaced_dropped_and_added() -> None:
    body = b'{"a":1,"b":2,"c":3}'

    assert {"a": 9, "c": 3, "d": "x"} == json.loads(edited(body, {"a": 9, "d": "x"}, ("b", "e")))


def test_of_a_key_that_stands_twice_the_last_one_is_kept() -> None:
    assert b'{"a":2}' == edited(b'{"a":1,"a":2}', {})


def test_a_replaced_key_is_known_however_it_is_written() -> None:
    assert {"state": "ours"} == json.loads(edited(b'{"\\u0073tate":"theirs"}', {"state": "ours"}))


@given(st.dictionaries(st.text(), values), st.dictionaries(st.text(), values))
def test_all_else_stays(members: dict[str, Any], replaced: dict[str, Any]) -> None:
    body = json.dumps(members).encode()

    assert {**members, **replaced} == json.loads(edited(body, replaced))
