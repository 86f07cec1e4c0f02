"""The embedded PostgreSQL."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from mjgate.errors import ConfigError
from mjgate.store.embedded import Embedded, embedded

HANDLES = ".handle_pids.json"
FINISHED = ".mjgate-finished"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Embedded]:
    server = Embedded(tmp_path)
    yield server
    server.stop()


def ask(uri: str, statement: str) -> list[tuple[int, ...]]:
    with psycopg.connect(uri, autocommit=True, connect_timeout=5) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def postmaster(server: Embedded) -> int:
    return int((server.folder / "postmaster.pid").read_text().split()[0])


def handles(server: Embedded) -> list[int]:
    return json.loads((server.folder / HANDLES).read_text())  # type: ignore[no-any-return]


def gone(pid: int, seconds: float = 10) -> bool:
    """Whether it ends soon."""
    end = time.monotonic() + seconds
    while not ended(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return ended(pid)


def ended(pid: int) -> bool:
    """Ended, though perhaps nobody has asked how."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_rows_outlive_a_stop(server: Embedded) -> None:
    ask(server.start(), "create table kept as select 7 as n")
    first = postmaster(server)
    server.stop()
    assert gone(first)

    again = Embedded(server.folder.parent)
    assert [(7,)] == ask(again.start(), "select n from kept")

    again.stop()
    assert not (server.folder / "postmaster.pid").exists()


def test_processes_that_were_killed_are_forgotten(server: Embedded) -> None:
    server.start()
    server.stop()
    (server.folder / HANDLES).write_text(json.dumps([dead_pid()]))

    server = Embedded(server.folder.parent)
    server.start()
    pid = postmaster(server)

    assert [os.getpid()] == handles(server)
    server.stop()
    assert gone(pid)


def test_another_process_joins_and_leaves_without_stopping_it(server: Embedded) -> None:
    uri = server.start()
    command = (
        "import pathlib, sys; from mjgate.store.embedded import embedded\n"
        "with embedded(pathlib.Path(sys.argv[1])) as uri: print(uri)"
    )

    done = subprocess.run(
        [sys.executable, "-c", command, str(server.folder.parent)],
        env={**os.environ, "PYTHONPATH": "server"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (uri, [(1,)]) == (done.stdout.strip(), ask(uri, "select 1"))


def test_a_command_starts_and_stops_it(tmp_path: Path) -> None:
    with embedded(tmp_path) as uri:
        assert [(1,)] == ask(uri, "select 1")

    with pytest.raises(psycopg.OperationalError):
        ask(uri, "select 1")


async def test_a_postmaster_that_is_killed_comes_back_with_its_rows(server: Embedded) -> None:
    uri = server.start()
    server.watch()
    ask(uri, "create table kept as select 7 as n")
    first = postmaster(server)

    os.kill(first, signal.SIGKILL)

    async with asyncio.timeout(60):
        while True:
            try:
                found = await asyncio.to_thread(ask, uri, "select n from kept")
                break
            except psycopg.OperationalError:
                await asyncio.sleep(0.1)
    assert [(7,)] == found
    assert first != postmaster(server)


def test_a_server_that_was_killed_before_is_started_anew(server: Embedded) -> None:
    ask(server.start(), "create table kept as select 7 as n")
    os.kill(postmaster(server), signal.SIGKILL)

    again = Embedded(server.folder.parent)

    assert [(7,)] == ask(again.start(), "select n from kept")
    again.stop()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match=r"MJGATE_DATA_DIR=.*file cannot be written"):
        Embedded(tmp_path / "file").start()


def test_a_server_that_does_not_come_up_says_why(tmp_path: Path) -> None:
    server = Embedded(tmp_path, patience_s=0.3)
    server.folder.mkdir()
    (server.folder / "PG_VERSION").write_text("18")
    (server.folder / FINISHED).touch()

    with pytest.raises(ConfigError, match=r"did not start: Command .*pg_ctl"):
        server.start()
    server.stop()


def test_the_data_of_another_version_is_refused_with_the_commands_that_move_it(
    tmp_path: Path,
) -> None:
    with embedded(tmp_path / "data"):
        pass
    folder = tmp_path / "copy" / "postgres"
    shutil.copytree(tmp_path / "data" / "postgres", folder)
    (folder / "PG_VERSION").write_text("17\n")
    before = sorted(folder.parent.rglob("*"))

    with pytest.raises(ConfigError) as refusal:
        Embedded(tmp_path / "copy").start()

    assert [
        f"MJGATE_DATA_DIR={tmp_path}/copy is of PostgreSQL 17, and this mjgate has "
        "PostgreSQL 18. To move it:",
        f"  mjgate db dump {tmp_path}/copy.dump             with the mjgate that made it",
        f"  mv {folder} {folder}.17",
        f"  mjgate db restore {tmp_path}/copy.dump          with this mjgate",
    ] == str(refusal.value).splitlines()
    assert before == sorted(folder.parent.rglob("*"))


@pytest.mark.parametrize("broken", ["", "null", "{", "7"])
def test_a_broken_list_of_processes_is_no_obstacle(server: Embedded, broken: str) -> None:
    server.folder.mkdir()
    server._prepare()
    (server.folder / HANDLES).write_text(broken)

    server._prepare()


def test_a_cluster_whose_making_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("18\n")
    (folder / "postmaster.pid").write_text("-8158\nfolder\n1\n5432\n\n\n 1 2\n")

    with embedded(tmp_path) as uri:
        assert [(1,)] == ask(uri, "select 1")

    assert 1 == len(list(tmp_path.glob("postgres.unfinished.*")))


def test_a_finished_cluster_is_never_set_aside(tmp_path: Path) -> None:
    with embedded(tmp_path) as uri:
        ask(uri, "create table kept as select 7 as n")
    with embedded(tmp_path) as uri:
        assert [(7,)] == ask(uri, "select n from kept")

    assert [] == list(tmp_path.glob("postgres.unfinished.*"))
