"""One JSON line for each thing that an operator should know."""

import contextvars
import json
import os
import subprocess
import sys

from mjgate.log import note, open_notes

PROGRAM = """
from mjgate import log
log.configure()
log.logger().info("request", status=200, odd={1, })
try:
    1 / 0
except ZeroDivisionError:
    log.logger().exception("fault")
"""


def test_lines_are_json_with_time_and_level() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": "server"},
        capture_output=True,
        check=True,
    )

    request, fault = map(json.loads, done.stdout.splitlines())
    assert ("info", "request", 200, "{1}") == (
        request["level"],
        request["event"],
        request["status"],
        request["odd"],
    )
    assert ("error", "fault") == (fault["level"], fault["event"])
    assert "ZeroDivisionError" in fault["exception"]
    assert isinstance(request["ts"], float)


def test_notes_are_of_the_request_at_hand() -> None:
    notes = open_notes()

    note(task=7)
    note(channel="one")

    assert {"task": 7, "channel": "one"} == notes


def test_without_a_request_notes_are_dropped() -> None:
    contextvars.Context().run(note, task=7)
