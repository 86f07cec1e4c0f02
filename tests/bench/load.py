"""The load generator: wrk, one thread, and what it says of a run."""

import json
import os
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.bench.process import BenchError

_SCRIPT = Path(__file__).with_name("load.lua")
_MARK = "bench "


@dataclass(frozen=True)
class Request:
    """What to send, again and again. `body` is JSON for a POST and empty for a GET."""

    method: str
    path: str
    body: str = ""


@dataclass(frozen=True)
class Run:
    """`seconds` is wall time, `cpu` what the generator itself used; latencies in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    cpu: float


def find_generator() -> str:
    found = shutil.which("wrk")
    if not found:
        raise BenchError("wrk is not on the PATH; install it with: make bench-tools")
    return found


def load(url: str, request: Request, token: str, connections: int, seconds: float) -> Run:
    """Sends as fast as answers come, over `connections` connections.

    Raises:
        BenchError: no request was answered, one was answered with a status from 400 up, or a
            connection failed.
    """
    before = _children_cpu()
    process = subprocess.run(
        [find_generator(), *_options(connections, seconds), url + request.path],
        env=os.environ
        | {"BENCH_METHOD": request.method, "BENCH_BODY": request.body, "BENCH_TOKEN": token},
        capture_output=True,
        text=True,
        check=False,
    )
    return _read(process, _children_cpu() - before)


def _options(connections: int, seconds: float) -> list[str]:
    return ["-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "15s", "-s", str(_SCRIPT)]


def _read(process: subprocess.CompletedProcess[str], cpu: float) -> Run:
    lines = [line for line in process.stdout.splitlines() if line.startswith(_MARK)]
    if not lines:
        said = (process.stderr or process.stdout).strip()
        raise BenchError(f"wrk ended with {process.returncode}: {said}")
    said = json.loads(lines[-1].removeprefix(_MARK))
    faults = {kind: count for kind, count in said["errors"].items() if count}
    if faults or not said["requests"]:
        raise BenchError(f"of {said['requests']} requests not all were answered well: {faults}")
    return Run(
        requests=said["requests"],
        seconds=said["microseconds"] / 1e6,
        p50=said["p50"] / 1000,
        p99=said["p99"] / 1000,
        cpu=cpu,
    )


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
