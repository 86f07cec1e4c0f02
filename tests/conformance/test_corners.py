"""Every run asks the corners, and none of them can be accepted where it must not be."""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from mjgate.conformance.allowance import costly, harmless
from mjgate.conformance.contract_view import IMAGINE
from mjgate.conformance.corners import corners
from mjgate.conformance.exchange import Request
from mjgate.conformance.oracle import expect
from mjgate.conformance.profile import Profile
from mjgate.conformance.session import Session
from mjgate.conformance.wire import Tokens
from tests.conformance.exchanges import CONTRACT, TARGET

PLAIN = Profile("plain", "plain")


def all_of(profile: Profile = PLAIN) -> list[Request]:
    session = Session(TARGET, CONTRACT, profile, Tokens())
    try:
        return list(corners(session))
    finally:
        session.close()


def test_only_the_good_submit_can_be_accepted() -> None:
    ordering = [each for each in all_of() if costly(each) and not harmless(each)]
    assert {IMAGINE} == {each.path for each in ordering}
    assert {"good"} == {expect(CONTRACT, each).says for each in ordering}


@pytest.mark.parametrize("operation", CONTRACT.operations, ids=str)
def test_each_operation_is_asked_in_every_way(operation: object) -> None:
    label = getattr(operation, "label", "")
    said = [(each, expect(CONTRACT, each)) for each in all_of()]
    mine = [(each, x) for each, x in said if x.operation and x.operation.label == label]
    assert {"token", "none", "bad"} == {each.sender for each, _ in mine}
    assert {"mj-api-secret", "Authorization"} == {each.form for each, _ in mine}
    assert "good" in {x.says for _, x in mine}
    reasons = {status for _, x in mine for reason in x.reasons for status in reason.statuses}
    body = getattr(operation, "body", None)
    assert ({400, 401, 415} if body else {401}) <= reasons


def test_other_methods_and_unknown_paths_are_asked() -> None:
    reasons = {
        status
        for each in all_of()
        if (said := expect(CONTRACT, each)).operation is None
        for status in said.statuses
    }
    assert {404, 405} <= reasons


def test_what_a_profile_has_not_is_left_out() -> None:
    absent = frozenset({"GET /v1/key"})
    paths = {urlsplit(each.url).path for each in all_of(replace(PLAIN, absent=absent))}
    assert "/v1/key" not in paths
    assert "/v1/usage" in paths
