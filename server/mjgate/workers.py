"""Several serving processes on one socket, kept alive until a signal."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from types import FrameType

from mjgate.serve import Base, survived_signals

_LOOK_EVERY_S = 0.2
_RESTART_S = 1.0


def run_workers(base: Base, descriptor: int, count: int, ready: Callable[[], None]) -> None:
    """Starts `count` workers on a listening socket and restarts one that dies.

    They share this process's database, and a folder in which each counts for itself.
    """
    with tempfile.TemporaryDirectory(prefix="mjgate-metrics-") as folder:
        workers = Workers(_command(descriptor), _environment(base, folder))
        with survived_signals():
            workers.run(descriptor, count, ready)


class Workers:
    """The processes and what became of them."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._command = command
        self._environment = environment
        self._processes: list[subprocess.Popen[bytes]] = []
        self._stopping = False

    def run(self, descriptor: int, count: int, ready: Callable[[], None]) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self._stop)
        self._processes = [self._start(descriptor) for _ in range(count)]
        ready()
        while not self._stopping:
            time.sleep(_LOOK_EVERY_S)
            for place, process in enumerate(self._processes):
                if process.poll() is not None and not self._stopping:
                    time.sleep(_RESTART_S)
                    self._processes[place] = self._start(descriptor)
        self._pass_on()
        for process in self._processes:
            process.wait()

    def _start(self, descriptor: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603
            self._command, env=self._environment, pass_fds=[descriptor]
        )

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        if self._stopping:
            self._pass_on()
        self._stopping = True

    def _pass_on(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGTERM)


def _command(descriptor: int) -> list[str]:
    return [sys.executable, "-m", "mjgate", "worker-process", "--socket", str(descriptor)]


def _environment(base: Base, folder: str) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": base.uri,
        "MJGATE_SECRET_KEY": base.keys,
        "PROMETHEUS_MULTIPROC_DIR": folder,
    }
