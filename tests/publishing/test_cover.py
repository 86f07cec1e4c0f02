"""Which values one schema gives and another does not take, by value and by rule."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS30Validator

from openapi.cover import Gap, Side, gaps, target

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
OBJECT: Schema = {"type": "object", "properties": {"a": TEXT}}


def between(giver: Schema, taker: Schema) -> list[tuple[str, str]]:
    document: Schema = {}
    return [
        (gap.pointer, gap.text) for gap in gaps(Side(document, giver), Side({}, taker), document)
    ]


GAPS: list[tuple[Schema, Schema, str, str]] = [
    (WHOLE, TEXT, "", "type integer is not taken, only string"),
    ({}, {"type": "number"}, "", "type array, boolean, null, object, string is not taken, only "),
    ({"type": "number"}, WHOLE, "", "type number is not taken, only integer"),
    (TEXT | {"nullable": True}, TEXT, "", "type null is not taken, only string"),
    (TEXT, TEXT | {"enum": ["a", "b"]}, "", "only a, b are taken"),
    (TEXT | {"enum": ["a", "c"]}, TEXT | {"enum": ["a"]}, "", "the value 'c' is not taken"),
    (TEXT, TEXT | {"minLength": 1}, "", "minLength is 1, and none is given"),
    (TEXT | {"maxLength": 9}, TEXT | {"maxLength": 8}, "", "maxLength is 8, and 9 is given"),
    (WHOLE, WHOLE | {"minimum": 0}, "", "minimum is 0, and none is given"),
    (WHOLE | {"maximum": 9}, WHOLE | {"maximum": 8}, "", "maximum is 8, and 9 is given"),
    (
        WHOLE | {"minimum": 1},
        WHOLE | {"minimum": 1, "exclusiveMinimum": True},
        "",
        "minimum is 1 excluded, and 1 is given",
    ),
    (TEXT, TEXT | {"pattern": "^a"}, "", "pattern is '^a', and None is given"),
    (
        WHOLE | {"format": "int64"},
        WHOLE | {"format": "int32"},
        "",
        "format is 'int32', and 'int64'",
    ),
    (TEXT, TEXT | {"not": {"enum": ["x"]}}, "", "not is {'enum': ['x']}, and None is given"),
    (TEXT, TEXT | {"const": "x"}, "", "const differs, and cannot be judged"),
    (TEXT | {"readOnly": True}, TEXT, "", "readOnly differs, and cannot be judged"),
    ({"type": "array"}, {"type": "array", "uniqueItems": True}, "", "items must be unique"),
    ({"type": "array"}, {"type": "array", "maxItems": 2}, "", "maxItems is 2, and none is given"),
    ({"type": "array", "items": TEXT}, {"type": "array", "items": WHOLE}, "/*", "type string"),
    (OBJECT, OBJECT | {"required": ["a"]}, "/a", "is required, and may be left out"),
    (OBJECT, {"type": "object"}, "/a", "is gone"),
    (OBJECT, {"type": "object", "properties": {"a": WHOLE}}, "/a", "type string is not taken"),
    (OBJECT, OBJECT | {"additionalProperties": False}, "/*", "is not taken"),
    (OBJECT, OBJECT | {"additionalProperties": WHOLE}, "/*", "type array, boolean, null"),
    (
        OBJECT | {"additionalProperties": TEXT},
        OBJECT | {"additionalProperties": WHOLE},
        "/*",
        "type string is not taken, only integer",
    ),
    (TEXT | {"default": "a"}, TEXT | {"default": "b"}, "", "default was 'a', is 'b'"),
    (TEXT | {"default": "a"}, TEXT, "", "default was 'a', is None"),
    ({"anyOf": [TEXT, WHOLE]}, TEXT, "", "type integer is not taken, only string"),
    ({"oneOf": [TEXT, WHOLE]}, {"oneOf": [TEXT]}, "", "type integer is not taken, only string"),
    ({"oneOf": [WHOLE]}, {"oneOf": [WHOLE, {"type": "number"}]}, "", "two branches of oneOf may"),
    ({"anyOf": [TEXT], "nullable": True, "type": "string"}, TEXT, "", "type null is not taken"),
    ({"allOf": [TEXT]}, {"allOf": [TEXT, {"maxLength": 3}]}, "", "maxLength is 3, and none"),
    (
        {"type": "object", "properties": {"a/~": TEXT}},
        {"type": "object", "properties": {"a/~": WHOLE}},
        "/a~1~0",
        "type string",
    ),
]


@pytest.mark.parametrize(("giver", "taker", "pointer", "text"), GAPS)
def test_a_gap_is_named_with_its_place(
    giver: Schema, taker: Schema, pointer: str, text: str
) -> None:
    found = between(giver, taker)
    assert [pointer] == [place for place, _ in found][:1]
    assert found[0][1].startswith(text), found


COVERED: list[tuple[Schema, Schema]] = [
    ({"type": "object"}, {}),
    (WHOLE, {"type": "number"}),
    (WHOLE | {"format": "int32"}, WHOLE | {"format": "int64"}),
    (TEXT, TEXT | {"nullable": True}),
    (TEXT | {"enum": ["a"]}, TEXT | {"enum": ["a", "b"]}),
    (TEXT | {"enum": ["a", "b"]}, {"anyOf": [TEXT | {"enum": ["a"]}, TEXT]}),
    (TEXT | {"minLength": 2}, TEXT | {"minLength": 1, "description": "Shorter.", "x-a": 1}),
    (WHOLE | {"minimum": 1, "exclusiveMinimum": True}, WHOLE | {"minimum": 1}),
    (OBJECT | {"required": ["a"]}, OBJECT),
    (OBJECT, {"type": "object", "properties": {"a": TEXT, "b": WHOLE}}),
    (OBJECT | {"additionalProperties": False}, OBJECT | {"additionalProperties": WHOLE}),
    (TEXT, {"oneOf": [WHOLE, TEXT]}),
    ({"oneOf": [TEXT]}, {"oneOf": [TEXT, WHOLE]}),
    (TEXT | {"enum": ["a"]}, {"oneOf": [TEXT | {"enum": ["a"]}, TEXT | {"enum": ["b"]}]}),
    ({"anyOf": [{"oneOf": [TEXT]}, WHOLE]}, {"anyOf": [WHOLE, TEXT]}),
    ({"anyOf": [TEXT, WHOLE], "default": 1}, {"anyOf": [WHOLE, TEXT], "default": 1}),
    (TEXT | {"maxLength": 3}, {"allOf": [TEXT | {"title": "A"}, {"maxLength": 3, "title": "B"}]}),
    (
        {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["a", "b"]},
        {
            "allOf": [
                {"type": "object", "properties": {"a": TEXT}, "required": ["a"]},
                {"type": "object", "properties": {"b": TEXT}, "required": ["b"]},
            ]
        },
    ),
]


@pytest.mark.parametrize(("giver", "taker"), COVERED)
def test_what_is_taken_whole_has_no_gap(giver: Schema, taker: Schema) -> None:
    assert [] == between(giver, taker)


def test_a_schema_that_holds_itself_is_compared_once_around() -> None:
    def document(leaf: Schema) -> Schema:
        properties = {"leaf": leaf, "next": {"$ref": "#/components/schemas/Node"}}
        return {"components": {"schemas": {"Node": {"type": "object", "properties": properties}}}}

    node = {"$ref": "#/components/schemas/Node"}
    old, new = document(TEXT), document(WHOLE)
    assert ["/leaf"] == [gap.pointer for gap in gaps(Side(old, node), Side(new, node), old)]
    assert [] == gaps(Side(old, node), Side(document(TEXT), node), old)


def test_what_is_gone_is_a_gap_both_ways() -> None:
    old, new = Side({"old": True}, OBJECT), Side({}, {"type": "object"})
    assert [Gap("/a", "is gone")] == gaps(old, new, old.document)
    assert [Gap("/a", "is gone")] == gaps(new, old, old.document)
    assert [] == gaps(new, old, new.document)


def test_parts_that_say_one_thing_differently_are_not_compared() -> None:
    with pytest.raises(NotImplementedError, match="say maxLength differently"):
        between({"allOf": [{"maxLength": 1}, {"maxLength": 2}]}, TEXT)


@pytest.mark.parametrize("reference", ["other.yaml#/a", "#/components/schemas/Gone"])
def test_a_reference_to_nothing_is_not_compared(reference: str) -> None:
    with pytest.raises(KeyError):
        between({"$ref": reference}, TEXT)


def test_a_reference_leads_through_escaped_names() -> None:
    assert 1 == target({"paths": {"/a~b": 1}}, "#/paths/~1a~0b")


# Any pair of schemas: a value that one gives and the other does not take always has a gap.

TYPED = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "integer", "number", "boolean"])},
    optional={
        "nullable": st.booleans(),
        "minLength": st.integers(0, 2),
        "maxLength": st.integers(0, 2),
        "minimum": st.integers(-1, 1),
        "maximum": st.integers(-1, 2),
        "exclusiveMinimum": st.booleans(),
        "exclusiveMaximum": st.booleans(),
        "enum": st.lists(st.sampled_from(["", "a", "ab", 0, 1, None]), min_size=1, max_size=4),
        "pattern": st.sampled_from(["^a", "b"]),
    },
)


def nested(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    some = st.lists(inner, min_size=1, max_size=3)
    objects = st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.fixed_dictionaries({"a": inner, "b": inner})},
        optional={
            "required": st.lists(st.sampled_from("ab"), unique=True, min_size=1),
            "additionalProperties": st.booleans() | inner,
        },
    )
    arrays = st.fixed_dictionaries(
        {"type": st.just("array"), "items": inner},
        optional={"minItems": st.integers(0, 2), "uniqueItems": st.booleans()},
    )
    return st.one_of(
        objects,
        arrays,
        st.fixed_dictionaries({"anyOf": some}),
        st.fixed_dictionaries({"oneOf": some}),
        st.fixed_dictionaries({"allOf": some.map(lambda schemas: schemas[:1])}),
    )


SCHEMAS = st.recursive(st.just({}) | TYPED, nested, max_leaves=6)
SCALARS = st.sampled_from([None, True, -1, 0, 1, 2, 0.5, "", "a", "ab", "abc", "b"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)


@settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(SCHEMAS, SCHEMAS, st.lists(VALUES, min_size=1, max_size=20))
def test_no_value_that_is_given_and_not_taken_goes_unnamed(
    giver: Schema, taker: Schema, values: list[Any]
) -> None:
    gives, takes = OAS30Validator(giver), OAS30Validator(taker)
    lost = [value for value in values if gives.is_valid(value) and not takes.is_valid(value)]
    assert between(giver, taker) or not lost, lost
