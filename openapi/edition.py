"""Writes the contract as OpenAPI 3.1, for tools that read nothing older; 3.0 stays the original.

Both editions let the same values pass. What 3.1 says otherwise: null is a type, a bound that is
excluded is a number of its own, an example of a schema stands in a list, and what stands beside a
reference in a schema counts, so that what 3.0 ignored there is left out.
"""

from collections.abc import Callable, Mapping
from typing import Any

VERSION = "3.1.0"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
BOUNDS = ("minimum", "maximum")

Node = Mapping[str, Any]
Change = Callable[[Any], Any]


def to_3_1(contract: Node) -> dict[str, Any]:
    """The same contract in OpenAPI 3.1; nothing of the original is shared.

    Raises:
        ValueError: it is no OpenAPI 3.0.
    """
    if not str(contract.get("openapi")).startswith("3.0."):
        raise ValueError(f"only OpenAPI 3.0 has a 3.1 edition, not {contract.get('openapi')!r}")
    return {**_document(contract), "openapi": VERSION}


def _parts(**changes: Change) -> Change:
    """Change the named parts of an object, and copy the others as they are."""

    def change(node: Any) -> dict[str, Any]:
        return {name: changes.get(name, _copy)(value) for name, value in node.items()}

    return change


def _each(change: Change) -> Change:
    """Change each value of an object, or each item of a list."""

    def each(node: Any) -> Any:
        if isinstance(node, list):
            return [change(item) for item in node]
        return {name: change(value) for name, value in node.items()}

    return each


def _copy(node: Any) -> Any:
    return _each(_copy)(node) if isinstance(node, dict | list) else node


def _schema(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    schema = dict(_parts(**_SCHEMA)(node))
    _null_as_type(schema)
    for keyword in BOUNDS:
        _excluded_as_number(schema, keyword)
    if "example" in schema:
        schema["examples"] = [schema.pop("example")]
    return schema


def _null_as_type(schema: dict[str, Any]) -> None:
    """In 3.0 `nullable` counts only beside a type, and never beyond an enum."""
    nullable = schema.pop("nullable", False)
    if nullable and "type" in schema:
        only_null = schema.get("enum") == [None]
        schema["type"] = "null" if only_null else [schema["type"], "null"]
        if only_null:
            del schema["enum"]


def _excluded_as_number(schema: dict[str, Any], keyword: str) -> None:
    name = f"exclusive{keyword.capitalize()}"
    if schema.pop(name, False) and keyword in schema:
        schema[name] = schema.pop(keyword)


def _document(node: Any) -> Any:
    return _parts(paths=_each(_path), components=_components)(node)


def _path(node: Any) -> Any:
    operations = dict.fromkeys(METHODS, _operation)
    return _parts(parameters=_each(_sized), **operations)(node)


_SCHEMA: dict[str, Change] = {
    **dict.fromkeys(("properties", "allOf", "anyOf", "oneOf"), _each(_schema)),
    **dict.fromkeys(("items", "additionalProperties", "not"), _schema),
}
_media = _each(_parts(schema=_schema))
_sized = _parts(schema=_schema, content=_media)
_response = _parts(content=_media, headers=_each(_sized))
_body = _parts(content=_media)
_operation = _parts(
    parameters=_each(_sized),
    requestBody=_body,
    responses=_each(_response),
    callbacks=_each(_each(_path)),
)
_components = _parts(
    schemas=_each(_schema),
    parameters=_each(_sized),
    headers=_each(_sized),
    requestBodies=_each(_body),
    responses=_each(_response),
    callbacks=_each(_each(_path)),
)
