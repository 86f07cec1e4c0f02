"""Sends what was sent to the real upstreams and compares the answers."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mjgate.sandbox import DialectName, Settings, running_sandbox
from tests.sandbox.conftest import Answer, Caller, awaited
from tests.sandbox.recordings import Call, Exchange, Reply, read

SECRETS = {"novicezk": "novice-secret", "new-api": "sk-XXXX"}
ABSENT = {
    "novicezk": re.compile(
        r"/mj/?$|/mj/submit/(simple-change|describe|blend)|/mj/task/queue|/mj/account"
    ),
    "new-api": re.compile(
        r"/mj/submit/(blend|describe|modal|shorten|upload)|/mj/insight-face|.*/image-seed"
    ),
}
"""Operations of the real upstreams that the sandbox does not offer."""

WORDS = {'"CODE24"': '"nude body"', '"CODE23"': '"cat"', '"CODE22"': '"cat"'}
"""Prompts that drove the recorded upstream's own upstream, and their like here."""

SWITCHED = {
    "bad-no-channel:2": "http503",
    "bad-token-exhausted:2": "http401",
    "bad-user-quota:2": "quota",
    "up-http500:2": "code5",
}
"""Exchanges whose answer came from a state of the upstream, and the fault that is that state."""

RESTARTS = frozenset({"12_queue_22_and_23:2"})
"""Exchanges before which the recorded upstream was restarted."""

UNRECORDED = {
    "1795407690128000034": {"prompt": "FAILTASK sandbox:fail=[Banned_prompt]"},
}
"""Tasks that recorded calls ask about, made by calls that were not recorded."""

EXACT = frozenset({"code", "status", "progress", "action", "type", "description"})
"""Keys whose values must be equal; of others, the types."""
VALUED = frozenset(
    {"accept", "allow", "connection", "content-language", "content-type", "transfer-encoding",
     "vary", "accept-patch"}
)  # fmt: skip
"""Headers whose values must be equal; of others, the presence."""

DIFFERENCES: dict[str, dict[tuple[str, str], str]] = {
    "novicezk": {},
    "new-api": {
        ("up-code23:2", "$.result str is NoneType"): "novicezk itself sends null (12:191)",
        ("up-code24:2", "$.result is added"): "novicezk itself sends it, null (07:2)",
    },
}
"""(place, difference) -> why it is left so."""


@dataclass
class Replay:
    """One dialect's recordings against one sandbox, with recorded ids put for live ones."""

    dialect: str
    caller: Caller
    exchanges: list[Exchange]
    live: dict[str, str] = field(default_factory=dict)

    def offered(self) -> Iterator[Exchange]:
        """The exchanges that need nothing but what the sandbox offers."""
        strange: set[str] = set()
        for exchange in self.exchanges:
            known = not ABSENT[self.dialect].match(exchange.call.path)
            if known and not any(task_id in _text(exchange.call) for task_id in strange):
                yield exchange
            elif made := _made(exchange.reply):
                strange.add(made)

    def send(self, exchange: Exchange) -> tuple[Reply, Answer]:
        """The recorded answer with live ids in it, and the live answer."""
        if exchange.place in RESTARTS:
            self._restart()
        self._make_parents(exchange)
        if exchange.call.path.startswith("/mj/task/list"):
            self._idle()
        if fault := SWITCHED.get(exchange.place):
            self.caller.control("PUT", "/faults/imagine", {"fault": fault, "times": 1})
        answer = self._reach(exchange) if _asks(exchange) else self._submit(exchange)
        if made := _made(exchange.reply):
            self.live[made] = answer.json.get("result") or ""
        body = self._mapped(exchange.reply.body.decode()).encode()
        return replace(exchange.reply, body=body), answer

    def _make_parents(self, exchange: Exchange) -> None:
        """Makes the tasks that the call is about, ended unless it asks about a running one."""
        for task_id in re.findall(r"\d{16,19}", _text(exchange.call)):
            if task_id not in self.live:
                self._make(task_id)
            if task_id in self.live and exchange.call.path.startswith("/mj/submit/"):
                self._settle(task_id, exchange)

    def _settle(self, task_id: str, exchange: Exchange) -> None:
        """Waits for the parent's end, unless its running is what was refused."""
        if "状态错误" not in exchange.reply.body.decode():
            awaited(
                lambda: self._fetched(self.live[task_id]), lambda task: task["status"] == "SUCCESS"
            )

    def _make(self, task_id: str) -> None:
        creator = next((one for one in self.exchanges if _made(one.reply) == task_id), None)
        if creator:
            self._make_parents(creator)
            self.live[task_id] = self._send(creator.call).json["result"]
        elif order := UNRECORDED.get(task_id):
            self.live[task_id] = self.caller.post(
                "/mj/submit/imagine", order, mj_api_secret=SECRETS[self.dialect]
            ).json["result"]

    def _submit(self, exchange: Exchange) -> Answer:
        """The call when as many tasks wait as the recorded answer speaks of.

        Repeated when one of them left the queue just before.
        """
        place = _place(exchange.reply.body)
        if place is None:
            return self._send(exchange.call)
        for _ in range(20):
            self._fill_queue(*place)
            answer = self._send(exchange.call)
            if _place(answer.body) == place:
                break
        return answer

    def _fill_queue(self, code: int, number: int) -> None:
        wanted = 10 if code == 23 else number
        awaited(self._waiting, lambda waiting: waiting <= wanted)
        while wanted and self._waiting() < wanted:
            self._imagine("a cat that fills the queue")

    def _restart(self) -> None:
        self.caller.control("POST", "/forget")
        self.live.clear()

    def _idle(self) -> None:
        idle = {"running": 0, "waiting": 0}
        awaited(lambda: self.caller.control("GET", "/queue").json, lambda busy: busy == idle)

    def _waiting(self) -> int:
        return int(self.caller.control("GET", "/queue").json["waiting"])

    def _imagine(self, prompt: str) -> Answer:
        secret = SECRETS[self.dialect]
        return self.caller.post("/mj/submit/imagine", {"prompt": prompt}, mj_api_secret=secret)

    def _reach(self, exchange: Exchange) -> Answer:
        """The fetch at the recorded stage; a task that is past it is made anew."""
        recorded = json.loads(exchange.reply.body)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            answer = self._send(exchange.call)
            task = answer.json
            if _stage(task) == _stage(recorded):
                return answer
            if task["status"] in ("SUCCESS", "FAILURE") and recorded["id"]:
                self._make(recorded["id"])
        return answer

    def _fetched(self, task_id: str) -> Any:
        secret = SECRETS[self.dialect]
        return self.caller.get(f"/mj/task/{task_id}/fetch", mj_api_secret=secret).json

    def _send(self, call: Call) -> Answer:
        body = None if call.body is None else self._mapped(call.body)
        for word, like in WORDS.items():
            body = body and body.replace(word, like)
        return self.caller.send(call.method, self._mapped(call.path), call.headers, body)

    def _mapped(self, text: str) -> str:
        for recorded, live in self.live.items():
            text = text.replace(recorded, live)
        return text


def differences(recorded: Reply, answer: Answer) -> list[str]:
    """What a client could see of the difference between the two answers."""
    found = []
    if recorded.status != answer.status:
        found.append(f"status {recorded.status} is {answer.status}")
    ours, theirs = _headers(answer.headers), _headers(recorded.headers)
    found += [f"header {one} is missing" for one in sorted(theirs - ours)]
    found += [f"header {one} is added" for one in sorted(ours - theirs)]
    if recorded.body.isascii() != answer.body.isascii():
        found.append("escaping")
    before, now = _json(recorded.body), _json(answer.body)
    return found + list(_differing("$", before, now))


def _differing(path: str, before: Any, now: Any, exact: bool = True) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in before.keys() | now.keys():
            if key not in now or key not in before:
                yield f"{path}.{key} is {'missing' if key in before else 'added'}"
            elif exact and key in EXACT and not isinstance(before[key], (dict, list)):
                if _bare(before[key]) != _bare(now[key]):
                    yield f"{path}.{key} {before[key]!r} is {now[key]!r}"
            else:
                yield from _differing(f"{path}.{key}", before[key], now[key], exact)
    elif isinstance(before, list) and isinstance(now, list):
        if bool(before) != bool(now):
            yield f"{path} has {len(now)} elements, recorded {len(before)}"
        for number, element in enumerate(now):
            options = [list(_differing(f"{path}[]", one, element, False)) for one in before]
            if all(options) and options:
                _, nearest = min((len(option), sorted(option)) for option in options)
                yield f"{path}[{number}]: " + "; ".join(nearest)
    elif type(before) is not type(now):
        yield f"{path} {type(before).__name__} is {type(now).__name__}"


def _bare(value: Any) -> Any:
    """The value without the addresses in it."""
    return re.sub(r"https?://\S+", "<url>", value) if isinstance(value, str) else value


def _headers(headers: tuple[tuple[str, str], ...]) -> set[str]:
    return {f"{name}: {value}" if name in VALUED else name for name, value in headers}


def _json(body: bytes) -> Any:
    """The JSON in a body; of anything else, whether there is something."""
    try:
        return json.loads(body)
    except ValueError:
        return bool(body)


def _text(call: Call) -> str:
    return f"{call.path} {call.body or ''}"


def _place(body: bytes) -> tuple[int, int] | None:
    """Code and place in the queue, of an answer that speaks of it."""
    told = _json(body)
    if not isinstance(told, dict) or told.get("code") not in (1, 22, 23):
        return None
    return told["code"], (told.get("properties") or {}).get("numberOfQueues", 0)


def _made(reply: Reply) -> str | None:
    """The id that an answer gave to a new task."""
    told = _json(reply.body)
    result = told.get("result") if isinstance(told, dict) else None
    good = isinstance(result, str) and told["code"] in (1, 22)
    return result if good else None


def _asks(exchange: Exchange) -> bool:
    """Whether it fetches a task that is there."""
    return exchange.call.path.endswith("/fetch") and b'"progress"' in exchange.reply.body


def _stage(task: Any) -> tuple[Any, ...]:
    known = task["properties"] or {}
    return task["status"], task["progress"], "messageHash" in known


@pytest.mark.parametrize("dialect", ["novicezk", "new-api"])
def test_answers_as_the_recorded_upstream_does(dialect: DialectName) -> None:
    told = Settings(dialect, speed=20, secret=SECRETS[dialect], core_size=3, queue_size=10)
    found: set[tuple[str, str]] = set()
    with running_sandbox(told) as url:
        replay = Replay(dialect, Caller(url), read(dialect))
        for exchange in replay.offered():
            found |= {(exchange.place, one) for one in differences(*replay.send(exchange))}
    assert sorted(DIFFERENCES[dialect]) == sorted(found)


@pytest.mark.parametrize(
    ("dialect", "all_of_them", "offered"), [("novicezk", 139, 104), ("new-api", 29, 20)]
)
def test_every_recorded_exchange_is_read(
    dialect: DialectName, all_of_them: int, offered: int
) -> None:
    exchanges = read(dialect)
    replay = Replay(dialect, Caller(""), exchanges)
    assert (all_of_them, offered) == (len(exchanges), len(list(replay.offered())))


RECORDED = Reply(200, (("content-type", "application/json"),), '{"code":1,"result":"成"}'.encode())


@pytest.mark.parametrize(
    ("status", "headers", "body", "difference"),
    [
        (400, RECORDED.headers, RECORDED.body, "status 200 is 400"),
        (200, (), RECORDED.body, "header content-type: application/json is missing"),
        (200, (*RECORDED.headers, ("x-a", "1")), RECORDED.body, "header x-a is added"),
        (200, RECORDED.headers, b'{"code":1,"result":"a"}', "escaping"),
        (200, RECORDED.headers, '{"code":1,"result":"成","a":1}'.encode(), "$.a is added"),
        (200, RECORDED.headers, '{"code":1,"re":"成"}'.encode(), "$.result is missing"),
        (200, RECORDED.headers, '{"code":2,"result":"成"}'.encode(), "$.code 1 is 2"),
        (200, RECORDED.headers, '{"code":1,"result":["成"]}'.encode(), "$.result str is list"),
    ],
)
def test_a_difference_is_seen(
    status: int, headers: tuple[tuple[str, str], ...], body: bytes, difference: str
) -> None:
    assert difference in differences(RECORDED, Answer(status, headers, body))


def test_equal_answers_have_no_difference() -> None:
    assert [] == differences(RECORDED, Answer(200, RECORDED.headers, RECORDED.body))


def test_an_element_unlike_all_recorded_ones_is_seen() -> None:
    recorded = Reply(200, (), b'[{"id":"1"},{"id":null}]')
    assert [] == differences(recorded, Answer(200, (), b'[{"id":null}]'))
    assert ["$[0]: $[].id NoneType is int"] == differences(recorded, Answer(200, (), b'[{"id":5}]'))
    assert ["$ has 0 elements, recorded 2"] == differences(recorded, Answer(200, (), b"[]"))
