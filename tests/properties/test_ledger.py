"""The ledger is exact through any life.

`LIVES` says how many, `LIVES_SEED` repeats those of a run that failed.
"""

import os
import secrets

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties.machine import Lives

EXAMPLES = int(os.environ.get("LIVES", "40"))
SEED = int(os.environ.get("LIVES_SEED", secrets.randbits(32)))


@pytest.mark.timeout(0)
def test_the_ledger_is_exact_through_any_life(database: str) -> None:
    print(f"LIVES={EXAMPLES} LIVES_SEED={SEED}")

    @seed(SEED)
    class Lived(Lives):
        def __init__(self) -> None:
            super().__init__(database)

    run_state_machine_as_test(
        Lived,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=50,
            database=None,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
