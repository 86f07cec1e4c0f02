"""What real clients need is accepted, and what is forwarded is what they sent."""

import json
import re
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import pytest

from tests.contract.conftest import CHANNEL_KEY, Enforced
from tests.contract.table import CHANGE, IMAGINE, LIST, nested

MARKER = re.compile(r"mjgate:[0-9a-f]{32}")


@pytest.fixture
async def fresh(enforced: Enforced) -> Enforced:
    """Nothing has reached its upstream yet."""
    await enforced.forget()
    return enforced


async def accepted(gate: Enforced, path: str, body: bytes, **headers: str) -> str:
    """The id of a submit that was accepted."""
    reply = await gate.post(path, body, **headers)
    assert (200, 1) == (reply.status, reply.json["code"]), reply.body
    return str(reply.json["result"])


async def forwarded(gate: Enforced) -> dict[str, Any]:
    """The one submit that the upstream heard."""
    (submit,) = await gate.submits()
    return submit


def members(body: str) -> dict[str, str]:
    """The fields of an object, each as the very text that stands there."""
    decoder, found, at = json.JSONDecoder(), {}, body.index("{") + 1
    while body[at] != "}":
        key, at = decoder.raw_decode(body, at)
        start = at + 1
        _, at = decoder.raw_decode(body, start)
        found[key] = body[start:at]
        at += body[at] == ","
    return found


KEPT = {
    "big": "1.7976931348623157e308",
    "fraction": "1.10",
    "long": "3.14159265358979323846264338327950288",
    "wide": "123456789012345678901234567890.5",
    "small": "1E-400",
    "minus": "-0",
    "most": "9223372036854775807",
    "least": "-9223372036854775808",
    "text": '"名前 \\u00e9 \\/ \\ud83d\\ude00 😀"',
    "spaced": '{ "b" : [ 1 , 2 ],\n"a":null }',
    "twice": '{"a":1,"a":2}',
    "no\\u0020nul": '"\\\\u0000"',
    "deep": "[" * 100 + "]" * 100,
}


async def test_unknown_fields_are_forwarded_byte_for_byte(fresh: Enforced) -> None:
    body = "{" + ",".join(f'"{key}":{text}' for key, text in KEPT.items()) + ',"prompt":"x"}'
    await accepted(fresh, IMAGINE, body.encode())
    heard = members((await forwarded(fresh))["body"])
    expected = {json.loads(f'"{key}"'): text for key, text in KEPT.items()}
    assert {**expected, "prompt": '"x"'} == {k: v for k, v in heard.items() if k != "state"}


async def test_state_is_ours_and_the_hook_stays_here(fresh: Enforced) -> None:
    body = {"prompt": "Cat", "state": "mine", "notifyHook": "http://127.0.0.1:9/", "base64": ""}
    task = await accepted(fresh, IMAGINE, json.dumps(body).encode())
    heard = json.loads((await forwarded(fresh))["body"])
    assert MARKER.fullmatch(heard.pop("state"))
    assert {"prompt": "Cat", "base64": ""} == heard
    assert "mine" == (await fresh.gateway.fetch(task))["state"]


async def test_each_submit_has_a_marker_of_its_own(fresh: Enforced) -> None:
    for _ in range(3):
        await accepted(fresh, IMAGINE, b'{"prompt": "Cat", "state": "mine"}')
    heard = [json.loads(submit["body"])["state"] for submit in await fresh.submits()]
    assert 3 == len(set(heard)) == len([each for each in heard if MARKER.fullmatch(each)])


async def test_the_upstream_is_shown_its_own_key_alone(fresh: Enforced) -> None:
    headers = {"Cookie": "a=b", "X_Forwarded_For": "1.2.3.4", "X_Request_Id": "mine"}
    await accepted(fresh, IMAGINE, b'{"prompt": "Cat"}', **headers)
    heard = {name.lower(): value for name, value in (await forwarded(fresh))["headers"]}
    assert CHANNEL_KEY == heard["mj-api-secret"]
    told = {"host", "mj-api-secret", "content-type", "content-length"}
    assert told | {"accept", "accept-encoding", "user-agent"} >= heard.keys()
    assert fresh.gateway.key not in str(heard)


@pytest.mark.parametrize("numeric", [False, True])
async def test_a_change_names_the_task_of_the_upstream(fresh: Enforced, numeric: bool) -> None:
    mine = int(fresh.mine) if numeric else fresh.mine
    body = {"action": "UPSCALE", "index": 2, "taskId": mine, "more": [1.5], "notifyHook": ""}
    task = await accepted(fresh, CHANGE, json.dumps(body).encode())
    heard = json.loads((await forwarded(fresh))["body"])
    ((upstream,),) = fresh.gateway.rows("select upstream_id from tasks where id = %s", fresh.mine)
    assert MARKER.fullmatch(heard.pop("state"))
    expected = {"action": "UPSCALE", "index": 2, "taskId": upstream, "more": [1.5]}
    assert expected == heard
    assert task != fresh.mine != upstream


async def test_of_a_key_that_stands_twice_the_last_one_counts(fresh: Enforced) -> None:
    body = b'{"prompt": 1, "state": "a", "prompt": "Dog", "state": "b", "notifyHook": "x", '
    task = await accepted(fresh, IMAGINE, body + b'"notifyHook": ""}')
    heard = await forwarded(fresh)
    assert 1 == heard["body"].count('"prompt"') == heard["body"].count('"state"')
    assert "Dog" == json.loads(heard["body"])["prompt"]
    kept = await fresh.gateway.fetch(task)
    assert ("Dog", "b") == (kept["prompt"], kept["state"])


@pytest.mark.parametrize(
    "more",
    [
        {"state": None, "notifyHook": None, "base64": None, "base64Array": None},
        {"state": "", "notifyHook": "", "base64": "", "base64Array": []},
        {"state": " \t", "notifyHook": " \r\n\t"},
        {"notifyHook": "https://example.org:8443/hook?a=b#c \n"},
        {"notifyHook": "http://[2001:db8::1]/"},
        {"state": "x" * 16384, "prompt": "é" * 65536},
        {"unknown": {"a": [None, 1.5]}, "": 1},
    ],
)
async def test_optional_fields_may_be_null_blank_or_full(
    enforced: Enforced, more: dict[str, Any]
) -> None:
    await accepted(enforced, IMAGINE, json.dumps({"prompt": "Cat", **more}).encode())


@pytest.mark.parametrize(
    "kind",
    [
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/json; charset=utf8",
        "Application/JSON",
        "application/json;",
        "application/json; boundary=x",
    ],
)
async def test_json_in_utf_8_is_taken_however_it_is_named(enforced: Enforced, kind: str) -> None:
    await accepted(enforced, IMAGINE, b'{"prompt": "Cat"}', Content_Type=kind)


@pytest.mark.parametrize("path", [IMAGINE, LIST, "/mj/task/{}/fetch"])
async def test_a_trailing_slash_is_ignored(enforced: Enforced, path: str) -> None:
    method, body = ("GET", None) if "{}" in path else ("POST", b'{"prompt": "Cat"}')
    headers = {"Content-Type": "application/json"}
    reply = await enforced.send(method, path.format(enforced.mine) + "/", body, headers)
    assert 200 == reply.status


@pytest.mark.parametrize("path", [IMAGINE, LIST, "/mj/task/{}/fetch", "/v1/key", "/v1/usage"])
@pytest.mark.parametrize("query", ["cache=1", "x=1&x=2", "limits=x", "%66=%E5", "?", "&=&"])
async def test_a_query_that_the_contract_does_not_name_is_ignored(
    enforced: Enforced, path: str, query: str
) -> None:
    method, body = ("GET", None) if path[1] == "v" or "{}" in path else ("POST", b'{"prompt": "x"}')
    headers = {"Content-Type": "application/json"}
    reply = await enforced.send(method, f"{path.format(enforced.mine)}?{query}", body, headers)
    assert 200 == reply.status


async def test_nesting_of_128_levels_is_taken(enforced: Enforced) -> None:
    await accepted(enforced, IMAGINE, nested(128))
    await accepted(enforced, IMAGINE, b'{"prompt": "x", "more": [' + b"[]," * 500 + b"{}]}")


async def test_a_body_without_a_length_is_taken(enforced: Enforced) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"prompt"'
        yield b': "Cat"}'

    headers = {"Content-Type": "application/json"}
    for data in (pieces(), BytesIO(b'{"prompt": "Cat"}')):
        assert 200 == (await enforced.send("POST", IMAGINE, data, headers)).status


async def test_ids_may_be_texts_and_numbers_and_come_in_their_order(enforced: Enforced) -> None:
    mine = enforced.mine
    other = await accepted(enforced, IMAGINE, b'{"prompt": "Cat"}')
    ids = [int(other), "x", mine, 0, int(mine), other, "1320098173412546", 2**53 - 1, "١"]
    listed = await enforced.post(LIST, {"ids": ids})
    assert [other, mine] == [task["id"] for task in listed.json]


@pytest.mark.parametrize("body", [{}, {"ids": None}, {"ids": []}, {"ids": ["x"]}, {"id": "1"}])
async def test_a_list_of_nothing_is_empty(enforced: Enforced, body: dict[str, Any]) -> None:
    reply = await enforced.post(LIST, body)
    assert (200, []) == (reply.status, reply.json)


@pytest.mark.parametrize("index", [None, 0, 7, -1])
async def test_the_index_of_a_reroll_is_ignored(fresh: Enforced, index: int | None) -> None:
    body = {"action": "REROLL", "taskId": fresh.mine, "index": index}
    await accepted(fresh, CHANGE, json.dumps(body).encode())
    assert "index" not in json.loads((await forwarded(fresh))["body"])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("mine", True),
        ("!" * 128, True),
        ("a:b/c?d=e&f;g,h", True),
        ("x" * 129, False),
        ("a b", False),
        ("", False),
        ("é", False),
    ],
)
async def test_a_request_id_is_echoed_if_it_is_visible_ascii(
    enforced: Enforced, given: str, kept: bool
) -> None:
    for path in (f"/mj/task/{enforced.mine}/fetch", "/mj/task/1/fetch", "/nowhere", "/healthz"):
        reply = await enforced.send("GET", path, headers={"X-Request-Id": given})
        shown = reply.headers["X-Request-Id"]
        assert kept == (given == shown)
        assert 1 <= len(shown) <= 128


async def test_each_answer_has_a_request_id_of_its_own(enforced: Enforced) -> None:
    paths = ["/nowhere", "/healthz", "/mj/task/1/fetch"] * 5
    given = [(await enforced.send("GET", path)).headers["X-Request-Id"] for path in paths]
    assert len(paths) == len(set(given))


ORIGIN = {"Origin": "https://app.example"}


@pytest.mark.parametrize("path", [IMAGINE, "/mj/task/1/fetch", "/openapi.json"])
async def test_a_preflight_needs_no_token(enforced: Enforced, path: str) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "mj-api-secret, content-type",
        "mj-api-secret": "",
    }
    reply = await enforced.send("OPTIONS", path, headers=ORIGIN | asked)
    assert (204, b"") == (reply.status, reply.body)
    assert "*" == reply.headers["Access-Control-Allow-Origin"]
    assert "GET, POST, OPTIONS" == reply.headers["Access-Control-Allow-Methods"]
    assert "mj-api-secret, content-type" == reply.headers["Access-Control-Allow-Headers"]
    assert "86400" == reply.headers["Access-Control-Max-Age"]
    assert "Content-Length" not in reply.headers


async def test_a_preflight_without_headers_is_answered_without(enforced: Enforced) -> None:
    asked = {"Access-Control-Request-Method": "GET"}
    reply = await enforced.send("OPTIONS", IMAGINE, headers=ORIGIN | asked)
    assert (204, False) == (reply.status, "Access-Control-Allow-Headers" in reply.headers)


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/mj/task/{mine}/fetch", None, 200),
        ("/mj/task/1/fetch", None, 404),
        ("/mj/task/1/fetch", "wrong", 401),
        (IMAGINE, None, 405),
        ("/nowhere", None, 404),
        ("/openapi.json", None, 200),
    ],
)
async def test_a_browser_may_read_answers_and_errors(
    enforced: Enforced, path: str, token: str | None, status: int
) -> None:
    headers = {**ORIGIN, **({"mj-api-secret": token} if token else {})}
    reply = await enforced.send("GET", path.format(mine=enforced.mine), headers=headers)
    assert (status, "*") == (reply.status, reply.headers["Access-Control-Allow-Origin"])
    exposed = (
        "X-Request-Id, Retry-After, WWW-Authenticate, Idempotency-Replayed, ETag, "
        "Preference-Applied"
    )
    assert exposed == reply.headers["Access-Control-Expose-Headers"]


async def test_without_an_origin_there_is_nothing_about_origins(enforced: Enforced) -> None:
    reply = await enforced.send("GET", "/mj/task/1/fetch")
    assert not [name for name in reply.headers if name.lower().startswith("access-control")]
