"""Scripts of tasks, healthy and not."""

import pytest

from mjgate.sandbox import life
from mjgate.sandbox.faults import LIVES, SUBMIT, Word, shaped

HEALTHY = life.usual("IMAGINE", 1.0)


def shown(fault: str, value: str | None = None) -> list[tuple[str, str | None]]:
    script = shaped(HEALTHY, [Word(SUBMIT, fault, value)])
    return [(stage.status, stage.progress) for stage in script]


def test_a_healthy_picture_takes_eight_seconds() -> None:
    assert 8.0 == HEALTHY[-1].at


def test_an_upscale_is_quicker() -> None:
    assert 2.3 == life.usual("UPSCALE", 1.0)[-1].at


def test_speed_shortens_a_life() -> None:
    assert 0.16 == pytest.approx(life.usual("IMAGINE", 50.0)[-1].at)


@pytest.mark.parametrize(
    ("age", "status", "progress"),
    [
        (-1.0, "NOT_START", None),
        (0.0, "NOT_START", None),
        (0.3, "SUBMITTED", "0%"),
        (3.4, "IN_PROGRESS", "15%"),
        (7.9, "IN_PROGRESS", "93%"),
        (1e9, "SUCCESS", "100%"),
    ],
)
def test_the_stage_follows_the_age(age: float, status: str, progress: str | None) -> None:
    stage = life.current(HEALTHY, age)
    assert (status, progress) == (stage.status, stage.progress)


@pytest.mark.parametrize("fault", sorted(LIVES))
def test_every_script_is_in_order(fault: str) -> None:
    script = shaped(HEALTHY, [Word(SUBMIT, fault, None)])
    assert sorted(stage.at for stage in script) == [stage.at for stage in script]


def test_a_stuck_task_stays_at_85_percent() -> None:
    assert ("IN_PROGRESS", "85%") == shown("stuck")[-1]


def test_an_unstarted_task_has_no_stages() -> None:
    assert [] == shown("unstarted")


def test_a_lost_task_goes_after_so_many_seconds() -> None:
    assert ("GONE", "0%") == shown("lost", "5")[-1]
    script = life.vanishes(HEALTHY, 5.0)
    assert [True, False] == [life.current(script, age).visible for age in (4.9, 5.0)]


def test_a_hidden_task_comes_after_so_many_seconds() -> None:
    script = life.hides(HEALTHY, 5.0)
    seen = [life.current(script, age).progress for age in (5.0, 6.0, 9.0)]
    assert not life.current(script, 4.9).visible
    assert ["31%", "62%", "100%"] == seen


def test_progress_can_fall() -> None:
    running = [progress for status, progress in shown("backwards") if status == "IN_PROGRESS"]
    assert ["93%", "62%", "31%", "15%", "0%", "0%"] == running


def test_progress_can_be_a_text() -> None:
    assert ("IN_PROGRESS", "Waiting to start") in shown("waiting")


def test_progress_can_be_full_too_early() -> None:
    assert ("IN_PROGRESS", "100%") in shown("full")


def test_a_status_can_be_any_word() -> None:
    assert ("PONDERING", "15%") in shown("status")
    assert ("MODAL", "15%") in shown("status", "MODAL")


def test_a_late_success_comes_after_so_many_seconds() -> None:
    assert 60.0 == shaped(HEALTHY, [Word(SUBMIT, "late", "60")])[-1].at


@pytest.mark.parametrize(
    ("fault", "ends"),
    [
        ("undone", ["SUCCESS", "FAILURE"]),
        ("revived", ["FAILURE", "SUCCESS"]),
        ("relapsed", ["SUCCESS", "IN_PROGRESS"]),
    ],
)
def test_an_end_can_change_again(fault: str, ends: list[str]) -> None:
    assert ends == [status for status, _ in shown(fault)[-2:]]
