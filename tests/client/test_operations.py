"""Sets, not samples: what the contract has is what the client has."""

import inspect
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mjgate_client import models
from openapi import generate
from tests.client import samples
from tests.client.samples import Operation

API = generate.PACKAGE / "api"


def test_every_operation_has_a_module_under_its_tag_and_no_other_module_is_there() -> None:
    written = {path.relative_to(API) for path in API.rglob("*.py") if path.name != "__init__.py"}
    assert {Path(op.tag, f"{op.name}.py") for op in samples.OPERATIONS} == written


@pytest.mark.parametrize("operation", samples.OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_can_be_called_in_the_four_ways(operation: Operation) -> None:
    functions = {
        name: inspect.iscoroutinefunction(function)
        for name, function in inspect.getmembers(operation.module, inspect.isfunction)
        if function.__module__ == operation.module.__name__ and not name.startswith("_")
    }
    ways = {"sync": False, "sync_detailed": False, "asyncio": True, "asyncio_detailed": True}
    assert ways == functions


def test_every_object_and_enum_of_the_contract_has_a_class_and_no_other_class_is_there() -> None:
    assert {*samples.OBJECTS, *samples.ENUMS} == set(models.__all__)


def test_the_distribution_has_the_version_of_the_contract() -> None:
    project = tomllib.loads((generate.PACKAGE.parent / "pyproject.toml").read_text("utf-8"))
    assert samples.CONTRACT["info"]["version"] == project["project"]["version"]


def choices(node: Any) -> Iterator[list[Any]]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield from choices(samples.resolved(node))
        for key, value in node.items():
            if key in {"oneOf", "anyOf"}:
                yield [samples.resolved(branch) for branch in value]
            yield from choices(value)
    elif isinstance(node, list):
        for item in node:
            yield from choices(item)


def test_no_answer_is_a_choice_of_objects_which_kept_unknown_values_would_blur() -> None:
    for reply in samples.REPLIES:
        for choice in choices(reply.media["schema"]):
            assert 1 >= sum(branch.get("type") == "object" for branch in choice), str(reply)
