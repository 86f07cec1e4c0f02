"""What lax servers take is asked for, and an honest one is asked for nothing by it."""

from mjgate.conformance.contract_view import CHANGE, IMAGINE, LIST
from mjgate.conformance.profile import Profile
from mjgate.conformance.stories.lax import lax, lax_changes
from tests.conformance.honest import Manners
from tests.conformance.stories.conftest import Open, broken


def test_an_honest_server_takes_none_of_it(staged: Open) -> None:
    stage = staged()
    lax(stage)
    lax_changes(stage)
    assert [] == broken(stage)
    assert 1 == stage.session.allowance.accepted, "but for the picture that is changed"


def test_without_an_allowance_nothing_is_asked_that_could_be_taken(staged: Open) -> None:
    stage = staged(allow=None)
    lax(stage)
    lax_changes(stage)
    asked = {label for label, _ in stage.session.findings.by_status}
    assert 0 == stage.session.allowance.withheld
    assert {f"POST {IMAGINE}", f"POST {LIST}", f"POST {CHANGE}", "GET /mj/task/{id}/fetch"} == asked


def test_what_a_server_does_not_have_is_not_asked_for(staged: Open) -> None:
    absent = frozenset((f"POST {LIST}", f"POST {CHANGE}"))
    stage = staged(profile=Profile("x", "x", absent=absent))
    lax(stage)
    lax_changes(stage)
    assert not absent & {label for label, _ in stage.session.findings.by_status}


def test_a_picture_that_failed_is_not_changed(staged: Open) -> None:
    failed = Manners(shown=lambda task, body: {**body, "status": "FAILURE", "progress": "0%"})
    stage = staged(failed)
    lax_changes(stage)
    assert not [label for label, _ in stage.session.findings.by_status if CHANGE in label]


def test_no_change_is_asked_for_once_the_picture_has_used_the_allowance_up(staged: Open) -> None:
    stage = staged(allow=1)
    lax_changes(stage)
    assert (1, 0) == (stage.session.allowance.accepted, stage.session.allowance.withheld)
    assert not [label for label, _ in stage.session.findings.by_status if CHANGE in label]
