"""How a task may change."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mjgate.domain.task import (
    CANCEL,
    DEADLINE,
    ENDS,
    FAILURE,
    IN_PROGRESS,
    LOST,
    MODAL,
    NOT_START,
    SUBMITTED,
    SUCCESS,
    Sight,
    Task,
    advance,
    percent,
)

NOW = 1_800_000_000_000
ORDER = {NOT_START: 0, SUBMITTED: 1, MODAL: 1, IN_PROGRESS: 2, SUCCESS: 3, FAILURE: 3, CANCEL: 3}

statuses = st.sampled_from([*ORDER, "PONDERING", "success"])
texts = st.none() | st.text(max_size=8)
progresses = texts | st.integers(0, 9999).map(lambda n: f"{n}%")
moments = st.none() | st.integers(1, 2**53 - 1)
sights = st.builds(
    Sight,
    status=statuses,
    progress=progresses,
    description=texts,
    fail_reason=texts,
    prompt=texts,
    prompt_en=texts,
    image_url=texts,
    start_ms=moments,
    finish_ms=moments,
    properties=st.none() | st.just({"finalPrompt": "a fox"}),
)


def fresh(**known: Any) -> Task:
    return replace(Task(17, "IMAGINE", NOT_START, "a fox", NOW), **known)


def rank(status: str) -> int:
    return ORDER.get(status, 2)


@given(st.lists(sights, max_size=6))
def test_a_task_never_goes_backwards(seen: list[Sight]) -> None:
    task = fresh()
    for sight in seen:
        before, task = task, advance(task, sight, NOW)

        assert rank(before.status) <= rank(task.status)
        assert (percent(before.progress) or 0) <= (percent(task.progress) or 0)
        if before.status in ENDS:
            assert before == task


@given(st.lists(sights, max_size=6))
def test_100_percent_is_shown_at_success_and_only_there(seen: list[Sight]) -> None:
    task = fresh()
    for sight in seen:
        task = advance(task, sight, NOW)

        assert (task.status == SUCCESS) == (task.progress == "100%")
        assert (percent(task.progress) or 0) <= 100


@given(st.lists(sights, max_size=6))
def test_who_made_it_and_when_never_changes(seen: list[Sight]) -> None:
    task = fresh(state="mine")
    for sight in seen:
        task = advance(task, sight, NOW)

    assert (17, "IMAGINE", NOW, "mine") == (task.id, task.action, task.submit_ms, task.state)
    assert (task.status in ENDS) == (task.finish_ms is not None)


@given(sights, sights)
def test_what_is_known_is_not_forgotten(first: Sight, second: Sight) -> None:
    before = advance(fresh(prompt_en="x", image_url="y", description="z"), first, NOW)

    after = advance(before, second, NOW)

    for name in ("prompt", "prompt_en", "image_url", "description", "start_ms", "progress"):
        assert getattr(before, name) is None or getattr(after, name) is not None


@pytest.mark.parametrize(
    ("shown", "seen", "then"),
    [
        (None, "31%", "31%"),
        ("31%", "15%", "31%"),
        ("31%", "62%", "62%"),
        (None, "100%", "99%"),
        (None, "Waiting to start", "Waiting to start"),
        ("Waiting to start", "0%", "0%"),
        ("15%", "Waiting to start", "15%"),
        ("15%", None, "15%"),
        (None, None, None),
    ],
)
def test_progress_while_it_runs(shown: str | None, seen: str | None, then: str | None) -> None:
    task = advance(fresh(status=IN_PROGRESS, progress=shown), Sight(IN_PROGRESS, seen), NOW)

    assert then == task.progress


def test_a_failure_keeps_the_progress_it_had_and_its_reason() -> None:
    task = advance(
        fresh(status=IN_PROGRESS, progress="62%"), Sight(FAILURE, "", fail_reason="no"), NOW
    )

    assert (FAILURE, "62%", "no", NOW) == (
        task.status,
        task.progress,
        task.fail_reason,
        task.finish_ms,
    )


@pytest.mark.parametrize("ended_by", [DEADLINE, LOST])
def test_a_task_that_we_ended_may_still_succeed(ended_by: str) -> None:
    ended = fresh(status=FAILURE, progress="62%", fail_reason="late", ended_by=ended_by)

    late = advance(ended, Sight(SUCCESS, image_url="http://a", finish_ms=5), NOW)

    assert (SUCCESS, "100%", "http://a", None, 5, ended_by) == (
        late.status,
        late.progress,
        late.image_url,
        late.fail_reason,
        late.finish_ms,
        late.ended_by,
    )
    for status in (FAILURE, CANCEL, IN_PROGRESS):
        assert ended == advance(ended, Sight(status), NOW)
        assert late == advance(late, Sight(status), NOW)
    assert late == advance(late, Sight(SUCCESS, image_url="http://b"), NOW)


def test_the_end_is_when_the_upstream_says() -> None:
    assert 5 == advance(fresh(), Sight(SUCCESS, finish_ms=5), NOW).finish_ms


@pytest.mark.parametrize(
    ("text", "number"),
    [("0%", 0), ("31%", 31), ("100%", 100), ("1000%", None), ("-1%", None), ("", None),
     (None, None), ("31 %", None), ("３%", None), ("31%\n", None)],
)  # fmt: skip
def test_percent_reads_whole_numbers_alone(text: str | None, number: int | None) -> None:
    assert number == percent(text)


def test_the_wire_form_has_every_documented_key() -> None:
    assert {
        "action": "IMAGINE",
        "description": None,
        "failReason": None,
        "finishTime": None,
        "id": "17",
        "imageUrl": None,
        "progress": None,
        "prompt": "a fox",
        "promptEn": None,
        "properties": {},
        "startTime": None,
        "state": None,
        "status": NOT_START,
        "submitTime": NOW,
    } == fresh().wire()


def test_the_wire_form_shows_of_properties_what_is_for_clients() -> None:
    task = fresh(properties={"finalPrompt": "a", "discordInstanceId": "b", "notifyHook": "c"})

    assert {"finalPrompt": "a"} == task.wire()["properties"]
