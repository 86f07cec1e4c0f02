"""Which operation a request is for, as far as the contract itself does not show it."""

import copy
from typing import Any

import pytest

from mjgate.contract.operation import compile_operations
from mjgate.contract.routing import OPERATION, Routing
from mjgate.contract.send import send_bytes
from mjgate.errors import MethodNotAllowed, NotFound
from tests.contract.document import DOCUMENT
from tests.contract.inprocess import ask

FETCH = "/mj/task/{id}/fetch"


async def tell(scope: Any, receive: Any, send: Any) -> None:
    """Answers which operation was found, and with what parameters."""
    operation, found = scope[OPERATION], scope.get("path_params", {})
    await send_bytes(send, 200, [], f"{operation.id} {found.get('id', '')}".encode())


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await send_bytes(send, 200, [], f"{scope['method']} {scope['path']}".encode())


def routing(*methods: str) -> Routing:
    """The contract with more methods on the path of a task."""
    spec = copy.deepcopy(DOCUMENT)
    for method in methods:
        spec["paths"][FETCH][method] = {**spec["paths"][FETCH]["get"], "operationId": method}
    return Routing(tell, compile_operations(spec), {}, {"below": echo})


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/mj/task/1/fetch", b"fetch_task 1"),
        ("DELETE", "/mj/task/1/fetch/", b"delete 1"),
        ("PUT", "/mj/task/{id}/fetch", b"put {id}"),
        ("POST", "/mj/task/list-by-condition", b"list_tasks "),
    ],
)
async def test_a_path_and_a_method_name_one_operation(
    method: str, path: str, expected: bytes
) -> None:
    assert expected == (await ask(routing("delete", "put"), method, path)).body


async def test_the_right_methods_of_an_open_path_are_told() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        await ask(routing("delete"), "POST", "/mj/task/1/fetch")
    assert {"Allow": "DELETE, GET, OPTIONS"} == caught.value.headers


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_what_is_below_a_segment_of_its_own_knows_the_rest(method: str) -> None:
    for path in ("/below/", "/below/1", "/below/1/2"):
        assert f"{method} {path}".encode() == (await ask(routing(), method, path)).body


@pytest.mark.parametrize(
    "path",
    ["", "/", "mj/submit/imagine", "/mj/task/1/fetch/x", "/mj/tasks", "/below", "//below/1"],
)
async def test_another_path_is_nowhere(path: str) -> None:
    with pytest.raises(NotFound):
        await ask(routing(), "GET", path)
