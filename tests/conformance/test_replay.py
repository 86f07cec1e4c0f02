"""A stored case breaks the same rule again, on the server that breaks it and on no other."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mjgate.conformance.cases import store
from mjgate.conformance.profile import Profile
from mjgate.conformance.replay import Replayed, replay
from mjgate.conformance.rules import at
from mjgate.conformance.run import Options, run
from mjgate.conformance.stories import STORIES
from mjgate.conformance.verdict import CannotRun
from tests.conformance.bodies import CHANGE, IMAGINE
from tests.conformance.exchanges import TASK
from tests.conformance.honest import SECOND, TOKEN, Call, Manners, serving
from tests.conformance.judge import SMALL
from tests.conformance.scripted import Arrival, refusal, reply, scripted

CORNERS = replace(SMALL, max_examples=0, stories=False, allow_submits=None)
ID = "1795408020562001"


def plain(name: str) -> Profile:
    return Profile(name, name)


def shown(arrival: Arrival) -> bytes:
    """Refuses all but the key, which is wrong, and lists."""
    if "list" in arrival.path:
        return reply(200, [], {"X-Request-Id": "one"})
    if arrival.path == "/v1/key" and arrival.method == "GET":
        return reply(200, {}, {"X-Request-Id": "one"})
    return refusal(404, "not_found")


def sent(path: Path, options: Options) -> Replayed:
    (result,) = replay([path], options, {})
    return result


def stored(tmp_path: Path, url: str, rule: str) -> Path:
    verdict = store(run(replace(CORNERS, url=url), plain("mjgate")), tmp_path)
    return next(tmp_path / each.case for each in verdict.failures if each.rule == rule)


def test_a_case_breaks_again_where_it_was_found_and_not_elsewhere(tmp_path: Path) -> None:
    with scripted(shown) as server:
        path = stored(tmp_path, server.url, "body_matches_schema")
        again = sent(path, Options(url="", token=TOKEN))
        assert again.again
        assert "breaks required" in again.text
    with serving() as address:
        mended = sent(path, Options(url=address, token=TOKEN, second_token=SECOND))
        assert not mended.again
        assert "the rule was kept" == mended.text


def going_back(arrival: Arrival) -> bytes:
    made = {"code": 1, "description": "", "properties": {}, "result": ID}
    if arrival.path.endswith("imagine"):
        return reply(200, made, {"X-Request-Id": "one"})
    progress = f"{99 - looks.pop()}%" if looks else "1%"
    task = dict(TASK) | {"id": ID, "progress": progress}
    body = task if "fetch" in arrival.path else [task]
    return reply(200, body, {"X-Request-Id": "one", "ETag": 'W/"1"'})


looks: list[int] = []


def write(tmp_path: Path, **more: object) -> Path:
    case = {
        "format": 1,
        "rule": "tasks_go_forward",
        "operation": "GET /mj/task/{id}/fetch",
        "text": "a task went back in its progress",
        "where": "#",
        "story": "",
        "target": "http://127.0.0.1:1",
        "profile": "mjgate",
        "seed": 1,
        "steps": [
            {
                "request": {
                    "method": "POST",
                    "url": "{{target}}/mj/submit/imagine",
                    "headers": [["Content-Type", "application/json"]],
                    "body": {"text": '{"prompt": "a red fox"}'},
                    "sender": "token",
                    "form": "mj-api-secret",
                },
                "gives": {"given 1": "/result"},
                "pause_ms": 0,
            },
            {
                "request": {
                    "method": "GET",
                    "url": "{{target}}/mj/task/{{given 1}}/fetch",
                    "headers": [],
                    "body": None,
                    "sender": "token",
                    "form": "Authorization",
                },
                "gives": {},
                "pause_ms": 0,
            },
        ],
    }
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case | more))
    return path


def test_a_case_that_submits_is_sent_with_the_new_id_and_looked_at_until_it_breaks(
    tmp_path: Path,
) -> None:
    looks[:] = [6, 5, 4, 3, 2]
    with scripted(going_back) as server:
        options = Options(url=server.url, token=TOKEN, allow_submits=1)
        assert sent(write(tmp_path), options).again
        assert any(f"/mj/task/{ID}/fetch" == each.path for each in server.arrivals)


def test_a_case_that_submits_needs_an_allowance(tmp_path: Path) -> None:
    with scripted(going_back) as server:
        result = sent(write(tmp_path), Options(url=server.url, token=TOKEN))
    assert (False, False, "needs --allow-submits 1") == (result.again, result.sent, result.text)
    assert [] == server.arrivals


def test_what_was_drawn_against_the_contract_is_not_drawn_again_unasked(tmp_path: Path) -> None:
    def lax(arrival: Arrival) -> bytes:
        made = {"code": 1, "description": "", "properties": {}, "result": ID}
        drawn = arrival.path.endswith("imagine") and arrival.body != b"{}"
        return reply(200, made) if drawn else refusal(404, "not_found")

    steps = [_step("POST", "/mj/submit/imagine", '{"prompt": ""}', reply_=(200, '{"code": 1}'))]
    about = {"operation": "POST /mj/submit/imagine", "steps": steps}
    for rule in ("bad_refused", "nothing_bought"):
        path = write(tmp_path, rule=rule, **about)
        with scripted(lax) as server:
            options = Options(url=server.url, token=TOKEN)
            unasked = sent(path, options)
            assert (False, "needs --allow-submits 1") == (unasked.sent, unasked.text)
            assert [] == server.arrivals
            assert sent(path, replace(options, allow_submits=1)).again


@pytest.mark.parametrize(
    ("method", "path", "rule", "found", "text"),
    [
        ("GET", "/v1/key", "no_server_error", 500, "its last request was turned away (429)"),
        ("GET", "/v1/key", "error_shape", 404, "its last request was turned away (429)"),
        ("GET", "/v1/key", "error_shape", 429, ""),
        ("POST", "/mj/submit/imagine", "no_server_error", 500, "its last request was not answered"),
    ],
)
def test_what_was_put_off_to_the_end_says_nothing(
    tmp_path: Path, method: str, path: str, rule: str, found: int, text: str
) -> None:
    def busy(arrival: Arrival) -> bytes:
        if arrival.method == "POST":
            return b""
        late = arrival.path == "/v1/key"
        return refusal(429, "rate_limited", retry_after="0") if late else refusal(404, "not_found")

    body = '{"prompt": "a red fox"}' if method == "POST" else None
    steps = [_step(method, path, body, reply_=(found, "{}"))]
    case = write(tmp_path, rule=rule, operation=f"{method} {path}", steps=steps)
    with scripted(busy) as server:
        result = sent(case, Options(url=server.url, token=TOKEN, allow_submits=1))
    assert (False, not text) == (result.again, result.sent)
    assert result.text.startswith(text)


RULES_OF_STORIES = [(each.name, rule) for each in STORIES for rule in each.rules]


@pytest.mark.parametrize(("story", "rule"), RULES_OF_STORIES)
def test_a_story_about_pictures_buys_none_unasked(tmp_path: Path, story: str, rule: str) -> None:
    submits: list[Call] = []

    def hear(call: Call) -> float:
        if call.operation in (IMAGINE, CHANGE):
            submits.append(call)
        return 0

    path = write(tmp_path, rule=rule, operation="POST /mj/submit/imagine", story=story)
    with serving(Manners(pause_s=hear)) as address:
        result = sent(path, Options(url=address, token=TOKEN, second_token=SECOND))
    assert not result.again
    free = ("bad_tokens", "pages", "lax")
    assert (story in free) == result.sent, result.text
    assert story in free or result.text.startswith("needs --allow-submits ")
    # What is sent without an allowance has nothing that could be drawn.
    assert not [each for each in submits if at(each.json, "prompt")]
    assert story in free or not submits


def test_a_story_of_callbacks_needs_a_receiver(tmp_path: Path) -> None:
    about = {"operation": "POST /mj/submit/imagine", "story": "callbacks"}
    path = write(tmp_path, rule="callback_arrives", **about)
    silent = Manners(posts=lambda task, post: [])
    with serving(silent) as address:
        options = Options(url=address, token=TOKEN, allow_submits=1, patience_s=2)
        result = sent(path, options)
        assert (False, False) == (result.again, result.sent)
        assert "no callback came: needs --receiver" in result.text
        again = sent(path, replace(options, receiver="http://127.0.0.1:0"))
        assert (True, True) == (again.again, again.sent)


def test_where_another_token_is_needed_it_is_said(tmp_path: Path) -> None:
    path = write(tmp_path, rule="tenants_apart", story="tenants")
    with serving() as address:
        result = sent(path, Options(url=address, token=TOKEN, allow_submits=9))
    assert (False, "needs --second-token") == (result.sent, result.text)


def test_a_rule_that_was_not_applied_has_not_been_kept(tmp_path: Path) -> None:
    path = write(tmp_path, rule="every_task_ends", story="bad_tokens")
    with serving() as address:
        result = sent(path, Options(url=address, token=TOKEN))
    assert (False, False) == (result.again, result.sent)
    assert result.text.startswith("its rule was not applied")


def test_a_case_of_something_that_does_not_answer_is_not_sent_to_its_end(tmp_path: Path) -> None:
    def silent(arrival: Arrival) -> bytes:
        return b"" if arrival.path == "/v1/key" else refusal(404, "not_found")

    path = write(tmp_path, rule="content_type", operation="GET /v1/key", steps=_gets("/v1/key", 5))
    with scripted(silent) as server:
        result = sent(path, Options(url=server.url, token=TOKEN))
    assert (False, False) == (result.again, result.sent)
    assert result.text.startswith("it was not sent to its end: GET /v1/key does not answer")


def test_a_case_stops_where_the_server_answers_otherwise(tmp_path: Path) -> None:
    with scripted(lambda _: refusal(404, "not_found")) as server:
        options = Options(url=server.url, token=TOKEN, allow_submits=1)
        result = sent(write(tmp_path), options)
    assert (False, False) == (result.again, result.sent)
    assert "an earlier step was not answered as it was" in result.text


def test_a_case_cannot_be_sent_to_a_server_that_went_away(tmp_path: Path) -> None:
    looks[:] = []

    def leaving(arrival: Arrival) -> bytes:
        return refusal(404, "not_found") if len(server.arrivals) == 1 else b""

    steps = [*_gets("/v1/key"), *_gets("/v1/usage"), *_gets("/nowhere")] * 3
    path = write(tmp_path, rule="content_type", operation="GET /v1/key", steps=steps)
    with scripted(leaving) as server, pytest.raises(CannotRun, match="does not answer any more"):
        sent(path, Options(url=server.url, token=TOKEN))


def _gets(path: str, number: int = 1) -> list[dict[str, object]]:
    return [_step("GET", path)] * number


def _step(
    method: str, path: str, body: str | None = None, reply_: tuple[int, str] | None = None
) -> dict[str, object]:
    request = {
        "method": method,
        "url": f"{{{{target}}}}{path}",
        "headers": [["Content-Type", "application/json"]] if body else [],
        "body": body and {"text": body},
        "sender": "token",
        "form": "mj-api-secret",
    }
    came = reply_ and {
        "status": reply_[0],
        "headers": [["content-type", "application/json"]],
        "body": {"text": reply_[1]},
        "after_ms": 1,
    }
    return {"request": request, "gives": {}, "pause_ms": 0, "answer": came}


def test_a_case_of_a_story_tells_the_story_again(tmp_path: Path) -> None:
    path = write(tmp_path, rule="bad_token_refused", operation="", story="bad_tokens")
    with serving() as address:
        assert not sent(path, Options(url=address, token=TOKEN)).again
        unknown = write(tmp_path, story="nobody_tells_it")
        with pytest.raises(CannotRun, match="there is no story nobody_tells_it"):
            sent(unknown, Options(url=address, token=TOKEN))


def test_a_case_of_nothing_breaks_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, steps=[])
    with serving() as address:
        assert not sent(path, Options(url=address, token=TOKEN)).again
