"""Posts to notifyHook, against those that were recorded."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.sandbox.conftest import Caller, Start
from tests.sandbox.recordings import posts

Posts = queue.Queue[tuple[dict[str, str], bytes]]
PATIENCE = 20.0


@contextmanager
def receiver(status: int = 200) -> Iterator[tuple[str, Posts]]:
    """An address that takes posts, and what it took."""
    took: Posts = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            took.put((dict(self.headers), body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", took
        finally:
            server.shutdown()
            thread.join()


def told(took: Posts) -> list[tuple[dict[str, str], bytes]]:
    """The posts up to the one that tells the end."""
    found = [took.get(timeout=PATIENCE)]
    while json.loads(found[-1][1])["status"] not in ("SUCCESS", "FAILURE"):
        found.append(took.get(timeout=PATIENCE))
    return found


def outline(body: bytes) -> dict[str, Any]:
    task = json.loads(body)
    return {
        "keys": list(task),
        "properties": sorted(task["properties"]),
        "stage": (task["status"], task["progress"]),
        "types": [type(value) for value in task.values()],
    }


def stages(found: list[tuple[dict[str, str], bytes]]) -> list[tuple[str, str]]:
    return [outline(body)["stage"] for _, body in found]


def test_novicezk_tells_an_imagine_as_recorded(start: Start) -> None:
    with receiver() as (hook, took):
        start(speed=20).imagine("a cat", notifyHook=hook, state="s")
        found = told(took)
    recorded = posts("novicezk", "/hook-imagine")
    assert [outline(body) for _, body in recorded] == [outline(body) for _, body in found]


def test_novicezk_tells_an_upscale_as_recorded(start: Start) -> None:
    with receiver() as (hook, took):
        caller = start(speed=20)
        parent = caller.finished("a cat")
        caller.change(parent["id"], "UPSCALE", index=1, notifyHook=hook, state="s")
        found = told(took)
    recorded = posts("novicezk", "/hook-upscale")
    assert [outline(body) for _, body in recorded] == [outline(body) for _, body in found]


def test_novicezk_sends_the_recorded_headers(start: Start) -> None:
    with receiver() as (hook, took):
        start().imagine("a cat", notifyHook=hook)
        headers, _ = told(took)[0]
    recorded, _ = posts("novicezk", "/hook-imagine")[0]
    for name in ("Content-Type", "Accept", "User-Agent"):
        assert recorded[name] == headers[name]


def test_a_post_is_what_fetch_gives(start: Start) -> None:
    with receiver() as (hook, took):
        caller = start()
        task = caller.finished("猫猫", notifyHook=hook)
        last = told(took)[-1][1]
    assert task == json.loads(last)
    assert "猫猫".encode() in last


def test_buttons_tells_no_stage_twice(start: Start) -> None:
    with receiver() as (hook, took):
        start("buttons", speed=20).imagine("a cat", notifyHook=hook)
        found = told(took)
    assert len(set(stages(found))) == len(found)
    assert "application/json; charset=utf-8" == found[0][0]["Content-Type"]
    assert all(body.isascii() for _, body in found)


def test_new_api_tells_nobody(start: Start) -> None:
    with receiver() as (hook, took):
        start("new-api").finished("a cat", notifyHook=hook)
        assert took.empty()


def test_falling_progress_is_not_told(start: Start) -> None:
    with receiver() as (hook, took):
        start().imagine("a cat sandbox:backwards", notifyHook=hook)
        found = told(took)
    assert [("SUBMITTED", "0%"), ("IN_PROGRESS", "93%"), ("SUCCESS", "100%")] == stages(found)


def test_a_failure_is_told(start: Start) -> None:
    with receiver() as (hook, took):
        start().imagine("a cat sandbox:fail-early", notifyHook=hook)
        assert [("FAILURE", "")] == stages(told(took))


@pytest.mark.parametrize("hook", ["not a url", "ftp://x/y", "http://127.0.0.1:1/", "http://[", ""])
def test_a_bad_hook_hurts_nobody(start: Start, hook: str) -> None:
    caller = start()
    assert "SUCCESS" == caller.finished("a cat", notifyHook=hook)["status"]
    assert_hooks_still_work(caller)


def test_a_failing_receiver_is_told_on(start: Start) -> None:
    with receiver(500) as (hook, took):
        start(speed=20).imagine("a cat", notifyHook=hook)
        assert 8 == len(told(took))


def test_a_redirect_is_not_followed(start: Start) -> None:
    with receiver(302) as (hook, took):
        start(speed=20).imagine("a cat", notifyHook=hook)
        assert 8 == len(told(took))


def test_a_forgotten_task_is_not_told_any_more(start: Start) -> None:
    with receiver() as (hook, took):
        caller = start(speed=2)
        caller.imagine("a cat", notifyHook=hook)
        took.get(timeout=PATIENCE)
        caller.control("POST", "/forget")
        assert_hooks_still_work(caller)
        assert all(b'"SUCCESS"' not in body for _, body in took.queue)


def assert_hooks_still_work(caller: Caller) -> None:
    with receiver() as (hook, took):
        caller.imagine("a cat sandbox:fail-early", notifyHook=hook)
        assert 1 == len(told(took))
