"""Operations as they are compiled from the contract."""

from mjgate.app import find_handlers
from mjgate.contract.operation import compile_operations
from tests.contract.document import DOCUMENT

OPERATIONS = compile_operations(DOCUMENT)


def test_each_operation_of_the_contract_is_compiled() -> None:
    assert {
        ("POST", "/mj/submit/imagine", "submit_imagine", "tasks"),
        ("POST", "/mj/submit/change", "submit_change", "tasks"),
        ("GET", "/mj/task/{id}/fetch", "fetch_task", "tasks"),
        ("POST", "/mj/task/list-by-condition", "list_tasks", "tasks"),
        ("GET", "/v1/key", "fetch_key", "statements"),
        ("GET", "/v1/usage", "fetch_usage", "statements"),
    } == {(each.method, each.path, each.id, each.tag) for each in OPERATIONS}


def test_each_operation_takes_the_token_in_both_forms() -> None:
    for operation in OPERATIONS:
        assert [(b"mj-api-secret", ""), (b"authorization", "bearer ")] == [
            (scheme.header, scheme.prefix) for scheme in operation.schemes
        ]


def test_each_documented_status_has_a_schema() -> None:
    for operation in OPERATIONS:
        documented = DOCUMENT["paths"][operation.path][operation.method.lower()]["responses"]
        assert {int(status) for status in documented} == set(operation.answers)


def test_each_operation_has_its_handler() -> None:
    assert {operation.id for operation in OPERATIONS} == set(find_handlers(OPERATIONS))
