"""Sandboxes over real sockets and a plain way to speak to them."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from mjgate.sandbox import Settings, running_sandbox

PATIENCE = 30.0


@dataclass(frozen=True)
class Answer:
    """An answer as it came over the wire; header names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __getitem__(self, name: str) -> str | None:
        return next((value for given, value in self.headers if given == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Caller:
    """Speaks to one sandbox, each call on a connection of its own."""

    url: str

    @property
    def place(self) -> str:
        return self.url.removeprefix("http://")

    def call(
        self, method: str, path: str, body: str | bytes | None = None, **headers: str
    ) -> Answer:
        named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return self.send(method, path, named, body)

    def send(
        self,
        method: str,
        path: str,
        headers: tuple[tuple[str, str], ...] = (),
        body: str | bytes | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection(self.place, timeout=PATIENCE)
        try:
            data = body.encode() if isinstance(body, str) else body
            connection.request(method, path, data, dict(headers))
            response = connection.getresponse()
            given = tuple((name.lower(), value) for name, value in response.getheaders())
            return Answer(response.status, given, response.read())
        finally:
            connection.close()

    def post(self, path: str, data: Any, **headers: str) -> Answer:
        return self.call("POST", path, json.dumps(data), Content_Type="application/json", **headers)

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, **headers)

    def imagine(self, prompt: str, **more: Any) -> Answer:
        return self.post("/mj/submit/imagine", {"prompt": prompt, **more})

    def change(self, task_id: str, action: str, **more: Any) -> Answer:
        return self.post("/mj/submit/change", {"taskId": task_id, "action": action, **more})

    def action(self, task_id: str, custom_id: str) -> Answer:
        return self.post("/mj/submit/action", {"taskId": task_id, "customId": custom_id})

    def fetch(self, task_id: str) -> Answer:
        return self.get(f"/mj/task/{task_id}/fetch")

    def ids(self, *task_ids: Any) -> Answer:
        return self.post("/mj/task/list-by-condition", {"ids": task_ids})

    def made(self, prompt: str, **more: Any) -> str:
        """The id of a new task."""
        return str(self.imagine(prompt, **more).json["result"])

    def until(self, task_id: str, *statuses: str) -> Any:
        """The task once it has one of these statuses."""
        return awaited(lambda: self.fetch(task_id).json, lambda task: task["status"] in statuses)

    def finished(self, prompt: str, **more: Any) -> Any:
        """A new task once it has ended."""
        return self.until(self.made(prompt, **more), "SUCCESS", "FAILURE")

    def control(self, method: str, path: str, data: Any = None) -> Answer:
        return self.call(
            method, f"/sandbox{path}", json.dumps(data), Content_Type="application/json"
        )


Start = Callable[..., Caller]


def awaited(look: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
    """What `look` sees once it is good; fails when that takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not good(seen := look()):
        assert time.monotonic() < deadline, f"still {seen}"
        time.sleep(0.002)
    return seen


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts sandboxes that end with the test."""
    with ExitStack() as stack:

        def begin(dialect: str = "novicezk", **settings: Any) -> Caller:
            told = Settings(**{"dialect": dialect, "speed": 100.0, **settings})
            return Caller(stack.enter_context(running_sandbox(told)))

        yield begin
