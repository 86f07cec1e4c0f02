"""What the contract has in it, and values drawn from it."""

import copy
import importlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import schemathesis
import yaml
from hypothesis import HealthCheck, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode

ROOT = Path(__file__).parents[2]
CONTRACT: dict[str, Any] = yaml.safe_load((ROOT / "openapi" / "mjgate.yaml").read_text("utf-8"))
SCHEMAS: dict[str, Any] = CONTRACT["components"]["schemas"]
OBJECTS = sorted(name for name, schema in SCHEMAS.items() if schema.get("type") == "object")
ENUMS = sorted(name for name, schema in SCHEMAS.items() if "enum" in schema)
JSON = "application/json"

# The default run draws the same values each time; a raised one draws new ones.
fuzz = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "20")),
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@dataclass(frozen=True)
class Operation:
    tag: str
    name: str
    document: dict[str, Any]

    @property
    def module(self) -> Any:
        """The module of the client that calls it."""
        return importlib.import_module(f"mjgate_client.api.{self.tag}.{self.name}")

    @property
    def body(self) -> dict[str, Any] | None:
        """The media type object of the request body, if it takes one."""
        media: dict[str, Any] | None
        media = self.document.get("requestBody", {}).get("content", {}).get(JSON)
        return media

    @property
    def responses(self) -> dict[int, dict[str, Any]]:
        """The media type object of each documented status that has a body."""
        found = {int(s): resolved(answer) for s, answer in self.document["responses"].items()}
        return {s: answer["content"][JSON] for s, answer in found.items() if "content" in answer}


@dataclass(frozen=True)
class Reply:
    """One documented status of an operation, and the media type object of its body."""

    operation: Operation
    status: int
    media: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.operation.name}-{self.status}"


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    found = node
    while "$ref" in found:
        target: Any = CONTRACT
        for step in found["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        found = target
    return found


def _operations() -> Iterator[Operation]:
    for path in CONTRACT["paths"].values():
        for document in path.values():
            yield Operation(document["tags"][0], document["operationId"], document)


OPERATIONS = list(_operations())
SUBMITTING = [operation for operation in OPERATIONS if operation.body]
REPLIES = [
    Reply(operation, status, media)
    for operation in OPERATIONS
    for status, media in operation.responses.items()
]


def operation(name: str) -> Operation:
    return next(operation for operation in OPERATIONS if operation.name == name)


def examples(media: dict[str, Any]) -> list[Any]:
    return [example["value"] for example in media.get("examples", {}).values()]


@cache
def _drawing() -> Any:
    """A document with each component as the body of a request: Schemathesis draws only those."""
    paths = {f"/{name}": {"post": _taking(name)} for name in SCHEMAS}
    document = {key: CONTRACT[key] for key in ("openapi", "info", "components")}
    return schemathesis.openapi.from_dict(copy.deepcopy(document | {"paths": paths}))


def _taking(name: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {
        "requestBody": {"required": True, "content": {JSON: {"schema": schema}}},
        "responses": {"200": {"description": "Taken."}},
    }


@cache
def drawn(component: str) -> SearchStrategy[Any]:
    """Any value that the component allows."""
    operation = _drawing()[f"/{component}"]["POST"]
    cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    return cases.map(lambda case: case.body)  # type: ignore[no-any-return]


def component(media: dict[str, Any]) -> str:
    name: str = media["schema"]["$ref"].rsplit("/", 1)[-1]
    return name


def canonical(value: object) -> str:
    """One text per JSON value, where Python holds True, 1 and 1.0 to be equal."""
    return json.dumps(value, sort_keys=True)
