"""A stored case breaks the same rule again, on the server that breaks it and on no other."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from mjgate.conformance.cases import store
from mjgate.conformance.profile import Profile
from mjgate.conformance.replay import Replayed, replay
from mjgate.conformance.run import Options, run
from mjgate.conformance.verdict import CannotRun
from tests.conformance.exchanges import TASK
from tests.conformance.honest import SECOND, TOKEN, serving
from tests.conformance.judge import SMALL
from tests.conformance.scripted import Arrival, refusal, reply, scripted

CORNERS = replace(SMALL, max_examples=0, stories=False, allow_submits=None)
ID = "1795408020562001"


def plain(name: str) -> Profile:
    return Profile(name, name)


def shown(arrival: Arrival) -> bytes:
    """Refuses all but the key, which is wrong."""
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
    with scripted(going_back) as server, pytest.raises(CannotRun, match="--allow-submits 1"):
        sent(write(tmp_path), Options(url=server.url, token=TOKEN))
    assert [] == server.arrivals


def test_a_case_stops_where_the_server_answers_otherwise(tmp_path: Path) -> None:
    with scripted(lambda _: refusal(404, "not_found")) as server:
        options = Options(url=server.url, token=TOKEN, allow_submits=1)
        result = sent(write(tmp_path), options)
    assert not result.again
    assert "an earlier step was not answered as it was" in result.text


def test_a_case_cannot_be_sent_to_a_server_that_went_away(tmp_path: Path) -> None:
    looks[:] = []

    def leaving(arrival: Arrival) -> bytes:
        return refusal(404, "not_found") if len(server.arrivals) == 1 else b""

    path = write(tmp_path, rule="answers", operation="GET /v1/key", steps=_looks(9))
    with scripted(leaving) as server, pytest.raises(CannotRun, match="does not answer any more"):
        sent(path, Options(url=server.url, token=TOKEN))


def _looks(number: int) -> list[dict[str, object]]:
    """Requests to one operation after the other."""
    paths = itertools.cycle(["/v1/key", "/v1/usage", "/mj/task/1/fetch"])
    more: dict[str, object] = {"body": None, "sender": "token", "form": "mj-api-secret"}
    return [
        {
            "request": {"method": "GET", "url": f"{{{{target}}}}{path}", "headers": []} | more,
            "gives": {},
            "pause_ms": 0,
        }
        for path in itertools.islice(paths, number)
    ]


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
