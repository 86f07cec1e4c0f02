"""A quick upstream: answers as novicezk does and keeps nothing about a task but its id.

An id is the microsecond of its submit, rounded so that its remainder by four is the action: a
task's whole life follows from its id and the clock, and from the fault words in its prompt,
which are those of `mjgate.sandbox.faults`: `LIVES` spoil a task's life, `LISTS` every list that
holds it. `POST /sandbox/forget` is a restart.
"""

import asyncio
import math
import re
import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import click
import httptools
import orjson
import uvloop

ACTIONS = ("IMAGINE", "UPSCALE", "VARIATION", "REROLL")
_NEWEST = 100
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
_ABSENT = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
_BROKEN = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
_NO_ROUTE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_ACCEPTED = '{"code":1,"description":"提交成功","result":"%d","properties":{}}'.encode()
_FETCH = re.compile(rb"/mj/task/([0-9]{16})/fetch")
_WORD = re.compile(r"sandbox:(list:)?([a-z][a-z0-9-]*)(?:=([0-9.]+))?", re.ASCII)
_RUNS = ("backwards", "late", "stuck", "unstarted", "waiting")
_ENDS = ("cancel", "fail", "fail-late", "hidden", "lost")
LIVES = frozenset((*_RUNS, *_ENDS))
LISTS = frozenset(("garbage", "hang", "http500", "stray", "twice"))
STAGES = ((0.0, "0%"), (0.41, "15%"), (0.54, "31%"), (0.66, "62%"), (0.82, "93%"))
"""From which share of a life on which progress is shown, as recorded (`mjgate.sandbox.life`)."""
_STRAY = {"id": "1111111111111111", "status": "SUCCESS"}
_GARBAGE = '{"code":1,"description":"提交成功","result":"17'.encode()
_PLAIN: Mapping[str, float] = {}


@dataclass
class Studio:
    """Makes ids and tells tasks from them. Times are seconds, ids microseconds."""

    success_after: float = 1.0
    submits: int = 0
    lists: int = 0
    fetches: int = 0
    newest: deque[int] = field(default_factory=lambda: deque(maxlen=_NEWEST))
    odd: dict[int, Mapping[str, float]] = field(default_factory=dict)
    spoiling: dict[int, str] = field(default_factory=dict)
    _last: int = 0
    _forgotten: int = 0

    def submit(self, action: str, body: bytes = b"") -> int:
        self.submits += 1
        self._last = max(self._last, _now()) // 4 * 4 + 4 + ACTIONS.index(action)
        self.newest.append(self._last)
        if b"sandbox:" in body:
            self._heed(self._last, orjson.loads(body)["prompt"])
        return self._last

    def task(self, task_id: int) -> dict[str, Any] | None:
        """The task in the 14 keys of novicezk; None for an id that was never handed out."""
        if task_id > max(self._last, _now()) or task_id <= self._forgotten:
            return None
        age = max(0, _now() - task_id) / 1e6
        words = self.odd.get(task_id, _PLAIN)
        if age >= words.get("lost", math.inf) or age < words.get("hidden", 0):
            return None
        after = max(self.success_after, words.get("late", 0))
        return _lived(_task(task_id, age / after if after else 1), words)

    def forget(self) -> None:
        """What a restart of an upstream without a store does."""
        self._forgotten = max(self._last, _now())
        self.newest.clear()

    def _heed(self, task_id: int, prompt: str) -> None:
        for of_list, name, value in _WORD.findall(prompt):
            if name not in (LISTS if of_list else LIVES):
                raise ValueError(f"{name!r} is no fault of the stub")
            if of_list:
                self.spoiling[task_id] = name
            else:
                self.odd[task_id] = {**self.odd.get(task_id, {}), name: float(value or 0)}

    def counts(self) -> dict[str, int]:
        return {"submits": self.submits, "lists": self.lists, "fetches": self.fetches}


def _task(task_id: int, share: float) -> dict[str, Any]:
    done = share >= 1
    start = task_id // 1000
    return {
        "id": str(task_id),
        "properties": {"finalPrompt": "Cat"},
        "action": ACTIONS[task_id % 4],
        "status": "SUCCESS" if done else "IN_PROGRESS",
        "prompt": "Cat",
        "promptEn": "Cat",
        "description": "/imagine Cat",
        "state": None,
        "submitTime": start,
        "startTime": start,
        "finishTime": _now() // 1000 if done else None,
        "imageUrl": f"https://pictures.example.org/{task_id}.png" if done else None,
        "progress": "100%" if done else _progress(share),
        "failReason": None,
    }


def _progress(share: float) -> str:
    return next(progress for start, progress in reversed(STAGES) if share >= start)


def _lived(task: dict[str, Any], words: Mapping[str, float]) -> dict[str, Any]:
    """What faults make of a healthy task."""
    done = task["status"] == "SUCCESS"
    if "unstarted" in words:
        return task | {"status": "NOT_START", "progress": None, "imageUrl": None}
    if "stuck" in words and done:
        return task | {"status": "IN_PROGRESS", "progress": "85%", "imageUrl": None}
    if "cancel" in words:
        return task | {"status": "CANCEL", "progress": "", "imageUrl": None}
    if "fail" in words or ("fail-late" in words and done):
        return task | {"status": "FAILURE", "progress": "", "failReason": "moderated"}
    if not done and "waiting" in words:
        return task | {"progress": "Waiting to start"}
    if not done and "backwards" in words:
        shown = [progress for _, progress in STAGES]
        return task | {"progress": shown[-1 - shown.index(task["progress"])]}
    return task


class Upstream(asyncio.Protocol):
    """One connection; answers each request with one write, after `delay` seconds."""

    transport: asyncio.Transport

    def __init__(self, studio: Studio, delay: float) -> None:
        self._studio = studio
        self._delay = delay
        self._url = self._body = b""
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_message_begin(self) -> None:
        self._url = self._body = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        answer = self._answer(self._parser.get_method() + b" " + self._url)
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._send, answer)
        else:
            self._send(answer)

    def _send(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)

    def _answer(self, request: bytes) -> bytes:
        match request:
            case b"POST /mj/submit/imagine":
                return _accepted(self._studio.submit("IMAGINE", self._body))
            case b"POST /mj/submit/change":
                return _accepted(self._studio.submit(orjson.loads(self._body)["action"]))
            case b"POST /mj/task/list-by-condition":
                return self._listed()
            case b"GET /mj/task/list":
                return _json(self._tasks(reversed(self._studio.newest)))
            case b"POST /sandbox/forget":
                self._studio.forget()
                return _NO_CONTENT
            case b"GET /counts":
                return _json(self._studio.counts())
        return self._fetched(request)

    def _listed(self) -> bytes:
        self._studio.lists += 1
        asked = [*map(int, orjson.loads(self._body).get("ids") or [])]
        tasks: list[Any] = self._tasks(asked)
        if not self._studio.spoiling:
            return _json(tasks)
        return _spoiled(tasks, {self._studio.spoiling.get(task_id) for task_id in asked})

    def _fetched(self, request: bytes) -> bytes:
        found = _FETCH.fullmatch(request.removeprefix(b"GET "))
        if not found:
            return _NO_ROUTE
        self._studio.fetches += 1
        task = self._studio.task(int(found[1]))
        return _json(task) if task else _ABSENT

    def _tasks(self, ids: Any) -> list[dict[str, Any]]:
        tasks = (self._studio.task(task_id) for task_id in ids)
        return [task for task in tasks if task]


def _spoiled(tasks: list[Any], faults: Collection[str | None]) -> bytes:
    """A list as the worst of the faults leaves it; b"" is none, ever."""
    if "hang" in faults:
        return b""
    if "http500" in faults:
        return _BROKEN
    if "garbage" in faults:
        return _HEAD % (len(_GARBAGE), _GARBAGE)
    if "stray" in faults:
        tasks = [_STRAY, None, 7, {}, *tasks]
    return _json(tasks * 2 if "twice" in faults else tasks)


def _accepted(task_id: int) -> bytes:
    body = _ACCEPTED % task_id
    return _HEAD % (len(body), body)


def _json(value: Any) -> bytes:
    body = orjson.dumps(value)
    return _HEAD % (len(body), body)


def _now() -> int:
    return time.time_ns() // 1000


async def serve(studio: Studio, delay: float) -> None:
    """Listens on a free loopback port and prints it."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(studio, delay), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@click.command()
@click.option("--delay", default=0.0, help="Milliseconds before each answer.")
@click.option("--success-after", default=1.0, help="Seconds from submit to SUCCESS.")
def main(delay: float, success_after: float) -> None:
    """Answer as an upstream until ended."""
    uvloop.run(serve(Studio(success_after), delay / 1000))


if __name__ == "__main__":
    main()
