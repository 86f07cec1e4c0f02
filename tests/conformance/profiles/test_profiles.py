"""Runs over servers that answer as real ones do: each deviation is found, and let pass by its name.

A run without the profile tells every failure; each has to be one that the profile knows, and each
deviation that the profile knows has to be among them.
"""

import json
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
from click.testing import CliRunner

from mjgate.__main__ import main
from mjgate.conformance.contract_view import Contract
from mjgate.conformance.exchange import Exchange
from mjgate.conformance.generate import deck
from mjgate.conformance.profile import Profile, Waiver
from mjgate.conformance.profiles import KINDS, PROFILES
from mjgate.conformance.rules import RULES
from mjgate.conformance.run import Options, run
from mjgate.conformance.session import Habits
from mjgate.conformance.verdict import Verdict
from mjgate.sandbox import Settings, running_sandbox
from mjgate.sandbox.settings import DIALECTS
from tests.conformance.honest import TOKEN
from tests.conformance.honest import serving as honest_server
from tests.conformance.profiles.standin import (
    IMAGINE,
    Asked,
    NewApi,
    Novicezk,
    Standin,
    edited,
    standing_in,
)
from tests.sandbox.recordings import Reply

STANDINS: dict[str, type[Standin]] = {"novicezk": Novicezk, "new-api": NewApi}
SECRET = "sk-ofthesandbox"
STEP = 5
"""Of what is drawn, each fifth is enough here: what has to be found is asked for always."""
OPTIONS = Options(url="", max_examples=2, seed=7, allow_submits=60, patience_s=15.0)
UNSEEN = {
    ("sandbox", "novicezk"): {"page-outside", "progress-in-words", "list-unordered"},
    ("sandbox", "buttons"): {"progress-in-words"},
}
"""What a server shows to no run: the sandbox's bot says no words, and it lists in order."""
BY_CHANCE = {"properties-grow"}
"""What shows only where a callback comes between two looks."""
UNRECORDED = {"slash-is-redirected", "submit-time-is-copied"}
"""What is known of new-api, and of neither the recordings nor the sandbox."""
FROM_RECORDINGS_ALONE = {
    "changes-of-nothing",
    "ids-of-its-upstream",
    "no-channel-is-503",
    "no-result-with-24",
    "quota-is-400",
    "spent-token-is-401",
    "upstream-faults-are-400",
    "whole-at-failure",
}
"""What new-api shows with another upstream than the sandbox's, or without quota."""
Found = tuple[str, Exchange, str]


@dataclass(frozen=True)
class Told:
    """What a run without the profile has found."""

    verdict: Verdict
    found: Sequence[Found]


@cache
def cases() -> Sequence[Any]:
    return deck(Contract.load(), OPTIONS.seed, OPTIONS.max_examples)[::STEP]


def asked(profile: Profile, options: Options) -> Verdict:
    here = [case for case in cases() if case.operation.label not in profile.absent]
    return run(options, profile, Habits(deck=here))


@contextmanager
def serving(place: str, kind: str) -> Iterator[Options]:
    if place == "recordings":
        standin = STANDINS[kind]()
        with standing_in(standin) as url:
            yield replace(OPTIONS, url=url, token=standin.secret)
    else:
        with running_sandbox(Settings(kind, speed=10, secret=SECRET)) as url:  # type: ignore[arg-type]
            yield replace(OPTIONS, url=url, token=SECRET, receiver="http://127.0.0.1:0")


@cache
def told(place: str, kind: str) -> Told:
    """One run for all tests of a server."""
    found: list[Found] = []

    def listening(rule: str) -> Waiver:
        def hears(exchange: Exchange, text: str) -> bool:
            found.append((rule, exchange, text))
            return False

        return Waiver("heard", rule, "", "", hears)

    profile = replace(PROFILES["mjgate"], waivers=tuple(listening(rule.name) for rule in RULES))
    with serving(place, kind) as options:
        return Told(asked(profile, options), found)


def shown(place: str, kind: str) -> set[str]:
    return set().union(*(names(kind, *each) for each in told(place, kind).found))


def names(kind: str, rule: str, exchange: Exchange, text: str) -> set[str]:
    return {
        waiver.name
        for waiver in PROFILES[kind].waivers
        if waiver.rule == rule and waiver.applies(exchange, text)
    }


def deviations(kind: str) -> set[str]:
    return {each.name for known in KINDS if known.name == kind for each in known.deviations}


SERVERS = [
    ("recordings", "novicezk"),
    ("recordings", "new-api"),
    *(("sandbox", dialect) for dialect in DIALECTS),
]


@pytest.mark.parametrize(("place", "kind"), SERVERS)
def test_without_its_profile_a_server_fails(place: str, kind: str) -> None:
    assert 1 == told(place, kind).verdict.exit_code


@pytest.mark.parametrize(("place", "kind"), SERVERS)
def test_all_that_is_found_is_known(place: str, kind: str) -> None:
    profile = PROFILES[kind]
    elsewhere = {label.partition(" ")[2] for label in profile.absent}
    unknown = {
        f"{rule}: {exchange}: {text}"
        for rule, exchange, text in told(place, kind).found
        if rule not in profile.unasked
        and exchange.request.path.removesuffix("/") not in elsewhere
        and not names(kind, rule, exchange, text)
    }
    assert set() == unknown


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in STANDINS for name in sorted(deviations(kind))]
)
def test_each_deviation_of_a_recorded_server_is_found(kind: str, name: str) -> None:
    if name in BY_CHANCE | UNRECORDED:
        assert name not in shown("recordings", kind)
        return
    failures = {(each.rule, each.operation) for each in told("recordings", kind).verdict.failures}
    found = {
        (rule, exchange.operation or "")
        for rule, exchange, text in told("recordings", kind).found
        if name in names(kind, rule, exchange, text)
    }
    assert found
    assert found <= failures


@pytest.mark.parametrize("kind", DIALECTS)
def test_each_deviation_that_the_sandbox_shows_is_found(kind: str) -> None:
    hidden = UNSEEN.get(("sandbox", kind), set())
    hidden |= FROM_RECORDINGS_ALONE | UNRECORDED if kind == "new-api" else set()
    assert deviations(kind) - hidden - BY_CHANCE == shown("sandbox", kind) - BY_CHANCE


@pytest.mark.parametrize(("place", "kind"), SERVERS)
def test_with_its_profile_a_server_passes(place: str, kind: str) -> None:
    with serving(place, kind) as options:
        verdict = asked(PROFILES[kind], options)
    assert [] == [f"{each.rule}: {each.operation}: {each.text}" for each in verdict.failures]
    assert 0 == verdict.exit_code
    let_pass = {each.name for each in verdict.waived if each.times}
    assert let_pass - BY_CHANCE == shown(place, kind) - BY_CHANCE


def unknown_is_null(asked: Asked, reply: Reply) -> Reply:
    empty = reply.status == 200 and not reply.body
    return Reply(200, (("content-type", "application/json"),), b"null") if empty else reply


def fetch_fails(asked: Asked, reply: Reply) -> Reply:
    said = {"timestamp": "2026", "status": 500, "error": "Internal Server Error"}
    fetched = asked.path.endswith("/fetch") and reply.status == 200
    body = json.dumps({**said, "path": asked.path}).encode()
    return Reply(500, (("content-type", "application/json"),), body) if fetched else reply


def errors_say_more(asked: Asked, reply: Reply) -> Reply:
    return edited(reply, trace="at java.lang") if b'"timestamp"' in reply.body else reply


def other_words(asked: Asked, reply: Reply) -> Reply:
    return replace(reply, body=reply.body.replace("prompt不能为空".encode(), b"no"))


def blank_is_taken(asked: Asked, reply: Reply) -> Reply:
    refused = "prompt不能为空".encode() in reply.body
    return (
        edited(reply, code=1, description="提交成功", result="1795408020557714")
        if refused
        else reply
    )


def result_is_lost(asked: Asked, reply: Reply) -> Reply:
    made = b'"code": 1,' in reply.body
    return edited(reply, result=None) if made else reply


def early_hundred(asked: Asked, reply: Reply) -> Reply:
    return replace(reply, body=reply.body.replace(b'"progress": "0%"', b'"progress": "100%"'))


def state_is_lost(asked: Asked, reply: Reply) -> Reply:
    shown = asked.path.endswith("/fetch") and b'"state"' in reply.body
    return edited(reply, state=None) if shown else reply


def wrong_secret_is_forbidden(asked: Asked, reply: Reply) -> Reply:
    return replace(reply, status=403) if reply.status == 401 else reply


@dataclass
class Mutant(Novicezk):
    """A novicezk that does one more thing otherwise."""

    change: Callable[[Asked, Reply], Reply] = lambda asked, reply: reply

    def answer(self, asked: Asked) -> Reply:
        return self.change(asked, super().answer(asked))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (unknown_is_null, "body_matches_schema"),
        (fetch_fails, "no_server_error"),
        (errors_say_more, "error_shape"),
        (other_words, "bad_refused"),
        (blank_is_taken, "bad_refused"),
        (result_is_lost, "task_ids"),
        (early_hundred, "progress_is_true"),
        (state_is_lost, "state_kept"),
        (wrong_secret_is_forbidden, "token_needed"),
    ],
)
def test_what_else_a_server_does_otherwise_is_a_failure(
    change: Callable[[Asked, Reply], Reply], rule: str
) -> None:
    with standing_in(Mutant(change=change)) as url:
        options = replace(OPTIONS, url=url, token=Novicezk.secret, patience_s=1.0)
        verdict = run(options, PROFILES["novicezk"], Habits(deck=()))
    assert rule in {each.rule for each in verdict.failures}


@dataclass
class Seed(Novicezk):
    """A server of the documented API alone, as far as its page goes."""

    def answer(self, asked: Asked) -> Reply:
        reply = super().answer(asked)
        if reply.status == 200 and not reply.body:
            return Reply(404, (), b"")
        submit = asked.method == "POST" and asked.path.startswith("/mj/submit/")
        if submit and reply.status == 200 and not is_documented(asked):
            return self.said("POST", IMAGINE, "{}")
        if reply.status == 500:
            return self.said("POST", IMAGINE, "{}")
        if asked.path.endswith("/fetch") and reply.status == 200:
            task = json.loads(reply.body)
            return replace(reply, body=json.dumps(without(task, "properties")).encode())
        return reply


def is_documented(asked: Asked) -> bool:
    """Whether a submit has what the page says, and of its type."""
    try:
        body = json.loads(asked.body)
    except ValueError:
        return False
    names = ("prompt",) if asked.path == IMAGINE else ("taskId", "action")
    texts = [body.get(name) for name in names] if isinstance(body, dict) else [None]
    if not all(isinstance(each, str) for each in texts):
        return False
    more = [body.get(name) for name in ("base64", "notifyHook", "state")]
    index = body.get("index")
    if index is not None or (asked.path != IMAGINE and body["action"] != "REROLL"):
        more.append("" if type(index) is int and 1 <= index <= 4 else 0)
    return all(each is None or isinstance(each, str) for each in more)


def without(value: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: each for key, each in value.items() if key != name}


def test_a_server_of_the_documented_api_alone_passes_as_that() -> None:
    with standing_in(Seed()) as url:
        options = replace(OPTIONS, url=url, token=Novicezk.secret)
        verdict = asked(PROFILES["documented"], options)
    assert [] == [f"{each.rule}: {each.operation}: {each.text}" for each in verdict.failures]
    assert 0 == verdict.exit_code
    used = {each.name for each in verdict.waived if each.times}
    assert {"refused-by-code", "not-promised", "tasks-without-properties"} <= used


def test_a_server_of_the_whole_contract_passes_as_one_of_the_documented_api() -> None:
    with honest_server() as url:
        verdict = asked(PROFILES["documented"], replace(OPTIONS, url=url, token=TOKEN))
    assert [] == [f"{each.rule}: {each.operation}: {each.text}" for each in verdict.failures]


def test_novicezk_is_no_server_of_the_documented_api() -> None:
    with serving("recordings", "novicezk") as options:
        verdict = asked(PROFILES["documented"], options)
    texts = {(each.rule, each.text) for each in verdict.failures}
    assert {("body_matches_schema", "200 is no JSON"), ("no_server_error", "500")} <= texts


@pytest.mark.parametrize("kind", DIALECTS)
def test_without_an_allowance_nothing_is_drawn(kind: str) -> None:
    with serving("sandbox", kind) as options:
        verdict = asked(PROFILES[kind], replace(options, allow_submits=None))
        accepted = journal(options.url)["accepted"]
    assert {} == accepted
    assert (0, 0) == (verdict.submits, verdict.exit_code)


@pytest.mark.parametrize(("profile", "code"), [("novicezk", 0), ("mjgate", 1)])
def test_the_command_takes_a_profile(profile: str, code: int) -> None:
    with serving("sandbox", "novicezk") as options:
        words = ["conformance", options.url, "--profile", profile, "--max-examples", "0"]
        result = CliRunner().invoke(main, [*words, "--seed", "1", "--token", options.token])
    assert code == result.exit_code, result.output
    assert ("refused-with-200" in result.output) == (profile == "novicezk")


def test_an_unknown_profile_is_no_run() -> None:
    words = ["conformance", "http://127.0.0.1:1", "--profile", "novice"]
    result = CliRunner().invoke(main, words)
    assert 2 == result.exit_code
    assert "there are mjgate, documented, novicezk, buttons, new-api" in result.output


def test_the_profiles_are_listed() -> None:
    def said(*words: str) -> str:
        return CliRunner().invoke(main, ["conformance", "profiles", *words]).output

    assert "unknown-task-is-empty" in said()
    assert [*PROFILES] == [each["name"] for each in json.loads(said("--json"))]
    assert said("--markdown").startswith("# Profiles\n")


def journal(url: str) -> Any:
    with urllib.request.urlopen(f"{url}/sandbox/requests") as answer:
        return json.load(answer)
