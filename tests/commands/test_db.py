"""`mjgate db`."""

import gzip
import os
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from mjgate.store.cipher import FILE, new_secret_key
from mjgate.store.embedded import embedded
from tests.commands.conftest import Commands
from tests.harness import SECRET_KEY, new_database
from tests.process import mjgate, serving
from tests.store.rows import everything

DEAD = "http://127.0.0.1:9"


@pytest.fixture
def filled(commands: Commands) -> Commands:
    commands.good("token", "create", "alice", "--budget", "5")
    commands("channel", "add", "home", "--url", DEAD, "--key", "sk-good")
    commands.good("price", "set", "-", input='{"*": 1}')
    return commands


@pytest.fixture
def other(postgres: str, tmp_path: Path) -> Commands:
    """Commands on another, empty database."""
    return Commands(new_database(postgres), tmp_path)


def rows(said: Any) -> tuple[int, ...]:
    return tuple(said["rows"][name] for name in ("tokens", "channels", "prices", "tasks"))


def test_a_dump_is_a_file_of_its_owner_that_restores(filled: Commands, other: Commands) -> None:
    file = filled.folder / "a.dump"

    said = filled.good("db", "dump", str(file))

    assert re.fullmatch(rf"Wrote {file}: .*channels 1, .*prices 1, .*tasks 0, tokens 1.*\.\n", said)
    assert 0o600 == file.stat().st_mode & 0o777
    assert [file] == list(filled.folder.iterdir())
    assert said.replace("Wrote", "Restored") == other.good("db", "restore", str(file))
    assert everything(filled.uri) == everything(other.uri)
    assert ["home"] == [each["name"] for each in other.json("channel", "list")]


def test_what_was_done_is_json_for_scripts(filled: Commands, other: Commands) -> None:
    file = str(filled.folder / "a.dump")
    said = filled.json("db", "dump", file)
    assert ((1, 1, 1, 0), file) == (rows(said), said["file"])
    assert {"made_at", "program", "postgresql", "schema", "rows", "file"} == set(said)

    done = other.json("db", "restore", file)
    assert said | {"migrated": [], "problems": []} == done


@pytest.mark.parametrize("json", [(), ("--json",)], ids=["text", "json"])
def test_a_dump_goes_through_a_pipe(
    filled: Commands, other: Commands, json: tuple[str, ...]
) -> None:
    dumped = filled("db", "dump", "-", *json)
    assert 0 == dumped.exit_code
    assert gzip.decompress(dumped.stdout_bytes)
    assert ("Wrote -: " in dumped.stderr) == (not json)
    if json:
        assert (1, 1, 1, 0) == rows(orjson.loads(dumped.stderr))

    restored = other("db", "restore", "-", input=dumped.stdout_bytes)

    assert restored.stdout.startswith("Restored -: ")
    assert everything(filled.uri) == everything(other.uri)


def test_a_pipe_by_name_is_written_and_read_as_one(filled: Commands, other: Commands) -> None:
    settings = {name: value or "" for name, value in filled.settings.items()}
    pipe = filled.folder / "pipe"
    os.mkfifo(pipe)
    kept = os.open(pipe, os.O_RDWR)  # a small dump fits into it
    try:
        assert 0 == mjgate("db", "dump", str(pipe), settings=settings).returncode
        content = os.read(kept, 1 << 16)
    finally:
        os.close(kept)
    assert pipe.is_fifo()

    reading, writing = os.pipe()
    with open(writing, "wb") as out:
        out.write(content)
    with open(reading, "rb"):
        other.good("db", "restore", f"/dev/fd/{reading}")
    assert everything(filled.uri) == everything(other.uri)


def test_an_older_dump_is_replaced_whole(filled: Commands) -> None:
    file = Path(filled.file("a.dump", "older"))
    filled.good("db", "dump", str(file))
    assert gzip.decompress(file.read_bytes())
    assert [file] == list(filled.folder.iterdir())


@pytest.mark.parametrize(
    ("place", "why"), [("none/a.dump", "No such file or directory"), ("", "Is a directory")]
)
def test_a_file_that_cannot_be_used_is_named(commands: Commands, place: str, why: str) -> None:
    file = str(commands.folder / place)
    assert f"{file} cannot be written: {why}" == commands.fault("db", "dump", file)
    assert f"{file} cannot be read: {why}" == commands.fault("db", "restore", file)


def test_a_file_that_is_no_dump_is_named(commands: Commands) -> None:
    file = commands.file("a.dump", "create table tokens ();")
    assert f"{file} is no dump of mjgate; nothing was changed" == commands.fault(
        "db", "restore", file
    )
    assert "stdin is no dump of mjgate; nothing was changed" == commands.fault(
        "db", "restore", "-", input="x"
    )


def test_data_is_replaced_only_by_force(filled: Commands, other: Commands) -> None:
    file = str(filled.folder / "a.dump")
    filled.good("db", "dump", file)
    other.good("token", "create", "bob")
    assert "the database is not empty (there are tokens); " in other.fault("db", "restore", file)
    other.good("db", "restore", file, "--force")
    assert ["alice"] == [each["label"] for each in other.json("token", "list")]


def test_channel_keys_that_do_not_open_are_named_with_the_command_that_sets_new_ones(
    filled: Commands, other: Commands
) -> None:
    file = str(filled.folder / "a.dump")
    filled.good("db", "dump", file)
    other.settings["MJGATE_SECRET_KEY"] = new = new_secret_key()

    result = other("db", "restore", file)

    assert 0 == result.exit_code
    assert (
        "mjgate: MJGATE_SECRET_KEY does not open the keys of 'home'; add what they were written "
        "with behind a comma, or set each anew with: mjgate channel set home --key-file FILE\n"
    ) == result.stderr
    assert 1 == other("db", "check").exit_code
    other.settings["MJGATE_SECRET_KEY"] = f"{new},{SECRET_KEY}"
    assert other.json("channel", "list")[0]["has_key"]
    other.settings["MJGATE_SECRET_KEY"] = new
    key = other.file("key", "sk-new")
    other.good("channel", "set", "home", "--key-file", key)
    other.good("db", "check")


def test_an_embedded_database_moves_to_a_postgresql_and_back(
    commands: Commands, tmp_path: Path
) -> None:
    def use(**settings: str) -> None:
        commands.settings = {"DATABASE_URL": None, "MJGATE_SECRET_KEY": None, **settings}

    first, third, file = tmp_path / "first", tmp_path / "third", str(tmp_path / "a.dump")
    use(MJGATE_DATA_DIR=str(first))
    commands.good("token", "create", "alice")
    commands("channel", "add", "home", "--url", DEAD, "--key", "k")
    commands.good("db", "dump", file)

    use(DATABASE_URL=commands.uri, MJGATE_SECRET_KEY_FILE=str(first / FILE))
    commands.good("db", "restore", file)
    commands.good("token", "create", "bob")
    commands.good("db", "dump", file)

    use(MJGATE_DATA_DIR=str(third))
    moved = commands("db", "restore", file)
    assert f"mjgate: {third}/{FILE} does not open the keys of 'home'; " in moved.stderr
    (third / FILE).write_bytes((first / FILE).read_bytes())
    report = commands.json("db", "check")
    assert report["free"] > 0
    assert (2, 1) == rows(report)[:2]
    with embedded(third) as uri:
        assert everything(commands.uri) == everything(uri)


async def test_a_running_server_can_be_dumped_and_not_restored(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        dump = str(tmp_path / "a.dump")
        assert 0 == server.command("db", "dump", dump).returncode
        refused = server.command("db", "restore", dump, "--force")
        assert 0 == server.command("db", "check").returncode
    assert (1, "mjgate: a server runs on this database; stop it first (nothing was changed)\n") == (
        refused.returncode,
        refused.stderr,
    )
    assert 0 == server.command("db", "restore", dump, "--force").returncode


def test_a_check_says_how_the_database_is(filled: Commands) -> None:
    said = filled.good("db", "check")
    facts = dict(re.split(r"  +", line.strip()) for line in said.splitlines()[2:])
    assert ("1", "not known") == (facts["rows of tokens"], facts["free disk"])
    report = filled.json("db", "check")
    assert (True, [], None, (1, 1, 1, 0)) == (
        report["ok"],
        report["problems"],
        report["free"],
        rows(report),
    )
    assert report["size"] > 0
    assert facts["PostgreSQL"] == report["postgresql"]


def test_a_check_that_finds_something_wrong_fails(filled: Commands) -> None:
    filled.rows(
        "update pg_index set indisvalid = false where indexrelid = 'tokens_label'::regclass"
    )
    result = filled("db", "check")
    assert (1, "mjgate: the index tokens_label is not valid: reindex it\n") == (
        result.exit_code,
        result.stderr,
    )
    report = orjson.loads(filled("db", "check", "--json").stdout)
    assert (False, 1) == (report["ok"], len(report["problems"]))
