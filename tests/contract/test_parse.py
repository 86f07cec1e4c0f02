"""What the parser refuses, as far as a socket does not show it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjgate.contract.parse import MOST_DEPTH, parse_body
from mjgate.errors import InvalidRequest, Violation

_PLAIN = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(_PLAIN)
)
VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(_PLAIN), inner)
)
ANYTHING = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)


def refusal(body: bytes) -> Violation:
    with pytest.raises(InvalidRequest) as caught:
        parse_body(body)
    (violation,) = caught.value.violations
    return violation


def answered(body: bytes) -> Any:
    """What a client is told of a body that is refused; None for a good one."""
    try:
        parse_body(body)
    except InvalidRequest as error:
        return error.body()
    return None


@given(VALUES, st.booleans())
def test_good_json_is_parsed_as_the_standard_library_does(value: Any, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert repr(json.loads(body)) == repr(parse_body(body))


@given(ANYTHING)
def test_what_is_refused_can_be_said_in_our_answer(value: Any) -> None:
    said = json.dumps(answered(json.dumps(value).encode()), ensure_ascii=False)
    assert "\\u0000" not in said.encode().decode().replace("\\\\", "")


@given(st.binary())
def test_any_bytes_are_parsed_or_refused(body: bytes) -> None:
    assert answered(body) is None or answered(body)["code"] == 4


def test_the_first_of_several_places_is_named() -> None:
    body = rb'{"a": {"b": ["x", "\u0000"]}, "c": "\u0000"}'
    assert Violation("/a/b/1", "must not hold U+0000") == refusal(body)


def test_a_body_that_is_no_container_has_the_empty_pointer() -> None:
    assert "" == refusal(rb'"\u0000"').pointer
    assert "" == refusal(rb'"\ud800"').pointer
    assert "" == refusal(b"9223372036854775808").pointer


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert ["\\u0000", "\\\\"] == parse_body(rb'["\\u0000", "\\\\"]')


def test_long_digits_in_texts_and_fractions_are_no_integers() -> None:
    body = b'["123456789012345678901234567890", 123456789012345678901234567890.5, 1e30]'
    assert ["123456789012345678901234567890", 1.2345678901234568e29, 1e30] == parse_body(body)


def test_siblings_do_not_count_as_depth() -> None:
    body = b"[" + b"[{}]," * 1000 + b"[]]"
    assert 1001 == len(parse_body(body))


def test_depth_counts_objects_and_arrays_alike() -> None:
    half = MOST_DEPTH // 2
    body = b'{"a":[' * half + b"]}" * half
    parse_body(body)
    assert f"is nested deeper than {MOST_DEPTH} levels" == refusal(b"[" + body + b"]").message


def test_a_string_of_brackets_is_no_nesting() -> None:
    assert "[" * 1000 == parse_body(b'"' + b"[" * 1000 + b'"')


def test_digits_of_any_length_are_told_from_integers() -> None:
    digits = "9" * 40
    for text in (f'"{digits}"', rf'"\"{digits}"', f"0.{digits}", f"1e-{digits}", f"{digits}e-9"):
        parse_body(f'[{text}, "\\\\"]'.encode())
    for text in (digits, f"-{digits}", f'"\\\\",{digits}', f'"\\"{digits}\\"",-{digits}'):
        assert "64 bits" in refusal(f"[{text}]".encode()).message


@pytest.mark.parametrize("wrong", [rb'"\u0000"', rb'"\ud800"', b"9" * 30])
def test_in_a_body_of_megabytes_no_place_is_searched(wrong: bytes) -> None:
    few, many = (b"[" + b"0," * count + wrong + b"]" for count in (100_000, 1_000_000))
    assert ("/100000", "") == (refusal(few).pointer, refusal(many).pointer)
    assert refusal(few).message == refusal(many).message
