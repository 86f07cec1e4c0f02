"""Keys hold, callbacks come and say what fetch says, and tokens keep to their own tasks."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from mjgate.conformance.profile import Profile
from mjgate.conformance.stories.around import callbacks, key, key_race, keys_apart, tenants
from tests.conformance.bodies import IMAGINE
from tests.conformance.honest import LIFE, Call, Manners, Post, Reply, Task, error, result
from tests.conformance.stories.conftest import Open, applied, broken, notes


def test_a_key_that_holds_breaks_nothing(staged: Open) -> None:
    stage = staged()
    key(stage)
    assert [] == broken(stage)
    assert 4 == applied(stage)["key_holds"]
    assert 1 == stage.session.allowance.accepted


def test_the_other_body_is_not_sent_where_it_could_not_be_paid(staged: Open) -> None:
    stage = staged(Manners(recalls=lambda same: "ignored"), allow=2)
    key(stage)
    assert 2 == applied(stage)["key_holds"] == stage.session.allowance.accepted


def without_replayed(call: Call, reply: Reply) -> Reply:
    return reply.lacking("idempotency-replayed")


@pytest.mark.parametrize(
    ("manners", "texts"),
    [
        (
            Manners(recalls=lambda same: "ignored"),
            {
                "the same key and body got another answer",
                "the answer to the same key and body does not say that it is a replay",
                "the same key with another body got 200",
                "the same key for a change got 200",
            },
        ),
        (
            Manners(recalls=lambda same: "replay" if same else "ignored"),
            {"the same key with another body got 200", "the same key for a change got 200"},
        ),
        (
            Manners(leaving=without_replayed),
            {"the answer to the same key and body does not say that it is a replay"},
        ),
    ],
)
def test_a_key_that_does_not_hold_is_found(staged: Open, manners: Manners, texts: set[str]) -> None:
    stage = staged(manners)
    key(stage)
    assert {("key_holds", text) for text in texts} == set(broken(stage))


def test_one_key_at_the_same_time_makes_one_picture(staged: Open) -> None:
    stage = staged()
    key_race(stage)
    assert ([], 1) == (broken(stage), stage.session.allowance.accepted)


def test_two_pictures_of_one_key_are_found(staged: Open) -> None:
    stage = staged(Manners(keeps_keys_after_s=1))
    key_race(stage)
    text = "the same submit, sent twice at once with one key, made two tasks"
    assert [("key_holds", text)] == broken(stage)


def test_the_first_of_two_may_still_be_in_flight(staged: Open) -> None:
    numbers = itertools.count()

    def busy(call: Call) -> Reply | None:
        second = call.operation == IMAGINE and next(numbers) == 1
        return error(409, "in flight").having("retry-after", "1") if second else None

    stage = staged(Manners(hasty=busy))
    key_race(stage)
    assert ([], 1) == (broken(stage), stage.session.allowance.accepted)


def test_keys_of_two_tokens_are_two_keys(staged: Open) -> None:
    stage = staged()
    keys_apart(stage)
    assert ([], 2) == (broken(stage), stage.session.allowance.accepted)


@pytest.mark.parametrize("same", ["replay", "reused"])
def test_a_key_that_is_taken_by_another_token_is_found(staged: Open, same: str) -> None:
    stage = staged(Manners(keys_of=lambda call: "", recalls=lambda _: same))
    keys_apart(stage)
    text = "the key of another token was answered with its task"
    assert ("tenants_apart", text) in broken(stage)


def test_a_server_that_is_not_held_to_keys_is_not_asked(staged: Open) -> None:
    stage = staged(profile=Profile("x", "x", unasked=frozenset({"key_holds"})))
    stage.drawn()
    before = stage.session.findings.cases
    for story in (key, key_race, keys_apart):
        story(stage)
    assert before == stage.session.findings.cases


def test_strangers_see_and_change_nothing(staged: Open) -> None:
    stage = staged()
    tenants(stage)
    assert [] == broken(stage)
    assert 3 == applied(stage)["tenants_apart"]


@pytest.mark.parametrize(
    ("way", "what"), [("fetch", "fetched"), ("list", "listed"), ("change", "changed")]
)
def test_a_stranger_who_is_let_in_is_found(staged: Open, way: str, what: str) -> None:
    stage = staged(Manners(sees=lambda each, task, owned: owned or each == way, life=LIFE[-1:]))
    tenants(stage)
    assert [("tenants_apart", f"a task of another token was {what}")] == broken(stage)


def test_strangers_ask_only_for_what_there_is(staged: Open) -> None:
    absent = frozenset({"POST /mj/task/list-by-condition", "POST /mj/submit/change"})
    stage = staged(profile=Profile("x", "x", absent=absent))
    tenants(stage)
    assert 1 == applied(stage)["tenants_apart"]


def test_callbacks_that_come_break_nothing(staged: Open) -> None:
    stage = staged()
    callbacks(stage)
    assert [] == broken(stage)
    assert applied(stage)["callback_is_fetch"] > 1


Change = Any


def posting(change: Change) -> Manners:
    return Manners(posts=change)


def backwards(task: Task, post: Post) -> Sequence[Post]:
    early = replace(post, body={**post.body, "status": "SUBMITTED", "progress": "0%"})
    return [post, early] if task.status == "SUCCESS" else [post]


def bodies(**values: Any) -> Manners:
    return posting(lambda task, post: [replace(post, body={**post.body, **values})])


@pytest.mark.parametrize(
    ("manners", "rule", "text"),
    [
        (posting(lambda task, post: []), "callback_arrives", "no callback came"),
        (
            posting(lambda task, post: [replace(post, address=f"{post.address}/x")]),
            "callback_arrives",
            "no callback came but one to another address",
        ),
        (
            posting(lambda task, post: [post] if task.status != "SUCCESS" else []),
            "callback_arrives",
            "the end of a task was not called",
        ),
        (posting(backwards), "callback_arrives", "callbacks go backwards"),
        (bodies(id="1"), "callback_arrives", "a callback is of another task"),
        (
            posting(lambda task, post: [replace(post, body=[post.body])]),
            "callback_is_fetch",
            "the body of a callback is no JSON object",
        ),
        (
            posting(
                lambda task, post: [
                    replace(post, body={k: v for k, v in post.body.items() if k != "state"})
                ]
            ),
            "callback_is_fetch",
            "a callback has no state",
        ),
        (
            bodies(prompt="x"),
            "callback_is_fetch",
            "a callback has another prompt than fetch at the same progress",
        ),
    ],
)
def test_a_callback_that_is_none_is_found(
    staged: Open, manners: Manners, rule: str, text: str
) -> None:
    stage = staged(manners)
    stage.patience_s = 4.0
    callbacks(stage)
    assert (rule, text) in broken(stage)


def test_silence_where_nobody_said_that_we_can_be_reached_is_no_failure(staged: Open) -> None:
    stage = staged(posting(lambda task, post: []))
    assert stage.receiver is not None
    stage.receiver.asked = False
    stage.patience_s = 4.0
    callbacks(stage)
    assert [] == broken(stage)
    assert "No callback came to http://127.0.0.1" in notes(stage)
    assert "Say with --receiver where it may call" in notes(stage)


def test_silence_where_we_can_be_reached_leads_to_the_setting(staged: Open) -> None:
    stage = staged(posting(lambda task, post: []))
    stage.patience_s = 4.0
    callbacks(stage)
    assert [("callback_arrives", "no callback came")] == broken(stage)
    assert "MJGATE_ALLOW_PRIVATE_HOOKS" in notes(stage)


def test_a_task_without_an_end_is_not_held_to_the_callback_of_it(staged: Open) -> None:
    stage = staged(Manners(life=LIFE[:-1]))
    stage.patience_s = 0.5
    callbacks(stage)
    assert {"every_task_ends"} == set(dict(broken(stage)))


def test_without_a_picture_there_is_nothing_to_tell(staged: Open) -> None:
    refused = Reply(200, result(24, "no", None))
    stage = staged(Manners(hasty=lambda call: refused if call.path.endswith("imagine") else None))
    for story in (key, keys_apart, tenants, callbacks):
        story(stage)
    stage.receiver = None
    callbacks(stage)
    assert [] == broken(stage)
