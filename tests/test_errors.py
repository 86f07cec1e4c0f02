"""The error tree, and the answers of the errors that have one."""

import inspect
import re
from collections.abc import Iterator

import pytest

from mjgate import errors
from mjgate.contract.document import load_document
from mjgate.errors import ApiError, InvalidRequest, MjgateError, Unavailable, Violation

KINDS = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, MjgateError)
]
ANSWERS = [kind for kind in KINDS if issubclass(kind, ApiError) and kind is not ApiError]


def drawn() -> Iterator[tuple[str, str]]:
    """Each error of the drawn tree with its parent."""
    path: list[str] = []
    for line in str(errors.__doc__).splitlines():
        if found := re.match(r"^([│├└─ ]*)(\w+Error|[A-Z]\w+)(  |$)", line):
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            yield found[2], path[depth - 1] if depth else ""


def test_the_tree_is_drawn_as_it_is() -> None:
    parents = {kind.__name__: kind.__mro__[1].__name__ for kind in KINDS}

    assert {**parents, "MjgateError": ""} == dict(drawn())


def test_each_error_says_when_it_is_raised() -> None:
    assert [] == [kind for kind in KINDS if not kind.__doc__]


@pytest.mark.parametrize("kind", ANSWERS)
def test_statuses_have_the_codes_of_the_contract(kind: type[ApiError]) -> None:
    assert (9 if kind.status >= 500 else 3 if kind.status == 404 else 4) == kind.code


@pytest.mark.parametrize("kind", ANSWERS)
def test_slugs_are_in_the_contract(kind: type[ApiError]) -> None:
    assert kind.slug in str(load_document().spec["components"]["schemas"])


def test_an_error_answers_in_the_one_shape() -> None:
    error = InvalidRequest("no", [Violation("/prompt", "is required")], properties={"more": 1})

    assert {
        "code": 4,
        "description": "no",
        "properties": {
            "error": "invalid_request",
            "errors": [{"pointer": "/prompt", "message": "is required"}],
            "more": 1,
        },
        "result": None,
    } == error.body()


def test_unavailable_says_when_to_come_back() -> None:
    assert {"Retry-After": "7"} == Unavailable("no", 7).headers
