"""Every complaint of the audit is made of what it complains about, and of nothing else."""

import pytest

from tests.fuzz import audit
from tests.harness import Gateway


@pytest.fixture
async def kept(ready: Gateway) -> Gateway:
    """A gateway with one picture that was charged, and one that failed."""
    for prompt in ("a red fox", "a red fox sandbox:fail"):
        _, answer = await ready.imagine(prompt)
        await ready.ended(answer["result"])
    return ready


def spoil(gateway: Gateway, statement: str) -> list[str]:
    gateway.rows(statement + " returning 1")
    return audit.ledger_complaints(gateway.uri)


async def test_a_ledger_that_adds_up_has_no_complaints(kept: Gateway) -> None:
    phases = kept.rows("select status, phase from tasks order by id")
    assert [("SUCCESS", "ended"), ("FAILURE", "ended")] == phases
    assert [] == audit.ledger_complaints(kept.uri)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("update tokens set spent = spent + 1", "are the sums of its entries: token client"),
        ("update tokens set held = held + 1", "are the sums of its entries: token client"),
        ("delete from ledger where kind = 'hold'", "has one hold of its price"),
        ("update ledger set held_delta = 1 where kind = 'hold'", "has one hold of its price"),
        ("update ledger set token_id = 99 where kind = 'hold'", "has one hold of its price"),
        ("delete from tasks", "a hold has a task"),
        ("delete from ledger where kind = 'charge'", "SUCCESS, open"),
        ("delete from ledger where kind = 'release'", "FAILURE, open"),
        ("update ledger set kind = 'release' where kind = 'charge'", "SUCCESS, release"),
        ("update ledger set kind = 'charge' where kind = 'release'", "FAILURE, charge"),
        ("update tasks set phase = 'running'", "running SUCCESS, charge"),
        ("update ledger set spent_delta = 1 where kind = 'charge'", "are of the price"),
        ("update ledger set held_delta = 0 where kind = 'release'", "are of the price"),
    ],
)
async def test_a_ledger_that_does_not_add_up_is_seen(
    kept: Gateway, statement: str, said: str
) -> None:
    assert any(said in complaint for complaint in spoil(kept, statement))


async def test_a_task_that_does_not_end_is_waited_for_and_seen(kept: Gateway) -> None:
    assert audit.settled(kept.uri, 1)
    kept.rows("update tasks set phase = 'unknown' returning id")
    assert not audit.settled(kept.uri, 0)


async def test_a_lost_submit_and_a_shown_upstream_id_are_seen(kept: Gateway) -> None:
    ((ours, theirs), *_) = kept.rows("select id, upstream_id::bigint from tasks")
    assert [] == list(audit.submit_complaints(kept.uri, {ours}, {ours}))
    lost, shown = audit.submit_complaints(kept.uri, {ours, 7}, {ours, theirs})
    assert "there is no task 7" in lost
    assert f"{theirs} was shown" in shown


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"level": "error", "event": "fault"}', "has no error"),
        ('{"level": "error", "event": "answer breaks the contract"}', "answer breaks"),
        ('{"level": "warning", "event": "odd"}', "has no warning"),
        ("Traceback (most recent call last):", "is JSON lines"),
    ],
)
def test_a_bad_line_of_the_log_is_seen(line: str, said: str) -> None:
    good = '{"level": "info", "event": "request"}'
    assert [] == list(audit.log_complaints([good, ""]))
    (complaint,) = audit.log_complaints([good, line], {"something else"})
    assert said in complaint


def test_a_line_that_was_expected_is_no_complaint() -> None:
    lines = ['{"level": "error", "event": "refused"}', '{"level": "warning", "why": "No HTTP."}']
    assert [] == list(audit.log_complaints(lines, {"refused", "No HTTP."}))


def test_a_counted_fault_and_a_request_that_nobody_counted_are_seen() -> None:
    faults = 'mjgate_response_validation_faults_total{operation="fetch_task"} %s'
    requests = 'mjgate_requests_total{operation="fetch_task",status="200"} 4.0\n' * 2
    assert [] == list(audit.metric_complaints(requests + faults % "0.0", 8))
    (fault,) = audit.metric_complaints(requests + faults % "1.0", 8)
    assert "it is 1" in fault
    (uncounted,) = audit.metric_complaints(requests, 9)
    assert "it counts 8 requests, we 9" in uncounted
