"""Others build on the contract: Prism mocks it, and our client talks to that.

The mock knows nothing of us but the contract. It refuses what the contract refuses, and answers
with the contract's examples.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from queue import Queue
from typing import Any

import attrs
import pytest

from mjgate_client import AuthenticatedClient, Client, models
from mjgate_client.api.statements import fetch_key
from mjgate_client.api.tasks import fetch_task, list_tasks, submit_change, submit_imagine
from openapi.versions import CONTRACT
from tests.client import samples
from tests.client.samples import REPLIES, Reply
from tests.client.server import Answer, Arrival, serving
from tests.client.test_fuzz import arguments, plain
from tests.publishing.tools import tool

LISTENING = re.compile(r"Prism is listening on (http://\S+)")


@pytest.fixture(scope="module")
def prism() -> Iterator[str]:
    """The address of a mock of the contract."""
    command = [tool("prism"), "mock", "--host", "127.0.0.1", "--port", "0", str(CONTRACT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as mock:
        assert mock.stdout
        try:
            said = []
            for line in mock.stdout:
                said.append(line)
                if found := LISTENING.search(line):
                    break
            assert found, "".join(said)
            yield found[1]
        finally:
            mock.terminate()


def client(url: str, **asked: str) -> AuthenticatedClient:
    """A client; `code` and `example` ask the mock for that answer."""
    options = {"params": {f"__{name}": value for name, value in asked.items()}}
    return AuthenticatedClient(url, token="t", httpx_args=options, raise_on_unexpected_status=True)


async def both(operation: Any, url: str, call: dict[str, Any], **asked: str) -> list[Any]:
    """What the mock answers to a call, and to the same call made the other way."""
    with client(url, **asked) as sync:
        answer = operation.sync_detailed(client=sync, **call)
    async with client(url, **asked) as asyncio:
        return [answer, await operation.asyncio_detailed(client=asyncio, **call)]


@pytest.mark.parametrize("reply", REPLIES, ids=str)
async def test_the_client_reads_each_answer_of_the_mock(prism: str, reply: Reply) -> None:
    operation, call = reply.operation.module, arguments(reply.operation)
    for answer in await both(operation, prism, call, code=str(reply.status)):
        assert (reply.status, True) == (answer.status_code, answer.parsed is not None)


EXAMPLES = [(reply, name) for reply in REPLIES for name in reply.media.get("examples", {})]


@pytest.mark.parametrize(("reply", "name"), EXAMPLES, ids=str)
async def test_the_client_reads_each_example_as_it_is_written(
    prism: str, reply: Reply, name: str
) -> None:
    written = samples.canonical(reply.media["examples"][name]["value"])
    operation, call = reply.operation.module, arguments(reply.operation)
    for answer in await both(operation, prism, call, code=str(reply.status), example=name):
        assert written == samples.canonical(plain(answer.parsed))


def headers(reply: Reply) -> dict[str, Any]:
    """The example of each header that this answer may have."""
    said = samples.resolved(reply.operation.document["responses"][str(reply.status)])
    written = {name: samples.resolved(header) for name, header in said["headers"].items()}
    return {name: header["example"] for name, header in written.items()}


@pytest.mark.parametrize("reply", REPLIES, ids=str)
async def test_the_headers_of_the_mock_are_those_of_the_examples(prism: str, reply: Reply) -> None:
    operation, call = reply.operation.module, arguments(reply.operation)
    written = headers(reply)
    assert "X-Request-Id" in written
    for answer in await both(operation, prism, call, code=str(reply.status)):
        came = {name: answer.headers.get(name) for name in written}
        assert {name: in_header(value) for name, value in written.items()} == came


def in_header(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | int) else str(value)


BODIES: list[Any] = [
    (submit_imagine, models.ImagineRequest(prompt="Cat", state="order-77", base64=None)),
    (submit_change, models.Reroll(action=models.SheetAction.REROLL, task_id=1320098173412546)),
    (
        submit_change,
        models.UpscaleOrVary(action=models.PictureAction.UPSCALE, index=4, task_id="1"),
    ),
]


@pytest.mark.parametrize(("operation", "body"), BODIES)
def test_the_mock_takes_what_the_client_sends(prism: str, operation: Any, body: Any) -> None:
    with client(prism) as mocked:
        answer = operation.sync(client=mocked, body=body, idempotency_key="a-key")
    assert isinstance(answer, models.SubmitResult)
    assert "1320098173412546" == answer.result


WRONG: list[Any] = [
    (submit_imagine, models.ImagineRequest(prompt="")),
    (submit_imagine, models.ImagineRequest(prompt=" \n")),
    (submit_imagine, models.ImagineRequest(prompt="Cat", notify_hook="ftp://example.org")),
    (
        submit_change,
        models.UpscaleOrVary(action=models.PictureAction.UPSCALE, index=5, task_id="1"),
    ),
    (list_tasks, models.ListRequest(ids=[-1])),
]


@pytest.mark.parametrize(("operation", "body"), WRONG)
def test_the_mock_refuses_what_the_contract_refuses(prism: str, operation: Any, body: Any) -> None:
    with client(prism) as mocked:
        answer = operation.sync_detailed(client=mocked, body=body)
    assert answer.status_code in {400, 422}
    assert isinstance(answer.parsed, models.Error)


WAYS = [
    AuthenticatedClient("", token="t"),
    AuthenticatedClient("", token="t", prefix="", auth_header_name="mj-api-secret"),
]


@pytest.mark.parametrize("way", WAYS, ids=["bearer", "secret"])
def test_the_mock_takes_a_token_in_both_ways(prism: str, way: AuthenticatedClient) -> None:
    with attrs.evolve(way, base_url=prism) as mocked:
        assert isinstance(fetch_key.sync(client=mocked), models.Key)


def test_the_mock_refuses_who_has_no_token(prism: str) -> None:
    with Client(prism) as mocked:
        refused = fetch_key.sync(client=mocked)  # type: ignore[arg-type]
    assert isinstance(refused, models.Error)
    assert "unauthorized" == refused.properties.error


def test_the_mock_calls_back_at_the_address_that_the_client_gave(prism: str) -> None:
    called: Queue[Arrival] = Queue()

    def receive(arrival: Arrival) -> Answer:
        called.put(arrival)
        return Answer()

    with serving(receive) as receiver, client(prism) as mocked:
        body = models.ImagineRequest(prompt="Cat", notify_hook=f"{receiver.url}/hook")
        submit_imagine.sync(client=mocked, body=body)
        arrival = called.get(timeout=60)
    assert ("POST", "/hook") == (arrival.method, arrival.path)


def test_the_mock_leads_from_a_submit_to_its_task(prism: str) -> None:
    with client(prism) as mocked:
        submitted = submit_imagine.sync(client=mocked, body=models.ImagineRequest(prompt="Cat"))
        assert isinstance(submitted, models.SubmitResult)
        assert submitted.result
        task = fetch_task.sync(submitted.result, client=mocked)
    assert isinstance(task, models.Task)
    assert submitted.result == task.id
