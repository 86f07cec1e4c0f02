"""Deleting by age, a little at a time."""

from dataclasses import replace

from mjgate.gate import Gate
from mjgate.services.forget import forget
from tests.services.gates import client
from tests.store.rows import query

OLD = """
insert into tasks (id, token_id, channel_id, action, model, price, phase, marker, send_deadline,
  status, submit_ms, ended_at)
select n, %s, 1, 'IMAGINE', 'm', 0, 'ended', 'm', now(), 'SUCCESS', 1, now() - interval '91 days'
from generate_series(1, %s) n
"""
LEFT = "select count(*) from tasks"


def keeping(gate: Gate, days: int) -> Gate:
    config = gate.config.model_copy(update={"keep_tasks_days": days})
    return replace(gate, config=config)


async def test_tasks_go_after_the_days_that_were_set(gate: Gate) -> None:
    query(gate.store, OLD, (await client(gate)).id, 3)

    assert 0 == await forget(keeping(gate, 92))
    assert 3 == await forget(gate)
    assert [(0,)] == query(gate.store, LEFT)


async def test_zero_days_keep_them_for_ever(gate: Gate) -> None:
    query(gate.store, OLD, (await client(gate)).id, 3)

    assert 0 == await forget(keeping(gate, 0))
    assert [(3,)] == query(gate.store, LEFT)


async def test_many_go_in_batches_and_not_all_at_once(gate: Gate) -> None:
    query(gate.store, OLD, (await client(gate)).id, 10_700)

    assert 10_000 == await forget(gate)
    assert 700 == await forget(gate)
    assert 0 == await forget(gate)
