"""A picture is followed to its end, by waiting where a server lets wait."""

from dataclasses import replace

import pytest

from mjgate.conformance.profile import Profile
from mjgate.conformance.stories.follow import follow, picture
from tests.conformance.honest import LIFE, Call, Manners, Reply, error, result
from tests.conformance.stories.conftest import Open, applied, broken, notes


def test_a_picture_that_keeps_all_rules_breaks_none(staged: Open) -> None:
    stage = staged()
    picture(stage)
    times = applied(stage)
    for rule in ("every_task_ends", "etag_holds", "text_kept", "state_kept"):
        assert times[rule]
    assert [] == broken(stage)
    assert stage.picture is not None
    assert stage.picture.status == "SUCCESS"


def test_a_server_without_tags_is_asked_again_and_again(staged: Open) -> None:
    def bare(call: Call, reply: Reply) -> Reply:
        return reply.lacking("etag").lacking("preference-applied")

    stage = staged(Manners(leaving=bare))
    picture(stage)
    assert stage.picture is not None
    assert stage.picture.ended
    assert {"headers_match"} == {rule for rule, _ in broken(stage)}


def test_a_picture_that_is_refused_is_no_failure(staged: Open) -> None:
    refused = Reply(200, result(24, "可能包含敏感词", None))
    stage = staged(Manners(hasty=lambda call: refused if call.path.endswith("imagine") else None))
    picture(stage)
    assert [] == broken(stage)
    assert "No picture was accepted" in notes(stage)


def test_a_task_that_fails_has_ended(staged: Open) -> None:
    stage = staged(Manners(life=(*LIFE[:-1], ("FAILURE", "62%"))))
    picture(stage)
    assert stage.picture is not None
    assert stage.picture.status == "FAILURE"
    assert [] == broken(stage)


def test_a_task_that_never_ends_is_given_up(staged: Open) -> None:
    stage = staged(Manners(life=LIFE[:-1]))
    stage.patience_s = 0.3
    picture(stage)
    assert ("every_task_ends", "a task has not ended after 0.3 seconds") in broken(stage)


def test_a_task_that_cannot_be_fetched_is_given_up(staged: Open) -> None:
    stage = staged(Manners(sees=lambda way, task, owned: owned and way != "fetch"))
    stage.patience_s = 0.3
    picture(stage)
    assert {"submitted_fetchable", "every_task_ends"} == {rule for rule, _ in broken(stage)}


def test_a_change_of_a_task_that_has_not_ended_is_wrong(staged: Open) -> None:
    early = Manners(changes_early=True, life=(*LIFE[:-1], *[("IN_PROGRESS", "62%")] * 20, LIFE[-1]))
    stage = staged(replace(early, step_s=0.1))
    picture(stage)
    assert [("changes_only_finished", "a task that has not ended was changed")] == broken(stage)


def test_a_task_that_has_ended_at_once_is_not_changed_too_early(staged: Open) -> None:
    stage = staged(Manners(life=LIFE[-1:]))
    picture(stage)
    assert not applied(stage)["changes_only_finished"]
    assert [] == broken(stage)


def test_a_change_too_early_that_cannot_be_seen_says_nothing(staged: Open) -> None:
    unseen = Manners(
        changes_early=True,
        sees=lambda way, task, owned: owned and (way != "fetch" or task.parent is None),
    )
    stage = staged(unseen)
    picture(stage)
    assert "changes_only_finished" not in dict(broken(stage))


def test_only_what_is_there_is_asked_for(staged: Open) -> None:
    absent = frozenset({"POST /mj/task/list-by-condition", "POST /mj/submit/change"})
    stage = staged(profile=Profile("x", "x", absent=absent))
    picture(stage)
    assert [] == broken(stage)
    assert {"POST /mj/submit/imagine", "GET /mj/task/{id}/fetch"} == {
        label for label, _ in stage.session.findings.by_status
    }


def test_what_other_stories_need_is_not_spent_on_a_change_too_early(staged: Open) -> None:
    stage = staged(Manners(step_s=0.3), allow=4)
    picture(stage)
    assert not applied(stage)["changes_only_finished"]
    assert "--allow-submits 5 lets it be" in notes(stage)
    assert 1 == stage.session.allowance.accepted


@pytest.mark.parametrize(
    ("manners", "text"),
    [
        (Manners(waits=False), "a wait ended early though nothing changed"),
        (Manners(tag=lambda task: task.id), "ETag stayed while the task changed"),
    ],
)
def test_a_tag_is_held_to_its_word(staged: Open, manners: Manners, text: str) -> None:
    stage = staged(replace(manners, step_s=0.1))
    picture(stage)
    assert ("etag_holds", text) in broken(stage)


def test_a_tag_that_is_new_each_time_never_matches(staged: Open) -> None:
    numbers = iter(range(10_000))
    stage = staged(Manners(tag=lambda task: f"{task.id}-{next(numbers)}"))
    picture(stage)
    assert [("etag_holds", "an ETag given back after the end is never 304")] == broken(stage)


def test_a_tag_that_is_ignored_is_found(staged: Open) -> None:
    stage = staged(Manners(knows=lambda call: False, waits=False, step_s=0.2))
    picture(stage)
    assert ("etag_holds", "an ETag given back got 200 with itself") in broken(stage)


def test_what_comes_back_otherwise_is_found(staged: Open) -> None:
    stage = staged(Manners(shown=lambda task, body: {**body, "prompt": "x", "state": None}))
    picture(stage)
    assert [
        ("state_kept", "state came back otherwise than it was sent"),
        ("text_kept", "prompt came back otherwise than it was sent"),
    ] == broken(stage)


def test_a_server_that_fails_on_the_way_is_asked_again(staged: Open) -> None:
    failing = Manners(
        hasty=lambda call: (
            error(500, "failed") if call.path.endswith("fetch") and call.number % 3 == 0 else None
        )
    )
    stage = staged(failing)
    drawn = stage.drawn()
    assert drawn is not None
    follow(stage, drawn)
    assert drawn.ended
    assert {"no_server_error"} >= {rule for rule, _ in broken(stage)} - {"submitted_fetchable"}
