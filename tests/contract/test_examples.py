"""Each example in the contract is true: it is what its own schema allows."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

CONTRACT = Path(__file__).parents[2] / "openapi" / "mjgate.yaml"
DOCUMENT: dict[str, Any] = yaml.safe_load(CONTRACT.read_text("utf-8"))

Place = tuple[str, ...]


def walk(node: Any, place: Place = ()) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every object of the document beneath `node`, each with its place."""
    if isinstance(node, dict):
        yield place, node
    if isinstance(node, (dict, list)):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from walk(value, (*place, str(key)))


def shown(document: Any) -> Iterator[tuple[Place, Place, Any]]:
    """Every example: where it stands, where its schema stands, its value."""
    for place, node in walk(document):
        if "schema" in node and "example" in node:
            yield (*place, "example"), (*place, "schema"), node["example"]
        if "schema" in node and "examples" in node:
            for name, example in node["examples"].items():
                yield (*place, "examples", name), (*place, "schema"), example["value"]
        if place[-2:-1] in {("schemas",), ("properties",)} and "example" in node:
            yield (*place, "example"), place, node["example"]


def faults(document: Any, schema: Place, value: Any) -> list[str]:
    resource = DRAFT4.create_resource(document)
    registry: Registry[Any] = Registry().with_resource("urn:contract", resource)
    validator = OAS30Validator({"$ref": f"urn:contract#{pointer(schema)}"}, registry=registry)
    return [error.message for error in validator.iter_errors(value)]


def pointer(place: Place) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in place)


EXAMPLES = list(shown(DOCUMENT))


@pytest.mark.parametrize(
    ("schema", "value"),
    [example[1:] for example in EXAMPLES],
    ids=["/".join(place) for place, _, _ in EXAMPLES],
)
def test_an_example_is_what_its_schema_allows(schema: Place, value: Any) -> None:
    assert [] == faults(DOCUMENT, schema, value)


def test_no_example_of_the_contract_is_overlooked() -> None:
    holders = [node for _, node in walk(DOCUMENT) if {"example", "examples"} & node.keys()]
    number = sum(len(node.get("examples", {})) + ("example" in node) for node in holders)
    assert number == len(EXAMPLES) > 0


@pytest.mark.parametrize(
    "place", [place for place, _ in walk(DOCUMENT) if place[-2:-1] == ("content",)], ids="/".join
)
def test_every_body_has_an_example_but_those_never_sent_and_the_callbacks(place: Place) -> None:
    document: Any = DOCUMENT
    for step in place:
        document = document[step]
    assert "examples" in document or "callbacks" in place or "201" in place


@pytest.mark.parametrize("name", DOCUMENT["components"]["headers"])
def test_every_header_of_an_answer_has_an_example(name: str) -> None:
    assert "example" in DOCUMENT["components"]["headers"][name]


def test_every_header_of_an_answer_is_one_of_the_components() -> None:
    responses = [
        *DOCUMENT["components"]["responses"].values(),
        *(
            response
            for place, node in walk(DOCUMENT["paths"])
            if place[-1:] == ("responses",) and "callbacks" not in place
            for response in node.values()
            if "$ref" not in response
        ),
    ]
    headers = [header for response in responses for header in response["headers"].values()]
    assert headers
    assert set() == {tuple(header) for header in headers} - {("$ref",)}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("ImagineRequest", {"prompt": " "}),
        ("ImagineRequest", {"prompt": None}),
        ("ImagineRequest", {"prompt": "Cat", "base64Array": [None]}),
        ("ChangeRequest", {"action": "UPSCALE", "taskId": "1"}),
        ("ListRequest", {"ids": [True]}),
        ("Task", {}),
        ("Error", {"code": 2, "description": "", "properties": {}, "result": None}),
    ],
)
def test_an_example_that_were_false_would_be_told(schema: str, value: Any) -> None:
    assert [] != faults(DOCUMENT, ("components", "schemas", schema), value)


def test_a_null_is_an_example_only_where_the_schema_is_nullable() -> None:
    document = copy.deepcopy(DOCUMENT)
    state = ("components", "schemas", "State")
    assert [] == faults(document, state, None)
    document["components"]["schemas"]["State"]["nullable"] = False
    assert [] != faults(document, state, None)
