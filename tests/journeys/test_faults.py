"""Every fault of an upstream at once: the short form of the soak."""

import pytest

from tests.soak.faults import Pace, soak


@pytest.mark.timeout(300)
async def test_whatever_an_upstream_does_each_task_ends_rightly_and_in_time() -> None:
    report = await soak(100, Pace(deadline=25, lost=6, timeout=6, speed=20))
    print(report.show())

    assert [] == report.wrong
