"""Processes of a bench: start them, count what CPU they use, end them."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_END_TIMEOUT_S = 20.0


class BenchError(Exception):
    """Raised when nothing true could be measured; says what was in the way."""


@dataclass(frozen=True)
class Service:
    """A process of ours that listens on a loopback port."""

    name: str
    process: subprocess.Popen[str]
    port: int
    errors: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def end(self) -> None:
        """Asks it to leave, and kills it if it does not within 20 seconds."""
        with self.process:
            self.process.terminate()
            try:
                self.process.wait(_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def check_alive(self) -> None:
        if self.process.poll() is not None:
            raise BenchError(
                f"{self.name} ended with {self.process.returncode}: {self.last_words()}"
            )

    def last_words(self) -> str:
        return self.errors.read_text(errors="replace")[-1500:].strip() or "it said nothing"


def start_module(name: str, arguments: Sequence[str], scratch: Path, token: str) -> Service:
    """Starts `tests.bench.<name>`, which prints its port first."""
    errors = scratch / f"{name}.err"
    with errors.open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", f"tests.bench.{name}", *arguments],
            cwd=ROOT,
            env=environment(BENCH_TOKEN=token),
            stdout=subprocess.PIPE,
            stderr=sink,
            text=True,
            start_new_session=True,
        )
    service = Service(name, process, 0, errors)
    try:
        return replace(service, port=_read_port(service))
    except BaseException:
        service.end()
        raise


def _read_port(service: Service) -> int:
    assert service.process.stdout
    line = service.process.stdout.readline()
    if not line:
        service.process.wait()
        service.check_alive()
    return int(line)


def environment(**extra: str) -> dict[str, str]:
    """Our environment without settings of a gateway that may be about."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MJGATE_") and name != "DATABASE_URL"
    }
    return ours | extra


def tree_cpu(pid: int, without: int | None = None) -> float:
    """CPU seconds, user and system, that a process and its descendants have used so far.

    A child that ended is counted by its parent, who waited for it, so none is missed. The tree
    below `without` is left out.

    Raises:
        BenchError: the process is gone.
    """
    try:
        process = psutil.Process(pid)
        return _own(process) + sum(_below(child, without) for child in process.children())
    except psutil.NoSuchProcess as error:
        raise BenchError(f"process {pid} ended while it was measured") from error


def _below(process: psutil.Process, without: int | None) -> float:
    if process.pid == without:
        return 0.0
    with suppress(psutil.NoSuchProcess):
        return _own(process) + sum(_below(child, without) for child in process.children())
    return 0.0


def _own(process: psutil.Process) -> float:
    times: Any = process.cpu_times()
    reaped = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return float(times.user + times.system + reaped)


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in after}
