"""Sends without an outcome are looked for where their upstream lists its tasks."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
from msgspec import structs

from mjgate.domain.send import Settlement
from mjgate.domain.task import Phase
from mjgate.domain.token import Token
from mjgate.errors import ApiError
from mjgate.gate import Gate
from mjgate.sandbox import Settings, running_sandbox
from mjgate.sandbox.settings import DialectName
from mjgate.services.find import find
from mjgate.services.follow import Follower
from mjgate.services.submit import imagine
from mjgate.store.tasks import channels_with_work
from tests.services.gates import channel, client, picture
from tests.services.test_follow import ended, later
from tests.store.rows import PRICE, intent, money, query, settled
from tests.upstream.raw import raw_upstream, says

LISTED = {"id": "up1", "state": "mjgate:1", "status": "IN_PROGRESS"}


async def cut(gate: Gate, owner: Token) -> int:
    """A task that its upstream accepted, but whose answer was cut."""
    with pytest.raises(ApiError) as caught:
        await imagine(gate, owner, picture("a fox sandbox:cut"))
    return int(caught.value.properties["taskId"])


async def unknown(gate: Gate, number: int, where: int, owner: Token) -> None:
    """A task of unknown outcome whose mark is `mjgate:` and its number."""
    marked = structs.replace(intent(number, owner.id, channel=where), marker=f"mjgate:{number}")
    await gate.store.writer.admit(structs.replace(marked, submit_ms=gate.clock()))
    await gate.store.writer.settle(Settlement(number, where, Phase.UNKNOWN, 60))


@asynccontextmanager
async def listing(gate: Gate, *tasks: object) -> AsyncIterator[int]:
    """A channel whose upstream lists these."""
    async with raw_upstream(says(json.dumps(tasks))) as raw:
        yield await channel(gate, "raw", raw.address)


async def looked(gate: Gate, where: int) -> float | None:
    return await find(gate, (await gate.store.catalog()).channels[where])


def phases(gate: Gate) -> list[tuple[int, str, str | None]]:
    return query(gate.store, "select id, phase, upstream_id from tasks order by id")


@pytest.mark.parametrize("dialect", ["novicezk", "buttons"])
async def test_a_picture_whose_answer_was_cut_is_found_drawn_and_charged(
    gate: Gate, dialect: DialectName
) -> None:
    with running_sandbox(Settings(dialect=dialect, speed=50)) as upstream:
        where = await channel(gate, "sandbox", upstream, dialect=dialect)
        owner = await client(gate)
        number = await cut(gate, owner)
        assert [where] == await channels_with_work(gate.store.pool)

        follower = Follower(replace(gate, clock=lambda: later(gate)), where)
        task = await ended(gate, follower, owner, number)

    assert "SUCCESS" == task.status
    assert (0, PRICE) == money(gate.store, owner.id)


async def test_a_dialect_that_lists_nothing_is_not_asked(gate: Gate) -> None:
    with running_sandbox(Settings(dialect="new-api", speed=50)) as upstream:
        where = await channel(gate, "sandbox", upstream, dialect="new-api")
        owner = await client(gate)
        await cut(gate, owner)

        follower = Follower(gate, where)
        await follower.look()

    assert follower.idle
    assert ["unknown"] == [phase for _, phase, _ in phases(gate)]


async def test_where_nothing_is_unknown_nothing_is_asked(gate: Gate) -> None:
    async with raw_upstream(says("[]")) as raw:
        where = await channel(gate, "raw", raw.address)

        assert await looked(gate, where) is None
        assert [] == raw.heard


async def test_only_a_task_with_its_own_mark_is_taken(gate: Gate) -> None:
    strange = {**LISTED, "state": "mjgate:2"}
    async with listing(gate, None, 7, {}, strange, {**LISTED, "id": None}, LISTED) as where:
        owner = await client(gate)
        await unknown(gate, 1, where, owner)
        await unknown(gate, 3, where, owner)

        await looked(gate, where)

    assert [(1, "running", "up1"), (3, "unknown", None)] == phases(gate)
    assert (2 * PRICE, 0) == money(gate.store, owner.id)


async def test_an_id_that_another_task_has_is_not_taken(gate: Gate) -> None:
    async with listing(gate, LISTED) as where:
        owner = await client(gate)
        await gate.store.writer.admit(intent(7, owner.id, channel=where))
        await gate.store.writer.settle(settled(7, channel=where, upstream_id="up1"))
        await unknown(gate, 1, where, owner)

        await looked(gate, where)

    assert [(1, "unknown", None), (7, "running", "up1")] == phases(gate)


@pytest.mark.parametrize("listed", ["<html>", "{}", "null"])
async def test_a_list_that_is_none_is_asked_for_again(gate: Gate, listed: str) -> None:
    async with raw_upstream(says(listed)) as raw:
        where = await channel(gate, "raw", raw.address)
        await unknown(gate, 1, where, await client(gate))

        assert 1.0 <= (await looked(gate, where) or 0) < 30

    assert ["unknown"] == [phase for _, phase, _ in phases(gate)]


async def test_the_older_the_sends_the_less_often_the_list_is_asked_for(gate: Gate) -> None:
    async with listing(gate) as where:
        await unknown(gate, 1, where, await client(gate))
        waits = []
        for age_s in (0, 20, 4000):
            moment = gate.clock() + age_s * 1000
            waits.append(await looked(replace(gate, clock=partial(int, moment)), where))

    assert 1.0 <= (waits[0] or 0) < 15
    assert 20 <= (waits[1] or 0) < 30
    assert 60.0 == waits[2]


async def test_a_follower_looks_only_when_it_is_time(gate: Gate) -> None:
    async with raw_upstream(says("[]")) as raw:
        where = await channel(gate, "raw", raw.address)
        await unknown(gate, 1, where, await client(gate))
        moment = [gate.clock() + 10_000]
        follower = Follower(replace(gate, clock=lambda: moment[0]), where, patience_s=10.0)

        for later_ms in (0, 950, 950):
            moment[0] += later_ms
            await follower.look()
        assert 1 == len(raw.heard)
        assert not follower.idle

        moment[0] += 30_000
        await follower.look()
        assert 2 == len(raw.heard)
