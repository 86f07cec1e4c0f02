"""How each dialect is spoken, and how each is read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mjgate.domain.channel import Dialect
from mjgate.domain.task import ENDS, NOT_START, Sight
from mjgate.upstream.novicezk import Change, Novicezk, Refusal
from mjgate.upstream.upstreams import DIALECTS
from tests.sandbox.recordings import read

MARKER = "mjgate:00"
BODY = (
    b'{"taskId":"17","action":"UPSCALE","index":2,"state":"s","notifyHook":"http://a","more":1.10}'
)
BUTTONS: list[Any] = [
    {"customId": None},
    {"label": "U1"},
    {"customId": "MJ::BOOKMARK::x"},
    {"customId": "MJ::Outpaint::50::1::x"},
    {"customId": "MJ::JOB::upsample::1::abc"},
    {"customId": "MJ::JOB::upsample::2::abc"},
    {"customId": "MJ::JOB::variation::2::abc"},
    {"customId": "MJ::JOB::reroll::0::abc::SOLO"},
]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
FIELDS = [
    *("id", "status", "progress", "description", "failReason", "prompt", "promptEn", "imageUrl"),
    *("startTime", "finishTime", "properties", "buttons", "state", "imageUrls"),
]


def change(action: str, index: int | None = None, **more: Any) -> Change:
    known: dict[str, Any] = {
        "parent": "theirs",
        "parent_status": "SUCCESS",
        "buttons": BUTTONS,
        "body": BODY,
    }
    return Change(action, index, **{**known, **more})


@pytest.mark.parametrize("dialect", DIALECTS.values())
def test_a_picture_is_asked_for_with_our_marker_alone(dialect: Novicezk) -> None:
    body = b'{"prompt":"a","state":"mine","notifyHook":"http://a","base64Array":[],"botType":"mj"}'

    request = dialect.imagine(body, MARKER)

    assert "/mj/submit/imagine" == request.path
    assert {"prompt": "a", "state": MARKER, "base64Array": [], "botType": "mj"} == json.loads(
        request.body
    )


@pytest.mark.parametrize("dialect", DIALECTS.values())
def test_the_place_for_hints_is_told_in_place_of_the_clients_hook(dialect: Novicezk) -> None:
    body = b'{"prompt":"a","notifyHook":"http://a","taskId":"1","action":"UPSCALE","index":2}'
    ours = "https://gate.example.org/notify/1.x"

    for request in (
        dialect.imagine(body, MARKER, ours),
        dialect.change(change("UPSCALE", 2, body=body), MARKER, ours),
    ):
        assert ours == json.loads(request.body)["notifyHook"]
        assert 1 == request.body.count(b"notifyHook")


@pytest.mark.parametrize("name", [Dialect.NOVICEZK, Dialect.NEW_API])
def test_a_change_is_sent_as_it_came_with_the_ids_of_the_upstream(name: Dialect) -> None:
    request = DIALECTS[name].change(change("UPSCALE", 2), MARKER)

    assert "/mj/submit/change" == request.path
    assert {
        "taskId": "theirs",
        "action": "UPSCALE",
        "index": 2,
        "state": MARKER,
        "more": 1.1,
    } == json.loads(request.body)
    assert b'"more":1.10' in request.body


def test_new_api_is_given_an_index_even_for_a_reroll() -> None:
    sent = DIALECTS[Dialect.NEW_API].change(change("REROLL"), MARKER)

    assert 1 == json.loads(sent.body)["index"]


def test_novicezk_is_given_no_index_for_a_reroll() -> None:
    sent = DIALECTS[Dialect.NOVICEZK].change(change("REROLL"), MARKER)

    assert "index" not in json.loads(sent.body)


@pytest.mark.parametrize(
    ("action", "index", "button"),
    [
        ("UPSCALE", 1, "MJ::JOB::upsample::1::abc"),
        ("UPSCALE", 2, "MJ::JOB::upsample::2::abc"),
        ("VARIATION", 2, "MJ::JOB::variation::2::abc"),
        ("REROLL", None, "MJ::JOB::reroll::0::abc::SOLO"),
    ],
)
def test_the_fork_with_buttons_is_sent_the_button(
    action: str, index: int | None, button: str
) -> None:
    request = DIALECTS[Dialect.BUTTONS].change(change(action, index), MARKER)

    assert "/mj/submit/action" == request.path
    assert {"taskId": "theirs", "customId": button, "state": MARKER, "more": 1.1} == json.loads(
        request.body
    )


@pytest.mark.parametrize(
    ("asked", "description"),
    [
        (change("VARIATION", 1), "关联任务不允许执行变化"),
        (change("UPSCALE", 1, buttons=None), "关联任务不允许执行变化"),
        (change("UPSCALE", 1, buttons=None, parent_status="IN_PROGRESS"), "关联任务状态错误"),
    ],
)
def test_without_the_button_it_is_refused_as_an_upstream_would(
    asked: Change, description: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        DIALECTS[Dialect.BUTTONS].change(asked, MARKER)

    assert (4, description) == (refusal.value.code, refusal.value.description)


def test_tasks_are_listed_by_their_ids() -> None:
    request = Novicezk().list_request(["1", "2"])

    assert ("/mj/task/list-by-condition", b'{"ids":["1","2"]}') == (request.path, request.body)


def recorded(dialect: str) -> list[dict[str, Any]]:
    """Every task in the answers to fetch and list calls."""
    found = []
    for exchange in read(dialect):
        if exchange.reply.status == 200 and "/mj/task/" in exchange.call.path:
            try:
                answer = json.loads(exchange.reply.body)
            except ValueError:
                continue
            found += answer if isinstance(answer, list) else [answer]
    return [task for task in found if isinstance(task, dict) and "status" in task]


@pytest.mark.parametrize(("dialect", "at_least"), [("novicezk", 20), ("new-api", 3)])
def test_recorded_tasks_are_read(dialect: str, at_least: int) -> None:
    tasks = recorded(dialect)
    assert at_least <= len(tasks)

    for task in tasks:
        seen = DIALECTS[Dialect(dialect)].sight(task)

        assert seen is not None
        task_id, sight, state = seen
        assert (task["id"], task["status"] or NOT_START, task["state"]) == (
            task_id,
            sight.status,
            state,
        )
        assert (task["progress"] or None, task["failReason"] or None) == (
            sight.progress,
            sight.fail_reason,
        )
        described = None if dialect == "new-api" else task["description"]
        assert (task["imageUrl"] or None, described) == (sight.image_url, sight.description)
        assert (task["startTime"] or None, task["finishTime"] or None) == (
            sight.start_ms,
            sight.finish_ms,
        )
        assert sight.ended == (task["status"] in ENDS)
        assert (task_id, sight) == DIALECTS[Dialect(dialect)].read(json.dumps(task).encode())
        assert {"finalPrompt", "finalZhPrompt"} >= (sight.properties or {}).keys()


def test_recorded_buttons_are_kept() -> None:
    [task, *_] = [task for task in recorded("new-api") if task["buttons"]]
    seen = Novicezk().sight(task)

    assert seen is not None
    assert task["buttons"] == seen[1].buttons


@given(anything)
def test_garbage_is_no_task(item: Any) -> None:
    assert Novicezk().sight(item) is None or isinstance(item, dict)


@given(anything)
def test_garbage_is_no_task_as_text_either(item: Any) -> None:
    seen = Novicezk().sight(item)

    assert (seen and seen[:2]) == Novicezk().read(json.dumps(item).encode())


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, anything)))
def test_whatever_a_task_says_its_text_is_read_alike(item: dict[str, Any]) -> None:
    task = {"id": "17", "status": "SUCCESS", **item}
    seen = Novicezk().sight(json.loads(json.dumps(task)))

    assert (seen and seen[:2]) == Novicezk().read(json.dumps(task).encode())


@pytest.mark.parametrize("several", [None, [], {}, [{"url": "http://a"}, {"url": "http://b"}, 7]])
def test_several_pictures_are_read_from_text_too(several: Any) -> None:
    task = {"id": "17", "status": "SUCCESS", "imageUrls": several}
    seen = Novicezk().sight(task)

    assert (seen and seen[:2]) == Novicezk().read(json.dumps(task).encode())
    assert seen is not None
    assert (len(several or ()) == 3) == ("imageUrls" in (seen[1].properties or {}))


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[" * 100_000, b"<html>", b"null", b"\xff", b'{"id":"17","prompt":"\xff"}']
)
def test_text_that_is_no_json_is_no_task(text: bytes) -> None:
    assert Novicezk().read(text) is None


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, anything)))
def test_whatever_a_task_says_its_sight_can_be_kept(item: dict[str, Any]) -> None:
    seen = Novicezk().sight({"id": "17", "status": "SUCCESS", **item})

    if seen is not None:
        _, sight, _ = seen
        for name in ("progress", "description", "fail_reason", "prompt", "image_url"):
            text = getattr(sight, name)
            assert text is None or text.encode()
            assert "\0" not in (text or "")
        assert all(0 < moment < 2**53 for moment in (sight.start_ms, sight.finish_ms) if moment)


@pytest.mark.parametrize(
    ("item", "known"),
    [
        ({"id": "17"}, NOT_START),
        ({"id": "17", "status": ""}, NOT_START),
        ({"id": 17, "status": None}, NOT_START),
        ({"id": "17", "status": "PONDERING"}, "PONDERING"),
        ({"id": "17", "status": 7}, None),
        ({"id": "17", "status": "x" * 33}, None),
        ({"id": "17", "status": "成功"}, None),
        ({"id": "17", "status": "a\nb"}, None),
        ({"id": None, "status": "SUCCESS"}, None),
        ({"status": "SUCCESS"}, None),
    ],
)
def test_a_status_is_a_short_word(item: Any, known: str | None) -> None:
    seen = Novicezk().sight(item)

    assert known == (seen and seen[1].status)


def test_of_buttons_what_clients_use_is_kept() -> None:
    buttons = [
        {"customId": "a\0", "emoji": None, "label": "U1", "style": 2, "type": True, "x": 1},
        {"customId": 7, "style": 10**30, "type": 1.5},
        "no button",
    ]
    seen = Novicezk().sight({"id": "17", "buttons": buttons})

    assert seen is not None
    assert [
        {"customId": "a\ufffd", "emoji": "", "label": "U1", "style": 2},
        {"customId": "", "emoji": "", "label": ""},
    ] == seen[1].buttons


def test_a_task_with_nothing_but_an_id_is_not_started() -> None:
    assert ("17", Sight(NOT_START), None) == Novicezk().sight({"id": "17"})
