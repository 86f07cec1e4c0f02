"""Several serving processes on one socket, kept alive until a signal."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from mjgate.serve import Base, Signals

_LOOK_EVERY_S = 0.2
_RESTART_S = 1.0


def run_workers(
    base: Base, descriptor: int, count: int, signals: Signals, ready: Callable[[], None]
) -> None:
    """Starts `count` workers on a listening socket and restarts one that dies.

    They share this process's database, a pipe whose end tells them that it died, and a folder
    in which each counts for itself.
    """
    reading, writing = os.pipe()
    with tempfile.TemporaryDirectory(prefix="mjgate-metrics-") as folder:
        workers = Workers(descriptor, reading, _environment(base, folder))
        try:
            workers.run(count, signals, ready)
        finally:
            os.close(reading)
            os.close(writing)


class Workers:
    """The processes and what became of them."""

    def __init__(self, descriptor: int, pipe: int, environment: dict[str, str]) -> None:
        self._inherited = (descriptor, pipe)
        self._environment = environment
        self._processes: list[subprocess.Popen[bytes]] = []

    def run(self, count: int, signals: Signals, ready: Callable[[], None]) -> None:
        self._processes = [self._start() for _ in range(count)]
        ready()
        passed_on = 0
        while not passed_on or self._alive():
            time.sleep(_LOOK_EVERY_S)
            if signals.count > passed_on:
                passed_on = signals.count
                self._pass_on()
            elif not passed_on:
                self._restart()

    def _alive(self) -> bool:
        return any(process.poll() is None for process in self._processes)

    def _start(self) -> subprocess.Popen[bytes]:
        """In a process group of its own: of a Ctrl-C it hears from us, once."""
        descriptor, pipe = self._inherited
        command = [sys.executable, "-m", "mjgate", "worker-process"]
        return subprocess.Popen(  # noqa: S603
            [*command, "--socket", str(descriptor), "--parent-pipe", str(pipe)],
            env=self._environment,
            pass_fds=self._inherited,
            process_group=0,
        )

    def _restart(self) -> None:
        for place, process in enumerate(self._processes):
            if process.poll() is not None:
                time.sleep(_RESTART_S)
                self._processes[place] = self._start()

    def _pass_on(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGTERM)


def _environment(base: Base, folder: str) -> dict[str, str]:
    """Keys in a file stay there: a worker must see when they change."""
    secret = {"MJGATE_SECRET_KEY": "" if base.key_file else base.keys}
    if base.key_file:
        secret["MJGATE_SECRET_KEY_FILE"] = str(base.key_file.absolute())
    return {
        **os.environ,
        **secret,
        "DATABASE_URL": base.uri,
        "PROMETHEUS_MULTIPROC_DIR": folder,
    }
