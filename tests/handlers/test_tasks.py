"""Handlers: one function for each operation, and nothing else."""

import inspect
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mjgate.app import HANDLERS, find_handlers
from mjgate.contract.document import load_document
from mjgate.contract.operation import Operation, compile_operations
from mjgate.errors import ConfigError
from mjgate.handlers import tasks
from tests.harness import Gateway

OPERATIONS = compile_operations(load_document().spec)


def test_the_set_of_handlers_is_the_set_of_operations() -> None:
    written = {
        (tag, name)
        for tag, module in HANDLERS.items()
        for name, function in inspect.getmembers(module, inspect.iscoroutinefunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    assert {(operation.tag, operation.id) for operation in OPERATIONS} == written


@pytest.mark.parametrize(("tag", "name"), [("tasks", "draw_nothing"), ("nobody", "fetch_task")])
def test_an_operation_without_a_handler_is_refused_at_start(tag: str, name: str) -> None:
    operation = cast(Operation, SimpleNamespace(tag=tag, id=name))
    with pytest.raises(ConfigError, match=rf"handlers\.{tag}\.{name} is missing"):
        find_handlers((operation,))


@pytest.mark.parametrize(
    ("reference", "number"),
    [
        (1, 1),
        ("1", 1),
        ("0", 0),
        (2**53 - 1, 2**53 - 1),
        ("9" * 16, 9999999999999999),
        ("9" * 17, None),
        ("", None),
        (" 1", None),
        ("-1", None),
        ("1.0", None),
        ("x", None),
        ("١", None),
        ("²", None),
    ],
)
def test_an_id_is_at_most_sixteen_digits_or_a_number(reference: Any, number: int | None) -> None:
    assert number == tasks._number(reference)


async def test_a_list_keeps_its_order_and_tells_each_task_once(ready: Gateway) -> None:
    first, second = [(await ready.imagine(prompt))[1]["result"] for prompt in ("a", "b")]
    ids = [second, int(first), first, second, "x"]
    _, listed = await ready.ask("POST", "/mj/task/list-by-condition", {"ids": ids})
    assert [second, first] == [task["id"] for task in listed]
