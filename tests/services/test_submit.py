"""A submit, one way: what happens when a part of it fails."""

import asyncio
import json
from dataclasses import replace

import psycopg
import pytest
from msgspec import structs

from mjgate.domain.task import SUCCESS
from mjgate.domain.token import Token
from mjgate.errors import (
    BudgetSpent,
    Fault,
    Forbidden,
    InvalidRequest,
    NotFound,
    StoreDown,
    Unauthorized,
    Unavailable,
    UpstreamRefused,
)
from mjgate.gate import Gate
from mjgate.services.submit import Imagine, change, imagine
from mjgate.store.prices import set_prices
from mjgate.store.tasks import advance_tasks, fetch_tasks
from mjgate.store.tokens import revoke_token
from mjgate.store.writer import Writer
from tests.harness import free_port, until
from tests.services.gates import change_of, channel, client, heard, open_gate, picture
from tests.store.rows import PRICE, intent, ledger, locked, money, query, settled, waiting
from tests.upstream.raw import raw_upstream, says

ACCEPTED = says('{"code":1,"description":"ok","result":"17","properties":{}}')
HELD_AND_RELEASED = ["hold", "release"]


def kinds(gate: Gate) -> list[str]:
    return [kind for _, kind in ledger(gate.store)]


async def test_the_intent_is_committed_before_a_byte_goes_out(gate: Gate) -> None:
    seen: list[tuple[str, int]] = []

    async def look(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.extend(query(gate.store, "select phase, held from tasks, tokens"))
        await ACCEPTED(reader, writer)

    async with raw_upstream(look) as raw:
        await channel(gate, "raw", raw.address)
        await imagine(gate, await client(gate), picture())

    assert [("sending", PRICE)] == seen


async def test_the_task_keeps_what_the_client_said(gate: Gate) -> None:
    async with raw_upstream(ACCEPTED) as raw:
        await channel(gate, "raw", raw.address)
        await imagine(gate, await client(gate), Imagine("a fox", "mine", "http://a", b"{}"))

    assert [
        ("a fox", "/imagine a fox", "mine", "http://a", "IMAGINE", "mj_imagine", PRICE)
    ] == query(
        gate.store, "select prompt, description, state, hook, action, model, price from tasks"
    )


async def test_a_price_that_is_not_in_the_table_refuses(gate: Gate) -> None:
    await channel(gate, "dead", "http://127.0.0.1:1")
    await set_prices(gate.store.pool, {"mj_blend": 1})
    await until(lambda: gate.store._catalog is None)

    with pytest.raises(Forbidden, match="no price for mj_imagine"):
        await imagine(gate, await client(gate), picture())


async def test_a_task_keeps_the_price_that_it_was_quoted(gate: Gate) -> None:
    async with raw_upstream(ACCEPTED) as raw:
        await channel(gate, "raw", raw.address)
        owner = await client(gate)
        first = int((await imagine(gate, owner, picture()))["result"])
        _, version = await set_prices(gate.store.pool, {"mj_imagine": 7})
        await until(lambda: gate.store._catalog is None)

        await gate.store.writer.admit(intent(5, owner.id, price=7, price_version=version))
        [task] = await fetch_tasks(gate.store.pool, owner.id, [first])
        await advance_tasks(gate.store.pool, [structs.replace(task, status=SUCCESS)])

    assert [(7, version), (PRICE, 0)] == query(
        gate.store, "select price, price_version from tasks order by id"
    )
    assert (7, PRICE) == money(gate.store, owner.id)


async def test_a_spent_budget_refuses_and_names_the_price(gate: Gate) -> None:
    await channel(gate, "dead", "http://127.0.0.1:1")
    poor = await client(gate, budget=PRICE - 1)

    with pytest.raises(BudgetSpent, match=r"does not cover mj_imagine at 0\.1 dollars"):
        await imagine(gate, poor, picture())
    assert ([], (0, 0)) == (ledger(gate.store), money(gate.store, poor.id))


async def test_a_token_revoked_meanwhile_refuses(gate: Gate) -> None:
    await channel(gate, "dead", "http://127.0.0.1:1")
    owner = await client(gate)
    await revoke_token(gate.store.pool, owner.label)

    with pytest.raises(Unauthorized, match="was revoked"):
        await imagine(gate, owner, picture())
    assert [] == ledger(gate.store)


async def test_a_value_that_the_database_cannot_hold_refuses(gate: Gate) -> None:
    await channel(gate, "dead", "http://127.0.0.1:1")

    with pytest.raises(InvalidRequest, match="cannot keep a value"):
        await imagine(gate, await client(gate), picture("a\0b"))


async def test_a_full_queue_refuses(gate: Gate) -> None:
    await channel(gate, "dead", "http://127.0.0.1:1")
    owner = await client(gate)
    full = Writer(gate.store.uri, 0)

    with pytest.raises(Unavailable, match="Too many submits wait"):
        await imagine(replace(gate, store=replace(gate.store, writer=full)), owner, picture())


async def test_a_fault_before_the_send_releases(gate: Gate) -> None:
    async with raw_upstream(ACCEPTED) as raw:
        await channel(gate, "raw", raw.address)
        owner = await client(gate)

        with pytest.raises(Fault):
            await imagine(gate, owner, Imagine("a", None, None, b"no JSON"))

        assert [] == raw.heard
    assert (HELD_AND_RELEASED, (0, 0)) == (kinds(gate), money(gate.store, owner.id))


async def warm(gate: Gate) -> Token:
    """A token, after everything that a submit reads is known."""
    owner = await client(gate)
    await heard(gate)
    await gate.store.catalog()
    await gate.store.ids.take()
    return owner


async def test_without_a_database_to_move_the_task_it_is_released(gate: Gate) -> None:
    async with raw_upstream(ACCEPTED) as raw:
        await channel(gate, "dead", f"http://127.0.0.1:{free_port()}", priority=9)
        await channel(gate, "raw", raw.address)
        owner = await warm(gate)
        await gate.store.pool.close()

        with pytest.raises(Unavailable, match="database is out of reach"):
            await imagine(gate, owner, picture())

        assert ([], HELD_AND_RELEASED) == (raw.heard, kinds(gate))


async def test_without_a_database_to_mark_the_channel_it_is_released(gate: Gate) -> None:
    async with raw_upstream(says("", "401 No")) as raw:
        await channel(gate, "raw", raw.address)
        owner = await warm(gate)
        await gate.store.pool.close()

        with pytest.raises(UpstreamRefused):
            await imagine(gate, owner, picture())

    assert HELD_AND_RELEASED == kinds(gate)


async def test_without_a_database_nothing_is_begun(gate: Gate) -> None:
    await channel(gate, "dead", "http://127.0.0.1:1")
    owner = await client(gate)
    await gate.store.catalog()
    await gate.store.pool.close()

    with pytest.raises(StoreDown):
        await imagine(gate, owner, picture())
    with pytest.raises(StoreDown):
        await change(gate, owner, change_of(1))
    assert [] == ledger(gate.store)


async def test_a_database_that_is_busy_is_waited_for_once_the_upstream_has_it(
    database: str,
) -> None:
    """Code 21: which task is it? The answer has to wait, for it cannot be sent again."""
    name = database.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute(f"alter database {name} set lock_timeout = '100ms'".encode())
    existed = says('{"code":21,"description":"x","result":"17","properties":{}}')
    taken = asyncio.Event()

    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await lock.execute("lock table tasks in access exclusive mode")
        taken.set()
        await existed(reader, writer)

    async with (
        open_gate(database) as gate,
        raw_upstream(busy) as raw,
        await psycopg.AsyncConnection.connect(database) as lock,
    ):
        where = await channel(gate, "raw", raw.address)
        owner = await client(gate)
        await gate.store.writer.admit(intent(5, owner.id, channel=where))
        await gate.store.writer.settle(settled(5, channel=where, upstream_id="17"))
        submit = asyncio.create_task(imagine(gate, owner, picture()))
        await taken.wait()
        await asyncio.wait([submit], timeout=0.5)
        assert not submit.done()
        await lock.commit()

        assert (21, "5") == ((await submit)["code"], (await submit)["result"])
        assert (PRICE, 0) == money(gate.store, owner.id)


async def test_a_change_of_a_task_that_is_not_there(gate: Gate) -> None:
    stranger, owner = await client(gate), await client(gate)
    await gate.store.writer.admit(intent(5, owner.id))

    for token in (stranger, Token(999, "")):
        with pytest.raises(NotFound, match="no task 5 of this token"):
            await change(gate, token, change_of(5))


async def test_a_change_of_a_task_whose_upstream_id_is_not_known(gate: Gate) -> None:
    owner = await client(gate)
    await gate.store.writer.admit(intent(5, owner.id))

    answer = await change(gate, owner, change_of(5))

    assert {
        "code": 4,
        "description": "关联任务状态错误",
        "properties": {},
        "result": None,
    } == answer
    assert (PRICE, 0) == money(gate.store, owner.id)


async def test_a_change_that_the_parent_does_not_offer_is_released(gate: Gate) -> None:
    async with raw_upstream(ACCEPTED) as raw:
        where = await channel(gate, "raw", raw.address, dialect="buttons")
        owner = await client(gate)
        await gate.store.writer.admit(intent(5, owner.id, channel=where))
        await gate.store.writer.settle(settled(5, channel=where, upstream_id="17"))

        answer = await change(gate, owner, change_of(5))

        assert (4, None, []) == (answer["code"], answer["result"], raw.heard)
    assert (PRICE, 0) == money(gate.store, owner.id)
    assert ["hold", "hold", "release"] == kinds(gate)


async def test_a_change_names_its_parent_in_our_ids_and_in_theirs(gate: Gate) -> None:
    async with raw_upstream(says('{"code":1,"description":"ok","result":"18"}')) as raw:
        where = await channel(gate, "raw", raw.address)
        owner = await client(gate)
        await gate.store.writer.admit(intent(5, owner.id, channel=where))
        await gate.store.writer.settle(settled(5, channel=where, upstream_id="17"))

        await change(gate, owner, change_of(5, "VARIATION", 3))

        assert "17" == json.loads(raw.heard[0].partition(b"\r\n\r\n")[2])["taskId"]
    assert [(5, "a fox", "/up 5 V3", "mj_variation", "18")] == query(
        gate.store,
        "select parent_id, prompt, description, model, upstream_id from tasks where id <> 5",
    )


async def test_a_submit_that_waits_for_a_lock_sends_nothing_yet(gate: Gate) -> None:
    async with raw_upstream(ACCEPTED) as raw:
        await channel(gate, "raw", raw.address)
        owner = await client(gate)
        async with locked(gate.store, owner.id) as lock:
            submit = asyncio.create_task(imagine(gate, owner, picture()))
            await until(lambda: waiting(gate.store))
            assert [] == raw.heard
            await lock.commit()

        assert 1 == (await submit)["code"]
