"""When a run has passed."""

import pytest

from mjgate.conformance.verdict import COULD_NOT_RUN, FAILED, PASSED, Seen, Verdict
from tests.conformance.report.verdicts import EMPTY, IMAGINE, failure, verdict

THREE_OF_1234 = 100 * 1231 / 1234


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (EMPTY, COULD_NOT_RUN),
        (verdict(cases=0, failures=(failure(),)), COULD_NOT_RUN),
        (verdict(), PASSED),
        (verdict(failures=(failure(),)), FAILED),
        (verdict(interrupted=True), COULD_NOT_RUN),
        (verdict(interrupted=True, failures=(failure(),)), FAILED),
        (verdict(interrupted=True, failures=(failure(),), least=0.0), COULD_NOT_RUN),
        (verdict(failures=(failure(),), least=99.99), FAILED),
        (verdict(failures=(failure(),), least=THREE_OF_1234), PASSED),
        (verdict(failures=(failure(),), least=0.0), PASSED),
        (verdict(failures=(failure(times=2000),), least=0.0), PASSED),
        (verdict(failures=(failure(times=2000),), least=1.0), FAILED),
    ],
)
def test_a_run_ends_with_its_code(verdict: Verdict, code: int) -> None:
    assert code == verdict.exit_code


def test_an_answer_that_broke_two_rules_counts_twice() -> None:
    both = verdict(failures=(failure(), failure(rule="error_shape")))
    assert (6, 100 * 1228 / 1234) == (both.wrong, both.right)


def test_failures_are_the_same_by_rule_operation_and_text() -> None:
    assert failure(times=1).key == failure(times=2, case="").key
    assert failure("one").key != failure("two").key


def test_what_was_asked_about_well_or_badly_is_covered() -> None:
    seen = [Seen(IMAGINE, "status", "200", good, bad) for good, bad in ((1, 0), (0, 1), (0, 0))]
    assert [True, True, False] == [each.covered for each in seen]
