"""The gateway under test: its process, its database, and whether its rows are true."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests.bench.process import LOOPBACK, BenchError, Service, environment

_COMMAND = Path(sys.executable).with_name("mjgate")
_READY_TIMEOUT_S = 90.0
_UNFINISHED = "select exists(select from tasks where phase in ('sending', 'running'))::int"
_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
_METHOD = "wal_sync_method"
_COUNTED = ("fsync", "fdatasync")


@dataclass(frozen=True)
class Rows:
    """What the database holds. `flushes` counts WAL flushes to disk since it was made."""

    tasks: int
    holds: int
    phases: Mapping[str, int]
    flushes: int
    settings: Mapping[str, str]

    def check_true(self, submitted: int) -> None:
        if not self.tasks == self.holds == submitted:
            raise BenchError(
                f"the upstream took {submitted} submits of the gateway, its database has "
                f"{self.tasks} tasks and {self.holds} holds"
            )

    def check_durable(self, connections: int) -> None:
        """No flush can have served more submits than were under way at once."""
        if any(self.settings[name] != "on" for name in _DURABLE):
            raise BenchError(f"the database is not durable: {dict(self.settings)}")
        if self.tasks > self.flushes * connections and self.settings[_METHOD] in _COUNTED:
            raise BenchError(
                f"{self.tasks} submits of {connections} connections were written with only "
                f"{self.flushes} WAL flushes: their commits are not durable"
            )


@dataclass(frozen=True)
class Gateway:
    service: Service
    data_dir: Path
    token: str

    @property
    def postmaster(self) -> int:
        """Its pid now; it changes when PostgreSQL is restarted."""
        return int(self._postmaster_file()[0])

    def rows(self) -> Rows:
        with self.connect() as connection:
            return _read_rows(connection)

    def unfinished(self) -> bool:
        """Whether a task waits for its upstream."""
        with self.connect() as connection:
            return bool(_number(connection, _UNFINISHED))

    def end(self) -> None:
        """Ends it, and its PostgreSQL if it left that behind.

        Raises:
            BenchError: it was alive and left its PostgreSQL behind.
        """
        killed = self.service.process.poll() is not None
        postmaster = self.postmaster if self._pid_file.exists() else None
        self.service.end()
        if postmaster and _still_there(postmaster):
            psutil.Process(postmaster).terminate()
            psutil.Process(postmaster).wait(20)
            if not killed:
                raise BenchError("the gateway ended and left its PostgreSQL running")

    @property
    def _pid_file(self) -> Path:
        return self.data_dir / "postgres" / "postmaster.pid"

    def connect(self) -> psycopg.Connection[Any]:
        port, host = self._postmaster_file()[3:5]
        return psycopg.connect(
            host=host, port=port, user="postgres", dbname="mjgate", autocommit=True
        )

    def _postmaster_file(self) -> list[str]:
        return self._pid_file.read_text().splitlines()


def start_gateway(scratch: Path, upstream: str) -> Gateway:
    """Serves with an embedded database in `scratch`, one token and one channel.

    It keeps no pictures: those of the stub are nowhere.
    """
    data_dir = scratch / "data"
    if not _COMMAND.exists():
        raise BenchError(f"{_COMMAND} is missing; install the project first")
    service = _serve(data_dir, scratch, _free_port())
    try:
        _await_ready(service)
        _run(data_dir, "channel", "add", "stub", *_channel(upstream))
        token = json.loads(_run(data_dir, "token", "create", "bench", "--json"))["token"]
    except BaseException:
        Gateway(service, data_dir, "").end()
        raise
    return Gateway(service, data_dir, token)


def _channel(upstream: str) -> list[str]:
    return ["--url", upstream, "--key", "k", "--dialect", "novicezk"]


def _serve(data_dir: Path, scratch: Path, port: int) -> Service:
    errors = scratch / "gateway.err"
    with errors.open("w") as sink, (scratch / "gateway.log").open("w") as log:
        process = subprocess.Popen(
            [_COMMAND, "serve", "--host", "127.0.0.1", "--port", str(port)],
            cwd=scratch,
            env=environment(MJGATE_DATA_DIR=str(data_dir), MJGATE_PICTURES="off"),
            stdout=log,
            stderr=sink,
            text=True,
            start_new_session=True,
        )
    return Service("gateway", process, port, errors)


def _run(data_dir: Path, *arguments: str) -> str:
    done = subprocess.run(
        [_COMMAND, *arguments],
        cwd=data_dir.parent,
        env=environment(MJGATE_DATA_DIR=str(data_dir)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"mjgate {' '.join(arguments[:2])} failed: {done.stderr.strip()}")
    return done.stdout


def _await_ready(service: Service) -> None:
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while _status(f"{service.url}/readyz") != 200:
        service.check_alive()
        if time.monotonic() > deadline:
            raise BenchError(f"the gateway is not ready after {_READY_TIMEOUT_S:g} s")
        time.sleep(0.1)


def _status(url: str) -> int | None:
    try:
        with LOOPBACK.open(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def _read_rows(connection: psycopg.Connection[Any]) -> Rows:
    phases = dict(connection.execute("select phase, count(*) from tasks group by phase").fetchall())
    return Rows(
        tasks=sum(phases.values()),
        holds=_number(connection, "select count(*) from ledger where kind = 'hold'"),
        phases=phases,
        flushes=_number(connection, "select sum(fsyncs) from pg_stat_io where object = 'wal'"),
        settings={name: _setting(connection, name) for name in (*_DURABLE, _METHOD)},
    )


def _number(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0] or 0) if row else 0


def _setting(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("select current_setting(%s)", [name]).fetchone()
    return str(row[0]) if row else "unknown"


def _still_there(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
