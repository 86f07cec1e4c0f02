"""The three dialects over real sockets, where no recording says it already."""

from typing import Any

import pytest

from tests.sandbox.conftest import Start, awaited


@pytest.mark.parametrize("dialect", ["novicezk", "buttons", "new-api"])
def test_a_picture_is_made_and_opens(start: Start, dialect: str) -> None:
    caller = start(dialect)
    task = caller.finished("a red fox in snow")
    picture = caller.get(task["imageUrl"].removeprefix(caller.url))
    assert ("SUCCESS", "100%") == (task["status"], task["progress"])
    assert (200, "image/png") == (picture.status, picture["content-type"])
    assert picture.body.startswith(b"\x89PNG")


@pytest.mark.parametrize("dialect", ["novicezk", "buttons"])
def test_state_is_given_back(start: Start, dialect: str) -> None:
    caller = start(dialect)
    assert "mjgate:1" == caller.finished("a cat", state="mjgate:1")["state"]


def test_new_api_forgets_state(start: Start) -> None:
    assert "" == start("new-api").finished("a cat", state="mjgate:1")["state"]


@pytest.mark.parametrize("dialect", ["novicezk", "buttons", "new-api"])
def test_ids_are_sixteen_digits_and_unique(start: Start, dialect: str) -> None:
    caller = start(dialect, queue_size=1000)
    ids = {caller.made("a cat") for _ in range(50)}
    assert 50 == len(ids)
    assert all(len(task_id) == 16 and task_id.isdecimal() for task_id in ids)


def test_picture_addresses_follow_the_host_that_was_asked(start: Start) -> None:
    caller = start()
    made = caller.post("/mj/submit/imagine", {"prompt": "a cat"}, Host="upstream.example:8080")
    task = caller.until(made.json["result"], "SUCCESS")
    assert task["imageUrl"].startswith("http://upstream.example:8080/attachments/")


def test_picture_addresses_follow_the_public_url(start: Start) -> None:
    caller = start(public_url="https://pictures.example")
    assert caller.finished("a cat")["imageUrl"].startswith("https://pictures.example/")


def test_a_picture_still_opens_after_a_restart(start: Start) -> None:
    first, second = start(), start()
    path = first.finished("a cat")["imageUrl"].removeprefix(first.url)
    assert first.get(path).body == second.get(path).body


def test_an_unknown_picture_is_not_found(start: Start) -> None:
    assert 404 == start().get("/attachments/nothing.png").status


def test_previews_are_webp(start: Start) -> None:
    caller = start()
    task_id = caller.made("a cat sandbox:stuck")
    task = awaited(lambda: caller.fetch(task_id).json, lambda task: task["imageUrl"])
    preview = caller.get(task["imageUrl"].removeprefix(caller.url))
    assert "IN_PROGRESS" == task["status"]
    assert "image/webp" == preview["content-type"]


def test_progress_rises_as_recorded(start: Start) -> None:
    caller = start(speed=1)
    task_id = caller.made("a cat")
    seen = [(None, "NOT_START")]
    while seen[-1][1] != "SUCCESS":
        task = caller.fetch(task_id).json
        if (task["progress"], task["status"]) != seen[-1]:
            seen.append((task["progress"], task["status"]))
    assert [
        (None, "NOT_START"),
        ("0%", "SUBMITTED"),
        ("0%", "IN_PROGRESS"),
        ("15%", "IN_PROGRESS"),
        ("31%", "IN_PROGRESS"),
        ("62%", "IN_PROGRESS"),
        ("93%", "IN_PROGRESS"),
        ("100%", "SUCCESS"),
    ] == seen


def test_a_full_queue_answers_as_each_dialect_does(start: Start) -> None:
    codes = {}
    for dialect in ("novicezk", "buttons", "new-api"):
        caller = start(dialect, speed=0.01, core_size=3, queue_size=10)
        codes[dialect] = [caller.imagine("a cat").json["code"] for _ in range(14)]
    assert {
        "novicezk": [1] * 4 + [22] * 9 + [23],
        "buttons": [1] * 4 + [22] * 9 + [9],
        "new-api": [1] * 13 + [23],
    } == codes


def test_a_queued_task_counts_those_before_it(start: Start) -> None:
    caller = start(speed=0.01, core_size=1)
    answers = [caller.imagine("a cat").json for _ in range(4)]
    waiting = [answer["properties"].get("numberOfQueues") for answer in answers]
    assert [None, None, 1, 2] == waiting
    assert {"running": 1, "waiting": 3} == caller.control("GET", "/queue").json


def test_a_waiting_task_starts_when_a_core_is_free(start: Start) -> None:
    caller = start(core_size=1, speed=4)
    first, second = caller.made("a cat"), caller.made("a cat")
    assert "NOT_START" == caller.fetch(second).json["status"]
    ended = caller.until(first, "SUCCESS")["finishTime"]
    assert ended <= caller.until(second, "SUCCESS")["startTime"]


def test_novicezk_lists_all_newest_first(start: Start) -> None:
    caller = start(queue_size=1000)
    ids = [caller.made("a cat") for _ in range(120)]
    assert ids[::-1] == [task["id"] for task in caller.get("/mj/task/list").json]


def test_buttons_lists_the_newest_hundred(start: Start) -> None:
    caller = start("buttons", queue_size=1000)
    ids = [caller.made("a cat") for _ in range(120)]
    assert ids[:19:-1] == [task["id"] for task in caller.get("/mj/task/list").json]


@pytest.mark.parametrize("path", ["/mj/task/list", "/nothing", "/mj/submit/imagine"])
def test_new_api_shows_its_page_on_paths_it_does_not_route(start: Start, path: str) -> None:
    answer = start("new-api", secret="sk-abc").get(path)
    assert (200, "text/html; charset=utf-8") == (answer.status, answer["content-type"])


def test_buttons_knows_no_change(start: Start) -> None:
    answer = start("buttons").change("1", "REROLL")
    assert (404, b"", None) == (answer.status, answer.body, answer["content-type"])


def test_buttons_refuses_a_get_of_a_submit(start: Start) -> None:
    answer = start("buttons").get("/mj/submit/imagine")
    assert (405, "POST", b"") == (answer.status, answer["allow"], answer.body)


def test_buttons_answers_204_for_an_unknown_task(start: Start) -> None:
    answer = start("buttons").fetch("1234567890123456")
    assert (204, b"") == (answer.status, answer.body)


def test_buttons_writes_ascii(start: Start) -> None:
    answer = start("buttons").imagine("猫猫")
    assert "application/json; charset=utf-8" == answer["content-type"]
    assert rb"\u63d0\u4ea4" in answer.body


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'{"prompt": 1}',
        b'{"prompt": "a"} x',
        b'{"prompt": "a", "base64Array": [[null]]}',
    ],
)
def test_buttons_stumbles_over_bad_bodies_with_200(start: Start, body: bytes) -> None:
    answer = start("buttons").call(
        "POST", "/mj/submit/imagine", body, Content_Type="application/json"
    )
    assert 200 == answer.status
    assert {"success", "code", "message", "timestamp"} == answer.json.keys()
    assert (False, -1) == (answer.json["success"], answer.json["code"])


def test_buttons_takes_json_only(start: Start) -> None:
    answer = start("buttons").call("POST", "/mj/submit/imagine", b"{}", Content_Type="text/plain")
    assert 415 == answer.status
    assert "application/problem+json; charset=utf-8" == answer["content-type"]


def test_buttons_hides_a_good_secret_behind_authorization(start: Start) -> None:
    caller = start("buttons", secret="right")
    path, statuses = "/mj/task/list", {}
    statuses["mj-api-secret"] = caller.get(path, mj_api_secret="right").status
    statuses["raw"] = caller.get(path, Authorization="right").status
    statuses["bearer"] = caller.get(path, Authorization="Bearer right").status
    statuses["both"] = caller.get(path, Authorization="", mj_api_secret="right").status
    assert {"mj-api-secret": 200, "raw": 200, "bearer": 401, "both": 401} == statuses


def test_buttons_lets_a_banned_prompt_in_and_fails_it(start: Start) -> None:
    caller = start("buttons")
    answer = caller.imagine("a Naked truth").json
    task = caller.until(answer["result"], "FAILURE")
    assert (1, "可能包含敏感词") == (answer["code"], task["failReason"])


def test_buttons_offers_what_may_be_done(start: Start) -> None:
    task = start("buttons").finished("a cat")
    labels = [button["label"] or button["emoji"] for button in task["buttons"]]
    assert ["U1", "U2", "U3", "U4", "🔄", "V1", "V2", "V3", "V4"] == labels


@pytest.mark.parametrize(
    ("label", "action", "description"),
    [("U2", "UPSCALE", "U2"), ("V3", "VARIATION", "V3"), ("", "IMAGINE", "R")],
)
def test_an_action_follows_a_button(
    start: Start, label: str, action: str, description: str
) -> None:
    caller = start("buttons")
    parent = caller.finished("a cat")
    custom_id = next(one["customId"] for one in parent["buttons"] if one["label"] == label)
    task_id = caller.action(parent["id"], custom_id).json["result"]
    task = caller.until(task_id, "SUCCESS", "FAILURE")
    assert ("SUCCESS", action, parent["id"]) == (task["status"], task["action"], task["parentId"])
    assert custom_id == task["properties"]["custom_id"]


def test_an_action_without_its_button_fails_later(start: Start) -> None:
    caller = start("buttons")
    parent = caller.finished("a cat")
    answer = caller.action(parent["id"], "MJ::JOB::upsample::1::00000000").json
    assert 1 == answer["code"]
    assert "FAILURE" == caller.until(answer["result"], "SUCCESS", "FAILURE")["status"]


def test_buttons_refuses_actions_it_cannot_do(start: Start) -> None:
    caller = start("buttons", speed=1)
    running = caller.made("a cat")
    answers = [
        caller.action("", "x"),
        caller.action("1234567890123456", "MJ::JOB::upsample::1::a"),
        caller.action(running, "MJ::JOB::upsample::1::a"),
    ]
    assert [(200, 4), (404, 3), (200, 4)] == [(one.status, one.json["code"]) for one in answers]


def test_new_api_takes_keys_in_every_form(start: Start) -> None:
    caller = start("new-api", secret="sk-abc")
    good = [
        caller.post("/mj/task/list-by-condition", {}, Authorization="Bearer sk-abc"),
        caller.post("/mj/task/list-by-condition", {}, Authorization="abc"),
        caller.post("/mj/task/list-by-condition", {}, mj_api_secret="abc"),
        caller.post(
            "/mj/task/list-by-condition", {}, Authorization="midjourney-proxy", mj_api_secret="abc"
        ),
    ]
    bad = caller.post("/mj/task/list-by-condition", {}, Authorization="x", mj_api_secret="abc")
    assert [200] * 4 + [401] == [answer.status for answer in [*good, bad]]
    assert "new_api_error" == bad.json["error"]["type"]


def test_new_api_wants_an_index_for_a_reroll(start: Start) -> None:
    caller = start("new-api")
    parent = caller.finished("a cat")
    answer = caller.change(parent["id"], "REROLL")
    assert (400, "index_is_required ") == (answer.status, answer.json["description"])
    assert 1 == caller.change(parent["id"], "REROLL", index=1).json["code"]


def test_new_api_tells_the_state_of_a_parent(start: Start) -> None:
    caller = start("new-api", speed=0.01)
    answers = [
        caller.change(caller.made("a cat"), "UPSCALE", index=1),
        caller.change("1234567890123456", "UPSCALE", index=1),
    ]
    assert [(400, "task_status_not_success "), (400, "task_not_found ")] == [
        (answer.status, answer.json["description"]) for answer in answers
    ]


def test_new_api_refuses_unknown_actions(start: Start) -> None:
    caller = start("new-api")
    statuses = [
        caller.change("1", "DESCRIBE", index=1).status,
        caller.action("1", "MJ::BOOKMARK::x").status,
    ]
    assert [503, 400] == statuses


def test_new_api_takes_a_json_body_only(start: Start) -> None:
    caller = start("new-api")
    answer = caller.call("POST", "/mj/submit/imagine", b'{"prompt":"a"}', Content_Type="text/plain")
    assert (400, "prompt_is_required ") == (answer.status, answer.json["description"])


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"prompt": 5}',
        b"",
        b"{",
        b'{"prompt": "a", "state": {}}',
        b'{"prompt": "a", "index": true}',
        b'{"prompt": "a", "base64Array": [1]}',
    ],
)
def test_new_api_names_bad_bodies(start: Start, body: bytes) -> None:
    answer = start("new-api").call(
        "POST", "/mj/submit/imagine", body, Content_Type="application/json"
    )
    assert 400 == answer.status
    assert answer.json["error"]["message"].startswith("Invalid request, ")


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"prompt": " "}, "prompt不能为空"),
        ({"prompt": "a", "base64Array": [None]}, "base64格式错误"),
    ],
)
def test_new_api_passes_on_what_it_does_not_look_at(
    start: Start, order: dict[str, Any], said: str
) -> None:
    answer = start("new-api").post("/mj/submit/imagine", order)
    assert (200, 4, said) == (answer.status, answer.json["code"], answer.json["description"])
    assert "text/plain; charset=utf-8" == answer["content-type"]


def test_new_api_passes_on_an_error_of_its_upstream(start: Start) -> None:
    answer = start("new-api").post("/mj/submit/imagine", {"prompt": "a", "base64": {}})
    assert (400, "Bad Request") == (answer.status, answer.json["error"])
    assert "text/plain; charset=utf-8" == answer["content-type"]


def test_novicezk_reads_scalars_as_texts(start: Start) -> None:
    caller = start()
    assert "false" == caller.finished("a cat", state=False)["state"]
    wrong = {"taskId": "1", "action": "REROLL", "state": {}}
    assert 400 == caller.post("/mj/submit/change", wrong).status
    assert 400 == caller.post("/mj/submit/imagine", {"prompt": "a", "base64": []}).status


@pytest.mark.parametrize("body", [b"x", b'{"ids": [1]}', b'{"ids": 1}', b'{"ids": 0}', b"[]"])
def test_new_api_wants_texts_for_ids(start: Start, body: bytes) -> None:
    answer = start("new-api").call(
        "POST", "/mj/task/list-by-condition", body, Content_Type="application/json"
    )
    assert (400, "do_request_failed ") == (answer.status, answer.json["description"])


def test_buttons_wants_texts_for_ids(start: Start) -> None:
    assert -1 == start("buttons").ids(1795408020557714).json["code"]


def test_new_api_shows_the_preview_with_a_changing_address(start: Start) -> None:
    caller = start("new-api")
    task_id = caller.made("a cat sandbox:stuck")
    task = awaited(lambda: caller.fetch(task_id).json, lambda task: task["imageUrl"])
    preview = caller.get(task["imageUrl"].removeprefix(caller.url))
    assert "?rand=" in task["imageUrl"]
    assert 200 == preview.status


def test_new_api_escapes_signs_of_html(start: Start) -> None:
    caller = start("new-api")
    task_id = caller.made("a <b> & c")
    assert rb"a \u003cb\u003e \u0026 c" in caller.fetch(task_id).body


def test_novicezk_protects_only_its_own_paths(start: Start) -> None:
    caller = start(secret="right")
    statuses = [caller.get(path).status for path in ("/mj/task/list", "/nothing")]
    assert [401, 404] == statuses


def test_the_oldest_tasks_are_dropped(start: Start) -> None:
    caller = start(kept=3)
    ids = [caller.made("a cat") for _ in range(5)]
    assert ids[:1:-1] == [task["id"] for task in caller.get("/mj/task/list").json]


def test_a_forgetful_upstream_knows_no_task(start: Start) -> None:
    caller = start()
    task_id = caller.made("a cat")
    assert 204 == caller.control("POST", "/forget").status
    assert b"" == caller.fetch(task_id).body
    assert [] == caller.get("/mj/task/list").json


def test_what_was_asked_can_be_read(start: Start) -> None:
    caller = start()
    caller.imagine("a cat", state="s")
    caller.imagine("a cat")
    caller.imagine(" ")
    heard = caller.control("GET", "/requests").json
    assert (3, {"imagine": {"a cat": 2}}) == (heard["received"], heard["accepted"])
    first = heard["requests"][0]
    assert ("POST", "/mj/submit/imagine") == (first["method"], first["path"])
    assert '{"prompt": "a cat", "state": "s"}' == first["body"]
    assert ["Content-Type", "application/json"] in first["headers"]


def test_what_was_asked_can_be_forgotten(start: Start) -> None:
    caller = start()
    caller.imagine("a cat")
    caller.control("DELETE", "/requests")
    assert {"received": 0, "accepted": {}, "requests": []} == caller.control(
        "GET", "/requests"
    ).json


def test_requests_are_told_by_path(start: Start) -> None:
    caller = start()
    caller.fetch(caller.made("a cat"))
    heard = caller.control("GET", "/requests?path=/mj/task").json
    assert ["GET"] == [one["method"] for one in heard["requests"]]


def test_only_the_newest_requests_are_kept(start: Start) -> None:
    caller = start(heard=2)
    for number in range(4):
        caller.fetch(str(number))
    heard = caller.control("GET", "/requests").json
    assert ["/mj/task/2/fetch", "/mj/task/3/fetch"] == [one["path"] for one in heard["requests"]]
    assert 4 == heard["received"]


def test_requests_are_told_by_a_text_in_them(start: Start) -> None:
    caller = start()
    caller.imagine("a cat", state="mjgate:1")
    caller.imagine("a cat", state="mjgate:2")
    heard = caller.control("GET", "/requests?text=mjgate:2").json["requests"]
    assert ["mjgate:2" in one["body"] for one in heard] == [True]


@pytest.mark.parametrize(
    ("body", "description"),
    [
        ({"prompt": " "}, "prompt不能为空"),
        ({"prompt": "a cat", "state": "s" * 256}, "State参数过长，最大255字符"),
        ({"prompt": "a cat", "base64Array": ["x"]}, "base64格式错误"),
    ],
)
def test_buttons_validates_an_imagine(start: Start, body: dict[str, str], description: str) -> None:
    answer = start("buttons").post("/mj/submit/imagine", body)
    assert (200, 4, description) == (answer.status, answer.json["code"], answer.json["description"])


def test_buttons_refuses_actions_of_no_known_kind(start: Start) -> None:
    caller = start("buttons")
    parent = caller.finished("a cat")
    upscale = caller.action(parent["id"], parent["buttons"][0]["customId"]).json["result"]
    caller.until(upscale, "SUCCESS")
    told = [
        caller.action(parent["id"], "MJ::BOOKMARK::x").json["description"],
        caller.action(upscale, "MJ::JOB::reroll::0::00::SOLO").json["description"],
    ]
    assert ["未知的 Action 类型", "该任务不支持重新生成"] == told


def test_buttons_queues_with_a_number(start: Start) -> None:
    caller = start("buttons", speed=0.01, core_size=1)
    told = [caller.imagine("a cat").json for _ in range(3)][-1]
    assert (22, 1) == (told["code"], told["properties"]["numberOfQueues"])


@pytest.mark.parametrize("index", [2**31, "2147483648", True, [1], {}, float("1e300")])
def test_novicezk_refuses_an_index_that_is_no_integer(start: Start, index: object) -> None:
    caller = start()
    parent = caller.finished("a cat")
    assert 400 == caller.change(parent["id"], "UPSCALE", index=index).status


@pytest.mark.parametrize("action", [6, -1, True, [], 1.0])
def test_novicezk_refuses_an_action_that_is_no_ordinal(start: Start, action: object) -> None:
    assert 400 == start().post("/mj/submit/change", {"taskId": "1", "action": action}).status


def test_new_api_wants_a_task_for_a_change(start: Start) -> None:
    assert "taskId不能为空" == start("new-api").change("", "REROLL", index=1).json["description"]


@pytest.mark.parametrize("dialect", ["buttons", "new-api"])
def test_pictures_open_without_the_secret(start: Start, dialect: str) -> None:
    caller = start(dialect, secret="right")
    made = caller.post("/mj/submit/imagine", {"prompt": "a cat"}, mj_api_secret="right")
    task = awaited(
        lambda: caller.get(f"/mj/task/{made.json['result']}/fetch", mj_api_secret="right").json,
        lambda task: task["status"] == "SUCCESS",
    )
    assert 200 == caller.get(task["imageUrl"].removeprefix(caller.url)).status
