"""Asking for what we ended ourselves: a late SUCCESS is given, and is free."""

import json
from dataclasses import replace
from typing import Any

import pytest

from mjgate.domain.task import DEADLINE, FAILURE, SUCCESS, Task
from mjgate.domain.token import Token
from mjgate.gate import Gate
from mjgate.sandbox import Settings, running_sandbox
from mjgate.services.chase import Chaser
from mjgate.services.submit import imagine
from mjgate.services.sweep import sweep
from mjgate.store.channels import set_channel
from mjgate.store.tasks import channels_with_work, has_work
from tests.harness import free_port
from tests.services.gates import channel, client, heard, picture
from tests.services.test_follow import lists, read, running
from tests.store.rows import ledger, money, query
from tests.upstream.raw import Speak, by_path, raw_upstream, says

DRAWN: dict[str, Any] = {
    "id": "theirs",
    "status": "SUCCESS",
    "progress": "100%",
    "imageUrl": "http://a/b.png",
    "description": "/up theirs",
    "buttons": [{"customId": "MJ", "emoji": "", "label": "U1"}],
}


async def end_all(gate: Gate, ago: str = "11 s") -> None:
    """All tasks were ended by us, so long ago."""
    query(gate.store, "update tasks set deadline = now()")
    await sweep(gate)
    query(gate.store, "update tasks set ended_at = now() - %s::interval", ago)


async def failed(gate: Gate, where: int, ago: str = "11 s") -> Token:
    """The owner of task 1, `theirs`, which we ended so long ago."""
    owner = await running(gate, where, 1, "theirs")
    await end_all(gate, ago)
    assert DEADLINE == (await read(gate, owner, 1)).ended_by
    return owner


def waiting(gate: Gate, where: int) -> tuple[Chaser, list[float]]:
    """A chaser, and how many seconds its clock, which stands still, is ahead."""
    start, ahead = gate.clock(), [0.0]
    return Chaser(replace(gate, clock=lambda: start + int(1000 * ahead[0])), where), ahead


async def chased(gate: Gate, speak: Speak) -> tuple[Task, Token, int]:
    """A task that we ended and its owner after a look, and the calls of the look."""
    async with raw_upstream(speak) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await failed(gate, where)
        await Chaser(gate, where).look()
        return await read(gate, owner, 1), owner, len(raw.heard)


def single(answer: Any) -> Speak:
    return by_path(lists(answer), says(json.dumps(answer)))


async def test_a_late_success_is_given_and_is_free(gate: Gate) -> None:
    task, owner, _ = await chased(gate, single(DRAWN))

    assert (SUCCESS, "100%", "http://a/b.png", None) == (
        task.status,
        task.progress,
        task.image_url,
        task.fail_reason,
    )
    assert "/up 1" == task.description
    assert (0, 0) == money(gate.store, owner.id)
    assert [(1, "hold"), (1, "release")] == ledger(gate.store)
    assert [(DRAWN["buttons"],)] == query(gate.store, "select buttons from tasks")
    assert [] == await channels_with_work(gate.store.pool)


@pytest.mark.parametrize(
    "speak",
    [
        single({**DRAWN, "status": "FAILURE"}),
        single({**DRAWN, "status": "IN_PROGRESS"}),
        single({**DRAWN, "id": "other"}),
        by_path(lists(), says("")),
        says("<html>"),
        says("", "503 No"),
    ],
)
async def test_anything_else_changes_nothing(gate: Gate, speak: Speak) -> None:
    task, owner, calls = await chased(gate, speak)

    assert (FAILURE, "上游任务超时", DEADLINE) == (task.status, task.fail_reason, task.ended_by)
    assert (0, 0) == money(gate.store, owner.id)
    assert calls >= 1
    assert await has_work(gate.store.pool, 1)


async def test_it_is_asked_ever_more_rarely(gate: Gate) -> None:
    async with raw_upstream(says("")) as raw:
        where = await channel(gate, "raw", raw.address)
        await failed(gate, where, "0 s")
        chaser, ahead = waiting(gate, where)

        asked = []
        for ahead[0] in range(200):
            before = len(raw.heard)
            await chaser.look()
            asked += [ahead[0]] * (len(raw.heard) - before)

    assert 4 == len(asked)
    moments = zip((10, 30, 70, 150), asked, strict=True)
    assert all(moment - 9 <= at <= moment for moment, at in moments)
    assert not chaser.idle


async def test_another_process_goes_on_with_it(gate: Gate) -> None:
    async with raw_upstream(single(DRAWN)) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await failed(gate, where, "5 h")
        chaser, ahead = waiting(gate, where)
        assert not chaser.idle
        await chaser.look()
        assert [] == raw.heard

        ahead[0] = 3601
        await chaser.look()

        assert SUCCESS == (await read(gate, owner, 1)).status
        assert chaser.idle


async def test_after_a_day_it_is_final(gate: Gate) -> None:
    async with raw_upstream(single(DRAWN)) as raw:
        where = await channel(gate, "raw", raw.address)
        await failed(gate, where, "25 h")
        chaser = Chaser(gate, where)

        await chaser.look()

        assert chaser.idle
        assert [] == raw.heard
        assert [] == await channels_with_work(gate.store.pool)


async def test_it_is_forgotten_after_its_last_moment(gate: Gate) -> None:
    async with raw_upstream(says("")) as raw:
        where = await channel(gate, "raw", raw.address)
        await failed(gate, where, "23 h 30 min")
        chaser, ahead = waiting(gate, where)
        await chaser.look()

        ahead[0] = 3601
        await chaser.look()

        assert chaser.idle


@pytest.mark.parametrize("fault", ["garbage", "http500"])
async def test_one_that_spoils_the_list_harms_no_other(gate: Gate, fault: str) -> None:
    with running_sandbox(Settings(speed=1000, core_size=64, queue_size=1000)) as address:
        where = await channel(gate, "sandbox", address)
        owner = await client(gate)
        for prompt in ["a fox"] * 24 + [f"a fox sandbox:list:{fault}"]:
            await imagine(gate, owner, picture(prompt))
        await end_all(gate)

        await Chaser(gate, where).look()

    assert [("SUCCESS", 25)] == query(
        gate.store, "select status, count(*)::int from tasks group by status"
    )
    assert (0, 0) == money(gate.store, owner.id)


async def test_an_upstream_that_answers_nobody_is_asked_a_few_times(gate: Gate) -> None:
    async with raw_upstream(says("<html>")) as raw:
        where = await channel(gate, "raw", raw.address)
        for number in range(30):
            await running(gate, where, number, f"up{number}")
        await end_all(gate)

        await Chaser(gate, where).look()

        assert 3 == len(raw.heard)


@pytest.mark.parametrize("dialect", ["novicezk", "auto"])
async def test_an_upstream_that_is_down_changes_nothing(gate: Gate, dialect: str) -> None:
    where = await channel(gate, "dead", f"http://127.0.0.1:{free_port()}", dialect=dialect)
    owner = await failed(gate, where)

    await Chaser(gate, where).look()

    assert FAILURE == (await read(gate, owner, 1)).status


async def test_a_channel_that_was_removed_is_asked_no_more(gate: Gate) -> None:
    async with raw_upstream(single(DRAWN)) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await failed(gate, where)
        await set_channel(gate.store.pool, gate.store.cipher, "raw", {"state": "removed"})
        await heard(gate)

        await Chaser(gate, where).look()

        assert ([], FAILURE) == (raw.heard, (await read(gate, owner, 1)).status)
