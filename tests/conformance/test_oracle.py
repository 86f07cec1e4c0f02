"""What the contract says of a request, by its own bytes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjgate.conformance.contract_view import CHANGE, IMAGINE, LIST, USAGE, Contract
from mjgate.conformance.exchange import Request
from mjgate.conformance.oracle import expect
from mjgate.contract.document import Document
from tests.conformance.exchanges import CONTRACT, TARGET, expected, request

FETCH = "/mj/task/1320098173412546/fetch"
GOOD = {"prompt": "a red fox"}
REROLL = {"action": "REROLL", "taskId": "1320098173412546"}


@pytest.mark.parametrize(
    "asked",
    [
        request("POST", IMAGINE, GOOD),
        request("POST", IMAGINE + "/", GOOD),
        request("POST", IMAGINE, GOOD | {"state": None, "unknown": {"a": [1]}}),
        request("POST", IMAGINE, GOOD | {"notifyHook": "https://hooks.example.org:8443/a?b=c"}),
        request("POST", IMAGINE, GOOD | {"notifyHook": " "}),
        request("POST", IMAGINE, GOOD, {"Content-Type": "application/json; charset=utf-8"}),
        request("POST", IMAGINE, GOOD, {"Idempotency-Key": "a-key"}),
        request("POST", CHANGE, REROLL),
        request("POST", CHANGE, REROLL | {"taskId": 1320098173412546}),
        request("POST", CHANGE, {"action": "UPSCALE", "index": 4, "taskId": "1"}),
        request("POST", LIST, {}),
        request("POST", LIST, {"ids": None}),
        request("POST", LIST, {"ids": ["a", 1]}),
        request("GET", FETCH),
        request("GET", FETCH, headers={"If-None-Match": "", "Prefer": "wait=x"}),
        request("GET", "/v1/key"),
        request("GET", "/v1/usage?limit=1&from=2026-03-01&to=2026-03-01&unknown=%FF"),
    ],
)
def test_what_the_contract_allows_is_good(asked: Request) -> None:
    said = expected(asked)
    assert ("good", ()) == (said.says, said.reasons)
    assert 400 in said.wrong


@pytest.mark.parametrize(
    ("asked", "statuses", "place", "where"),
    [
        (request("POST", IMAGINE, {}), {400}, "/prompt", "ImagineRequest/required"),
        (request("POST", IMAGINE, {"prompt": ""}), {400}, "/prompt", "Prompt/minLength"),
        (request("POST", IMAGINE, {"prompt": 1}), {400}, "/prompt", "Prompt/type"),
        (request("POST", IMAGINE, {"prompt": "　"}), {400}, "/prompt", "Prompt/description"),
        (request("POST", IMAGINE, GOOD | {"state": 1}), {400}, "/state", "State/type"),
        (request("POST", IMAGINE, GOOD | {"state": "\0"}), {400}, "/state", "description"),
        (request("POST", IMAGINE, GOOD | {"a\0": 1}), {400}, "/a\0", "description"),
        (request("POST", IMAGINE, GOOD | {"a": [2**63]}), {400}, "/a/0", "description"),
        (request("POST", IMAGINE, GOOD | {"a": "\ud800"}), {400}, "/a", "description"),
        (request("POST", IMAGINE, GOOD | {"base64Array": [1]}), {400}, "/base64Array/0", "type"),
        (request("POST", IMAGINE, b""), {400}, "", "requestBody/required"),
        (request("POST", IMAGINE, b"{"), {400}, "", "requestBody"),
        (request("POST", IMAGINE, b'{"prompt": NaN}'), {400}, "", "requestBody"),
        (request("POST", IMAGINE, b'"\xff"'), {400}, "", "requestBody"),
        (request("POST", IMAGINE, b"[" * 200 + b"]" * 200), {400}, "", "description"),
        (request("POST", IMAGINE, b"[" * 99999 + b"]" * 99999), {400}, "", "description"),
        (request("POST", IMAGINE, []), {400}, "", "ImagineRequest/type"),
        (request("POST", CHANGE, {}), {400}, "/action", "UpscaleOrVary/required"),
        (request("POST", CHANGE, 3), {400}, "", "UpscaleOrVary/type"),
        (request("POST", CHANGE, {"action": ["x"]}), {400}, "/action", "PictureAction/type"),
        (request("POST", CHANGE, {"action": "BLEND"}), {400}, "/action", "PictureAction/enum"),
        (
            request("POST", CHANGE, {"action": "UPSCALE", "taskId": "1"}),
            {400},
            "/index",
            "UpscaleOrVary/required",
        ),
        (request("POST", CHANGE, REROLL | {"taskId": ""}), {400}, "/taskId", "0/minLength"),
        (request("POST", CHANGE, REROLL | {"taskId": -1}), {400}, "/taskId", "1/minimum"),
        (request("POST", CHANGE, REROLL | {"taskId": 1.5}), {400}, "/taskId", "TaskRef/oneOf"),
        (request("POST", LIST, {"ids": [1, {}]}), {400}, "/ids/1", "TaskRef/oneOf"),
        (request("POST", LIST, {"ids": ["1"] * 10001}), {400}, "/ids", "ids/maxItems"),
        (
            request("POST", IMAGINE, GOOD, {"Idempotency-Key": "x" * 256}),
            {400},
            "#Idempotency-Key",
            "schema/maxLength",
        ),
        (request("GET", f"/mj/task/{'1' * 65}/fetch"), {400, 404}, "#id", "schema/maxLength"),
        (request("GET", "/mj/task/a%00/fetch"), {400, 404}, "#id", "description"),
        (request("GET", "/v1/usage?limit=0"), {400}, "#limit", "schema/minimum"),
        (request("GET", "/v1/usage?limit=ten"), {400}, "#limit", "schema/type"),
        (request("GET", "/v1/usage?from=today"), {400}, "#from", "Day/minLength"),
        (request("GET", FETCH, sender="none"), {401}, None, "securitySchemes"),
        (request("GET", FETCH, sender="bad"), {401}, None, "securitySchemes"),
        (request("DELETE", FETCH), {405}, None, "fetch"),
        (request("GET", "/mj/task"), {404}, None, "paths"),
        (
            request("POST", IMAGINE, b"a=b", {"Content-Type": "text/plain"}),
            {400, 415},
            "",
            "content",
        ),
    ],
)
def test_what_the_contract_forbids_is_bad_for_a_reason(
    asked: Request, statuses: set[int], place: str | None, where: str
) -> None:
    said = expected(asked)
    assert "bad" == said.says
    assert any(
        statuses == set(each.statuses) and place == each.place and each.where.endswith(where)
        for each in said.reasons
    ), said.reasons
    assert said.why
    assert said.where


@pytest.mark.parametrize(
    ("asked", "statuses"),
    [
        (request("POST", IMAGINE, b'{"prompt": "x", "prompt": "y"}'), {400}),
        (request("POST", IMAGINE, b'\xef\xbb\xbf{"prompt": "x"}'), {400}),
        (request("POST", IMAGINE, b'{"prompt": "x", "a": 1e300}'), {400}),
        (request("POST", IMAGINE, b'{"prompt": 1, "prompt": "y"}'), {400}),
        (request("POST", IMAGINE, GOOD | {"a": "x" * 2_000_000}), {413}),
        (request("POST", IMAGINE, GOOD | {"notifyHook": "http://[::]:99999/"}), {400}),
        (request("POST", IMAGINE, GOOD, {"Content-Encoding": "gzip"}), {400, 415}),
        (request("POST", IMAGINE, GOOD, {"Content-Type": "application/json; a=b"}), {400, 415}),
        (request("GET", "/mj/task/%2e%2e/fetch"), {400, 404}),
        (request("GET", "/mj/task/a%2Fb/fetch"), {400, 404}),
        (request("GET", "/mj/task/%FF/fetch"), {400, 404}),
        (request("GET", "/v1/usage?cursor=1"), {400}),
        (request("GET", "/v1/usage?limit=1&limit=2"), {400}),
        (request("GET", "/v1/usage?from=%zz"), {400}),
        (request("GET", "/v1/usage?from=2026-02-30"), {400}),
        (request("GET", "/v1/usage?from=2026-03-02&to=2026-03-01"), {400}),
        (request("OPTIONS", IMAGINE), {405}),
        (request("HEAD", FETCH), {405}),
        (request("GET", "//mj/task/1/fetch"), {404}),
    ],
)
def test_what_only_words_decide_is_open(asked: Request, statuses: set[int]) -> None:
    said = expected(asked)
    assert "open" == said.says
    assert statuses <= said.statuses
    assert not statuses & said.wrong


def test_a_repeated_header_is_open() -> None:
    asked = request("POST", IMAGINE, GOOD, {"Idempotency-Key": "a"})
    twice = Request("POST", asked.url, (*asked.headers, ("idempotency-key", "b")), asked.body)
    assert "open" == expected(twice).says
    lines = (("If-None-Match", 'W/"1"'), ("If-None-Match", 'W/"2"'))
    assert "good" == expected(Request("GET", TARGET + FETCH, lines)).says
    typed = Request("POST", asked.url, (*asked.headers, ("content-type", "text/plain")), asked.body)
    assert "open" == expected(typed).says


def test_a_body_without_a_type_is_bad() -> None:
    assert "bad" == expected(Request("POST", TARGET + IMAGINE, (), b"{}")).says


def test_a_good_request_may_meet_a_task_that_is_not_there_and_a_used_key() -> None:
    assert 404 not in expected(request("GET", FETCH)).wrong
    assert 404 not in expected(request("POST", CHANGE, REROLL)).wrong
    assert 404 in expected(request("POST", IMAGINE, GOOD)).wrong
    assert 422 in expected(request("POST", IMAGINE, GOOD)).wrong
    keyed = request("POST", IMAGINE, GOOD, {"Idempotency-Key": "a"})
    assert not {409, 422} & expected(keyed).wrong


def test_a_parameter_that_is_required_is_missed() -> None:
    spec = json.loads(json.dumps(CONTRACT.spec))
    (limit,) = [
        each for each in spec["paths"][USAGE]["get"]["parameters"] if each["name"] == "limit"
    ]
    limit["required"] = True
    said = expect(Contract(Document(b"", spec)), request("GET", USAGE))
    assert ("bad", "a missing query limit") == (said.says, said.why)
    assert "good" == expect(Contract(Document(b"", spec)), request("GET", f"{USAGE}?limit=1")).says


def test_what_is_good_is_so_by_its_operation() -> None:
    said = expected(request("GET", FETCH))
    assert ("", "#/paths/~1mj~1task~1{id}~1fetch/get") == (said.why, said.where)


def test_reasons_add_up() -> None:
    said = expected(request("POST", LIST, {"ids": 1}, sender="bad"))
    assert {400, 401} == said.statuses
    assert {"/ids"} == said.places


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.sampled_from(CONTRACT.operations), st.binary() | JSON.map(json.dumps).map(str.encode))
def test_every_body_is_judged(operation: Any, body: bytes) -> None:
    said = expected(request(operation.method, operation.path, body))
    assert said.says in ("good", "bad", "open")
    assert ("good" == said.says) == (not said.reasons)
