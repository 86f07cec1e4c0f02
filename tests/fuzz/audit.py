"""What a run must have left behind: a ledger that adds up, and a server that had no fault."""

import json
import re
import time
from collections.abc import Container, Iterable, Iterator, Set

import psycopg

_COMPLAINTS = {
    "held and spent of a token are the sums of its entries": """
        select 'token ' || t.label || ': ' || t.held || ' held, ' || t.spent || ' spent, not '
          || coalesce(sum(l.held_delta), 0) || ' and ' || coalesce(sum(l.spent_delta), 0)
        from tokens t left join ledger l on l.token_id = t.id group by t.id
        having t.held <> coalesce(sum(l.held_delta), 0)
          or t.spent <> coalesce(sum(l.spent_delta), 0)""",
    "a task has one hold of its price, and a hold has a task": """
        select 'task ' || coalesce(t.id, l.task_id) || ': price ' || coalesce(t.price::text, 'none')
          || ', held ' || coalesce(l.held_delta::text, 'none')
        from tasks t full join (select * from ledger where kind = 'hold') l on l.task_id = t.id
        where t.id is null or l.task_id is null or l.held_delta <> t.price
          or l.token_id <> t.token_id""",
    "a success is charged, any other end is released, a task without an end is neither": """
        select 'task ' || t.id || ': ' || t.phase || ' ' || t.status || ', '
          || coalesce(l.kind, 'open')
        from tasks t left join ledger l on l.task_id = t.id and l.kind in ('charge', 'release')
        where coalesce(l.kind, 'open') <> case
          when t.phase = 'rejected' then 'release'
          when t.phase <> 'ended' then 'open'
          when t.status = 'SUCCESS' then 'charge'
          else 'release' end""",
    "a charge and a release are of the price": """
        select 'task ' || t.id || ': price ' || t.price || ', ' || l.kind || ' ' || l.held_delta
          || ' ' || l.spent_delta
        from tasks t join ledger l on l.task_id = t.id
        where (l.kind = 'charge' and (l.held_delta, l.spent_delta) <> (-t.price, t.price))
          or (l.kind = 'release' and (l.held_delta, l.spent_delta) <> (-t.price, 0))""",
}
_UNSETTLED = "select count(*) from tasks where phase not in ('ended', 'rejected')"
_FAULT_SAMPLE = re.compile(
    r"^mjgate_response_validation_faults_total(?:\{.*\})? (\S+)$", re.MULTILINE
)
_REQUEST_SAMPLE = re.compile(r"^mjgate_requests_total\{.*\} (\S+)$", re.MULTILINE)
_BAD_LEVELS = frozenset({"error", "exception", "critical", "warning"})


def settled(uri: str, seconds: float) -> bool:
    """Waits until every task has ended; False where some have not by then."""
    deadline = time.monotonic() + seconds
    with psycopg.connect(uri, autocommit=True) as connection:
        while connection.execute(_UNSETTLED).fetchone() != (0,):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
    return True


def ledger_complaints(uri: str) -> list[str]:
    """What of the ledger does not add up."""
    with psycopg.connect(uri, autocommit=True) as connection:
        return [
            f"{rule}: {row[0]}"
            for rule, query in _COMPLAINTS.items()
            for row in connection.execute(query.encode()).fetchall()
        ]


def submit_complaints(uri: str, submitted: Set[int], shown: Set[int]) -> Iterator[str]:
    """Ids that were answered but are not there, and ids of upstreams that were shown."""
    with psycopg.connect(uri, autocommit=True) as connection:
        rows = connection.execute("select id, upstream_id from tasks").fetchall()
    for missing in sorted(submitted - {row[0] for row in rows}):
        yield f"an accepted submit has a task: there is no task {missing}"
    theirs = {int(row[1]) for row in rows if row[1] and row[1].isdecimal()}
    for leaked in sorted(shown & theirs):
        yield f"an upstream's id never leaves the house: {leaked} was shown"


def log_complaints(lines: Iterable[str], expected: Container[str] = ()) -> Iterator[str]:
    """Lines of a log that are no JSON, or worse than information and not expected."""
    for line in filter(None, map(str.strip, lines)):
        try:
            said = json.loads(line)
        except ValueError:
            yield f"the log is JSON lines: {line[:500]}"
            continue
        known = said.get("event") in expected or said.get("why") in expected
        if said.get("level") in _BAD_LEVELS and not known:
            yield f"the log has no {said['level']}: {line[:2000]}"


def metric_complaints(text: str, answered: int) -> Iterator[str]:
    """What the server has counted, against what the client has."""
    faults = sum(map(float, _FAULT_SAMPLE.findall(text)))
    if faults:
        yield f"mjgate_response_validation_faults_total is 0: it is {faults:g}"
    counted = sum(map(float, _REQUEST_SAMPLE.findall(text)))
    if counted < answered:
        yield f"the server answered what we count: it counts {counted:g} requests, we {answered}"
