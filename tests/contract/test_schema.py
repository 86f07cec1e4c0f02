"""How a violation is worded: its place, and what would be right there."""

from typing import Any

import pytest

from mjgate.contract.schema import Schema, broken, pointer
from mjgate.errors import Violation
from tests.contract.document import DOCUMENT

COMPONENTS: dict[str, Any] = DOCUMENT["components"]


def schema(name: str) -> Schema:
    return Schema({"$ref": f"#/components/schemas/{name}"}, COMPONENTS)


def worded(form: dict[str, Any], value: Any) -> list[tuple[str, str]]:
    made = Schema(form, COMPONENTS)
    assert not made.accepts(value)
    return [(each.pointer, each.message) for each in made.violations(value)]


@pytest.mark.parametrize(
    ("form", "value", "message"),
    [
        ({"type": "string"}, 1, "must be a string, not a whole number"),
        ({"type": "string", "nullable": True}, {}, "must be a string or null, not an object"),
        ({"type": "integer"}, 1.0, "must be a whole number, not a number with a fraction"),
        ({"type": "integer"}, True, "must be a whole number, not true or false"),
        ({"type": "integer"}, None, "must be a whole number, not null"),
        ({"type": "number"}, "1", "must be a number, not a string"),
        ({"type": "boolean"}, 0, "must be true or false, not a whole number"),
        ({"type": "object"}, [], "must be an object, not an array"),
        ({"type": "array"}, {}, "must be an array, not an object"),
        ({"type": "string", "enum": ["a"]}, "b", "must be a"),
        ({"type": "string", "enum": ["a", "b", "c"]}, "d", "must be a, b or c"),
        ({"type": "integer", "minimum": 1}, 0, "must be at least 1"),
        ({"type": "integer", "maximum": 4}, 5, "must be at most 4"),
        ({"type": "string", "minLength": 2}, "x", "must have at least 2 characters"),
        ({"type": "string", "maxLength": 2}, "xxx", "must have at most 2 characters"),
        ({"type": "array", "maxItems": 1}, [1, 2], "must have at most 1 items"),
        ({"type": "string", "pattern": "^a$"}, "b", "must match ^a$"),
        ({"type": "string", "pattern": "^a$", "x-violation": "must be a"}, "b", "must be a"),
        ({"oneOf": [{"type": "string"}, {"type": "object"}]}, 1, "must be a string or an object"),
        ({"anyOf": [{"type": "string"}, {"enum": [1]}]}, 2, "must be a string or an allowed value"),
        ({"oneOf": [{"type": "string", "nullable": True}]}, 1, "must be a string or null"),
    ],
)  # fmt: skip
def test_a_violation_says_what_would_be_right(
    form: dict[str, Any], value: Any, message: str
) -> None:
    assert [("", message)] == worded(form, value)


def test_null_is_allowed_where_a_type_is_nullable_and_nowhere_else() -> None:
    for form, verdict in (
        ({"type": "string", "nullable": True}, True),
        ({"type": "string", "nullable": False}, False),
        ({"type": "string", "nullable": True, "enum": ["a"]}, True),
        ({"type": "string", "nullable": True, "enum": ["a", None]}, True),
        ({"type": "string", "enum": ["a"]}, False),
    ):
        assert verdict == Schema(form, COMPONENTS).accepts(None), form


def test_a_property_may_be_called_nullable() -> None:
    made = Schema({"type": "object", "properties": {"nullable": {"type": "string"}}}, COMPONENTS)
    assert (True, False) == (made.accepts({"nullable": "x"}), made.accepts({"nullable": 1}))


@pytest.mark.parametrize(
    ("value", "places"),
    [
        ({"action": "UPSCALE", "taskId": True}, ["/index", "/taskId"]),
        ({"action": "REROLL", "index": "x"}, ["/index", "/taskId"]),
        ({"action": "ZOOM"}, ["/action"]),
        ({}, ["/action"]),
        ([], [""]),
    ],
)
def test_of_a_choice_the_branch_that_the_discriminator_names_is_worded(
    value: Any, places: list[str]
) -> None:
    found = schema("ChangeRequest").violations(value)
    assert places == sorted(each.pointer for each in found)


def test_a_choice_within_an_array_has_its_whole_place() -> None:
    form = {"type": "array", "items": {"$ref": "#/components/schemas/ChangeRequest"}}
    value = [{"action": "REROLL", "taskId": "1"}, {"action": "REROLL", "taskId": "1", "state": 1}]
    assert [("/1/state", "must be a string or null, not a whole number")] == worded(form, value)


def test_a_choice_of_components_is_worded_by_what_they_are() -> None:
    form = {"anyOf": [{"$ref": "#/components/schemas/TaskStatus"}, {"type": "boolean"}]}
    assert [("", "must be a string or true or false")] == worded(form, 1)


def test_each_missing_field_has_a_place_of_its_own() -> None:
    form = {"type": "object", "required": ["a", "b/c"]}
    assert [("/a", "is required"), ("/b~1c", "is required")] == worded(form, {})


def test_a_good_value_that_is_asked_about_is_not_blamed_anywhere() -> None:
    assert [Violation("", "does not have the documented form")] == schema("State").violations("x")


def test_late_items_of_a_long_list_are_placed_by_the_judge() -> None:
    form = {"type": "array", "items": {"type": "string"}}
    value: list[Any] = ["x"] * 5000 + [1]
    assert [("/5000", "does not have the documented form")] == worded(form, value)


def test_items_are_a_matter_of_arrays_alone() -> None:
    form = {"items": {"type": "string"}, "required": ["a"]}
    assert [("/a", "is required")] == worded(form, {"b": 1})


def test_a_pointer_is_escaped_as_rfc_6901_has_it() -> None:
    assert "/a~1b/~0/0/" == pointer(["a/b", "~", 0, ""])
    assert "" == pointer([])


@pytest.mark.parametrize(
    ("place", "said"), [("", "the body"), ("#id", "id"), ("/a/b", "a/b"), ("/0", "0")]
)
def test_a_refusal_says_its_first_violation_to_a_person(place: str, said: str) -> None:
    error = broken([Violation(place, "is odd"), Violation("/x", "too")])
    assert f"The request breaks the contract: {said} is odd." == error.description
    assert [place, "/x"] == [each.pointer for each in error.violations]
