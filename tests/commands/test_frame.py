"""What all commands share: settings, faults of one line, help."""

import re
from pathlib import Path

import click
import psycopg
import pytest
from psycopg import sql

from mjgate.__main__ import main
from mjgate.config import FILE
from tests.commands.conftest import Commands
from tests.process import mjgate


def every(group: click.Group, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command, by its words."""
    found = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += every(command, (*words, name))
        elif not command.hidden:
            found.append((*words, name))
    return found


def test_the_commands_are_these() -> None:
    assert {
        ("serve",),
        ("sandbox",),
        ("token", "create"),
        ("token", "list"),
        ("token", "set"),
        ("token", "revoke"),
        ("channel", "add"),
        ("channel", "list"),
        ("channel", "set"),
        ("channel", "remove"),
        ("channel", "test"),
        ("price", "show"),
        ("price", "set"),
        ("price", "quote"),
        ("price", "history"),
        ("db", "dump"),
        ("db", "restore"),
        ("db", "check"),
        ("webhook", "list"),
        ("webhook", "show"),
        ("webhook", "replay"),
        ("webhook", "test"),
        ("webhook", "secret"),
        ("jobs",),
        ("conformance", "run"),
        ("conformance", "replay"),
        ("conformance", "baseline"),
        ("conformance", "client"),
        ("conformance", "profiles"),
        ("ledger", "audit"),
        ("ledger", "list"),
        ("ledger", "adjust"),
        ("secrets", "new"),
        ("secrets", "rotate"),
        ("secrets", "check"),
    } == set(every(main))


@pytest.mark.parametrize("words", every(main), ids=" ".join)
def test_the_help_of_a_command_is_a_sentence_and_says_every_option(
    commands: Commands, words: tuple[str, ...]
) -> None:
    said = commands.good(*words, "--help")
    text = said.split("\n\n")[1].strip()
    assert re.match(r"[A-Z].*\.", text, re.DOTALL), said
    options = re.findall(r"^  --[a-z-]+ ?.*$", said, re.MULTILINE)
    choices = (
        "--help",
        "--dialect",
        "--state",
        "--host",
        "--port",
        "--workers",
        "--speed",
        "--period",
    )
    for option in options:
        described = len(re.split(r"  +", option.strip())) > 1
        assert described or option.strip().startswith(choices), option


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("token",),
        ("channel",),
        ("price",),
        ("db",),
        ("ledger",),
        ("secrets",),
        ("conformance",),
    ],
)
def test_the_help_of_a_group_has_every_command_in_a_whole_sentence(
    commands: Commands, words: tuple[str, ...]
) -> None:
    said = commands.good(*words, "--help")
    listed = said.partition("Commands:\n")[2].splitlines()
    assert listed
    for line in listed:
        assert line.endswith("."), line
        assert not line.endswith("..."), line


def test_an_unknown_command_is_a_misuse(commands: Commands) -> None:
    assert "Error: No such command 'fly'." == commands.misuse("fly")


@pytest.mark.parametrize(
    "words",
    [
        ("token", "create", "a\udcff"),
        ("token", "revoke", "a\udcff"),
        ("channel", "set", "a\udcff", "--weight", "1"),
        ("price", "quote", "gpt-4-gizmo-a\udcff", "--json"),
    ],
    ids=range(4),
)
def test_words_that_are_not_utf_8_are_a_misuse(commands: Commands, words: tuple[str, ...]) -> None:
    assert commands.misuse(*words).endswith("a\\udcff' is not UTF-8")


def test_a_new_secret_key_opens_a_database(commands: Commands) -> None:
    key = commands.good("secrets", "new").strip()
    assert key != commands.good("secrets", "new").strip()
    commands.settings["MJGATE_SECRET_KEY"] = key
    commands("channel", "add", "home", "--url", "http://127.0.0.1:9", "--key", "k")
    assert commands.json("channel", "list")[0]["has_key"]


def test_an_unknown_setting_is_named_with_the_known_ones(commands: Commands) -> None:
    commands.settings["MJGATE_DATADIR"] = "x"
    fault = commands.fault("token", "list", code=2)
    assert fault.startswith("MJGATE_DATADIR is no setting; unset it, or use one of ")
    assert "MJGATE_DATA_DIR" in fault


def test_every_wrong_setting_is_named_on_a_line_of_its_own(commands: Commands) -> None:
    commands.settings |= {"MJGATE_MAX_BODY": "small", "MJGATE_DRAIN_TIMEOUT": "0"}
    result = commands("token", "list")
    assert (2, "") == (result.exit_code, result.stdout)
    assert sorted(
        [
            "mjgate: MJGATE_DRAIN_TIMEOUT='0': Input should be greater than 0",
            "mjgate: MJGATE_MAX_BODY='small': Input should be a valid integer, "
            "unable to parse string as an integer",
        ]
    ) == sorted(result.stderr.splitlines())


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("datadir: x\n", "datadir in mjgate.yaml is no setting; remove it or mend its spelling"),
        ("a: [\n", "mjgate.yaml is not YAML: "),
    ],
)
def test_a_wrong_settings_file_is_named(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, text: str, fault: str
) -> None:
    monkeypatch.chdir(commands.folder)
    commands.file(FILE, text)
    assert commands.fault("token", "list", code=2).startswith(fault)


@pytest.mark.parametrize("place", ["file/data", "/proc/data"])
def test_a_data_dir_that_cannot_be_written_is_named(commands: Commands, place: str) -> None:
    commands.file("file", "")
    folder = commands.folder / place
    commands.settings |= {"DATABASE_URL": None, "MJGATE_DATA_DIR": str(folder)}
    assert commands.fault("token", "list", code=2).startswith(
        f"MJGATE_DATA_DIR={folder} cannot be written: "
    )


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("mysql://root:hush@localhost/x", "DATABASE_URL: Value error, must start with postgresql"),
        ("postgresql://u:hush@127.0.0.1:1/x", "DATABASE_URL cannot be reached: "),
        ("postgresql://u:hush@no-host.invalid/x", "DATABASE_URL cannot be reached: "),
        ("postgresql://u:hu%sh@localhost/x", "DATABASE_URL is no address such as postgresql://"),
        ("postgresql://u:hush@[::1/x", "DATABASE_URL is no address such as postgresql://"),
        ("postgresql://u:hush@localhost/x?a=b", "DATABASE_URL is no address such as postgresql://"),
        ("postgresql://u:hush@localhost:port/x", "DATABASE_URL cannot be reached: "),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(
    commands: Commands, uri: str, fault: str
) -> None:
    commands.settings["DATABASE_URL"] = uri
    said = commands.fault("token", "list", code=2)
    assert said.startswith(fault), said
    assert "hush" not in said
    assert "hu%sh" not in said


def test_a_database_needs_a_secret_key(commands: Commands) -> None:
    commands.settings["MJGATE_SECRET_KEY"] = None
    assert (
        "MJGATE_SECRET_KEY is missing; with DATABASE_URL set it to the output of: "
        "mjgate secrets new"
    ) == commands.fault("token", "list", code=2)


def test_a_secret_key_that_is_none_is_named(commands: Commands) -> None:
    commands.settings["MJGATE_SECRET_KEY"] = "hush"
    fault = commands.fault("token", "list", code=2)
    assert (
        "MJGATE_SECRET_KEY holds a key that is none; make one with: mjgate secrets new"
    ) == fault


def test_a_secret_key_that_opens_no_channel_key_is_named(commands: Commands) -> None:
    commands("channel", "add", "home", "--url", "http://127.0.0.1:9", "--key", "k")
    commands.settings["MJGATE_SECRET_KEY"] = commands.good("secrets", "new").strip()
    assert commands.fault("channel", "list", code=2).startswith(
        "MJGATE_SECRET_KEY does not open the keys in the database"
    )


def test_a_database_that_refuses_is_said_in_one_line(commands: Commands) -> None:
    name = commands.uri.partition("?")[0].rpartition("/")[2]
    role = sql.Identifier(f"reader_{name}")
    with psycopg.connect(commands.uri, autocommit=True) as connection:
        connection.execute(sql.SQL("create role {} login").format(role))
        connection.execute(
            sql.SQL("grant select on all tables in schema public to {}").format(role)
        )
    commands.settings["DATABASE_URL"] = commands.uri.replace("//postgres:@", f"//reader_{name}:@")
    assert "permission denied" in commands.fault("token", "create", "alice")


def test_a_database_that_goes_away_meanwhile_is_said_in_one_line(commands: Commands) -> None:
    commands.rows(
        "create function leave() returns trigger language plpgsql as $$ begin "
        "perform pg_terminate_backend(pg_backend_pid()); return new; end $$; "
        "create trigger leave before insert on tokens for each row execute function leave()"
    )
    assert commands.fault("token", "create", "alice").startswith("the database went away: ")


def test_commands_of_a_shell_share_an_embedded_database_that_ends_with_each(
    tmp_path: Path,
) -> None:
    settings = {"MJGATE_DATA_DIR": str(tmp_path / "data")}
    made = mjgate("token", "create", "alice", settings=settings)
    assert (0, "") == (made.returncode, made.stderr)
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()
    again = mjgate("token", "create", "alice", settings=settings)
    assert (
        1,
        "",
        "mjgate: there is a token 'alice' already; revoke it or take another label\n",
    ) == (again.returncode, again.stdout, again.stderr)
