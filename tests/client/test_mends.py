"""What the generator's own templates get wrong, and that ours do not.

Each test shows both sides: the stock client has the defect, our client does not. Where the stock
side no longer fails the generator has mended it, and our template can go.
"""

import copy
import gzip
import inspect
import json
import pickle
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mjgate_client.models import TaskStatus
from tests.client.conftest import Package
from tests.client.server import Answer, Server, serving

CAT = {"prompt": "Cat"}
ENLARGE = {"action": "ENLARGE", "index": 1, "taskId": "1"}


def imagine(package: Package, client: Any) -> Any:
    body = package.module("models").ImagineRequest.from_dict(CAT)
    return package.operation("submit_imagine").sync_detailed(client=client, body=body)


async def imagine_async(package: Package, client: Any) -> Any:
    body = package.module("models").ImagineRequest.from_dict(CAT)
    return await package.operation("submit_imagine").asyncio_detailed(client=client, body=body)


# Path parameters stay in their segment.

SEGMENTS = [
    (".", "%2E"),
    ("..", "%2E%2E"),
    ("a/b", "a%2Fb"),
    ("../../x", "..%2F..%2Fx"),
    ("%2e%2e", "%252e%252e"),
    ("?", "%3F"),
    ("#", "%23"),
    ("a.b", "a.b"),
    ("猫 1", "%E7%8C%AB%201"),
]


def fetched(package: Package, id: str) -> list[str]:
    with serving(lambda _: Answer(418)) as server, package.client(base_url=server.url) as client:
        package.operation("fetch_task").sync_detailed(id, client=client)
    return [arrival.path for arrival in server.arrivals]


@pytest.mark.parametrize(("id", "segment"), SEGMENTS)
def test_an_id_arrives_as_one_segment_of_the_path(ours: Package, id: str, segment: str) -> None:
    assert [f"/mj/task/{segment}/fetch"] == fetched(ours, id)


@pytest.mark.parametrize(("id", "path"), [(".", "/mj/task/fetch"), ("..", "/mj/fetch")])
def test_stock_ids_of_dots_call_another_path(stock: Package, id: str, path: str) -> None:
    assert [path] == fetched(stock, id)


def test_an_empty_id_is_refused_before_anything_is_sent(ours: Package, stock: Package) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        fetched(ours, "")
    assert ["/mj/task//fetch"] == fetched(stock, "")


# Enums keep what they do not know.


def enlarge(package: Package) -> Any:
    return package.module("models").UpscaleOrVary.from_dict(ENLARGE)


def test_an_unknown_value_of_an_enum_is_kept(ours: Package, stock: Package) -> None:
    assert "ENLARGE" == enlarge(ours).action
    assert ENLARGE == enlarge(ours).to_dict()
    with pytest.raises(ValueError, match="ENLARGE"):
        enlarge(stock)


def test_a_known_value_is_still_the_member_itself(ours: Package) -> None:
    status = ours.module("models").TaskStatus
    assert status.SUCCESS is status("SUCCESS")


@pytest.mark.parametrize("value", [1, b"SUCCESS", ["SUCCESS"], True])
def test_what_is_neither_text_nor_null_is_still_no_value_of_an_enum(
    ours: Package, value: object
) -> None:
    with pytest.raises(ValueError, match="is not a valid TaskStatus"):
        ours.module("models").TaskStatus(value)


def test_a_kept_value_equals_itself_after_copying_and_pickling() -> None:
    paused = TaskStatus("PAUSED")
    assert "PAUSED" == paused == copy.deepcopy(paused) == pickle.loads(pickle.dumps(paused))
    assert {paused: 1} == {TaskStatus("PAUSED"): 1}
    assert "<TaskStatus.PAUSED: 'PAUSED'>" == repr(paused)


def picture(**changes: Any) -> dict[str, Any]:
    calm = dict.fromkeys(["closed", "besideNull", "withNull", "withoutNull"], "CALM")
    return calm | changes


def around(traps: Package, value: dict[str, Any]) -> Any:
    return traps.module("models").Picture.from_dict(value).to_dict()


@pytest.mark.parametrize("form", ["closed", "besideNull", "withNull", "withoutNull"])
@pytest.mark.parametrize("value", ["CALM", "NEWER", "", None])
def test_every_form_of_an_enum_keeps_any_text_and_null(
    our_traps: Package, form: str, value: str | None
) -> None:
    assert picture(**{form: value}) == around(our_traps, picture(**{form: value}))


@pytest.mark.parametrize("form", ["closed", "withoutNull"])
@pytest.mark.parametrize("value", ["NEWER", None])
def test_stock_enums_refuse_what_they_do_not_know(
    stock_traps: Package, form: str, value: str | None
) -> None:
    with pytest.raises(ValueError, match="is not a valid"):
        around(stock_traps, picture(**{form: value}))


def test_the_value_of_an_enum_may_be_given_as_text(ours: Package, stock: Package) -> None:
    upscale = {"action": "UPSCALE", "index": 1, "task_id": "1"}
    assert "UPSCALE" == ours.module("models").UpscaleOrVary(**upscale).to_dict()["action"]
    with pytest.raises(AttributeError, match="value"):
        stock.module("models").UpscaleOrVary(**upscale).to_dict()


# No token in a repr.


def shown(package: Package, **options: Any) -> str:
    client = package.client(token="s3cret", **options)
    sync, other = client.get_httpx_client(), client.get_async_httpx_client()
    parts = [client, client.with_timeout(None), sync, other, sync.headers, other.headers]
    return repr([*parts, sync.event_hooks, other.event_hooks, client._headers])


@pytest.mark.parametrize(
    "options", [{}, {"prefix": "", "auth_header_name": "mj-api-secret"}], ids=["bearer", "secret"]
)
def test_no_repr_shows_the_token(ours: Package, stock: Package, options: dict[str, str]) -> None:
    assert "s3cret" not in shown(ours, **options)
    assert "s3cret" in shown(stock, **options)


@pytest.mark.parametrize("token", ["s3cret\n", " s3cret", "s3cr\u00e9t", "s3cret\x00"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(
    ours: Package, token: str
) -> None:
    with pytest.raises(ValueError, match="no header can carry") as refused:
        ours.client(token=token)
    assert "s3cr" not in f"{refused.value!r}"


def test_stock_shows_a_token_with_a_line_break(stock: Package, gateway: Server) -> None:
    shown = pytest.raises(httpx.LocalProtocolError, match="s3cret")
    with stock.client(base_url=gateway.url, token="s3cret\n") as client, shown:
        imagine(stock, client)


@pytest.mark.parametrize("token", ["", "a", "two words", "mj-~!"])
def test_any_other_token_is_taken(ours: Package, token: str) -> None:
    assert token == ours.client(token=token).token


@pytest.mark.parametrize("option", ["headers", "cookies"])
def test_no_repr_shows_a_token_given_by_hand(ours: Package, stock: Package, option: str) -> None:
    secret = {option: {"mj-api-secret": "s3cret"}}
    assert "s3cret" not in repr(ours.client(**secret))
    assert "s3cret" in repr(stock.client(**secret))


@pytest.fixture
def gateway() -> Iterator[Server]:
    with serving(lambda _: Answer(418)) as server:
        yield server


@pytest.mark.parametrize(
    ("options", "header", "value"),
    [
        ({}, "authorization", "Bearer the-token"),
        ({"prefix": "", "auth_header_name": "mj-api-secret"}, "mj-api-secret", "the-token"),
    ],
    ids=["bearer", "secret"],
)
async def test_the_token_is_sent_all_the_same(
    ours: Package, gateway: Server, options: dict[str, str], header: str, value: str
) -> None:
    client = ours.client(base_url=gateway.url, **options)
    with client:
        imagine(ours, client)
    async with client:
        await imagine_async(ours, client)
    assert [value, value] == [arrival.headers[header] for arrival in gateway.arrivals]


async def test_hooks_and_credentials_of_ones_own_stand_beside_the_token(
    ours: Package, gateway: Server
) -> None:
    seen: list[int] = []

    def note(response: httpx.Response) -> None:
        seen.append(response.status_code)

    arguments = {"event_hooks": {"response": [note]}, "auth": ("proxy", "pass")}
    secret = {"prefix": "", "auth_header_name": "mj-api-secret"}
    with ours.client(base_url=gateway.url, httpx_args=arguments, **secret) as client:
        imagine(ours, client)
    headers = gateway.arrivals[0].headers
    assert [418] == seen
    assert ("the-token", "Basic") == (headers["mj-api-secret"], headers["authorization"][:5])


def redirected(package: Package) -> list[str | None]:
    """The token as two servers see it: the API, at both ends of a redirect, and another host."""
    with serving(lambda _: Answer(418)) as other:
        places = {"/mj/task/1/fetch": "/moved", "/moved": f"{other.url}/away"}
        with serving(lambda at: Answer(307, headers={"Location": places[at.path]})) as api:
            client = package.client(
                base_url=api.url, follow_redirects=True, prefix="", auth_header_name="mj-api-secret"
            )
            with client:
                package.operation("fetch_task").sync_detailed("1", client=client)
    arrivals = [*api.arrivals, *other.arrivals]
    return [arrival.headers.get("mj-api-secret") for arrival in arrivals]


def test_the_token_is_not_sent_to_the_host_that_a_redirect_names(
    ours: Package, stock: Package
) -> None:
    assert ["the-token", "the-token", None] == redirected(ours)
    assert ["the-token", "the-token", "the-token"] == redirected(stock)


# A call ends.


def timeouts(client: Any) -> list[httpx.Timeout]:
    return [client.get_httpx_client().timeout, client.get_async_httpx_client().timeout]


def test_a_call_ends_where_no_timeout_was_given(ours: Package, stock: Package) -> None:
    assert [httpx.Timeout(60, connect=10)] * 2 == timeouts(ours.client())
    assert [httpx.Timeout(None)] * 2 == timeouts(stock.client())


@pytest.mark.parametrize("timeout", [None, httpx.Timeout(3)])
def test_a_timeout_that_was_given_counts_and_none_is_none(
    ours: Package, timeout: httpx.Timeout | None
) -> None:
    assert [httpx.Timeout(timeout)] * 2 == timeouts(ours.client(timeout=timeout))
    assert [httpx.Timeout(timeout)] * 2 == timeouts(ours.client().with_timeout(timeout))


# An answer without a body makes nothing untyped.


def test_an_answer_without_a_body_is_told_by_its_status_alone(
    ours: Package, stock: Package
) -> None:
    for package, typed in ((ours, "Error | Task | None"), (stock, "Any | Error | Task | None")):
        fetch = package.operation("fetch_task")
        answer = fetch.sync_detailed("1", client=package.answering(304, b""))
        assert (304, None) == (answer.status_code, answer.parsed)
        returned = str(inspect.signature(fetch.sync, eval_str=False).return_annotation)
        assert typed == re.sub(r"[a-z_]+\.", "", returned)


# An answer that is not in the contract is an answer.

ODD = {
    "no body": (200, b""),
    "null": (200, b"null"),
    "an empty object": (200, b"{}"),
    "a list": (200, b"[1]"),
    "a number": (200, b"7"),
    "half a body": (200, b'{"code": 1, "descr'),
    "not UTF-8": (200, b'{"code": "\xff"}'),
    "too deep": (200, b"[" * 200_000),
    "too many digits": (200, b'{"code": ' + b"7" * 5000 + b"}"),
    "an error as text": (400, b'"no"'),
    "an error without its place": (400, b'{"code": 4, "description": "no"}'),
    "a page of a proxy": (502, b"<html>Bad Gateway</html>"),
    "a proxy without a word": (504, b""),
    "a status without a name": (420, b"calm"),
    "the last status": (599, b"{}"),
}
odd = pytest.mark.parametrize(("status", "content"), ODD.values(), ids=ODD)


@odd
async def test_an_odd_answer_is_kept_and_not_parsed(
    ours: Package, status: int, content: bytes
) -> None:
    client = ours.answering(status, content)
    for answer in (imagine(ours, client), await imagine_async(ours, client)):
        assert (status, content, None) == (answer.status_code, answer.content, answer.parsed)


@odd
async def test_an_odd_answer_raises_the_clients_own_error_on_demand(
    ours: Package, status: int, content: bytes
) -> None:
    client = ours.answering(status, content, raise_on_unexpected_status=True)
    unexpected = ours.module("errors").UnexpectedStatus
    with pytest.raises(unexpected) as raised:
        imagine(ours, client)
    with pytest.raises(unexpected) as raised_too:
        await imagine_async(ours, client)
    for error in (raised.value, raised_too.value):
        assert (status, content) == (error.status_code, error.content)


@odd
def test_stock_odd_answers_raise_whatever_comes(
    stock: Package, status: int, content: bytes
) -> None:
    with pytest.raises((AttributeError, KeyError, RecursionError, TypeError, ValueError)):
        imagine(stock, stock.answering(status, content))


def listed(package: Package, content: bytes) -> Any:
    client = package.answering(200, content)
    body = package.module("models").ListRequest(ids=["1"])
    return package.operation("list_tasks").sync_detailed(client=client, body=body).parsed


def test_an_object_in_the_place_of_a_list_is_not_an_empty_list(
    ours: Package, stock: Package
) -> None:
    assert listed(ours, b"{}") is None
    assert [] == listed(ours, b"[]") == listed(stock, b"{}")


def test_a_named_status_is_still_a_member_of_http_status(ours: Package) -> None:
    answer = imagine(ours, ours.answering(404, b"{}"))
    assert "Not Found" == answer.status_code.phrase


# What is no JSON, or not the same JSON to every reader, is not parsed.

LOOSE = {
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "a number that no float holds": b"1e999",
    "a key twice": b'1, "odd": 2',
    "a key twice deep within": b'[{"a": 1, "a": 2}]',
    "surrogates in UTF-8": b'"\xed\xa0\x80"',
}
loose = pytest.mark.parametrize("odd", LOOSE.values(), ids=LOOSE)
SUBMITTED = b'{"code": 1, "description": "", "properties": {}, "result": "1", "odd": %b}'


@loose
async def test_what_readers_understand_otherwise_is_not_parsed(ours: Package, odd: bytes) -> None:
    client = ours.answering(200, SUBMITTED % odd)
    for answer in (imagine(ours, client), await imagine_async(ours, client)):
        assert (SUBMITTED % odd, None) == (answer.content, answer.parsed)


@loose
def test_stock_parses_what_is_not_the_same_to_every_reader(stock: Package, odd: bytes) -> None:
    assert imagine(stock, stock.answering(200, SUBMITTED % odd)).parsed is not None


@pytest.mark.parametrize(
    "odd", [b"1.5", b"-0.0", b"1e300", b"[{}]", b'"\\ud800"', b"9007199254740993"]
)
def test_json_that_is_odd_but_right_is_kept(ours: Package, odd: bytes) -> None:
    answer = imagine(ours, ours.answering(200, b"\xef\xbb\xbf" + SUBMITTED % odd))
    assert json.loads(odd) == answer.parsed["odd"]


# What is of another kind is not made to fit.


@pytest.mark.parametrize("odd", [b"[]", b'""', b'[["a", 1]]'])
def test_what_is_no_object_is_not_read_as_one(ours: Package, stock: Package, odd: bytes) -> None:
    content = b'{"code": 1, "description": "", "properties": %b, "result": null}' % odd
    assert imagine(ours, ours.answering(200, content)).parsed is None
    properties = imagine(stock, stock.answering(200, content)).parsed.properties
    assert json.loads(odd) != properties.to_dict()


USAGE: dict[str, Any] = {"from": "2026-11-01", "to": "2026-11-24", "days": None, "models": None}
USAGE |= {"lines": [], "cursor": None}


def used(package: Package, days: Any) -> Any:
    client = package.answering(200, json.dumps(USAGE | {"days": days}).encode())
    return package.module("api.statements.fetch_usage").sync(client=client)


def test_a_list_that_may_be_null_holds_models_or_nothing(ours: Package, stock: Package) -> None:
    odd: list[Any] = [[{}], [7], 7, "x", {}]
    assert [None] * 5 == [used(ours, days) for days in odd]
    assert [{}] == used(stock, [{}]).days
    with pytest.raises(AttributeError, match="to_dict"):
        used(stock, [{}]).to_dict()
    assert USAGE == used(ours, None).to_dict()
    assert USAGE | {"days": []} == used(ours, []).to_dict()


# A body that is not encoded as it says is an answer.

PAGE = b"<html>Bad Gateway</html>"


async def both(package: Package, answer: Answer, **options: Any) -> list[Any]:
    with serving(lambda _: answer) as server:
        client = package.client(base_url=server.url, **options)
        with client:
            first = imagine(package, client)
        async with client:
            return [first, await imagine_async(package, client)]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip"])
async def test_a_body_that_is_not_encoded_as_it_says_is_read_as_it_came(
    ours: Package, stock: Package, encoding: str
) -> None:
    said = {"Content-Encoding": encoding}
    for answer in await both(ours, Answer(502, PAGE, said)):
        assert (502, PAGE, None) == (answer.status_code, answer.content, answer.parsed)
        assert encoding == answer.headers["Content-Encoding"]
    for answer in await both(ours, Answer(200, SUBMITTED % b"1", said)):
        assert {"odd": 1} == answer.parsed.additional_properties
    with pytest.raises(httpx.DecodingError):
        await both(stock, Answer(502, PAGE, said))


async def test_a_body_that_is_not_encoded_as_it_says_raises_the_clients_own_error_on_demand(
    ours: Package,
) -> None:
    answer = Answer(502, PAGE, {"Content-Encoding": "gzip"})
    with pytest.raises(ours.module("errors").UnexpectedStatus) as raised:
        await both(ours, answer, raise_on_unexpected_status=True)
    assert (502, PAGE) == (raised.value.status_code, raised.value.content)


async def test_a_body_that_is_encoded_as_it_says_is_decoded(ours: Package) -> None:
    content = SUBMITTED % b"1"
    said = {"Content-Encoding": "gzip"}
    for answer in await both(ours, Answer(200, gzip.compress(content), said)):
        assert (content, "1") == (answer.content, answer.parsed.result)


async def test_a_hook_may_read_an_answer_before(ours: Package) -> None:
    def read(response: httpx.Response) -> None:
        response.read()

    answer = Answer(200, gzip.compress(SUBMITTED % b"1"), {"Content-Encoding": "gzip"})
    with serving(lambda _: answer) as server:
        hooks = {"event_hooks": {"response": [read]}}
        with ours.client(base_url=server.url, httpx_args=hooks) as client:
            assert "1" == imagine(ours, client).parsed.result


# The client's own error can be handed on, and read.


def test_the_clients_own_error_can_be_pickled_and_is_short(ours: Package, stock: Package) -> None:
    error = ours.module("errors").UnexpectedStatus(502, b"x" * 100_000)
    again = pickle.loads(pickle.dumps(error))
    assert (502, error.content) == (again.status_code, again.content)
    assert len(str(error)) < 2_200 > len(repr(error))
    assert str(error).endswith("... (98000 bytes more)")
    assert str(ours.module("errors").UnexpectedStatus(404, b"no")).endswith("no")
    theirs = stock.module("errors").UnexpectedStatus(502, b"x")
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(theirs))
