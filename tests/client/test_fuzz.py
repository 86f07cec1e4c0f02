"""Every value that the contract allows passes through the client whole, in both directions."""

import asyncio
import json
from datetime import date
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import example, given
from hypothesis.strategies import (
    DataObject,
    characters,
    data,
    dates,
    fixed_dictionaries,
    integers,
    text,
)

from mjgate_client import AuthenticatedClient, models
from mjgate_client.api.statements import fetch_usage
from mjgate_client.api.tasks import fetch_task
from tests.client import samples
from tests.client.samples import Operation, Reply, canonical, fuzz

VALID: dict[str, Any] = {
    "submit_imagine": models.ImagineRequest(prompt="Cat"),
    "submit_change": models.Reroll(action=models.SheetAction.REROLL, task_id="1"),
    "list_tasks": models.ListRequest(),
}


def arguments(operation: Operation) -> dict[str, Any]:
    """What a call cannot do without."""
    if operation.body:
        return {"body": VALID[operation.name]}
    return {"id": "1"} if operation.name == "fetch_task" else {}


def plain(parsed: Any) -> Any:
    return [plain(item) for item in parsed] if isinstance(parsed, list) else parsed.to_dict()


def model(component: str, value: Any) -> Any:
    """The class of a component; of a choice, the one that its discriminator names."""
    schema = samples.SCHEMAS[component]
    if "discriminator" in schema:
        kind = schema["discriminator"]
        component = kind["mapping"][value[kind["propertyName"]]].rsplit("/", 1)[-1]
    return getattr(models, component)


def client(transport: httpx.MockTransport) -> AuthenticatedClient:
    options = {"transport": transport}
    return AuthenticatedClient(base_url="http://gateway.test", token="t", httpx_args=options)


def assert_kept(component: str, value: Any) -> None:
    before = canonical(value)
    after = canonical(model(component, value).from_dict(value).to_dict())
    assert before == after
    assert before == canonical(value)


async def assert_read(reply: Reply, value: Any) -> None:
    content = json.dumps(value).encode()
    answered = client(httpx.MockTransport(lambda _: httpx.Response(reply.status, content=content)))
    operation, call = reply.operation.module, arguments(reply.operation)
    for response in (
        operation.sync_detailed(client=answered, **call),
        await operation.asyncio_detailed(client=answered, **call),
    ):
        assert (reply.status, content) == (response.status_code, response.content)
        assert canonical(value) == canonical(plain(response.parsed))


async def assert_sent(operation: Operation, media: dict[str, Any], value: Any) -> None:
    sent: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(418)

    body = model(samples.component(media), value).from_dict(value)
    sending = client(httpx.MockTransport(take))
    operation.module.sync_detailed(client=sending, body=body)
    await operation.module.asyncio_detailed(client=sending, body=body)
    assert [canonical(value)] * 2 == [canonical(json.loads(request.content)) for request in sent]
    assert {"application/json"} == {request.headers["content-type"] for request in sent}


@pytest.mark.parametrize("component", samples.OBJECTS)
@fuzz
@given(data=data())
def test_an_object_keeps_all_it_is_made_of_and_leaves_its_source_alone(
    component: str, data: DataObject
) -> None:
    assert_kept(component, data.draw(samples.drawn(component)))


@pytest.mark.parametrize("operation", samples.SUBMITTING, ids=lambda operation: operation.name)
@fuzz
@given(data=data())
def test_any_request_that_the_contract_allows_is_sent_whole(
    operation: Operation, data: DataObject
) -> None:
    assert operation.body
    value = data.draw(samples.drawn(samples.component(operation.body)))
    asyncio.run(assert_sent(operation, operation.body, value))


@pytest.mark.parametrize("reply", samples.REPLIES, ids=str)
@fuzz
@given(data=data())
def test_any_answer_that_the_contract_allows_is_read_whole(reply: Reply, data: DataObject) -> None:
    value = data.draw(samples.drawn(samples.component(reply.media)))
    asyncio.run(assert_read(reply, value))


@pytest.mark.parametrize("operation", samples.SUBMITTING, ids=lambda operation: operation.name)
async def test_the_requests_shown_in_the_contract_are_sent_whole(operation: Operation) -> None:
    assert operation.body
    values = samples.examples(operation.body)
    assert values
    for value in values:
        await assert_sent(operation, operation.body, value)


@pytest.mark.parametrize(
    "reply", [reply for reply in samples.REPLIES if samples.examples(reply.media)], ids=str
)
async def test_the_answers_shown_in_the_contract_are_read_whole(reply: Reply) -> None:
    for value in samples.examples(reply.media):
        await assert_read(reply, value)


DAY = dates(date(2000, 1, 1), date(2099, 12, 31)).map(str)


@fuzz
@given(query=fixed_dictionaries({}, optional={
    "from_": DAY, "to": DAY, "cursor": integers(1, 2**53 - 1), "limit": integers(1, 1000),
}))  # fmt: skip
def test_any_query_that_the_contract_allows_is_sent_whole(query: dict[str, Any]) -> None:
    sent: list[dict[str, str]] = []

    def take(request: httpx.Request) -> httpx.Response:
        sent.append(dict(request.url.params))
        return httpx.Response(418)

    fetch_usage.sync_detailed(client=client(httpx.MockTransport(take)), **query)
    expected = {"limit": 100} | {name.rstrip("_"): value for name, value in query.items()}
    assert [{name: str(value) for name, value in expected.items()}] == sent


@fuzz
@given(key=text(characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255))
def test_any_idempotency_key_that_the_contract_allows_is_sent_whole(key: str) -> None:
    sent: list[str | None] = []

    def take(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("Idempotency-Key"))
        return httpx.Response(418)

    for more in ({"idempotency_key": key}, {}):
        for name in ("submit_imagine", "submit_change"):
            submit = samples.operation(name).module
            answered = client(httpx.MockTransport(take))
            submit.sync_detailed(client=answered, body=VALID[name], **more)
    assert [key, key, None, None] == sent


@fuzz
@example(".")
@example("..")
@example("...")
@example("a/../b")
@example("%2E%2e")
@example("?")
@example("#")
@given(id=text(min_size=1, max_size=64))
def test_any_id_is_one_segment_of_the_path_and_can_be_told_from_any_other(id: str) -> None:
    paths: list[bytes] = []

    def take(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return httpx.Response(418)

    fetch_task.sync_detailed(id, client=client(httpx.MockTransport(take)))
    _, mj, task, segment, last = paths[0].split(b"/")
    assert (b"mj", b"task", b"fetch") == (mj, task, last)
    assert segment not in {b".", b".."}
    assert id == unquote(segment)
