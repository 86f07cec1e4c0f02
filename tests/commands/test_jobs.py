"""`mjgate jobs`."""

import re
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from mjgate.commands.jobs import _age
from tests.commands.conftest import Commands

NOW = datetime(2026, 5, 1, tzinfo=UTC)
TASK = """
insert into tasks (id, token_id, channel_id, action, model, price, phase, status, marker,
  submit_ms, send_deadline, accepted_at, deadline)
values (17, 1, 1, 'IMAGINE', 'mj_imagine', 0, 'running', 'NOT_START', '', 1, now(),
  '2026-05-01 10:00Z', now() {} interval '1 hour')
"""
JOB = """
insert into procrastinate_jobs (queue_name, task_name, args)
values ('default', 'follow', '{"channel": 1}')
"""


@pytest.fixture
def home(commands: Commands) -> Commands:
    """Commands with a channel and a worker that is alive."""
    commands("channel", "add", "home", "--url", "http://127.0.0.1:9")
    commands.rows("insert into procrastinate_workers default values")
    return commands


def cells(line: str) -> list[str]:
    return re.split(r"  +", line.strip())


def test_where_nothing_is_done_it_says_so(commands: Commands) -> None:
    said = commands.good("jobs")
    assert "No workers.\n\nNo jobs.\n\nNothing waits.\n\nNo failures.\n" == said
    as_json = commands.json("jobs")
    assert as_json.pop("at")
    assert {
        "ok": True,
        "problems": [],
        "workers": [],
        "jobs": [],
        "queues": [],
        "failures": [],
    } == as_json


def test_what_waits_runs_and_failed_is_a_table_each(home: Commands) -> None:
    home.rows(TASK.format("+"))
    home.rows(JOB)
    home.rows("update procrastinate_jobs set status = 'doing', worker_id = 1")
    home.rows("insert into job_failures (job, about, error) values ('follow', 'channel 1', 'x')")

    workers, jobs, queues, failures = home.good("jobs").split("\n\n")

    assert ["WORKER", "HEARD", "STATE", "JOBS"] == cells(workers.splitlines()[0])
    assert ["1", "alive", "1"] == [c for c in cells(workers.splitlines()[2]) if "ago" not in c]
    assert ["JOB", "ABOUT", "STATE", "SINCE", "FOR", "WORKER"] == cells(jobs.splitlines()[0])
    job = cells(jobs.splitlines()[2])
    assert ["follow", "channel home", "running", "1"] == [*job[:3], job[-1]]
    assert ["QUEUE", "CHANNEL", "WAITING", "SINCE", "FOR", "LATE"] == cells(queues.splitlines()[0])
    queue = cells(queues.splitlines()[2])
    assert ["running", "home", "1", "2026-05-01 10:00:00Z", "0"] == [*queue[:4], queue[-1]]
    assert ["FAILED", "ABOUT", "TIMES", "FIRST", "LAST", "ERROR"] == cells(failures.splitlines()[0])
    failure = cells(failures.splitlines()[2])
    assert ["follow", "channel home", "1", "x"] == [*failure[:3], failure[-1]]


def test_work_that_is_stuck_is_said_and_is_the_exit_code(home: Commands) -> None:
    home.rows(TASK.format("-"))

    result = home("jobs")

    assert (1, "mjgate: 1 of 1 running in channel home are overdue\n") == (
        result.exit_code,
        result.stderr,
    )
    as_json = home("jobs", "--json")
    assert (1, "") == (as_json.exit_code, as_json.stderr)
    said = orjson.loads(as_json.stdout)
    assert (False, ["1 of 1 running in channel home are overdue"]) == (said["ok"], said["problems"])
    assert {"queue": "running", "channel": "home", "waiting": 1, "late": 1}.items() <= said[
        "queues"
    ][0].items()


def test_tasks_that_are_kept_for_ever_do_not_wait_to_be_deleted(home: Commands) -> None:
    home.rows(TASK.format("+"))
    home.rows("update tasks set phase = 'ended', ended_at = now() - interval '91 days'")
    assert ["old tasks"] == [each["queue"] for each in home.json("jobs")["queues"]]

    home.settings["MJGATE_KEEP_TASKS_DAYS"] = "0"

    assert [] == home.json("jobs")["queues"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172_800, "2 d"),
    ],
)
def test_ages_are_said_in_one_unit(seconds: int, said: str) -> None:
    assert said == _age(NOW, NOW - timedelta(seconds=seconds))
    assert "" == _age(NOW, None)
