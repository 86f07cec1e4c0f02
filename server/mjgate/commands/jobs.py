"""`mjgate jobs`: the work in the background."""

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from mjgate.commands.frame import json_option, print_json, print_table, with_data
from mjgate.config import read_config
from mjgate.store.work import Failure, Job, Queue, Work, Worker, read_work

_STEPS = ((86_400, "d"), (3600, "h"), (60, "min"))
_WORKERS = ("WORKER", "HEARD", "STATE", "JOBS")
_JOBS = ("JOB", "ABOUT", "STATE", "SINCE", "FOR", "WORKER")
_QUEUES = ("QUEUE", "CHANNEL", "WAITING", "SINCE", "FOR", "LATE")
_FAILURES = ("FAILED", "ABOUT", "TIMES", "FIRST", "LAST", "ERROR")


@click.command()
@json_option
def jobs(as_json: bool) -> None:
    """Show what waits, runs and failed in the background.

    Jobs and their workers; tasks and other rows that wait, and how many of them are late; and
    what failed within a week. Exits with 1 where work is stuck.
    """
    config = read_config()
    days, pictures = config.keep_tasks_days, config.pictures
    found = with_data(lambda pool, _cipher: read_work(pool, days, pictures=pictures))
    if as_json:
        print_json(_report(found))
    else:
        _print_report(found)
    for problem in [] if as_json else found.problems:
        click.echo(f"mjgate: {problem}", err=True)
    if found.problems:
        raise SystemExit(1)


def _report(found: Work) -> dict[str, Any]:
    """Dataclasses are written field by field."""
    return {
        "ok": not found.problems,
        "problems": found.problems,
        "at": found.at,
        "workers": found.workers,
        "jobs": found.jobs,
        "queues": found.queues,
        "failures": found.failures,
    }


def _print_report(found: Work) -> None:
    now = found.at
    tables = [
        (_WORKERS, [_worker(each, now) for each in found.workers], "No workers."),
        (_JOBS, [_job(each, now) for each in found.jobs], "No jobs."),
        (_QUEUES, [_queue(each, now) for each in found.queues], "Nothing waits."),
        (_FAILURES, [_failure(each) for each in found.failures], "No failures."),
    ]
    for place, (headers, rows, empty) in enumerate(tables):
        if place:
            click.echo()
        print_table(headers, rows, empty)


def _worker(worker: Worker, now: datetime) -> list[Any]:
    state = "alive" if worker.alive else "silent"
    return [worker.id, f"{_age(now, worker.heard)} ago", state, worker.jobs]


def _job(job: Job, now: datetime) -> list[Any]:
    worker = "" if job.worker is None else job.worker
    return [job.job, job.about, job.state, _time(job.since), _age(now, job.since), worker]


def _queue(queue: Queue, now: datetime) -> list[Any]:
    times = [_time(queue.since), _age(now, queue.since)]
    return [queue.queue, queue.channel or "", f"{queue.waiting:,}", *times, f"{queue.late:,}"]


def _failure(failure: Failure) -> list[Any]:
    times = [_time(failure.first_at), _time(failure.last_at)]
    return [failure.job, failure.about, failure.times, *times, failure.error]


def _time(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at else ""


def _age(now: datetime, at: datetime | None) -> str:
    """Such as `12 s`, `3 min`, `2 h`, `5 d`."""
    if at is None:
        return ""
    seconds = max(now - at, timedelta()) // timedelta(seconds=1)
    for size, name in _STEPS:
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} s"
