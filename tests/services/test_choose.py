"""Which channel takes a submit."""

import random
from dataclasses import replace

import pytest

from mjgate.domain.channel import Dialect
from mjgate.errors import NotSent, StoreDown, Unavailable
from mjgate.gate import Gate
from mjgate.sandbox import Settings, running_sandbox
from mjgate.services.choose import choose, choose_for, tuned
from mjgate.store.channels import set_channel
from mjgate.store.tasks import Parent
from mjgate.upstream.breaker import THRESHOLD
from tests.harness import free_port
from tests.services.gates import channel, heard
from tests.store.rows import query
from tests.upstream.raw import raw_upstream, says

DEAD = "http://127.0.0.1:1"


def parent(where: int) -> Parent:
    return Parent(7, where, "ended", "SUCCESS", "theirs", None, None)


async def names(gate: Gate) -> list[str]:
    return [each.name for each in await choose(gate, "mj_imagine")]


async def test_channels_are_tried_by_priority(gate: Gate) -> None:
    await channel(gate, "low", DEAD, priority=1)
    await channel(gate, "high", DEAD, priority=2)

    assert ["high", "low"] == await names(replace(gate, rng=random.Random(1)))


async def test_a_channel_that_keeps_failing_is_left_out(gate: Gate) -> None:
    first = await channel(gate, "first", DEAD, priority=1)
    await channel(gate, "second", DEAD)
    for _ in range(THRESHOLD):
        gate.upstreams.breaker.failed(first)

    assert ["second"] == await names(gate)
    with pytest.raises(Unavailable, match="fails now"):
        await choose_for(gate, parent(first))


@pytest.mark.parametrize("state", ["draining", "disabled", "removed"])
async def test_without_an_enabled_channel_there_is_none(gate: Gate, state: str) -> None:
    await channel(gate, "one", DEAD, state=state)

    with pytest.raises(Unavailable, match="No channel can take mj_imagine now") as refusal:
        await choose(gate, "mj_imagine")
    assert {"Retry-After": "5"} == refusal.value.headers


async def test_a_change_goes_to_the_channel_of_its_parent_even_while_it_drains(gate: Gate) -> None:
    where = await channel(gate, "one", DEAD, state="draining")
    await channel(gate, "two", DEAD, priority=9)

    assert "one" == (await choose_for(gate, parent(where))).name


@pytest.mark.parametrize("state", ["disabled", "removed"])
async def test_a_change_goes_nowhere_else(gate: Gate, state: str) -> None:
    where = await channel(gate, "one", DEAD)
    await set_channel(gate.store.pool, gate.store.cipher, "one", {"state": state})
    await heard(gate)

    with pytest.raises(Unavailable, match="drew task 7 is switched off"):
        await choose_for(gate, parent(where))


async def test_an_upstream_is_asked_once_what_it_speaks(gate: Gate) -> None:
    with running_sandbox(Settings(dialect="buttons")) as address:
        await channel(gate, "one", address, dialect="auto")
        [asked] = await choose(gate, "mj_imagine")

        assert Dialect.BUTTONS is (await tuned(gate, asked)).spoken

    await heard(gate)
    [known] = await choose(gate, "mj_imagine")
    assert known is await tuned(gate, known)
    assert [("buttons",)] == query(gate.store, "select spoken from channels")


async def test_what_was_set_is_not_asked(gate: Gate) -> None:
    await channel(gate, "one", DEAD)
    [known] = await choose(gate, "mj_imagine")

    assert known is await tuned(gate, known)


async def test_an_upstream_that_does_not_answer_is_not_sent_to(gate: Gate) -> None:
    await channel(gate, "one", f"http://127.0.0.1:{free_port()}", dialect="auto")
    [asked] = await choose(gate, "mj_imagine")

    with pytest.raises(NotSent, match="its dialect could not be asked"):
        await tuned(gate, asked)


async def test_an_upstream_that_speaks_none_is_not_sent_to(gate: Gate) -> None:
    async with raw_upstream(says("", "418 No")) as raw:
        await channel(gate, "one", raw.address, dialect="auto")
        [asked] = await choose(gate, "mj_imagine")

        with pytest.raises(NotSent, match="speaks no dialect that is known"):
            await tuned(gate, asked)


async def test_what_cannot_be_kept_is_not_used(gate: Gate) -> None:
    async with raw_upstream(says("", "404 No")) as raw:
        await channel(gate, "one", raw.address, dialect="auto")
        [asked] = await choose(gate, "mj_imagine")
        await gate.store.pool.close()

        with pytest.raises(StoreDown):
            await tuned(gate, asked)
