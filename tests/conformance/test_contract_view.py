"""The contract is read with its pointers, and judges by them."""

import json
from typing import Any

import pytest

from mjgate.conformance.contract_view import (
    CHANGE,
    FETCH,
    IMAGINE,
    LIST,
    MOST_FAULTS,
    USAGE,
    Contract,
    Fault,
)
from mjgate.contract.document import Document
from tests.conformance.exchanges import CONTRACT, TASK

SCHEMAS = "#/components/schemas"
IMAGINE_BODY = CONTRACT.operation(IMAGINE).body or ""
CHANGE_BODY = CONTRACT.operation(CHANGE).body or ""
LIST_BODY = CONTRACT.operation(LIST).body or ""


def test_every_operation_is_read() -> None:
    labels = {operation.label for operation in CONTRACT.operations}
    assert len(labels) == sum(len(item) for item in CONTRACT.spec["paths"].values())
    for operation in CONTRACT.operations:
        assert CONTRACT.at(operation.where)["operationId"] == operation.id
        assert ("mj-api-secret", "Authorization") == operation.forms
        for response in operation.responses.values():
            assert CONTRACT.at(response.where)["description"]
    usage = CONTRACT.operation(USAGE, "GET")
    assert ["query from", "query to", "query cursor", "query limit"] == [
        each.label for each in usage.parameters
    ]
    assert [False, False, True, True] == [each.whole for each in usage.parameters]
    with pytest.raises(KeyError):
        CONTRACT.operation("/nowhere")


@pytest.mark.parametrize(
    ("path", "template", "values"),
    [
        (IMAGINE, IMAGINE, {}),
        (IMAGINE + "/", IMAGINE, {}),
        ("/mj/task/a%20b/fetch", FETCH, {"id": "a b"}),
        ("/mj/task/%FF/fetch", FETCH, {"id": "\udcff"}),
        ("/mj/%74ask/1/fetch", FETCH, {"id": "1"}),
        ("/mj/task//fetch", None, {}),
        ("/mj/task/1/fetch//", None, {}),
        ("/MJ/task/1/fetch", None, {}),
        ("", None, {}),
    ],
)
def test_a_path_names_an_operation(path: str, template: str | None, values: Any) -> None:
    found = CONTRACT.match(path)
    assert (template is None) == (found is None)
    if found is not None:
        assert {template} == {each.path for each in found.operations.values()}
        assert values == found.values


@pytest.mark.parametrize(
    ("schema", "value", "faults"),
    [
        (f"{SCHEMAS}/Task", TASK, []),
        (f"{SCHEMAS}/Task", dict(TASK) | {"status": "NEW"}, []),
        (
            f"{SCHEMAS}/Task",
            dict(TASK) | {"imageUrls": [{"url": "a"}, {}]},
            [("/imageUrls/1/url", "ImageUrl/required", "required")],
        ),
        (
            f"{SCHEMAS}/ErrorProperties",
            {"error": 1, "errors": []},
            [("/error", "ErrorProperties/properties/error/anyOf", "anyOf")],
        ),
        (IMAGINE_BODY, {"prompt": None}, [("/prompt", "Prompt/type", "type")]),
        (
            LIST_BODY,
            {"ids": ["1", "1", ""]},
            [("/ids/2", "TaskRef/oneOf/0/minLength", "minLength")],
        ),
        (CHANGE_BODY, {"action": "REROLL", "taskId": 1, "index": None}, []),
        (
            CHANGE_BODY,
            {"taskId": []},
            [
                ("/action", "UpscaleOrVary/required", "required"),
                ("/taskId", "TaskRef/oneOf", "oneOf"),
            ],
        ),
        (
            f"{SCHEMAS}/Usage/properties/cursor",
            True,
            [("", "Usage/properties/cursor/type", "type")],
        ),
    ],
)
def test_a_fault_has_a_place_and_a_word(schema: str, value: Any, faults: Any) -> None:
    found = CONTRACT.faults(schema, value)
    assert [(place, f"{SCHEMAS}/{where}", word) for place, where, word in faults] == [
        (each.place, each.where, each.keyword) for each in found
    ]
    assert (not faults) == CONTRACT.accepts(schema, value)
    assert all(CONTRACT.at(each.where) is not None for each in found)


def test_of_thousands_of_faults_the_last_stands_for_the_rest() -> None:
    found = CONTRACT.faults(LIST_BODY, {"ids": [{}, []] * 5000})
    assert MOST_FAULTS + 1 == len(found)
    assert ("", "oneOf") == (found[-1].place, found[-1].keyword)


def test_a_schema_may_hold_itself() -> None:
    spec = json.loads(json.dumps(CONTRACT.spec))
    tree = {"type": "object", "properties": {"under": {"$ref": f"{SCHEMAS}/Tree"}}}
    spec["components"]["schemas"]["Tree"] = tree
    contract = Contract(Document(b"", spec))
    assert contract.accepts(f"{SCHEMAS}/Tree", {"under": {"under": {"under": {}}}})
    (fault,) = contract.faults(f"{SCHEMAS}/Tree", {"under": {"under": {"under": 1}}})
    assert ("/under/under/under", "type") == (fault.place, fault.keyword)


def test_places_are_steady_without_the_numbers_of_items() -> None:
    assert "/a/*/b" == Fault("/a/17/b", "#", "type").steady


def test_keywords_are_named_and_told_apart_by_whether_they_apply() -> None:
    every = {CONTRACT.named(each) for each in CONTRACT.keywords(CHANGE_BODY)}
    assert {"Reroll required", "UpscaleOrVary/index maximum", "TaskRef/oneOf/1 minimum"} <= every
    applied = {
        CONTRACT.named(each)
        for each in CONTRACT.applied(CHANGE_BODY, {"action": "REROLL", "taskId": "1", "index": 1})
    }
    assert applied < every
    assert {"Reroll required", "SheetAction enum", "TaskRef/oneOf/0 maxLength"} <= applied
    assert not any("UpscaleOrVary" in each for each in applied)
    listed = {CONTRACT.named(each) for each in CONTRACT.applied(LIST_BODY, {"ids": [1] * 9})}
    assert "ListRequest/ids maxItems" in listed
    assert "TaskRef/oneOf/1 maximum" in listed
    limit = CONTRACT.operation(USAGE).parameters[-1].schema
    named = {CONTRACT.named(each) for each in CONTRACT.keywords(limit)}
    assert {"query limit type", "query limit minimum", "query limit maximum"} == named
    assert {CONTRACT.named(each) for each in CONTRACT.applied(LIST_BODY, [])} == {
        "ListRequest type"
    }
