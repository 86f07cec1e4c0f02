"""How much of the contract was asked about."""

from mjgate.conformance.report.coverage import Share, coverage, operations_of
from tests.conformance.report.verdicts import EMPTY, FETCH, IMAGINE, PASSED


def test_each_kind_has_its_share_and_names_what_is_missing() -> None:
    assert (
        Share("operations", 2, 3, ("GET /v1/key",)),
        Share("statuses", 1, 3, (f"{IMAGINE} 500", "GET /v1/key 200")),
        Share("parameters", 1, 1, ()),
        Share("keywords", 1, 1, ()),
        Share("security", 1, 1, ()),
    ) == coverage(PASSED)


def test_a_run_that_asked_nothing_has_no_shares() -> None:
    assert () == coverage(EMPTY)


def test_operations_stand_in_the_order_of_their_paths() -> None:
    assert ["", IMAGINE, FETCH, "GET /v1/key"] == operations_of(PASSED)
