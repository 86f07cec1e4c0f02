import copy
import random
from typing import Any

from mjgate.conformance.client.near import NEWER, near, near_everywhere
from mjgate.conformance.contract_view import Contract

TASK, TASKS = "#/components/schemas/Task", "#/components/schemas/TaskList"
ERROR = "#/components/schemas/Error"


def example(contract: Contract, schema: str) -> Any:
    place = {
        TASK: "#/paths/~1mj~1task~1{id}~1fetch/get/responses/200",
        ERROR: "#/components/responses/Invalid",
    }[schema]
    examples = contract.at(f"{place}/content/application~1json/examples")
    return next(iter(examples.values()))["value"]


def everywhere(contract: Contract, schema: str, value: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for each in near_everywhere(contract, schema, value, random.Random(1)):
        found.setdefault(each.name, []).append(each)
    return found


def test_each_key_goes_once_and_each_value_changes(contract: Contract) -> None:
    task = example(contract, TASK)
    before = copy.deepcopy(task)
    found = everywhere(contract, TASK, task)
    assert before == task
    less = [set(task) - set(each.value) for each in found["a valid reply with a key less"]]
    assert {frozenset([name]) for name in task} == {frozenset(names) for names in less}
    assert {"odd"} == {each.kind for each in found["a valid reply with a key less"]}
    assert len(task) + 1 == len(found["a valid reply with a null"])
    assert None in [each.value for each in found["a valid reply with a null"]]


def test_the_contract_says_what_is_valid_still(contract: Contract) -> None:
    found = everywhere(contract, TASK, example(contract, TASK))
    newer = found["a valid reply with a value newer than the contract"]
    assert {"action", "status"} == {
        name for each in newer for name, value in each.value.items() if value == NEWER
    }
    assert {"valid"} == {each.kind for each in newer}
    assert {"valid"} == {each.kind for each in found["a valid reply with a key more"]}
    nulls = [each for each in found["a valid reply with a null"] if each.value]
    assert {("prompt", "valid"), ("id", "odd")} <= {
        (name, each.kind) for each in nulls for name in ("prompt", "id") if each.value[name] is None
    }


def test_an_enum_that_says_all_is_broken(contract: Contract) -> None:
    found = everywhere(contract, ERROR, example(contract, ERROR))
    closed = found["a valid reply with a value not of its enum"]
    assert [(NEWER, "odd")] == [(each.value["result"], each.kind) for each in closed]
    pointers = [
        each.value["properties"]["errors"]
        for each in found["a valid reply with a key less"]
        if "properties" in each.value and "errors" in each.value["properties"]
    ]
    assert [{"message": "must not be blank"}] in pointers


def test_one_change_by_chance_is_the_same_for_the_same_chance(contract: Contract) -> None:
    tasks = [example(contract, TASK)]
    some = [[near(contract, TASKS, tasks, random.Random(n)) for n in range(50)] for _ in range(2)]
    assert some[0] == some[1]
    assert 5 == len({each.name for each in some[0]})
    assert {"valid", "odd"} == {each.kind for each in some[0]}
    assert "an empty list has a place too" and near(contract, TASKS, [], random.Random(1))
