"""Changes name their picture, lists keep their order, long prompts come back whole."""

import pytest

from mjgate.conformance.stories.change import list_of_two, long_prompt, one_change, other_changes
from tests.conformance.honest import LIFE, Manners, Reply, result
from tests.conformance.stories.conftest import Open, applied, broken, notes


def test_changes_that_name_their_picture_break_nothing(staged: Open) -> None:
    stage = staged()
    one_change(stage)
    list_of_two(stage)
    other_changes(stage)
    long_prompt(stage)
    assert [] == broken(stage)
    assert stage.second is not None
    assert ("UPSCALE", "SUCCESS") == (stage.second.task["action"], stage.second.status)
    assert 9 == applied(stage)["change_names_parent"]
    assert 1 + 3 + 1 == stage.session.allowance.accepted


@pytest.mark.parametrize(
    ("manners", "text"),
    [
        (
            Manners(shown=lambda task, body: {**body, "description": "x"}),
            "the task of UPSCALE does not name its picture",
        ),
        (
            Manners(shown=lambda task, body: {**body, "action": "IMAGINE"}),
            "the task of UPSCALE has another action",
        ),
        (
            Manners(named=lambda number: "1795400000000001"),
            "UPSCALE is answered with the picture it was made from",
        ),
    ],
)
def test_a_change_that_hides_where_it_comes_from_is_found(
    staged: Open, manners: Manners, text: str
) -> None:
    stage = staged(manners)
    one_change(stage)
    assert ("change_names_parent", text) in broken(stage)


def test_a_change_that_cannot_be_fetched_is_not_judged_by_its_task(staged: Open) -> None:
    stage = staged(
        Manners(sees=lambda way, task, owned: owned and (way != "fetch" or task.parent is None))
    )
    stage.patience_s = 3.0
    one_change(stage)
    assert "change_names_parent" not in dict(broken(stage))


def test_only_a_picture_that_was_drawn_can_be_changed(staged: Open) -> None:
    stage = staged(Manners(life=(*LIFE[:-1], ("FAILURE", "62%"))))
    one_change(stage)
    assert "ended as FAILURE, so UPSCALE was not asked for" in notes(stage)
    assert stage.second is None


def test_a_change_that_is_refused_is_noted(staged: Open) -> None:
    refused = Reply(200, result(4, "no", None))
    stage = staged(Manners(hasty=lambda call: refused if call.path.endswith("change") else None))
    one_change(stage)
    other_changes(stage)
    assert "UPSCALE of a finished picture was not accepted" in notes(stage)
    assert [] == broken(stage)


def test_nothing_is_changed_beyond_what_is_allowed(staged: Open) -> None:
    stage = staged(allow=1)
    one_change(stage)
    assert stage.second is None
    assert 1 == stage.session.allowance.accepted
    long_prompt(stage)
    list_of_two(stage)
    assert 1 == stage.session.allowance.accepted


def test_a_list_of_two_finds_its_second_task_itself(staged: Open) -> None:
    stage = staged()
    list_of_two(stage)
    assert [] == broken(stage)
    assert 2 == stage.session.allowance.accepted


def test_a_list_backwards_is_found(staged: Open) -> None:
    stage = staged(Manners(listed=lambda tasks, everything: tasks[::-1]))
    one_change(stage)
    list_of_two(stage)
    assert "a list of two tasks and unknown ones is not the two, in order" in {
        text for _, text in broken(stage)
    }


def test_a_list_that_is_none_is_found(staged: Open) -> None:
    def none(tasks: object, everything: object) -> list[dict[str, object]]:
        return []

    stage = staged(Manners(listed=none))
    one_change(stage)
    list_of_two(stage)
    assert "list_in_order" in dict(broken(stage))


def test_a_long_prompt_that_is_cut_is_found(staged: Open) -> None:
    stage = staged(Manners(shown=lambda task, body: {**body, "prompt": body["prompt"][:4096]}))
    long_prompt(stage)
    assert [("text_kept", "prompt came back otherwise than it was sent")] == broken(stage)
