"""The conformance run finds servers that break the contract, and finds nothing on an honest one."""

from pathlib import Path

import pytest

from tests.conformance.honest import Manners
from tests.conformance.judge import PATIENT, judged, judged_again, told
from tests.conformance.mutants import MUTANTS, Mutant, table

MOST_MISSED = 0.05
LEAST_MUTANTS = 48
TABLE = Path(__file__).with_name("MUTANTS.md")


def test_an_honest_server_passes() -> None:
    verdict = judged(Manners(step_s=0.3), PATIENT)
    assert (0, "") == (verdict.exit_code, told(verdict))
    unapplied = [name for name, times in verdict.rules.items() if not times]
    assert ["nothing_bought"] == unapplied


@pytest.mark.parametrize("mutant", MUTANTS, ids=[each.name for each in MUTANTS])
def test_a_mutant_is_found_and_its_cases_break_again(mutant: Mutant, tmp_path: Path) -> None:
    verdict, cases = judged_again(mutant.manners, mutant.rules, tmp_path)
    broken = {each.rule for each in verdict.failures}
    found = verdict.exit_code == 1 and bool(broken & set(mutant.rules))
    print(f"{'found ' if found else 'MISSED'} {mutant.name}: {', '.join(sorted(broken))}")
    assert found == (not mutant.missed), told(verdict)
    assert bool(cases) == found
    assert [] == [f"{each.case.rule}: {each.text}" for each in cases if not each.again]


def test_at_least_95_percent_are_found() -> None:
    missed = [each.name for each in MUTANTS if each.missed]
    assert LEAST_MUTANTS <= len(MUTANTS) == len({each.name for each in MUTANTS})
    assert len(missed) <= MOST_MISSED * len(MUTANTS)


def test_the_table_for_readers_is_that_of_the_mutants() -> None:
    assert table() == TABLE.read_text(encoding="utf-8")
