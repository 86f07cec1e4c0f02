"""The forms of a contract that are enforced; any other is refused at start, never ignored."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mjgate.contract.document import resolved
from mjgate.errors import ConfigError

_MEANT = {
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "discriminator",
    "enum",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minLength",
    "minimum",
    "nullable",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "type",
}
_SAID = {"default", "description", "example", "externalDocs", "format", "title"}
_OPERATION = {
    "callbacks",
    "deprecated",
    "description",
    "externalDocs",
    "operationId",
    "parameters",
    "requestBody",
    "responses",
    "security",
    "summary",
    "tags",
}
_PARAMETER = {
    "deprecated",
    "description",
    "example",
    "examples",
    "in",
    "name",
    "required",
    "schema",
}
_PLACES = {"path": {"string"}, "query": {"string", "integer"}, "header": {"string", "integer"}}
"""Where parameters may stand, and of what types."""
_RESERVED = {"accept", "authorization", "content-type"}
"""Headers that are no parameters, whatever a contract says (OpenAPI 3.0.3, Parameter Object)."""
_FORMATS = {"int32", "int64"}
"""Connexion checks neither: bounds do."""
_SCHEMAS = "#/components/schemas/"


def check_document(spec: Mapping[str, Any]) -> None:
    """Refuses what would change the paths or the schemas of all operations.

    Raises:
        ConfigError: says what, and where.
    """
    if any(server["url"] != "/" for server in spec.get("servers", ())):
        raise ConfigError("the contract's servers have a base path: not supported, use /")
    components = spec.get("components", {})
    for name, schema in components.get("schemas", {}).items():
        check_schema(_SCHEMAS + name, schema, components)


def check_operation(place: str, raw: Mapping[str, Any]) -> None:
    _check_keys(place, raw, _OPERATION)
    if "operationId" not in raw or len(raw.get("tags", ())) != 1:
        raise ConfigError(f"{place} has no operationId, or not one tag: it cannot find its handler")


def check_parameters(place: str, given: Sequence[Mapping[str, Any]]) -> None:
    """Refuses what Connexion would read otherwise: styles, cookies, one name in two places."""
    for raw in given:
        _check_keys(f"{place} has a parameter that", raw, _PARAMETER)
        if raw.get("in") not in _PLACES or "schema" not in raw:
            raise ConfigError(
                f"{place} has a parameter by media type or in a cookie: not supported"
            )
        if raw["in"] == "header" and raw["name"].lower() in _RESERVED:
            raise ConfigError(f"{place} has the parameter {raw['name']}: HTTP has it already")
    names = Counter(raw["name"].lower() for raw in given)
    if len(names) < len(given):
        raise ConfigError(f"{place} has several parameters called {names.most_common(1)[0][0]}")


def check_parameter(
    place: str, raw: Mapping[str, Any], components: Mapping[str, Any]
) -> Mapping[str, Any]:
    """What its schema says, followed to where it is said.

    Raises:
        ConfigError: its type is not supported where it stands, or what it says has no meaning.
    """
    meant = resolved({"components": components}, raw["schema"])
    kind, optional = meant.get("type"), not raw.get("required", False)
    if kind not in _PLACES[raw["in"]]:
        raise ConfigError(f"{place} is of type {kind} in the {raw['in']}: not supported")
    if "nullable" in meant:
        raise ConfigError(f"{place} is nullable: no text is null")
    if raw["in"] == "path" and optional:
        raise ConfigError(f"{place} is optional in the path: not supported")
    if "default" in meant and not optional:
        raise ConfigError(f"{place} is required and has a default")
    return meant


def check_schema(place: str, schema: Mapping[str, Any], components: Mapping[str, Any]) -> None:
    """Refuses a keyword that is not enforced as Connexion would, here and within."""
    _check_keys(place, schema, _MEANT | _SAID)
    _check_reference(place, schema, components)
    _check_type(place, schema)
    _check_discriminator(place, schema)
    for key in ("allOf", "anyOf", "oneOf"):
        for index, branch in enumerate(schema.get(key, ())):
            check_schema(f"{place}/{key}/{index}", branch, components)
    for name, inner in schema.get("properties", {}).items():
        check_schema(f"{place}/properties/{name}", inner, components)
    if "items" in schema:
        check_schema(f"{place}/items", schema["items"], components)


def _check_keys(place: str, raw: Mapping[str, Any], known: set[str]) -> None:
    other = sorted(key for key in raw if key not in known and not key.startswith("x-"))
    if other or "x-nullable" in raw:
        raise ConfigError(f"{place} uses {', '.join(other) or 'x-nullable'}: not supported")


def _check_reference(place: str, schema: Mapping[str, Any], components: Mapping[str, Any]) -> None:
    reference = schema.get("$ref")
    if reference is None:
        return
    name = reference.removeprefix(_SCHEMAS)
    if name == reference or name not in components.get("schemas", {}):
        raise ConfigError(f"{place} refers to {reference}: it is no schema of the components")
    if len(schema) > 1:
        raise ConfigError(f"{place} has keywords beside $ref: they would be ignored")


def _check_type(place: str, schema: Mapping[str, Any]) -> None:
    if "nullable" in schema and "type" not in schema:
        raise ConfigError(f"{place} is nullable without a type: it would be ignored")
    if schema.get("additionalProperties", True) is not True:
        raise ConfigError(f"{place} limits additionalProperties: not supported")
    if schema.get("format", "int32") not in _FORMATS:
        raise ConfigError(f"{place} has the format {schema['format']}: not supported")
    try:
        re.compile(schema.get("pattern", ""))
    except re.error as error:
        raise ConfigError(f"{place} has a pattern that is none: {error}") from None


def _check_discriminator(place: str, schema: Mapping[str, Any]) -> None:
    if "discriminator" not in schema:
        return
    named = set(schema["discriminator"].get("mapping", {}).values())
    if not named or named != {branch.get("$ref") for branch in schema.get("oneOf", ())}:
        raise ConfigError(f"{place} has a discriminator whose mapping is not its oneOf")
