"""The stories are told in the order of their worth, as far as the allowance goes."""

import pytest

from mjgate.conformance.profile import Profile
from mjgate.conformance.rules import BY_NAME
from mjgate.conformance.stories import STORIES, tell, tell_all
from tests.conformance.honest import Manners
from tests.conformance.stories.conftest import Open, applied, broken, notes
from tests.contract.document import CONTRACT


def test_every_rule_of_a_story_is_one() -> None:
    assert {rule for story in STORIES for rule in story.rules} <= BY_NAME.keys()
    assert len(STORIES) == len({story.name for story in STORIES})


def test_all_are_told_where_there_is_enough(staged: Open) -> None:
    stage = staged(Manners(step_s=0.3))
    tell_all(stage)
    assert [] == broken(stage)
    times = applied(stage)
    assert [] == [rule for story in STORIES for rule in story.rules if not times[rule]]
    assert "" == notes(stage)
    assert 7 == stage.session.allowance.accepted


def test_the_page_for_readers_has_every_story() -> None:
    page = (CONTRACT.parent / "CONFORMANCE.md").read_text("utf-8")
    assert "\n".join(story.row for story in STORIES) in page
    assert {"key", "lax_changes", "key_race"} <= {story.name for story in STORIES}


@pytest.mark.parametrize(
    ("allow", "untold"),
    [
        (
            None,
            "picture (1), callbacks (1), bill (1), one_change (2), tenants (1), key (2), "
            "long_prompt (2), list_of_two (2), key_race (2), keys_apart (2), other_changes (3)",
        ),
        (1, "one_change (1), key (1), long_prompt (1), list_of_two (1), key_race (2), keys_"),
        (2, "key (1), long_prompt (1), key_race (2), keys_apart (1), other_changes (2)"),
        (3, ": key_race (2), keys_apart (1), other_changes (2)"),
        (4, ": key_race (2), other_changes (2)"),
    ],
)
def test_what_was_not_told_is_said_with_what_it_needs(
    staged: Open, allow: int | None, untold: str
) -> None:
    stage = staged(allow=allow)
    tell_all(stage)
    assert untold in notes(stage)
    assert [] == broken(stage)
    assert stage.session.allowance.accepted <= (allow or 0)


def test_without_a_second_token_or_a_receiver_a_note_says_so(staged: Open) -> None:
    stage = staged(hooks=False, second="")
    tell_all(stage)
    assert "it needs --second-token" in notes(stage)
    assert "say with --receiver" in notes(stage)
    assert [] == broken(stage)


def test_a_story_whose_rules_are_not_asked_for_is_not_told(staged: Open) -> None:
    unasked = frozenset(rule for story in STORIES for rule in story.rules)
    stage = staged(profile=Profile("x", "x", unasked=unasked))
    tell_all(stage)
    assert 0 == stage.session.allowance.accepted


def test_a_failure_has_the_whole_story(staged: Open) -> None:
    stage = staged(Manners(shown=lambda task, body: {**body, "state": None}))
    tell(stage, STORIES[2])
    (failure,) = [
        each for each in stage.session.findings.failures() if each.text.startswith("state")
    ]
    assert failure.exchanges[0].request.path == "/mj/submit/imagine"
    assert len(failure.exchanges) > 2
