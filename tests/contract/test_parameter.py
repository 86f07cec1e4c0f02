"""Parameters in query and headers: what arrives, what is refused, and how it is said."""

from collections.abc import Mapping
from typing import Any

import pytest

from mjgate.contract.parameter import Parameters, compile_parameters
from mjgate.errors import InvalidRequest
from tests.contract.inprocess import scope

COMPONENTS = {"schemas": {"Order": {"type": "string", "enum": ["up", "down"]}}}
RAW: list[dict[str, Any]] = [
    {"name": "from", "in": "query", "schema": {"type": "string", "maxLength": 5}},
    {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": -5, "maximum": 10, "default": 7},
    },
    {"name": "order", "in": "query", "schema": {"$ref": "#/components/schemas/Order"}},
    {
        "name": "X-Key",
        "in": "header",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 5,
            "pattern": "^[!-~]*$",
            "x-violation": "must be visible ASCII characters",
        },
    },
    {"name": "X-List", "in": "header", "x-lines": True, "schema": {"type": "string"}},
    {"name": "X-Age", "in": "header", "schema": {"type": "integer", "minimum": 0, "maximum": 9}},
]
WHOLE = "must be a whole number of at most 19 digits"


def compiled(*raw: Mapping[str, Any]) -> Parameters:
    parameters = compile_parameters("GET /x", raw, COMPONENTS)
    assert parameters is not None
    return parameters


def read(query: str = "", *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    asked = {**scope("GET", f"/x?{query}", {}), "headers": list(headers)}
    return compiled(*RAW).read(asked)


def test_an_operation_without_parameters_has_none() -> None:
    assert compile_parameters("GET /x", [], COMPONENTS) is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("from=a", {"from": "a"}),
        ("from=", {"from": ""}),
        ("from", {"from": ""}),
        ("from=a=b", {"from": "a=b"}),
        ("from=a+b", {"from": "a b"}),
        ("from=a%2Bb", {"from": "a+b"}),
        ("from=%E5%90%8D", {"from": "名"}),
        ("%66rom=a", {"from": "a"}),
        ("limit=10", {"limit": 10}),
        ("limit=-5", {"limit": -5}),
        ("limit=007", {"limit": 7}),
        ("limit=-0", {"limit": 0}),
        ("order=up&from=x&limit=1", {"order": "up", "from": "x", "limit": 1}),
        ("&&from=a&", {"from": "a"}),
        ("other=1&other=%zz&%ff=%00&fro%6=1", {}),
    ],
)
def test_what_is_given_arrives_as_the_contract_means_it(
    query: str, expected: dict[str, Any]
) -> None:
    assert {"limit": 7, **expected} == read(query)


@pytest.mark.parametrize(
    ("query", "pointer", "message"),
    [
        ("from=a&from=a", "#from", "must be given once"),
        ("from=a&%66rom=b", "#from", "must be given once"),
        ("from=%", "#from", "must have two hexadecimal digits after each %"),
        ("from=%4", "#from", "must have two hexadecimal digits after each %"),
        ("from=%4g", "#from", "must have two hexadecimal digits after each %"),
        ("from=%ff", "#from", "must be UTF-8"),
        ("from=%ed%a0%80", "#from", "must be UTF-8"),
        ("from=%00", "#from", "must not hold U+0000"),
        ("from=123456", "#from", "must have at most 5 characters"),
        ("order=sideways", "#order", "must be up or down"),
        ("limit=11", "#limit", "must be at most 10"),
        ("limit=-6", "#limit", "must be at least -5"),
        ("limit=9999999999999999999", "#limit", "must be at most 10"),
        *(
            (f"limit={text}", "#limit", WHOLE)
            for text in (
                *("", "x", "1_0", "+1", "%2B1", "%201", "1%20", "1.0", "1e1", "0x1", "--1", "-"),
                *("%D9%A1", "%C2%B2", "1%0A", "9" * 20, "9" * 5000, "null"),
            )
        ),
    ],
)
def test_what_the_contract_does_not_allow_is_refused_by_name(
    query: str, pointer: str, message: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(query)
    (violation,) = caught.value.violations
    assert (pointer, message) == (violation.pointer, violation.message)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], {}),
        ([(b"x-key", b"a")], {"X-Key": "a"}),
        ([(b"x-key", b"!~")], {"X-Key": "!~"}),
        ([(b"x-age", b"9")], {"X-Age": 9}),
        ([(b"x-list", b"a, b")], {"X-List": "a, b"}),
        ([(b"x-list", b"a"), (b"x-list", b""), (b"x-list", b"b")], {"X-List": "a, , b"}),
        ([(b"x-other", b"a"), (b"x-other", b"b")], {}),
    ],
)
def test_a_header_arrives_by_its_name_in_the_contract(
    headers: list[tuple[bytes, bytes]], expected: dict[str, Any]
) -> None:
    assert {"limit": 7, **expected} == read("", *headers)


@pytest.mark.parametrize(
    ("headers", "pointer", "message"),
    [
        ([(b"x-key", b"")], "#X-Key", "must have at least 1 characters"),
        ([(b"x-key", b"abcdef")], "#X-Key", "must have at most 5 characters"),
        ([(b"x-key", b"a b")], "#X-Key", "must be visible ASCII characters"),
        ([(b"x-key", "é".encode())], "#X-Key", "must be visible ASCII characters"),
        ([(b"x-key", b"\xff")], "#X-Key", "must be visible ASCII characters"),
        ([(b"x-key", b"a\n")], "#X-Key", "does not have the documented form"),
        ([(b"x-key", b"a\0")], "#X-Key", "must not hold U+0000"),
        ([(b"x-key", b"a"), (b"x-key", b"a")], "#X-Key", "must be given once"),
        ([(b"x-age", b"10")], "#X-Age", "must be at most 9"),
        ([(b"x-age", b" 1")], "#X-Age", WHOLE),
    ],
)
def test_a_header_that_the_contract_does_not_allow_is_refused_by_name(
    headers: list[tuple[bytes, bytes]], pointer: str, message: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read("", *headers)
    (violation,) = caught.value.violations
    assert (pointer, message) == (violation.pointer, violation.message)


@pytest.mark.parametrize("place", ["query", "header"])
def test_what_is_required_must_be_given(place: str) -> None:
    raw = {"name": "Day", "in": place, "required": True, "schema": {"type": "string"}}
    with pytest.raises(InvalidRequest) as caught:
        compiled(raw).read(scope("GET", "/x", {}))
    (violation,) = caught.value.violations
    assert ("#Day", "is required") == (violation.pointer, violation.message)
    given = scope("GET", "/x?Day=1", {"Day": "1"})
    assert {"Day": "1"} == compiled(raw).read(given)


def test_every_violation_of_a_parameter_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read("", (b"x-key", b"a bcdef"))
    assert {"must have at most 5 characters", "must be visible ASCII characters"} == {
        violation.message for violation in caught.value.violations
    }
