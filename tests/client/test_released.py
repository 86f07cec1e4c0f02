"""The client of each contract that was released works on with the gateway of today."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis.strategies import DataObject, data

from openapi import generate
from openapi.versions import releases
from tests.client import samples
from tests.client.conftest import Generated, Package
from tests.client.samples import Operation, canonical, fuzz
from tests.harness import Gateway

BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "submit_imagine": ("ImagineRequest", {"prompt": "Cat", "state": "order-77"}),
    "submit_change": ("Reroll", {"action": "REROLL", "taskId": "1"}),
    "list_tasks": ("ListRequest", {"ids": ["1"]}),
}

EXAMPLES = 5


def operations(contract: Path) -> dict[str, dict[str, Any]]:
    """Each operation of a contract, by its id."""
    paths = yaml.safe_load(contract.read_text("utf-8"))["paths"]
    return {each["operationId"]: each for path in paths.values() for each in path.values()}


PAIRS = [
    pytest.param(path, operation, id=f"{path.stem}-{operation.name}")
    for path in releases()
    for operation in samples.OPERATIONS
    if operation.name in operations(path)
]


@pytest.fixture(scope="session")
def of_release(generated: Generated) -> dict[Path, Package]:
    return {
        path: generated(f"client_{path.stem.replace('.', '_')}", path, generate.TEMPLATES)
        for path in releases()
    }


def called(package: Package, operation: Operation, client: Any) -> tuple[Any, Any]:
    """The answer in both ways."""
    module = package.module(f"api.{operation.tag}.{operation.name}")
    said: dict[str, Any] = {"id": "1"} if operation.name == "fetch_task" else {}
    if operation.name in BODIES:
        name, value = BODIES[operation.name]
        said["body"] = getattr(package.module("models"), name).from_dict(value)
    asynchronous = module.asyncio_detailed(client=client, **said)
    return module.sync_detailed(client=client, **said), asyncio.run(asynchronous)


def plain(parsed: Any) -> Any:
    return [plain(item) for item in parsed] if isinstance(parsed, list) else parsed.to_dict()


def test_there_is_a_release_and_no_operation_of_it_is_gone() -> None:
    assert releases()
    names = {operation.name for operation in samples.OPERATIONS}
    for path in releases():
        assert set(operations(path)) <= names


@pytest.mark.parametrize(("path", "operation"), PAIRS)
@settings(fuzz, max_examples=EXAMPLES)
@given(data=data())
def test_it_reads_any_answer_that_the_contract_of_today_allows(
    of_release: dict[Path, Package], path: Path, operation: Operation, data: DataObject
) -> None:
    known = operations(path)[operation.name]["responses"]
    components = {samples.component(media) for media in operation.responses.values()}
    drawn = {name: data.draw(samples.drawn(name)) for name in sorted(components)}
    for status, media in operation.responses.items():
        value = drawn[samples.component(media)]
        content = json.dumps(value).encode()
        client = of_release[path].answering(status, content)
        for answer in called(of_release[path], operation, client):
            assert (status, content) == (answer.status_code, answer.content)
            read = None if answer.parsed is None else canonical(plain(answer.parsed))
            assert (canonical(value) if str(status) in known else None) == read


@pytest.mark.parametrize("path", releases(), ids=lambda path: path.stem)
async def test_it_draws_a_picture_with_the_gateway_of_today(
    of_release: dict[Path, Package], path: Path, ready: Gateway
) -> None:
    package = of_release[path]
    models = package.module("models")
    tasks = [name for name, each in operations(path).items() if each["tags"] == ["tasks"]]
    assert {"submit_imagine", "submit_change", "fetch_task", "list_tasks"} <= set(tasks)
    async with package.client(
        base_url=ready.address, token=ready.key, raise_on_unexpected_status=True
    ) as client:
        body = models.ImagineRequest(prompt="a red fox", state="order-77")
        submitted = await package.operation("submit_imagine").asyncio(client=client, body=body)
        assert (1, True) == (submitted.code, bool(submitted.result))
        done = await ended(package, client, submitted.result)
        assert ("SUCCESS", "100%", "order-77") == (done.status, done.progress, done.state)
        async with httpx.AsyncClient() as anyone:
            assert (await anyone.get(done.image_url)).headers["content-type"].startswith("image/")
        change = models.UpscaleOrVary(action="UPSCALE", index=1, task_id=done.id)
        changed = await package.operation("submit_change").asyncio(client=client, body=change)
        larger = await ended(package, client, changed.result)
        listed = await package.operation("list_tasks").asyncio(
            client=client, body=models.ListRequest(ids=[done.id, larger.id])
        )
        assert [done.id, larger.id] == [task.id for task in listed]
        missing = await package.operation("fetch_task").asyncio("1", client=client)
        assert "not_found" == missing.properties.error
        if "fetch_key" in operations(path):
            key = await package.module("api.statements.fetch_key").asyncio(client=client)
            usage = await package.module("api.statements.fetch_usage").asyncio(client=client)
            assert {done.id, larger.id} == {line.task_id for line in usage.lines}
            assert key.spent


async def ended(package: Package, client: Any, task_id: str) -> Any:
    """The task once it has ended, asked for again and again as that client can."""
    async with asyncio.timeout(60):
        while True:
            task = await package.operation("fetch_task").asyncio(task_id, client=client)
            if task.status in ("SUCCESS", "FAILURE"):
                return task
            await asyncio.sleep(0.1)
