import json
from typing import Any

import pytest

from mjgate.conformance.client.hostile import hostile
from mjgate.conformance.client.reply import NOTHING, Reply

TASK = {"id": "1", "properties": {}, "urls": []}
GOODS: list[Any] = [TASK, [TASK], [{"a": {"b": 1}}], {"a": 1}]
KINDS = {"valid", "odd", "broken"}


def of(good: Any) -> dict[str, list[Reply]]:
    found: dict[str, list[Reply]] = {}
    for reply in hostile(good, "http://127.0.0.1:1/elsewhere"):
        found.setdefault(reply.name, []).append(reply)
    return found


@pytest.mark.parametrize("good", GOODS, ids=str)
def test_a_valid_reply_holds_what_is_good_and_a_broken_one_nothing(good: Any) -> None:
    found = [reply for replies in of(good).values() for reply in replies]
    assert KINDS == {reply.kind for reply in found}
    assert 100 < len(found)
    for reply in found:
        if reply.kind == "valid" and reply.name != "a large reply":
            assert good == reply.value, reply.name
        if reply.kind == "broken":
            assert reply.value is NOTHING


def test_what_was_spoilt_is_spoilt_where_it_says() -> None:
    found = {name: replies[0] for name, replies in of(TASK).items()}
    assert found["a body with a key twice"].value is NOTHING
    assert found["a body with NaN"].value is NOTHING
    assert b'"id":null,"id":"1"' not in found["a body with a key twice"].payload
    assert {**TASK, "odd": "\u0000"} == found["a body with U+0000"].value
    assert {**TASK, "properties": []} == found["a body with lists for objects"].value
    assert {**TASK, "urls": {}} == found["a body with objects for lists"].value
    assert TASK == json.loads(found["a body in UTF-16"].payload.decode("utf-16"))
    assert 500 == str(found["a body with 500 levels"].value).count("]") - 1


def test_a_large_reply_is_of_the_same_kind() -> None:
    large = of(TASK)["a large reply"][0].value
    assert TASK | {"newer": large["newer"]} == large
    assert all(item == TASK for item in of([TASK])["a large reply"][0].value)
    assert [] == of([TASK])["a body with lists for objects"][0].value[0]["properties"]
