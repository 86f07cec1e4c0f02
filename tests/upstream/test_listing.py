"""What an upstream shows of the tasks it is asked for, over real sockets."""

import asyncio
import json
from typing import Any

import pytest

from mjgate.domain.task import Sight
from mjgate.errors import Broken, NotSent, SendError, Unusable
from mjgate.sandbox import Settings, running_sandbox
from mjgate.sandbox.settings import DialectName
from mjgate.upstream.listing import Shown, fetch_task, list_tasks
from mjgate.upstream.transport import Transport
from tests.harness import free_port
from tests.upstream.raw import Speak, channel, raw_upstream, resets, says, stays_silent

TIMEOUT_S = 5.0
TASK: dict[str, Any] = {"id": "17", "status": "IN_PROGRESS", "progress": "31%"}
SIGHT = Sight("IN_PROGRESS", progress="31%")


async def listed(transport: Transport, answer: str, marks: dict[int, str] | None = None) -> Shown:
    async with raw_upstream(says(answer)) as raw:
        return await list_tasks(
            transport, channel(raw.address), ["17", "18"], marks or {}, TIMEOUT_S
        )


async def fetched(transport: Transport, speak: Speak, task: str = "17") -> Sight | None:
    async with raw_upstream(speak) as raw:
        return await fetch_task(transport, channel(raw.address), task, TIMEOUT_S)


async def test_what_was_asked_for_is_shown_and_nothing_else(transport: Transport) -> None:
    answer = json.dumps([None, 7, {"id": None}, {**TASK, "id": "99"}, TASK])

    shown = await listed(transport, answer)

    assert {"17": SIGHT} == {name: sight for name, (sight, _) in shown.sights.items()}
    assert set() == shown.same


async def test_a_task_that_is_shown_as_before_is_not_read_again(transport: Transport) -> None:
    other = {**TASK, "id": "18"}
    first = await listed(transport, json.dumps([TASK, other]))
    marks = {mark: name for name, (_, mark) in first.sights.items()}

    second = await listed(transport, json.dumps([{**other, "progress": "62%"}, TASK]), marks)

    assert ({"17"}, {"18"}) == (second.same, set(second.sights))


@pytest.mark.parametrize("more", ["\ud800", float("nan"), 10**400])
async def test_what_no_strict_parser_takes_harms_no_other(transport: Transport, more: Any) -> None:
    shown = await listed(transport, json.dumps([{**TASK, "id": "18", "prompt": more}, TASK]))

    assert SIGHT == shown.sights["17"][0]


@pytest.mark.parametrize("answer", ["", "{", "<html>", "null", "{}", "7", "[" * 100_000, "[1,"])
async def test_a_list_that_is_none_is_no_answer(transport: Transport, answer: str) -> None:
    with pytest.raises(Unusable, match="its list is none"):
        await listed(transport, answer)


@pytest.mark.parametrize(
    ("status", "kind"),
    [("400 No", Unusable), ("404 No", Unusable), ("500 No", Unusable), ("401 No", SendError),
     ("429 No", SendError), ("503 No", SendError)],
)  # fmt: skip
async def test_a_status_tells_whether_the_question_may_be_the_reason(
    transport: Transport, status: str, kind: type[SendError]
) -> None:
    async with raw_upstream(says("[]", status)) as raw:
        with pytest.raises(SendError) as error:
            await list_tasks(transport, channel(raw.address), ["17"], {}, TIMEOUT_S)

    assert kind is type(error.value)


async def test_a_question_has_its_own_patience(transport: Transport) -> None:
    async with raw_upstream(stays_silent) as raw:
        with pytest.raises(Broken):
            await asyncio.wait_for(list_tasks(transport, channel(raw.address), ["17"], {}, 2.0), 20)


@pytest.mark.parametrize(
    "speak",
    [
        says(""),
        says(" \n"),
        says("", "204 No Content"),
        says("", "404 Not Found"),
        says('{"code":4,"description":"task_no_found "}', "400 Bad Request"),
    ],
)
async def test_an_upstream_can_say_that_there_is_no_such_task(
    transport: Transport, speak: Speak
) -> None:
    assert await fetched(transport, speak) is None


@pytest.mark.parametrize(
    "speak",
    [
        says("null"),
        says("<html>"),
        says("[]"),
        says(json.dumps({**TASK, "id": "18"})),
        says("", "500 No"),
        says("", "400 No"),
        says("[]", "400 No"),
        says('{"description": "no"}', "400 No"),
        says(json.dumps(TASK), "201 Created"),
        says("", "301 Moved"),
        resets,
    ],
)
async def test_whatever_else_it_says_is_no_answer(transport: Transport, speak: Speak) -> None:
    with pytest.raises(SendError):
        await fetched(transport, speak)


async def test_nobody_there_is_no_absence(transport: Transport) -> None:
    with pytest.raises(NotSent):
        await fetch_task(transport, channel(f"http://127.0.0.1:{free_port()}"), "17", TIMEOUT_S)


async def test_an_id_cannot_lead_elsewhere(transport: Transport) -> None:
    async with raw_upstream(says(json.dumps({**TASK, "id": "../a?b#c"}))) as raw:
        sight = await fetch_task(transport, channel(raw.address), "../a?b#c", TIMEOUT_S)

        assert SIGHT == sight
        assert raw.heard[0].startswith(b"GET /mj/task/..%2Fa%3Fb%23c/fetch HTTP/1.1")


@pytest.mark.parametrize("dialect", ["novicezk", "buttons", "new-api"])
async def test_each_dialect_says_in_its_own_way_that_a_task_is_none(
    transport: Transport, dialect: DialectName
) -> None:
    with running_sandbox(Settings(dialect=dialect)) as address:
        where = channel(address)

        assert Shown() == await list_tasks(transport, where, ["17"], {}, TIMEOUT_S)
        assert await fetch_task(transport, where, "17", TIMEOUT_S) is None
