"""`mjgate webhook`."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.commands.conftest import Commands
from tests.harness import free_port
from tests.receiver import Manner, Receiver, says, takes

SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{32}")
HOOK = "http://127.0.0.1:9/hook?key=1"


@contextmanager
def receiving(manner: Manner = takes) -> Iterator[Receiver]:
    """A receiver in a thread: commands have an event loop of their own."""
    receiver, loop = Receiver(manner), asyncio.new_event_loop()
    ready, end = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with receiver.listening():
            ready.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert ready.wait(20)
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


@pytest.fixture
def owned(commands: Commands) -> Commands:
    """With a token that may call this machine."""
    commands.settings["MJGATE_ALLOW_PRIVATE_HOOKS"] = "127.0.0.0/8"
    commands.good("token", "create", "alice", "--notify-hook", HOOK)
    return commands


def add_task(commands: Commands, number: int, state: str | None, hook: str = f"'{HOOK}'") -> None:
    commands.rows(
        "insert into tasks (id, token_id, channel_id, action, model, price, phase, marker, "
        f"send_deadline, status, submit_ms, hook) values ({number}, 1, 1, 'IMAGINE', 'm', 0, "
        f"'ended', 'm', now(), 'SUCCESS', 1, {hook})"
    )
    if state:
        commands.rows(
            "insert into deliveries (task_id, token_id, receiver, version, final, state, since, "
            f"failures, due_at) values ({number}, 1, 'http://127.0.0.1:9', 1, true, '{state}', "
            "now(), 4, now())"
        )


def states(commands: Commands) -> list[Any]:
    return commands.rows("select task_id, state, failures from deliveries order by task_id")


def test_without_callbacks_the_list_is_empty(commands: Commands) -> None:
    assert "No callbacks.\n" == commands.good("webhook", "list")
    assert [] == commands.json("webhook", "list")


def test_the_list_names_receiver_state_and_attempts(owned: Commands) -> None:
    add_task(owned, 1, "delivered")
    add_task(owned, 2, "given up")

    header, _, first, second = owned.good("webhook", "list").splitlines()

    assert ["TASK", "TOKEN", "RECEIVER", "STATUS", "STATE", "SINCE", "ATTEMPTS", "NEXT"] == (
        header.split()
    )
    assert ["2", "alice", "http://127.0.0.1:9", "SUCCESS", "given", "up"] == first.split()[:6]
    assert ["1", "alice", "http://127.0.0.1:9", "SUCCESS", "delivered"] == second.split()[:5]
    assert "key=1" not in first + second


def test_the_list_is_of_a_token_or_a_state(owned: Commands) -> None:
    add_task(owned, 1, "delivered")
    add_task(owned, 2, "waiting")

    assert ["2"] == [each["task"] for each in owned.json("webhook", "list", "--state", "waiting")]
    assert ["2"] == [each["task"] for each in owned.json("webhook", "list", "--limit", "1")]
    assert 2 == len(owned.json("webhook", "list", "--token", "alice"))
    assert [] == owned.json("webhook", "list", "--token", "bob")


def test_attempts_are_shown_the_newest_first(owned: Commands) -> None:
    add_task(owned, 1, "waiting")
    assert "No attempts yet." in owned.good("webhook", "show", "1")
    for claim, status in ((1, "500"), (2, "null")):
        owned.rows(
            "insert into attempts (task_id, claim, version, outcome, status, ms, error, answer, "
            f"made_at) values (1, {claim}, 1, 'failed', {status}, 7, 'why', E'a\\nb', now())"
        )

    said = owned.good("webhook", "show", "1").splitlines()
    shown = owned.json("webhook", "show", "1")

    assert [HOOK, ""] == [said[0], said[2]]
    assert said[1].startswith("waiting since 20")
    assert ["1", "failed", "7", "why", "a", "b"] == said[-2].split()[2:]
    assert (HOOK, 2, False) == (shown["hook"], shown["attempts"], shown["state"] == "given up")
    assert [(None, "why", "a\nb"), (500, "why", "a\nb")] == [
        (each["status"], each["error"], each["answer"]) for each in shown["tries"]
    ]


def test_an_answer_commands_no_terminal(owned: Commands) -> None:
    add_task(owned, 1, "waiting")
    owned.rows(
        "insert into attempts (task_id, claim, version, outcome, status, ms, answer, made_at) "
        "values (1, 1, 1, 'failed', 500, 7, E'\\x1b[2Jgone', now())"
    )
    with receiving(says(200, body="\x1b]0;owned\x07\u202etwo\r\n行\t")) as receiver:
        answer = owned.good("webhook", "test", receiver.address).split("\n", 2)[2]

    assert "\ufffd]0;owned\ufffd\ufffdtwo\n行\t\n" == answer
    assert "\ufffd[2Jgone" in owned.good("webhook", "show", "1")


def test_a_task_without_a_callback_is_said_so(owned: Commands) -> None:
    assert "task 7 has no callback; see: mjgate webhook list" == owned.fault("webhook", "show", "7")


def test_what_was_given_up_or_refused_is_called_again(owned: Commands) -> None:
    for number, state in enumerate(("delivered", "waiting", "gone", "given up", "refused")):
        add_task(owned, number, state)

    assert "2 callbacks are due.\n" == owned.good("webhook", "replay", "--all-given-up")

    assert [
        (0, "delivered", 4),
        (1, "waiting", 4),
        (2, "gone", 4),
        (3, "waiting", 0),
        (4, "waiting", 0),
    ] == states(owned)


def test_what_is_given_up_of_a_token_is_called_again(owned: Commands) -> None:
    add_task(owned, 1, "given up")

    assert {"replayed": []} == owned.json("webhook", "replay", "--all-given-up", "--token", "bob")
    assert {"replayed": ["1"]} == (
        owned.json("webhook", "replay", "--all-given-up", "--token", "alice")
    )


def test_a_task_is_called_again_also_if_it_was_delivered_or_never_queued(owned: Commands) -> None:
    add_task(owned, 1, "delivered")
    add_task(owned, 2, None)
    add_task(owned, 3, "gone")

    assert "3 callbacks are due.\n" == owned.good("webhook", "replay", "1", "2", "3")

    assert [(1, "waiting", 0), (2, "waiting", 0), (3, "waiting", 0)] == states(owned)


def test_what_cannot_be_told_is_named(owned: Commands) -> None:
    add_task(owned, 1, None, hook="null")

    assert "nothing to tell of 1, 2: no such task, no hook, or not submitted yet" == owned.fault(
        "webhook", "replay", "1", "2"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name tasks, or use --all-given-up"),
        (("1", "--all-given-up"), "name tasks, or use --all-given-up"),
        (("1", "--token", "alice"), "--token goes with --all-given-up"),
    ],
)
def test_replay_needs_to_know_what(commands: Commands, words: tuple[str, ...], said: str) -> None:
    assert said == commands.fault("webhook", "replay", *words)


def test_a_secret_is_made_once_and_shown(owned: Commands) -> None:
    [secret] = owned.good("webhook", "secret", "alice").splitlines()

    assert SECRET.fullmatch(secret)
    assert {"label": "alice", "secret": secret, "former": []} == (
        owned.json("webhook", "secret", "alice")
    )
    assert all(
        secret.encode() not in row[0]
        for row in owned.rows("select secret_cipher from signing_secrets")
    )


def test_a_rotation_keeps_the_old_secret_until_it_is_dropped(owned: Commands) -> None:
    [old] = owned.good("webhook", "secret", "alice").splitlines()

    new, kept = owned.good("webhook", "secret", "alice", "--rotate").splitlines()
    assert f"{old}  (the one before it, until --drop-old)" == kept
    assert old != new

    assert [new] == owned.good("webhook", "secret", "alice", "--drop-old").splitlines()
    assert "--rotate and --drop-old are one too many" == owned.fault(
        "webhook", "secret", "alice", "--rotate", "--drop-old"
    )


def test_a_secret_is_of_a_token_that_is_there(commands: Commands) -> None:
    assert "there is no token 'bob'; see: mjgate token list" == (
        commands.fault("webhook", "secret", "bob")
    )


def test_secrets_are_rotated_with_the_keys_of_the_database(owned: Commands) -> None:
    [secret] = owned.good("webhook", "secret", "alice").splitlines()
    [new] = owned.good("secrets", "new").splitlines()
    old = owned.settings["MJGATE_SECRET_KEY"]
    owned.settings["MJGATE_SECRET_KEY"] = f"{new},{old}"
    assert 1 == owned.json("secrets", "rotate")["rewritten"]

    owned.settings["MJGATE_SECRET_KEY"] = new

    assert [secret] == owned.good("webhook", "secret", "alice").splitlines()


def test_a_secret_that_no_key_opens_is_named_with_its_token(owned: Commands) -> None:
    owned.good("webhook", "secret", "alice")
    [other] = owned.good("secrets", "new").splitlines()
    owned.settings["MJGATE_SECRET_KEY"] = other

    result = owned("db", "check")

    assert 1 == result.exit_code
    assert "does not open the signing secrets of 'alice'" in result.stderr
    assert "mjgate webhook secret alice --rotate" in result.stderr


def test_a_test_to_any_address_shows_secret_and_answer(owned: Commands) -> None:
    with receiving(says(200, body="thanks")) as receiver:
        said = owned.good("webhook", "test", receiver.address).splitlines()

    [post] = receiver.posts
    assert post.task == post.verified_by(said[0].removeprefix("Signed with "))
    assert re.fullmatch(r"HTTP 200 after \d+ ms", said[1])
    assert ("thanks", "SUCCESS") == (said[2], post.task["status"])


def test_a_test_to_a_token_is_signed_with_its_secret(owned: Commands) -> None:
    [secret] = owned.good("webhook", "secret", "alice").splitlines()
    with receiving() as receiver:
        owned.good("token", "set", "alice", "--notify-hook", receiver.address)
        said = owned.json("webhook", "test", "alice")

    assert receiver.posts[0].verified_by(secret)
    assert (True, 200, None, None, "") == (
        said["ok"],
        said["status"],
        said["error"],
        said["secret"],
        said["answer"],
    )


def test_a_test_without_a_hook_of_its_own_goes_to_the_global_one(commands: Commands) -> None:
    commands.good("token", "create", "alice")
    assert "'alice' has no hook; set one with: mjgate token set alice --notify-hook URL" == (
        commands.fault("webhook", "test", "alice")
    )
    with receiving() as receiver:
        commands.settings |= {
            "MJGATE_NOTIFY_HOOK": receiver.address,
            "MJGATE_ALLOW_PRIVATE_HOOKS": "127.0.0.1",
        }
        commands.good("webhook", "test", "alice")
    assert 1 == len(receiver.posts)


def test_a_receiver_that_does_not_take_it_fails_the_command(owned: Commands) -> None:
    with receiving(says(302, "Location: /")) as receiver:
        result = owned("webhook", "test", receiver.address)
    assert 1 == result.exit_code
    assert "ms, a redirect, which is not followed" in result.stdout


def test_nobody_there_is_said_so(owned: Commands) -> None:
    result = owned("webhook", "test", f"http://127.0.0.1:{free_port()}/")

    assert 1 == result.exit_code
    assert re.fullmatch(r"mjgate: no answer after \d+ ms: no connection\n", result.stderr)


def test_a_test_goes_to_public_addresses_only(commands: Commands) -> None:
    with receiving() as receiver:
        result = commands("webhook", "test", receiver.address, "--json")

    assert (1, []) == (result.exit_code, receiver.posts)
    assert '"error": "not a public address"' in result.stdout


def test_a_test_to_what_is_no_address_is_refused(commands: Commands) -> None:
    assert "must be an absolute http or https address" in (
        commands.fault("webhook", "test", "ftp://example.org")
    )


def test_the_hook_of_a_token_is_set_and_taken_off(owned: Commands) -> None:
    assert HOOK == owned.json("token", "list")[0]["notify_hook"]

    owned.good("token", "set", "alice", "--notify-hook", "none")

    assert owned.json("token", "list")[0]["notify_hook"] is None
    assert "--notify-hook 'nowhere': it must be an absolute http or https" in (
        owned.fault("token", "set", "alice", "--notify-hook", "nowhere")
    )
