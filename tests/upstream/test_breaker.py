"""The circuit breaker, with a clock of the test's own."""

import pytest

from mjgate.upstream.breaker import THRESHOLD, Breaker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker[int]:
    return Breaker(clock)


def fail(breaker: Breaker[int], times: int, channel: int = 1) -> None:
    for _ in range(times):
        breaker.failed(channel)


def test_repeated_faults_open_it(breaker: Breaker[int]) -> None:
    fail(breaker, THRESHOLD - 1)
    assert set() == breaker.open()

    fail(breaker, 1)
    fail(breaker, 1, channel=2)

    assert {1} == breaker.open()


def test_it_closes_by_itself(breaker: Breaker[int], clock: Clock) -> None:
    fail(breaker, THRESHOLD)

    clock.now += 4.9
    assert {1} == breaker.open()
    clock.now += 0.2
    assert set() == breaker.open()


def test_after_that_one_fault_opens_it_for_twice_as_long(
    breaker: Breaker[int], clock: Clock
) -> None:
    fail(breaker, THRESHOLD)
    clock.now += 5

    fail(breaker, 1)

    clock.now += 9.9
    assert {1} == breaker.open()
    clock.now += 0.2
    assert set() == breaker.open()


def test_it_is_never_open_longer_than_a_minute(breaker: Breaker[int], clock: Clock) -> None:
    for _ in range(3000):
        fail(breaker, 1)
        clock.now += 61

        assert set() == breaker.open()


def test_a_burst_counts_once(breaker: Breaker[int], clock: Clock) -> None:
    fail(breaker, THRESHOLD + 64)

    clock.now += 5

    assert set() == breaker.open()


def test_a_success_closes_it_and_forgets_all(breaker: Breaker[int]) -> None:
    fail(breaker, THRESHOLD)

    breaker.worked(1)
    breaker.worked(7)

    assert set() == breaker.open()
    fail(breaker, THRESHOLD - 1)
    assert set() == breaker.open()
