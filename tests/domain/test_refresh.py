"""How often tasks are looked at, and when one is lost."""

import itertools

import pytest

from mjgate.domain.refresh import LATE_FOR_S, Absence, late_look_s, look_again_s


@pytest.mark.parametrize(
    ("age_s", "wait_s"),
    [(-5, 0.9), (0, 0.9), (60, 0.9), (144, 1.8), (720, 9.0), (900, 10), (86_400, 10)],
)
def test_the_older_a_task_the_less_often_it_is_looked_at(age_s: float, wait_s: float) -> None:
    assert wait_s == pytest.approx(look_again_s(age_s))


@pytest.mark.parametrize(
    ("age_s", "running", "wait_s"),
    [(60, 1000, 0.9), (60, 72_000, 11), (14, 72_000, 0.9), (720, 36_000, 9), (900, 144_000, 22)],
)
def test_in_a_crowd_new_tasks_are_looked_at_first(
    age_s: float, running: int, wait_s: float
) -> None:
    assert wait_s == pytest.approx(look_again_s(age_s, running))


def moments(ended_s: float) -> list[float]:
    """When a task that ended so long ago is asked for, in seconds since it ended."""
    found: list[float] = []
    while (moment := late_look_s(found[-1] if found else ended_s)) is not None:
        found.append(moment)
    return found


def test_a_task_that_we_ended_is_asked_for_ever_more_rarely_for_a_day() -> None:
    asked = moments(0)

    assert [10, 30, 70, 150, 310] == asked[:5]
    gaps = [after - before for before, after in itertools.pairwise(asked)]
    assert sorted(gaps) == gaps
    assert 3600 == gaps[-1] == max(gaps)
    assert LATE_FOR_S - 3600 < asked[-1] <= LATE_FOR_S


def test_whoever_takes_over_asks_at_the_same_moments() -> None:
    assert moments(0)[3:] == moments(70)
    assert moments(0)[3:] == moments(149.9)


def test_after_a_day_a_task_is_final() -> None:
    assert late_look_s(LATE_FOR_S) is None


@pytest.mark.parametrize(
    ("moments", "lost"),
    [((0, 60), False), ((0, 30, 59), False), ((0, 30, 60), True), ((0, 1, 2, 90), True)],
)
def test_a_task_is_lost_when_it_was_absent_three_times_over_a_minute(
    moments: tuple[float, ...], lost: bool
) -> None:
    first, *later = moments
    absence = Absence(first, first)
    for moment in later:
        absence = absence.again(moment)

    assert lost == absence.proves(60)
