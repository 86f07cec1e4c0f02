import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mjgate.sandbox import faults
from tests.bench import stub
from tests.bench.process import BenchError, start_module, tree_cpu

KEYS = [
    "id",
    "properties",
    "action",
    "status",
    "prompt",
    "promptEn",
    "description",
    "state",
    "submitTime",
    "startTime",
    "finishTime",
    "imageUrl",
    "progress",
    "failReason",
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    service = start_module("stub", [], tmp_path_factory.mktemp("stub"), token="t")
    yield service.url
    service.end()


@pytest.fixture
async def session(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(url) as session:
        yield session


async def submit(session: aiohttp.ClientSession, path: str = "imagine", **body: Any) -> str:
    async with session.post(f"/mj/submit/{path}", json=body) as answer:
        accepted = await answer.json()
    assert {key: value for key, value in accepted.items() if key != "result"} == {
        "code": 1,
        "description": "提交成功",
        "properties": {},
    }
    return str(accepted["result"])


async def fetch(session: aiohttp.ClientSession, task_id: str) -> Any:
    async with session.get(f"/mj/task/{task_id}/fetch") as answer:
        assert answer.status == 200
        return await answer.json(content_type=None)


async def test_ids_have_sixteen_digits_and_are_never_the_same(
    session: aiohttp.ClientSession,
) -> None:
    ids = [await submit(session) for _ in range(200)]
    assert {16} == set(map(len, ids))
    assert len(set(ids)) == 200


async def test_a_task_has_the_keys_of_novicezk_in_their_order(
    session: aiohttp.ClientSession,
) -> None:
    task_id = await submit(session, prompt="Cat")
    task = await fetch(session, task_id)
    assert (KEYS, task_id) == (list(task), task["id"])


@pytest.mark.parametrize("action", ["UPSCALE", "VARIATION", "REROLL"])
async def test_a_change_keeps_its_action(session: aiohttp.ClientSession, action: str) -> None:
    task_id = await submit(session, "change", action=action, taskId="1", index=1)
    assert action == (await fetch(session, task_id))["action"]


async def test_a_list_has_the_tasks_asked_for_that_exist(session: aiohttp.ClientSession) -> None:
    ids = [await submit(session), await submit(session)]
    async with session.post(
        "/mj/task/list-by-condition", json={"ids": [*ids, "9007199254740991"]}
    ) as answer:
        assert ids == [task["id"] for task in await answer.json()]


async def test_the_newest_task_comes_first_in_the_list_of_all(
    session: aiohttp.ClientSession,
) -> None:
    ids = [await submit(session), await submit(session)]
    async with session.get("/mj/task/list") as answer:
        assert list(reversed(ids)) == [task["id"] for task in await answer.json()][:2]


async def test_an_unknown_task_is_an_empty_answer(session: aiohttp.ClientSession) -> None:
    assert await fetch(session, "9007199254740991") is None


async def test_a_task_succeeds_when_its_time_has_come(tmp_path: Path) -> None:
    at_once = start_module("stub", ["--success-after", "0"], tmp_path, token="t")
    try:
        async with aiohttp.ClientSession(at_once.url) as session:
            task = await fetch(session, await submit(session))
    finally:
        at_once.end()
    assert (task["status"], task["progress"]) == ("SUCCESS", "100%")
    assert task["imageUrl"].startswith("https://")


async def listed(session: aiohttp.ClientSession, *ids: str) -> Any:
    async with session.post("/mj/task/list-by-condition", json={"ids": ids}) as answer:
        return await answer.json(content_type=None) if answer.status == 200 else answer.status


@pytest.mark.parametrize(
    ("fault", "status", "progress"),
    [
        ("late=60", "IN_PROGRESS", "0%"),
        ("backwards sandbox:late=60", "IN_PROGRESS", "93%"),
        ("waiting sandbox:late=60", "IN_PROGRESS", "Waiting to start"),
        ("unstarted", "NOT_START", None),
        ("fail", "FAILURE", ""),
        ("cancel", "CANCEL", ""),
        ("fail-late", "FAILURE", ""),
        ("stuck", "IN_PROGRESS", "85%"),
    ],
)
async def test_words_spoil_a_life(tmp_path: Path, fault: str, status: str, progress: str) -> None:
    at_once = start_module("stub", ["--success-after", "0"], tmp_path, token="t")
    try:
        async with aiohttp.ClientSession(at_once.url) as session:
            task = await fetch(session, await submit(session, prompt=f"a sandbox:{fault}"))
    finally:
        at_once.end()
    assert (status, progress) == (task["status"], task["progress"])


@pytest.mark.parametrize("fault", ["lost", "hidden=60"])
async def test_words_make_a_task_unknown(session: aiohttp.ClientSession, fault: str) -> None:
    task_id = await submit(session, prompt=f"a sandbox:{fault}")
    assert await fetch(session, task_id) is None
    assert [] == await listed(session, task_id)


async def test_words_spoil_a_list(session: aiohttp.ClientSession) -> None:
    faults = ("http500", "stray", "twice", "garbage", "hang")
    ids = [await submit(session, prompt=f"a sandbox:list:{fault}") for fault in faults]
    assert 500 == await listed(session, ids[0])
    assert [None, 7, {}] == (await listed(session, ids[1]))[1:4]
    assert 2 == len(await listed(session, ids[2]))
    with pytest.raises(ValueError, match="Unterminated"):
        await listed(session, ids[3])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(listed(session, ids[4]), 0.2)


async def test_a_restart_forgets_everything(session: aiohttp.ClientSession) -> None:
    task_id = await submit(session)
    async with session.post("/sandbox/forget") as answer:
        assert 204 == answer.status
    assert await fetch(session, task_id) is None
    assert await fetch(session, await submit(session)) is not None


def test_the_words_are_those_of_the_sandbox() -> None:
    assert {*faults.LIVES} >= stub.LIVES
    assert {*faults.ANSWERS} >= stub.LISTS


async def test_submits_are_counted(session: aiohttp.ClientSession) -> None:
    before = await counts(session)
    await submit(session)
    assert before["submits"] + 1 == (await counts(session))["submits"]


async def counts(session: aiohttp.ClientSession) -> Any:
    async with session.get("/counts") as answer:
        return await answer.json()


def test_a_module_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="No such option"):
        start_module("stub", ["--no-such-option"], tmp_path, token="t")


def test_cpu_of_a_child_that_ended_is_not_lost() -> None:
    burn = "sum(range(20_000_000))"
    parent = subprocess.Popen(
        ["python3", "-c", f"import subprocess as s; s.run(['python3', '-c', '{burn}']); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        while not tree_cpu(parent.pid) > 0.2:
            assert parent.poll() is None
    finally:
        parent.communicate(b"\n")
