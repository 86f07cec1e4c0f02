"""The 3.1 edition is valid, says the same, and lets the same values pass."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from openapi_schema_validator import OAS30Validator, OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from openapi.cover import target
from openapi.edition import to_3_1
from tests.client import samples

CONTRACT: dict[str, Any] = samples.CONTRACT
EDITION = to_3_1(CONTRACT)
OLDER = frozenset({"nullable", "example"})


def schemas(node: Any) -> list[dict[str, Any]]:
    """Every schema below a node of an edition, found by the parts that hold one."""
    if isinstance(node, list):
        return [found for item in node for found in schemas(item)]
    if not isinstance(node, dict):
        return []
    below = [found for name, part in node.items() if name != "examples" for found in schemas(part)]
    return [node, *below]


def converted(schema: dict[str, Any]) -> Any:
    components = {"schemas": {"Any": schema}}
    edition = to_3_1({"openapi": "3.0.3", "info": {}, "paths": {}, "components": components})
    return edition["components"]["schemas"]["Any"]


def test_the_edition_is_valid_openapi_3_1() -> None:
    assert [] == [fault.message for fault in OpenAPIV31SpecValidator(EDITION).iter_errors()]
    assert "3.1.0" == EDITION["openapi"]


def test_the_original_is_left_as_it_was() -> None:
    before = samples.canonical(CONTRACT)
    to_3_1(CONTRACT)["components"]["schemas"]["Task"]["properties"].clear()
    assert before == samples.canonical(CONTRACT)


def test_nothing_but_schemas_and_the_version_differ() -> None:
    def bare(node: Any) -> Any:
        if isinstance(node, dict):
            parts = {name: bare(part) for name, part in node.items() if name != "schema"}
            return {
                name: part for name, part in parts.items() if name not in ("schemas", "openapi")
            }
        return [bare(item) for item in node] if isinstance(node, list) else node

    assert bare(CONTRACT) == bare(EDITION)


def test_no_schema_says_what_only_3_0_knows() -> None:
    for schema in schemas(EDITION["components"]["schemas"]):
        assert not OLDER & schema.keys(), schema
        assert not any(isinstance(schema.get(f"exclusive{one}"), bool) for one in ("Minimum",))


CHANGES: list[tuple[dict[str, Any], Any]] = [
    ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
    ({"type": "string", "nullable": False}, {"type": "string"}),
    ({"nullable": True}, {}),
    ({"type": "string", "nullable": True, "enum": [None]}, {"type": "null"}),
    (
        {"type": "string", "nullable": True, "enum": ["a", None]},
        {"type": ["string", "null"], "enum": ["a", None]},
    ),
    (
        {"type": "integer", "minimum": 1, "exclusiveMinimum": True, "maximum": 2},
        {"type": "integer", "exclusiveMinimum": 1, "maximum": 2},
    ),
    (
        {"type": "integer", "maximum": 2, "exclusiveMaximum": False},
        {"type": "integer", "maximum": 2},
    ),
    ({"type": "string", "example": "a"}, {"type": "string", "examples": ["a"]}),
    ({"$ref": "#/components/schemas/Any", "maxLength": 1}, {"$ref": "#/components/schemas/Any"}),
    (
        {"type": "object", "properties": {"nullable": {"type": "string", "nullable": True}}},
        {"type": "object", "properties": {"nullable": {"type": ["string", "null"]}}},
    ),
    (
        {"type": "object", "additionalProperties": {"type": "string", "nullable": True}},
        {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
    ),
    (
        {"type": "object", "additionalProperties": True},
        {"type": "object", "additionalProperties": True},
    ),
    (
        {"type": "array", "items": {"not": {"type": "string", "nullable": True}}},
        {"type": "array", "items": {"not": {"type": ["string", "null"]}}},
    ),
    (
        {"type": "object", "default": {"nullable": True}, "enum": [{"example": 1}]},
        {"type": "object", "default": {"nullable": True}, "enum": [{"example": 1}]},
    ),
]


@pytest.mark.parametrize(("older", "newer"), CHANGES)
def test_a_schema_is_written_as_3_1_writes_it(older: dict[str, Any], newer: Any) -> None:
    assert newer == converted(older)


def test_a_schema_is_changed_wherever_one_may_stand() -> None:
    null: dict[str, Any] = {"schema": {"type": "string", "nullable": True}}
    media: dict[str, Any] = {
        "content": {"application/json": null | {"example": {"nullable": True}}}
    }
    item: dict[str, Any] = {
        "parameters": [null],
        "post": {
            "parameters": [null],
            "requestBody": media,
            "responses": {"200": media | {"headers": {"A": null}}},
        },
    }
    holder = item | {"post": item["post"] | {"callbacks": {"told": {"{$url}": item}}}}
    document = {
        "openapi": "3.0.3",
        "paths": {"/": holder},
        "components": {
            "parameters": {"A": null},
            "headers": {"A": null},
            "requestBodies": {"A": media},
            "responses": {"A": media},
            "callbacks": {"A": {"{$url}": item}},
        },
    }
    text = samples.canonical(to_3_1(document))
    assert text.count('"schema": {"type": ["string", "null"]}') == 5 + 5 + 5 + 4
    assert text.count('"nullable": true') == text.count('"example"') > 0


@pytest.mark.parametrize("version", ["3.1.0", "2.0", None])
def test_only_3_0_has_an_edition(version: str | None) -> None:
    with pytest.raises(ValueError, match=r"only OpenAPI 3\.0 has a 3\.1 edition"):
        to_3_1({"openapi": version, "paths": {}})


def alike(name: str, value: Any) -> None:
    """Both editions say the same of a value."""

    def verdict(validator: Any, document: Any) -> bool:
        schema = target(document, f"#/components/schemas/{name}")
        return bool(validator(document | schema).is_valid(value))

    assert verdict(OAS30Validator, CONTRACT) == verdict(OAS31Validator, EDITION), value


# Of the others, the parts of these hold each; to draw a text by its pattern alone takes long.
COMPOUND = sorted(name for name, one in samples.SCHEMAS.items() if one.get("type") != "string")


@pytest.mark.parametrize("name", COMPOUND)
def test_both_editions_let_the_same_values_pass(name: str) -> None:
    mixed = st.one_of(
        *(samples.drawn(other) for other in sorted({name, "Task", "ImagineRequest", "TaskRef"})),
        st.none() | st.booleans() | st.integers() | st.text(),
    )

    @samples.fuzz
    @given(mixed)
    def hold(value: Any) -> None:
        alike(name, value)
        if isinstance(value, dict):
            for key in value:
                alike(name, value | {key: None})

    hold()


def test_the_edition_is_the_same_when_read_from_its_yaml() -> None:
    assert EDITION == yaml.safe_load(yaml.safe_dump(EDITION, allow_unicode=True, sort_keys=False))
