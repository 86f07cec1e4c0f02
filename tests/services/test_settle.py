"""What a send came to, kept with its key and answered again."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from mjgate.domain.send import claim_of
from mjgate.domain.token import Token
from mjgate.errors import (
    ApiError,
    Fault,
    InFlight,
    KeyReused,
    Replay,
    StoreDown,
    Unavailable,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamUnclear,
)
from mjgate.gate import Gate
from mjgate.services.submit import Imagine, change, imagine
from mjgate.services.sweep import sweep
from tests.harness import free_port, until
from tests.services.gates import change_of, channel, client, heard, picture
from tests.store.rows import PRICE, intent, locked, money, query, settled, waiting
from tests.upstream.raw import Speak, raw_upstream, resets, says, stays_silent

ACCEPTED = says('{"code":1,"description":"ok","result":"17","properties":{}}')


def keyed(prompt: str = "a fox", key: str = "k") -> Imagine:
    return structs.replace(
        picture(prompt), claim=claim_of(key, "submit_imagine", {"prompt": prompt})
    )


def keys(gate: Gate) -> list[Any]:
    return query(gate.store, "select key, status from idempotency")


async def again(gate: Gate, owner: Token) -> Replay:
    """What the same request with the same key is told."""
    with pytest.raises(Replay) as replay:
        await imagine(gate, owner, keyed())
    return replay.value


async def test_an_accepted_submit_is_answered_again_whatever_has_become_of_its_channel(
    gate: Gate,
) -> None:
    async with raw_upstream(ACCEPTED) as raw:
        await channel(gate, "raw", raw.address)
        owner = await client(gate)
        answer = await imagine(gate, owner, keyed())

        query(gate.store, "update channels set state = 'disabled'")
        await heard(gate)

        replay = await again(gate, owner)
        assert (200, answer, 1) == (replay.status, replay.body, len(raw.heard))
    assert (PRICE, 0) == money(gate.store, owner.id)


@pytest.mark.parametrize(("deadline_s", "seconds"), [(None, 1800), (60.0, 60)])
async def test_a_task_has_the_deadline_of_its_channel_or_the_default(
    gate: Gate, deadline_s: float | None, seconds: int
) -> None:
    async with raw_upstream(ACCEPTED) as raw:
        await channel(gate, "raw", raw.address, deadline_s=deadline_s)
        await imagine(gate, await client(gate), picture())

    assert [(seconds,)] == query(
        gate.store, "select round(extract(epoch from deadline - accepted_at))::int from tasks"
    )


@pytest.mark.parametrize(
    ("speak", "kind"),
    [
        (says("", "400 No"), UpstreamRefused),
        (says("", "500 No"), UpstreamUnclear),
        (says("{}"), UpstreamUnclear),
        (resets, UpstreamBroken),
    ],
)
async def test_an_error_that_reached_the_upstream_is_answered_again(
    gate: Gate, speak: Speak, kind: type[ApiError]
) -> None:
    async with raw_upstream(speak) as raw:
        await channel(gate, "raw", raw.address)
        owner = await client(gate)
        with pytest.raises(kind) as first:
            await imagine(gate, owner, keyed())

        replay = await again(gate, owner)

        assert (first.value.status, first.value.body()) == (replay.status, replay.body)
        assert 1 == len(raw.heard)


async def test_an_upstream_that_asks_for_a_repeat_frees_the_key(gate: Gate) -> None:
    async with raw_upstream(says("", "429 Later")) as raw:
        await channel(gate, "raw", raw.address)
        owner = await client(gate)

        for _ in range(2):
            with pytest.raises(Unavailable):
                await imagine(gate, owner, keyed())

        assert (2, []) == (len(raw.heard), keys(gate))


async def test_a_send_that_reached_no_upstream_frees_the_key(gate: Gate) -> None:
    await channel(gate, "dead", f"http://127.0.0.1:{free_port()}")
    owner = await client(gate)

    with pytest.raises(Unavailable):
        await imagine(gate, owner, keyed())

    assert ([], (0, 0)) == (keys(gate), money(gate.store, owner.id))


async def test_a_fault_before_the_send_frees_the_key(gate: Gate) -> None:
    async with raw_upstream(ACCEPTED) as raw:
        await channel(gate, "raw", raw.address)
        with pytest.raises(Fault):
            await imagine(gate, await client(gate), structs.replace(keyed(), body=b"no JSON"))

    assert [] == keys(gate)


async def test_a_change_that_its_parent_does_not_offer_frees_the_key(gate: Gate) -> None:
    async with raw_upstream(ACCEPTED) as raw:
        where = await channel(gate, "raw", raw.address, dialect="buttons")
        owner = await client(gate)
        await gate.store.writer.admit(intent(5, owner.id, channel=where))
        await gate.store.writer.settle(settled(5, channel=where, upstream_id="17"))
        request = structs.replace(change_of(5), claim=claim_of("k", "submit_change", {}))

        assert 4 == (await change(gate, owner, request))["code"]

    assert [] == keys(gate)


async def test_an_id_that_is_bound_already_is_kept_as_unknown(gate: Gate) -> None:
    async with raw_upstream(ACCEPTED) as raw:
        await channel(gate, "raw", raw.address)
        owner = await client(gate)
        await imagine(gate, owner, picture())
        with pytest.raises(UpstreamUnclear) as first:
            await imagine(gate, owner, keyed())

        replay = await again(gate, owner)

        assert (502, first.value.body()) == (replay.status, replay.body)


async def test_what_an_upstream_has_not_answered_when_we_stop_is_kept(gate: Gate) -> None:
    async with raw_upstream(stays_silent) as raw:
        await channel(gate, "raw", raw.address)
        owner = await client(gate)
        submit = asyncio.create_task(imagine(gate, owner, keyed()))
        await until(lambda: raw.heard)

        await gate.upstreams.transport.close()
        with pytest.raises(UpstreamBroken) as first:
            await submit

    replay = await again(gate, owner)
    assert (504, first.value.body()) == (replay.status, replay.body)


async def test_while_the_first_is_in_flight_the_second_waits_its_turn(gate: Gate) -> None:
    answer = asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer.wait()
        await ACCEPTED(reader, writer)

    async with raw_upstream(late) as raw:
        await channel(gate, "raw", raw.address)
        owner = await client(gate)
        first = asyncio.create_task(imagine(gate, owner, keyed()))
        await until(lambda: raw.heard)

        with pytest.raises(InFlight) as told:
            await imagine(gate, owner, keyed())
        with pytest.raises(KeyReused):
            await imagine(gate, owner, keyed("another"))
        answer.set()

        assert "1" == told.value.headers["Retry-After"]
        assert await first == (await again(gate, owner)).body


async def test_two_that_arrive_at_once_are_told_apart_by_admission(gate: Gate) -> None:
    async with raw_upstream(ACCEPTED) as raw:
        await channel(gate, "raw", raw.address)
        owner = await client(gate)
        async with locked(gate.store, owner.id) as lock:
            both = [asyncio.create_task(imagine(gate, owner, keyed())) for _ in range(2)]
            await until(lambda: waiting(gate.store))
            await asyncio.sleep(0)
            await lock.commit()

        told = await asyncio.gather(*both, return_exceptions=True)

        assert 1 == len(raw.heard)
        assert 1 == sum(isinstance(each, InFlight | Replay) for each in told)


async def test_after_a_crash_a_key_names_the_task_to_fetch(gate: Gate) -> None:
    owner = await client(gate)
    await gate.store.writer.admit(intent(5, owner.id, claim=keyed().claim, send_s=-1))

    for _ in range(2):
        replay = await again(gate, owner)
        assert (504, "outcome_unknown", "5") == (
            replay.status,
            replay.body["properties"]["error"],
            replay.body["properties"]["taskId"],
        )
        await sweep(gate)
    assert [("unknown",)] == query(gate.store, "select phase from tasks")


async def test_without_a_database_a_key_is_not_guessed_at(gate: Gate) -> None:
    owner = await client(gate)
    await gate.store.pool.close()

    with pytest.raises(StoreDown):
        await imagine(gate, owner, keyed())


async def test_keys_of_the_day_before_are_swept_away(gate: Gate) -> None:
    owner = await client(gate)
    query(
        gate.store,
        "insert into idempotency (token_id, key, request_hash, task_id, created_at) "
        "select %s, n, '', n, now() - (n > 5)::int * interval '25 h' "
        "from generate_series(1, 1105) n",
        owner.id,
    )

    await sweep(gate)

    assert [(5,)] == query(gate.store, "select count(*) from idempotency")
