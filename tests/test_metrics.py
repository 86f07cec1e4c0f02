"""What is counted."""

import os
import subprocess
import sys
from pathlib import Path

from mjgate.metrics import REQUESTS, gauge, render


def test_counters_and_gauges_are_rendered_together() -> None:
    REQUESTS.labels("submit_imagine", "200").inc()

    text = render(
        [
            gauge("mjgate_tasks", "Tasks.", "phase", {"running": 2, "ended": 3}),
            gauge("mjgate_held_dollars", "Held.", None, {"": 0.5}),
        ]
    ).decode()

    assert 'mjgate_requests_total{operation="submit_imagine",status="200"}' in text
    assert 'mjgate_tasks{phase="running"} 2.0' in text
    assert "mjgate_held_dollars 0.5" in text


COUNT = """
from mjgate.metrics import REQUESTS, render
REQUESTS.labels("a", "200").inc({})
print(render([]).decode())
"""


def test_several_processes_are_summed(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": "server",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
    }

    texts = [
        subprocess.run(
            [sys.executable, "-c", COUNT.format(number)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for number in (1, 2)
    ]

    assert 'mjgate_requests_total{operation="a",status="200"} 1.0' in texts[0]
    assert 'mjgate_requests_total{operation="a",status="200"} 3.0' in texts[1]
