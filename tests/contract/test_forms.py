"""What the compiled contract does not support is refused at start, each with its place."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from mjgate.contract.operation import compile_operations
from mjgate.errors import ConfigError
from tests.contract.document import DOCUMENT

Edit = Callable[[dict[str, Any]], object]
IMAGINE, FETCH = "/mj/submit/imagine", "/mj/task/{id}/fetch"


def post(spec: dict[str, Any]) -> dict[str, Any]:
    return spec["paths"][IMAGINE]["post"]  # type: ignore[no-any-return]


def fetch(spec: dict[str, Any]) -> dict[str, Any]:
    return spec["paths"][FETCH]["get"]  # type: ignore[no-any-return]


def content(spec: dict[str, Any]) -> dict[str, Any]:
    return post(spec)["requestBody"]["content"]  # type: ignore[no-any-return]


def parameter(spec: dict[str, Any]) -> dict[str, Any]:
    return fetch(spec)["parameters"][0]  # type: ignore[no-any-return]


def state(spec: dict[str, Any]) -> dict[str, Any]:
    return spec["components"]["schemas"]["State"]  # type: ignore[no-any-return]


def changed(node: Callable[[dict[str, Any]], dict[str, Any]], **keys: Any) -> Edit:
    return lambda spec: node(spec).update(keys)


def without(node: Callable[[dict[str, Any]], dict[str, Any]], key: str) -> Edit:
    return lambda spec: node(spec).pop(key)


def schemes(spec: dict[str, Any]) -> dict[str, Any]:
    return spec["components"]["securitySchemes"]  # type: ignore[no-any-return]


def moved(path: str) -> Edit:
    return lambda spec: spec["paths"].update({path: spec["paths"].pop(FETCH)})


def choice(**keys: Any) -> Edit:
    return lambda spec: spec["components"]["schemas"]["ChangeRequest"].update(keys)


def another(**keys: Any) -> Edit:
    """One more parameter, in the query unless `keys` say otherwise."""
    raw = {"name": "more", "in": "query", "schema": {"type": "string"}}
    return lambda spec: fetch(spec)["parameters"].append({**raw, **keys})


BASIC = {"type": "http", "scheme": "basic"}
IN_QUERY = {"type": "apiKey", "in": "query", "name": "key"}

REFUSED: dict[str, tuple[Edit, str]] = {
    "a base path": (changed(lambda s: s, servers=[{"url": "/v1"}]), "servers have a base path"),
    "another host": (changed(lambda s: s, servers=[{"url": "https://a.b/"}]), "base path"),
    "parameters of a path": (
        lambda s: s["paths"][FETCH].update(parameters=[]),
        "path /mj/task/{id}/fetch has ['parameters']",
    ),
    "no operationId": (without(post, "operationId"), "POST /mj/submit/imagine has no operationId"),
    "no tag": (without(post, "tags"), "not one tag"),
    "two tags": (changed(post, tags=["a", "b"]), "not one tag"),
    "one id twice": (
        changed(post, operationId="fetch_task"),
        "2 operations with the id fetch_task",
    ),
    "servers of an operation": (changed(post, servers=[]), "uses servers"),
    "no security": (without(post, "security"), "has no security of its own"),
    "empty security": (changed(post, security=[]), "has no security of its own"),
    "optional security": (changed(post, security=[{}]), "several schemes at once, or none"),
    "both schemes": (
        changed(post, security=[{"secret": [], "bearer": []}]),
        "several schemes at once, or none",
    ),
    "an unknown scheme": (changed(post, security=[{"oauth": []}]), "the security scheme oauth"),
    "no schemes at all": (lambda s: s["components"].pop("securitySchemes"), "scheme secret"),
    "basic": (changed(schemes, bearer=BASIC), "a security scheme of type http"),
    "a key in the query": (changed(schemes, secret=IN_QUERY), "a security scheme of type apiKey"),
    "OAuth": (changed(schemes, secret={"type": "oauth2"}), "a security scheme of type oauth2"),
    "a number in the path": (
        changed(parameter, schema={"type": "integer"}),
        "fetch id is of type integer in the path: not supported",
    ),
    "an optional part of the path": (
        changed(parameter, required=False),
        "fetch id is optional in the path",
    ),
    "a parameter by media type": (without(parameter, "schema"), "by media type or in a cookie"),
    "a cookie": (another(**{"in": "cookie"}), "by media type or in a cookie"),
    "a list in the query": (
        another(schema={"type": "array", "items": {"type": "string"}}),
        "fetch more is of type array in the query: not supported",
    ),
    "a parameter of any type": (another(schema={}), "fetch more is of type None in the query"),
    "a parameter that may be null": (
        another(schema={"type": "string", "nullable": True}),
        "fetch more is nullable: no text is null",
    ),
    "an odd parameter": (another(schema={"type": "string", "not": {}}), "fetch more uses not"),
    "explode": (another(explode=False), "has a parameter that uses explode"),
    "blank values": (another(allowEmptyValue=True), "has a parameter that uses allowEmptyValue"),
    "a header of HTTP's own": (
        another(**{"in": "header", "name": "Content-Type"}),
        "has the parameter Content-Type: HTTP has it already",
    ),
    "one name in two places": (
        another(**{"in": "header", "name": "ID"}),
        "has several parameters called id",
    ),
    "a default of what must be given": (
        another(required=True, schema={"type": "string", "default": "x"}),
        "fetch more is required and has a default",
    ),
    "a default that is refused": (
        another(schema={"type": "integer", "default": 11, "maximum": 10}),
        "fetch more has the default 11, which its own schema refuses",
    ),
    "a style": (changed(parameter, style="matrix"), "has a parameter that uses style"),
    "a parameter elsewhere than in the path": (
        changed(parameter, **{"in": "query"}),
        "has other parameters than its path",
    ),
    "a parameter by name": (
        changed(fetch, parameters=[{"$ref": "#/components/parameters/Id"}]),
        "has other parameters than its path",
    ),
    "a parameter nobody names": (
        changed(fetch, parameters=[]),
        "has other parameters than its path",
    ),
    "a parameter of no segment": (moved("/mj/task/fetch"), "has other parameters than its path"),
    "half a segment": (moved("/mj/task/{id}.json"), "has other parameters than its path"),
    "an optional body": (changed(lambda s: post(s)["requestBody"], required=False), "optional"),
    "a form": (changed(content, **{"multipart/form-data": {}}), "optional or no application/json"),
    "a default answer": (
        lambda s: post(s)["responses"].update(default=post(s)["responses"]["200"]),
        "answers default: only exact statuses",
    ),
    "a range of answers": (
        lambda s: post(s)["responses"].update({"2XX": post(s)["responses"]["200"]}),
        "answers 2XX: only exact statuses",
    ),
    "an answer without a body": (
        lambda s: post(s)["responses"].update({"203": {"description": "x"}}),
        "answers 203 without one body",
    ),
    "a body where HTTP has none": (
        lambda s: post(s)["responses"].update({"304": post(s)["responses"]["200"]}),
        "answers 304 with a body: HTTP has none there",
    ),
    "an answer in text": (
        lambda s: post(s)["responses"].update({"418": {"content": {"text/plain": {}}}}),
        "answers 418 without one body",
    ),
    "multipleOf": (changed(state, multipleOf=2), "schemas/State uses multipleOf"),
    "writeOnly": (changed(state, writeOnly=True), "schemas/State uses writeOnly"),
    "x-nullable": (changed(state, **{"x-nullable": True}), "schemas/State uses x-nullable"),
    "two odd keywords": (
        changed(state, minItems=1, uniqueItems=True),
        "uses minItems, uniqueItems",
    ),
    "closed objects": (
        lambda s: s["components"]["schemas"]["ListRequest"].update(additionalProperties=False),
        "schemas/ListRequest limits additionalProperties",
    ),
    "a format": (changed(state, format="uri"), "schemas/State has the format uri"),
    "no pattern": (changed(state, pattern="("), "schemas/State has a pattern that is none"),
    "nullable alone": (without(state, "type"), "schemas/State is nullable without a type"),
    "keywords beside $ref": (
        lambda s: content(s)["application/json"]["schema"].update(nullable=True, type="object"),
        "the body of POST /mj/submit/imagine has keywords beside $ref",
    ),
    "a file": (
        changed(lambda s: content(s)["application/json"], schema={"$ref": "other.yaml#/X"}),
        "refers to other.yaml#/X",
    ),
    "an address": (
        changed(lambda s: content(s)["application/json"], schema={"$ref": "http://a.b/c"}),
        "refers to http://a.b/c",
    ),
    "nothing there": (
        lambda s: s["components"]["schemas"].pop("State"),
        "schemas/ImagineRequest/properties/state refers to #/components/schemas/State",
    ),
    "no mapping": (
        choice(discriminator={"propertyName": "action"}),
        "schemas/ChangeRequest has a discriminator whose mapping is not its oneOf",
    ),
    "another mapping": (
        choice(
            discriminator={
                "propertyName": "action",
                "mapping": {"REROLL": "#/components/schemas/Reroll"},
            }
        ),
        "has a discriminator whose mapping is not its oneOf",
    ),
    "a branch within": (
        choice(oneOf=[{"type": "object", "not": {}}], discriminator={}),
        "discriminator",
    ),
    "an odd branch": (
        lambda s: s["components"]["schemas"]["TaskRef"]["oneOf"][0].update({"not": {}}),
        "schemas/TaskRef/oneOf/0 uses not",
    ),
    "an odd item": (
        lambda s: s["components"]["schemas"]["TaskList"].update(
            items={"type": "string", "not": {}}
        ),
        "schemas/TaskList/items uses not",
    ),
}


@pytest.mark.parametrize(("edit", "message"), REFUSED.values(), ids=REFUSED)
def test_an_unsupported_form_is_refused_at_start(edit: Edit, message: str) -> None:
    spec = copy.deepcopy(DOCUMENT)
    edit(spec)
    with pytest.raises(ConfigError) as caught:
        compile_operations(spec)
    assert message in str(caught.value)


def test_a_contract_without_components_is_refused() -> None:
    spec = copy.deepcopy(DOCUMENT)
    del spec["components"]
    with pytest.raises(ConfigError):
        compile_operations(spec)


@pytest.mark.parametrize(
    "edit",
    [
        changed(state, description="x", example="y", **{"x-more": 1}),
        changed(state, pattern="^[a-z]*$"),
        changed(post, deprecated=True, externalDocs={"url": "https://a.b"}, **{"x-more": 1}),
        without(lambda s: s, "servers"),
        another(schema={"type": "integer", "default": 1}),
        another(schema={"$ref": "#/components/schemas/SheetAction"}),
        another(**{"in": "header"}, required=True, deprecated=True, example="x"),
    ],
)
def test_what_changes_no_verdict_is_taken(edit: Edit) -> None:
    spec = copy.deepcopy(DOCUMENT)
    edit(spec)
    assert len(compile_operations(DOCUMENT)) == len(compile_operations(spec))
