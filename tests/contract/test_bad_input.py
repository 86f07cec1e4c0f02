"""What breaks the contract is refused with its place; nothing is forwarded, nothing charged."""

import json
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from multidict import CIMultiDict

from tests.contract.conftest import Enforced, Reply
from tests.contract.table import CHANGE, IMAGINE, LIST, ROWS, Bad

MOST_BODY = 16 * 1024 * 1024
JSON = {"Content-Type": "application/json"}
GOOD = json.dumps({"prompt": "a red fox"}).encode()


@pytest.fixture
async def untouched(enforced: Enforced) -> AsyncIterator[Enforced]:
    """What is asked of it leaves no trace, and a good submit works afterwards."""
    await enforced.forget()
    before = enforced.kept()
    yield enforced
    assert [] == await enforced.submits()
    assert before == enforced.kept()
    await enforced.works()


async def refused(gate: Enforced, reply: Reply, status: int, slug: str) -> Reply:
    await gate.refuses(reply, status, slug, [])
    return reply


@pytest.mark.parametrize("bad", ROWS, ids=[f"{bad.path}: {bad.name[:60]}" for bad in ROWS])
async def test_a_request_that_breaks_the_contract_is_refused_with_its_place(
    untouched: Enforced, bad: Bad
) -> None:
    reply = await untouched.send("POST", bad.path, bad.body, bad.headers)

    properties = await untouched.refuses(reply, bad.status, bad.slug, [])
    first = next(iter(properties["errors"]), {"pointer": None, "message": ""})
    assert bad.pointer == first["pointer"], properties
    assert bad.message in (first["message"] or reply.json["description"])
    assert bad.message in reply.json["description"]


def test_each_row_of_the_table_has_a_name_of_its_own() -> None:
    names = [(bad.path, bad.name) for bad in ROWS]
    assert len(names) == len(set(names))


async def test_every_violation_is_named_at_once(untouched: Enforced) -> None:
    body = {"prompt": 1, "state": 2, "notifyHook": "x", "base64Array": [3, "x", None]}
    reply = await untouched.post(IMAGINE, body)
    errors = reply.json["properties"]["errors"]
    places = ["/base64Array/0", "/base64Array/2", "/notifyHook", "/prompt", "/state"]
    assert places == sorted(error["pointer"] for error in errors)


async def test_violations_are_named_up_to_twenty(untouched: Enforced) -> None:
    reply = await untouched.post(LIST, {"ids": [None] * 10_000})
    assert [f"/ids/{index}" for index in range(20)] == [
        error["pointer"] for error in reply.json["properties"]["errors"]
    ]


@pytest.mark.parametrize("path", ["/mj/task/{}/fetch", "/mj/task/{}/fetch/"])
@pytest.mark.parametrize(
    ("wanted", "message"),
    [("x" * 65, "at most 64 characters"), ("1%00", "U+0000"), ("%00", "U+0000")],
)
async def test_a_malformed_id_in_the_path_is_refused(
    untouched: Enforced, path: str, wanted: str, message: str
) -> None:
    reply = await untouched.send("GET", path.format(wanted))
    properties = await untouched.refuses(reply, 400, "invalid_request", [])
    assert "#id" == properties["errors"][0]["pointer"]
    assert message in properties["errors"][0]["message"]


VISIBLE = "must be visible ASCII characters"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([""], "must have at least 1 characters"),
        (["x" * 256], "must have at most 255 characters"),
        (["a b"], VISIBLE),
        (["a\tb"], VISIBLE),
        (["é"], VISIBLE),
        (["a", "a"], "must be given once"),
        (["a", "b"], "must be given once"),
    ],
)
@pytest.mark.parametrize("path", [IMAGINE, CHANGE])
async def test_a_malformed_idempotency_key_is_refused(
    untouched: Enforced, path: str, keys: list[str], message: str
) -> None:
    sent = CIMultiDict([*JSON.items(), *(("Idempotency-Key", key) for key in keys)])
    body = {"prompt": "a red fox", "action": "REROLL", "taskId": untouched.mine}
    reply = await untouched.send("POST", path, json.dumps(body).encode(), sent)
    properties = await untouched.refuses(reply, 400, "invalid_request", [])
    assert [{"pointer": "#Idempotency-Key", "message": message}] == properties["errors"]


@pytest.mark.parametrize(
    "wanted", ["1320098173412546", "x", "0", "-1", "1.0", "9" * 64, "%ff", "..%5c", "名", "1%20"]
)
async def test_an_unknown_task_is_not_found(untouched: Enforced, wanted: str) -> None:
    await refused(
        untouched, await untouched.send("GET", f"/mj/task/{wanted}/fetch"), 404, "not_found"
    )


@pytest.mark.parametrize("wanted", ["1320098173412546", "x", 0, 2**53 - 1, "9" * 64, " "])
async def test_a_change_of_an_unknown_task_is_not_found(untouched: Enforced, wanted: str) -> None:
    body = {"action": "REROLL", "taskId": wanted}
    await refused(untouched, await untouched.post(CHANGE, body), 404, "not_found")


async def test_a_foreign_task_is_neither_fetched_nor_changed_nor_listed(
    untouched: Enforced,
) -> None:
    foreign = untouched.foreign
    fetched = await untouched.send("GET", f"/mj/task/{foreign}/fetch")
    unknown = await untouched.send("GET", "/mj/task/1320098173412546/fetch")
    await refused(untouched, fetched, 404, "not_found")
    assert unknown.json == json.loads(fetched.body.replace(foreign.encode(), b"1320098173412546"))
    for action in ({"action": "REROLL"}, {"action": "UPSCALE", "index": 1}):
        changed = await untouched.post(CHANGE, {**action, "taskId": foreign})
        await refused(untouched, changed, 404, "not_found")
    listed = await untouched.post(LIST, {"ids": [foreign, untouched.mine, 7, "x", int(foreign)]})
    assert (200, [untouched.mine]) == (listed.status, [task["id"] for task in listed.json])


WRONG = "The token is wrong or was revoked."
NONE = "No token. Send mj-api-secret: <token> or Authorization: Bearer <token>."


@pytest.mark.parametrize(
    ("headers", "description"),
    [
        ({"mj-api-secret": ""}, NONE),
        ({"mj-api-secret": "wrong"}, WRONG),
        ({"mj-api-secret": "Bearer {good}"}, WRONG),
        ({"mj-api-secret": "{good}x"}, WRONG),
        ({"mj-api-secret": "x" * 513}, WRONG),
        ({"mj-api-secret": "x" * 8000}, WRONG),
        ({"mj-api-secret": "{revoked}"}, WRONG),
        ({"mj-api-secret": "名".encode().decode("latin-1")}, WRONG),
        ({"Authorization": "Bearer wrong"}, WRONG),
        ({"Authorization": "Bearer {revoked}"}, WRONG),
        ({"Authorization": "Bearer " + "x" * 8000}, WRONG),
        ({"Authorization": "Bearer"}, NONE),
        ({"Authorization": "Bearer "}, NONE),
        ({"Authorization": "{good}"}, NONE),
        ({"Authorization": "Basic {good}"}, NONE),
        ({"Authorization": "Basic {good}", "mj-api-secret": "wrong"}, WRONG),
        ({"Authorization": "Bearer wrong", "mj-api-secret": "wrong"}, WRONG),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", path) for path in (IMAGINE, CHANGE, LIST)),
        *(("GET", path) for path in ("/mj/task/1/fetch", "/v1/key", "/v1/usage?limit=x")),
    ],
)
async def test_without_a_good_token_nothing_is_done(
    untouched: Enforced, method: str, path: str, headers: dict[str, str], description: str
) -> None:
    keys = {"good": untouched.gateway.key, "revoked": untouched.revoked}
    sent = {name: value.format(**keys) for name, value in headers.items()}

    reply = await untouched.send(method, path, b"no JSON", sent)

    await refused(untouched, reply, 401, "unauthorized")
    assert description == reply.json["description"]
    assert 'ApiKey header="mj-api-secret", Bearer' == reply.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "headers",
    [
        {"mj-api-secret": "{good}"},
        {"MJ-API-SECRET": " {good} "},
        {"Authorization": "Bearer {good}"},
        {"Authorization": "bearer  {good}"},
        {"Authorization": "Bearer wrong", "mj-api-secret": "{good}"},
        {"Authorization": "Basic eDp5", "mj-api-secret": "{good}"},
        {"Authorization": "Bearer {good}", "mj-api-secret": "wrong"},
        {"Authorization": "Bearer {good}", "mj-api-secret": "x" * 8000},
    ],
)
async def test_either_form_of_a_good_token_opens(
    enforced: Enforced, headers: dict[str, str]
) -> None:
    sent = {name: value.format(good=enforced.gateway.key) for name, value in headers.items()}
    reply = await enforced.send("GET", f"/mj/task/{enforced.mine}/fetch", headers=sent)
    assert 200 == reply.status


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/mj",
        "/mj/",
        "/mj/submit",
        "/mj/submit/imagine/x",
        "/mj/submit/Imagine",
        "//mj/submit/imagine",
        "/mj/submit/imagine//",
        "/mj/submit/describe",
        "/mj/task//fetch",
        "/mj/task/1/2/fetch",
        "/mj/task/1",
        "/v1",
        "/v1/keys",
        "/v1/usage//",
        "/openapi.yaml/",
        "/docs/../config",
        "/docs/nothing.js",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_path_is_not_found(untouched: Enforced, method: str, path: str) -> None:
    reply = await untouched.send(method, path, headers={"mj-api-secret": ""})
    await refused(untouched, reply, 404, "not_found")
    assert "/openapi.yaml" in reply.json["description"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (IMAGINE, "OPTIONS, POST"),
        (CHANGE + "/", "OPTIONS, POST"),
        (LIST, "OPTIONS, POST"),
        ("/mj/task/1/fetch", "GET, OPTIONS"),
        ("/v1/key", "GET, OPTIONS"),
        ("/v1/usage/?limit=x", "GET, OPTIONS"),
        ("/openapi.yaml", "GET, HEAD, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    untouched: Enforced, path: str, allowed: str
) -> None:
    right = allowed.split(", ")
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"]
    for method in [method for method in methods if method not in right]:
        reply = await untouched.send(method, path, headers={"mj-api-secret": ""})
        assert (405, allowed) == (reply.status, reply.headers["Allow"])
        if method != "HEAD":
            await refused(untouched, reply, 405, "method_not_allowed")
    options = await untouched.send("OPTIONS", path, headers={"mj-api-secret": ""})
    assert (204, allowed, b"") == (options.status, options.headers["Allow"], options.body)


def large() -> bytes:
    picture = b"A" * (30 * 1024 * 1024)
    return b'{"prompt": "x", "base64": "data:image/png;base64,' + picture + b'"}'


async def in_pieces(body: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("more", [{}, {"Expect": "100-continue"}, {"Connection": "close"}])
async def test_a_body_of_30_megabytes_is_too_large(
    untouched: Enforced, more: dict[str, str]
) -> None:
    for data in (BytesIO(large()), in_pieces(large())):
        reply = await untouched.send("POST", IMAGINE, data, JSON | more)
        await refused(untouched, reply, 413, "too_large")
        assert f"The body is larger than {MOST_BODY} bytes." == reply.json["description"]


async def test_the_largest_body_is_taken_and_one_byte_more_is_not(enforced: Enforced) -> None:
    start, end = b'{"ids": [], "more": "', b'"}'
    body = start + b"x" * (MOST_BODY - len(start) - len(end)) + end
    for sent in (BytesIO, in_pieces):
        right = await enforced.send("POST", LIST, sent(body), JSON)
        assert (200, b"[]") == (right.status, right.body)
        wrong = await enforced.send("POST", LIST, sent(b" " + body), JSON)
        assert 413 == wrong.status
