"""What every server has to refuse is asked of it, and nothing is bought."""

import pytest

from mjgate.conformance.profile import Profile
from mjgate.conformance.stories.refusals import bad_tokens, errors
from tests.conformance.honest import Call, Manners, Reply
from tests.conformance.stories.conftest import Open, applied, broken


@pytest.mark.parametrize("allow", [None, 0, 5])
def test_an_honest_server_refuses_all_of_it(staged: Open, allow: int | None) -> None:
    stage = staged(allow=allow)
    errors(stage)
    bad_tokens(stage)
    assert [] == broken(stage)
    assert 18 == applied(stage)["bad_token_refused"]
    assert 0 == stage.session.allowance.accepted


def page(call: Call, reply: Reply) -> Reply:
    page = reply.having("content-type", "text/html")
    return page if reply.status in (404, 413) else reply


def test_a_page_in_place_of_an_error_is_found(staged: Open) -> None:
    stage = staged(Manners(leaving=page))
    errors(stage)
    assert {"404 is not sent as JSON", "413 is not sent as JSON"} == {
        text for _, text in broken(stage)
    }


def test_a_server_that_asks_for_no_token_is_found_without_buying(staged: Open) -> None:
    stage = staged(Manners(asker=lambda call, asker: "first"), allow=None)
    bad_tokens(stage)
    assert ("bad_token_refused", "no token got 404") in broken(stage)
    assert 0 == stage.session.allowance.accepted


def test_what_is_not_there_is_not_asked_for(staged: Open) -> None:
    absent = frozenset({"POST /mj/task/list-by-condition", "GET /v1/key", "GET /v1/usage"})
    stage = staged(profile=Profile("x", "x", absent=absent))
    errors(stage)
    bad_tokens(stage)
    asked = {label for label, _ in stage.session.findings.by_status}
    assert not asked & absent
