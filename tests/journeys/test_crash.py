"""Killed at random moments under load, the books are true: the short form of the soak."""

import pytest

from mjgate.sandbox.settings import DialectName
from tests.soak.crash import crash


@pytest.mark.timeout(400)
@pytest.mark.parametrize("dialect", ["novicezk", "new-api"])
async def test_after_a_kill_of_the_server_and_one_of_both_the_books_are_true(
    dialect: DialectName,
) -> None:
    report = await crash(2, dialect)
    print(report.show())

    assert [] == report.faults
    assert report.counts["charged"] > 0
