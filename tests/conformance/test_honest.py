"""The server that mutants are made of keeps the contract before anything is changed."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from mjgate.conformance.contract_view import Contract
from tests.conformance.honest import SECOND, TOKEN, serving

Said = tuple[int, Any, dict[str, str]]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving() as address:
        yield address


def ask(
    address: str, body: Any = None, token: str = TOKEN, headers: dict[str, str] | None = None
) -> Said:
    """The status, the body and the headers of an answer."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"mj-api-secret": token, "Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(address, data, sent)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read()), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null"), dict(error.headers)


def ended(server: str, task_id: str) -> Any:
    """A task at its end, waited for by its tag."""
    _, task, headers = ask(f"{server}/mj/task/{task_id}/fetch")
    while task["status"] != "SUCCESS":
        waiting = {"If-None-Match": headers["etag"], "Prefer": "wait=10"}
        status, task, headers = ask(f"{server}/mj/task/{task_id}/fetch", headers=waiting)
        assert 200 == status
        assert "wait" == headers.get("preference-applied") or "SUCCESS" == task["status"]
    return task


def test_a_picture_is_drawn_and_paid_for(server: str) -> None:
    status, made, _ = ask(f"{server}/mj/submit/imagine", {"prompt": "狐狸 🦊", "state": "x"})
    assert (200, 1) == (status, made["code"])
    task = ended(server, made["result"])
    assert ("狐狸 🦊", "x", "100%") == (task["prompt"], task["state"], task["progress"])
    assert [task] == ask(f"{server}/mj/task/list-by-condition", {"ids": [int(task["id"])]})[1]
    key = ask(f"{server}/v1/key")[1]
    assert ("0.1", "0", "999.9") == (key["spent"], key["held"], key["remaining"])
    usage = ask(f"{server}/v1/usage?limit=1")[1]
    assert ["charge"] == [line["kind"] for line in usage["lines"]]
    more = ask(f"{server}/v1/usage?cursor={usage['cursor']}")[1]
    assert ["hold"] == [line["kind"] for line in more["lines"]]
    assert 404 == ask(f"{server}/mj/task/{task['id']}/fetch", token=SECOND)[0]
    for name, body in (("Task", task), ("Key", key), ("Usage", usage), ("Usage", more)):
        assert [] == Contract.load().faults(f"#/components/schemas/{name}", body)


def test_a_key_gives_the_same_answer_again(server: str) -> None:
    key = {"Idempotency-Key": "one"}
    first = ask(f"{server}/mj/submit/imagine", {"prompt": "x"}, headers=key)
    again = ask(f"{server}/mj/submit/imagine", {"prompt": "x"}, headers=key)
    assert first[1] == again[1]
    assert "true" == again[2]["idempotency-replayed"]
    assert 422 == ask(f"{server}/mj/submit/imagine", {"prompt": "y"}, headers=key)[0]


@pytest.mark.parametrize(
    ("path", "body", "status", "place"),
    [
        ("/mj/submit/imagine", {}, 400, "/prompt"),
        ("/mj/submit/imagine", {"prompt": "x", "notifyHook": "x"}, 400, "/notifyHook"),
        ("/mj/submit/imagine", {"prompt": "x", "more": [2**63]}, 400, "/more/0"),
        ("/mj/submit/change", {"action": "UPSCALE", "taskId": 1}, 400, "/index"),
        ("/mj/task/list-by-condition", {"ids": [None]}, 400, "/ids/0"),
        ("/v1/usage?limit=0", None, 400, "#limit"),
        (f"/mj/task/{'x' * 65}/fetch", None, 400, "#id"),
        ("/mj/submit/change", {"action": "REROLL", "taskId": 1}, 404, None),
        ("/mj/submit/imagine", None, 405, None),
        ("/nowhere", None, 404, None),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(
    server: str, path: str, body: Any, status: int, place: str | None
) -> None:
    given, error, headers = ask(f"{server}{path}", body, headers={"X-Request-Id": "mine"})
    errors = error["properties"]["errors"]
    assert (status, "mine") == (given, headers["x-request-id"])
    assert ([place] if place else []) == [each["pointer"] for each in errors]
