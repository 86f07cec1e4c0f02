"""`mjgate channel`."""

import re
import socket
from collections.abc import Callable
from typing import Any

import pytest

from mjgate.store.cipher import Cipher
from tests.client.server import Answer, serving
from tests.commands.conftest import Commands
from tests.harness import SECRET_KEY

Upstream = Callable[..., str]
DEAD = "http://127.0.0.1:9"


def one(commands: Commands) -> Any:
    (channel,) = commands.json("channel", "list")
    return channel


@pytest.mark.parametrize("dialect", ["novicezk", "buttons", "new-api"])
def test_an_upstream_is_asked_how_it_speaks(
    commands: Commands, upstream: Upstream, dialect: str
) -> None:
    url = upstream(dialect=dialect, secret="sk-good")
    said = commands.good("channel", "add", "home", "--url", url, "--key", "sk-good")
    assert re.fullmatch(rf"Added 'home'\. It speaks {dialect} and answers in \d+ ms\.\n", said)
    assert {
        "name": "home",
        "url": url,
        "has_key": True,
        "dialect": "auto",
        "spoken": dialect,
        "priority": 0,
        "weight": 1,
        "models": ["midjourney"],
        "deadline": None,
        "state": "enabled",
        "fault": None,
    } == one(commands)


def test_every_setting_can_be_given_and_changed(commands: Commands, upstream: Upstream) -> None:
    url = upstream()
    found = commands.json(
        "channel", "add", "home", "--url", f"{url}/mj/", "--dialect", "novicezk", "--priority",
        "-3", "--weight", "0", "--models", "mj_imagine, swap_face,", "--deadline", "600",
    )  # fmt: skip
    ms = found.pop("ms")
    assert ms >= 0
    assert {"name": "home", "ok": True, "dialect": "novicezk", "problem": None} == found
    channel = one(commands)
    names = ("url", "has_key", "dialect", "priority", "weight", "models", "deadline")
    assert (url, False, "novicezk", -3, 0, ["mj_imagine", "swap_face"], 600) == tuple(
        channel[name] for name in names
    )

    assert "Changed 'home'.\n" == commands.good(
        "channel", "set", "home", "--url", "https://example.com:8443/base", "--dialect", "new-api",
        "--priority", "7", "--weight", "9", "--models", "midjourney", "--state", "draining",
        "--key", "k", "--deadline", "0.5",
    )  # fmt: skip
    assert {
        "name": "home",
        "url": "https://example.com:8443/base",
        "has_key": True,
        "dialect": "new-api",
        "spoken": None,
        "priority": 7,
        "weight": 9,
        "models": ["midjourney"],
        "deadline": 0.5,
        "state": "draining",
        "fault": None,
    } == one(commands)
    assert {"name": "home", "set": True} == commands.json("channel", "set", "home", "--weight", "0")
    assert 0 == one(commands)["weight"]
    assert "Changed 'home'.\n" == commands.good("channel", "set", "home", "--deadline", "none")
    assert one(commands)["deadline"] is None


@pytest.mark.parametrize("deadline", ["", "0", "-1", "nan", "inf", "604801", "1h", "None"])
def test_a_deadline_that_is_none_is_refused(commands: Commands, deadline: str) -> None:
    fault = f"--deadline {deadline!r} is neither none nor seconds, above 0 and up to 604800"
    assert fault == commands.fault("channel", "set", "home", "--deadline", deadline)


def test_the_list_is_a_table(commands: Commands, upstream: Upstream) -> None:
    assert ("No channels. Add one with: mjgate channel add NAME --url URL\n") == commands.good(
        "channel", "list"
    )
    url = upstream()
    commands.good("channel", "add", "b", "--url", url, "--key", "x")
    commands.good("channel", "add", "a", "--url", url, "--dialect", "buttons", "--deadline", "60")
    commands("channel", "add", "c", "--url", DEAD)
    header, _, *rows = commands.good("channel", "list").splitlines()
    assert (
        "NAME", "URL", "KEY", "DIALECT", "PRIORITY", "WEIGHT", "MODELS", "DEADLINE", "STATE",
        "FAULT",
    ) == tuple(header.split())  # fmt: skip
    cells = [re.split(r"  +", row.strip()) for row in rows]
    assert [
        ["a", url, "none", "buttons", "0", "1", "midjourney", "60", "enabled"],
        ["b", url, "yes", "auto: novicezk", "0", "1", "midjourney", "none", "enabled"],
        ["c", DEAD, "none", "auto: ?", "0", "1", "midjourney", "none", "enabled",
         f"{DEAD} does not answer"],
    ] == cells  # fmt: skip


@pytest.mark.parametrize("source", ["option", "file", "stdin"])
def test_a_key_is_kept_encrypted(commands: Commands, upstream: Upstream, source: str) -> None:
    url = upstream(secret="sk-good")
    words = {
        "option": ("--key", " sk-good "),
        "file": ("--key-file", commands.file("key", "sk-good\n")),
        "stdin": ("--key-file", "-"),
    }[source]
    said = commands.good("channel", "add", "home", "--url", url, *words, input="sk-good\r\n")
    assert "It speaks novicezk" in said
    ((sealed,),) = commands.rows("select key_cipher from channels")
    assert b"sk-good" not in bytes(sealed)
    assert "sk-good" == Cipher(SECRET_KEY).decrypt(bytes(sealed))
    assert "sk-good" not in commands.good("channel", "list")


@pytest.mark.parametrize("key", ["", "  \n", "schlüssel", "a\nb", "a\x7fb", b"\xff\xfe"])
def test_a_key_that_no_header_can_carry_is_refused(commands: Commands, key: str | bytes) -> None:
    words = ("channel", "add", "home", "--url", DEAD, "--key-file", commands.file("key", key))
    fault = commands.fault(*words)
    assert "the key is empty or has characters that no header can carry" == fault
    assert [] == commands.json("channel", "list")


def test_two_keys_are_one_too_many(commands: Commands) -> None:
    file = commands.file("key", "b")
    assert "--key and --key-file are one too many" == commands.fault(
        "channel", "add", "home", "--url", DEAD, "--key", "a", "--key-file", file
    )


def test_a_key_file_that_cannot_be_read_is_named(commands: Commands) -> None:
    words = ("channel", "add", "home", "--url", DEAD, "--key-file")
    assert "no-such-file" in commands.misuse(*words, "no-such-file")
    assert str(commands.folder) in commands.misuse(*words, str(commands.folder))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8080",
        "ftp://localhost",
        "http://",
        "http://localhost:0",
        "http://localhost:99999",
        "http://localhost:port",
        "http://[::1",
        "http://a b",
        "http://a\nb",
        "http://bücher.example",
        "http:///mj",
    ],
)
def test_an_address_that_is_none_is_refused(commands: Commands, url: str) -> None:
    fault = f"--url {url!r} is no address such as http://localhost:8080"
    assert fault == commands.fault("channel", "add", "home", "--url", url)
    assert [] == commands.json("channel", "list")


@pytest.mark.parametrize(
    "url",
    ["http://user:word@localhost", "http://@localhost", "http://localhost?k=v", "http://h#f"],
)
def test_an_address_carries_no_secrets(commands: Commands, url: str) -> None:
    assert ("--url takes no user, query or fragment; the key goes to --key-file") == commands.fault(
        "channel", "add", "home", "--url", url
    )


@pytest.mark.parametrize("name", ["", " ", "a\tb", "x" * 101])
def test_a_name_that_is_none_is_refused(commands: Commands, name: str) -> None:
    assert f"a name is 1 to 100 printable characters, not {name!r}" == commands.fault(
        "channel", "add", name, "--url", DEAD
    )


def test_a_double_name_is_named_and_free_again_after_a_removal(
    commands: Commands, upstream: Upstream
) -> None:
    url = upstream()
    commands.good("channel", "add", "home", "--url", url)
    assert (
        "there is a channel 'home' already; change it with: mjgate channel set home"
    ) == commands.fault("channel", "add", "home", "--url", url)
    assert "Removed 'home'.\n" == commands.good("channel", "remove", "home")
    assert [] == commands.json("channel", "list")
    commands.good("channel", "add", "home", "--url", url)
    assert {"name": "home", "removed": True} == commands.json("channel", "remove", "home")


def test_a_removed_channel_keeps_no_key(commands: Commands) -> None:
    commands("channel", "add", "home", "--url", DEAD, "--key", "k")
    commands.good("channel", "remove", "home")
    assert [("removed", None)] == commands.rows("select state, key_cipher from channels")


@pytest.mark.parametrize(
    "words",
    [
        ("set", "other", "--weight", "2"),
        ("remove", "other"),
        ("remove", "other", "--force"),
        ("test", "other"),
    ],
    ids=" ".join,
)
def test_an_unknown_name_is_named(commands: Commands, words: tuple[str, ...]) -> None:
    assert "there is no channel 'other'; see: mjgate channel list" == commands.fault(
        "channel", *words
    )


def test_nothing_to_set_is_a_fault(commands: Commands) -> None:
    assert "nothing to set; see: mjgate channel set --help" == commands.fault(
        "channel", "set", "home"
    )


def test_models_that_name_none_are_refused(commands: Commands) -> None:
    assert "--models ' , ' names none" == commands.fault(
        "channel", "add", "home", "--url", DEAD, "--models", " , "
    )


@pytest.mark.parametrize(
    "words",
    [
        ("add", "home"),
        ("add", "home", "--url", DEAD, "--dialect", "klingon"),
        ("add", "home", "--url", DEAD, "--weight", "-1"),
        ("add", "home", "--url", DEAD, "--priority", "1000001"),
        ("set", "home", "--state", "asleep"),
        ("set",),
        ("sell",),
    ],
    ids=" ".join,
)
def test_words_that_fit_no_command_are_a_misuse(commands: Commands, words: tuple[str]) -> None:
    assert commands.misuse("channel", *words).startswith("Error: ")


def test_a_channel_with_running_tasks_is_removed_by_force_only(
    commands: Commands, upstream: Upstream
) -> None:
    commands.good("channel", "add", "home", "--url", upstream())
    commands.good("token", "create", "alice")
    commands.rows(
        "insert into tasks (id, token_id, channel_id, action, model, price, phase, status, "
        "marker, submit_ms, send_deadline) select 1, t.id, c.id, 'IMAGINE', 'mj_imagine', 0, "
        "'sending', 'NOT_START', 'm', 0, now() from tokens t, channels c returning id"
    )
    assert (
        "'home' has 1 tasks that have not ended; first: "
        "mjgate channel set home --state draining, or use --force"
    ) == commands.fault("channel", "remove", "home")
    commands.good("channel", "remove", "home", "--force")
    assert [] == commands.json("channel", "list")


def test_a_dialect_that_was_named_is_in_force_whatever_the_upstream_answers_like(
    commands: Commands, upstream: Upstream
) -> None:
    address = upstream(dialect="buttons")
    done = commands("channel", "add", "home", "--url", address, "--dialect", "novicezk")

    assert done.stdout.startswith("Added 'home'. It speaks novicezk and answers in ")
    warning = "mjgate: 'home' answers like buttons; novicezk was asked for and is in force.\n"
    assert (0, warning) == (done.exit_code, done.stderr)


def test_a_test_says_that_all_is_well(commands: Commands, upstream: Upstream) -> None:
    commands.good("channel", "add", "home", "--url", upstream(dialect="new-api"))
    assert re.fullmatch(
        r"It speaks new-api and answers in \d+ ms\.\n",
        commands.good("channel", "test", "home"),
    )
    found = commands.json("channel", "test", "home")
    assert {"name": "home", "ok": True, "dialect": "new-api", "problem": None} == {
        key: value for key, value in found.items() if key != "ms"
    }


def answering(status: int, body: bytes, get: int = 405) -> Any:
    return serving(lambda arrival: Answer(get if arrival.method == "GET" else status, body))


REFUSED = "the upstream refuses the key"
NO_LIST = "its task list is HTTP {}: is it a midjourney-proxy?"


@pytest.mark.parametrize(
    ("get", "post", "body", "dialect", "problem"),
    [
        (405, 401, b"", "novicezk", REFUSED),
        (401, 401, b"", None, REFUSED),
        (403, 403, b"", None, REFUSED),
        (405, 500, b"", "novicezk", NO_LIST.format(500)),
        (404, 404, b"<html>", "buttons", NO_LIST.format(404)),
        (405, 200, b'{"a": 1}', "novicezk", NO_LIST.format(200)),
        (500, 200, b"[]", None, "it speaks no dialect that is known; name one with --dialect"),
    ],
)
def test_a_problem_is_named_and_kept(
    commands: Commands, get: int, post: int, body: bytes, dialect: str | None, problem: str
) -> None:
    with answering(post, body, get) as server:
        added = commands("channel", "add", "home", "--url", server.url)
        assert (0, "Added 'home'.\n") == (added.exit_code, added.stdout)
        assert f"mjgate: 'home': {problem}.\n" == added.stderr

        tested = commands("channel", "test", "home")
        assert (1, "", f"mjgate: 'home': {problem}.\n") == (
            tested.exit_code,
            tested.stdout,
            tested.stderr,
        )
        assert problem == one(commands)["fault"]
        assert dialect == one(commands)["spoken"]

        machine = commands("channel", "test", "home", "--json")
        assert 1 == machine.exit_code
        assert f'"problem": "{problem}"' in machine.stdout


def test_an_upstream_that_does_not_answer_is_added_and_named(commands: Commands) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        added = commands("channel", "add", "home", "--url", url)
    assert (0, "Added 'home'.\n", f"mjgate: 'home': {url} does not answer.\n") == (
        added.exit_code,
        added.stdout,
        added.stderr,
    )
    assert f"{url} does not answer" == one(commands)["fault"]


def test_a_fault_is_gone_after_a_test_without_one(commands: Commands, upstream: Upstream) -> None:
    url = upstream(secret="good")
    commands("channel", "add", "home", "--url", url, "--key", "bad")
    assert REFUSED == one(commands)["fault"]
    commands.good("channel", "set", "home", "--key", "good")
    commands.good("channel", "test", "home")
    assert one(commands)["fault"] is None


def test_a_named_dialect_is_used_though_the_upstream_does_not_show_it(
    commands: Commands,
) -> None:
    with answering(200, b"[]", get=500) as server:
        said = commands.good("channel", "add", "x", "--url", server.url, "--dialect", "buttons")
    assert said.startswith("Added 'x'. It speaks buttons and answers in ")
