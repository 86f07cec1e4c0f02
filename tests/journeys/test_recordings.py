"""Journeys with upstreams that answer, byte for byte, as real ones were recorded."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.harness import Gateway
from tests.sandbox.recordings import Exchange, Reply, read

RECORDED = {name: {one.place: one for one in read(name)} for name in ("novicezk", "new-api")}
LIST = "/mj/task/list-by-condition"
FIELDS = {
    "action", "description", "failReason", "finishTime", "id", "imageUrl", "progress", "prompt",
    "promptEn", "properties", "startTime", "state", "status", "submitTime",
}  # fmt: skip
"""The fields of the documented task."""

_JSON = (("content-type", "application/json"), ("transfer-encoding", "chunked"))


@dataclass
class Upstream:
    """Answers what it is told to, and remembers what it was asked."""

    url: str = ""
    submit: Reply | None = None
    tasks: dict[str, bytes] = field(default_factory=dict)
    """What lists show: recorded bodies by the upstream's ids."""
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def answer(self, path: str, body: bytes) -> Reply:
        read = json.loads(body)
        self.asked.append((path, read))
        if path != LIST:
            assert self.submit
            return self.submit
        shown = [self.tasks[one] for one in read["ids"] if one in self.tasks]
        return Reply(200, _JSON, b"[" + b",".join(shown) + b"]")

    def last(self, path: str) -> Any:
        return next(body for asked, body in reversed(self.asked) if asked == path)


@asynccontextmanager
async def replaying() -> AsyncIterator[Upstream]:
    """An upstream on a socket; statuses, headers and bodies go out as they were recorded."""
    upstream = Upstream()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(length[1]) if length else 0)
                writer.write(on_the_wire(upstream.answer(head.split()[1].decode(), body)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield upstream


def on_the_wire(reply: Reply) -> bytes:
    """A recorded answer: its status line has no phrase, as novicezk's has none."""
    headers = dict(reply.headers)
    body = reply.body
    if headers.get("transfer-encoding") == "chunked":
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    elif "content-length" in headers:
        headers["content-length"] = str(len(body))
    lines = [f"HTTP/1.1 {reply.status} ", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def at(name: str, place: str) -> Reply:
    return RECORDED[name][place].reply


def shown(reply: Reply) -> dict[str, Any]:
    task: dict[str, Any] = json.loads(reply.body)
    return task


async def seen(gateway: Gateway, task_id: str, good: Callable[[Any], bool]) -> dict[str, Any]:
    """The task once it looks as wanted."""
    async with asyncio.timeout(20):
        while not good(task := await gateway.fetch(task_id)):
            await asyncio.sleep(0.05)
        return task


def looks_like(recorded: dict[str, Any]) -> Callable[[Any], bool]:
    """Whether a task was seen at a recorded stage; `promptEn` comes from the upstream alone."""
    wanted = (recorded["status"], recorded["progress"] or None, recorded["promptEn"])
    return lambda task: (task["status"], task["progress"], task["promptEn"]) == wanted


async def accepted(gateway: Gateway, upstream: Upstream, reply: Reply, body: Any) -> str:
    """Our id of a submit that the upstream answers so."""
    upstream.submit = reply
    path = "/mj/submit/change" if "taskId" in body else "/mj/submit/imagine"
    status, answer = await gateway.ask("POST", path, body)
    assert (200, shown(reply)["code"]) == (status, answer["code"])
    assert shown(reply)["description"] == answer["description"]
    assert shown(reply)["result"] != answer["result"]
    sent = upstream.last(path)
    assert re.fullmatch(r"mjgate:[0-9a-f]{32}", sent["state"])
    assert "notifyHook" not in sent
    assert body.get("prompt") == sent.get("prompt")
    return str(answer["result"])


async def stage(
    gateway: Gateway, upstream: Upstream, task_id: str, upstream_id: str, reply: Reply
) -> dict[str, Any]:
    """The task as our client sees it while the upstream shows a recorded one."""
    recorded = shown(reply)
    upstream.tasks[upstream_id] = reply.body
    task = await seen(gateway, task_id, looks_like(recorded))
    assert task.keys() == FIELDS
    assert (task_id, recorded["action"]) == (task["id"], recorded["action"])
    assert upstream_id not in json.dumps(task).replace(str(recorded["imageUrl"]), "")
    assert "notifyHook" not in task["properties"]
    check_picture(gateway, task, recorded["imageUrl"] or None)
    for name in ("prompt", "promptEn", "failReason", "startTime", "finishTime"):
        assert (recorded[name] or None) == task[name], name
    return task


def check_picture(gateway: Gateway, task: dict[str, Any], recorded: str | None) -> None:
    """Shown as it was recorded, but for one that the gateway keeps."""
    [(source,)] = gateway.rows("select image_url from tasks where id = %s", task["id"])
    assert recorded == source
    if task["status"] == "SUCCESS":
        assert task["imageUrl"].startswith(f"{gateway.address}/mj/image/{task['id']}?")
    else:
        assert recorded == task["imageUrl"]


async def test_a_picture_of_novicezk_through_its_recorded_stages(gateway: Gateway) -> None:
    one, two = "01_imagine_and_fetch_every_stage", "02_change_actions"
    sheet = at("novicezk", f"{one}:2")
    theirs = shown(sheet)["result"]
    async with replaying() as upstream:
        await gateway.channel("novicezk", upstream.url, "novicezk", "novice-secret")
        prompt = shown(at("novicezk", f"{one}:11"))["prompt"]
        hook = "http://hook.example/imagine"
        body = {"prompt": prompt, "state": "ours", "notifyHook": hook}
        ours = await accepted(gateway, upstream, sheet, body)
        for line in (11, 20, 29, 47, 65, 83):
            task = await stage(gateway, upstream, ours, theirs, at("novicezk", f"{one}:{line}"))
            assert ("ours", f"/imagine {prompt}") == (task["state"], task["description"])

        ends = {("UPSCALE", 1): (2, 29), ("VARIATION", 2): (11, 38), ("REROLL", None): (20, 47)}
        for (action, index), (submit, fetch) in ends.items():
            answer, end = at("novicezk", f"{two}:{submit}"), at("novicezk", f"{two}:{fetch}")
            body = {"taskId": ours, "action": action, "state": action, "index": index}
            made = await accepted(gateway, upstream, answer, body)
            sent = upstream.last("/mj/submit/change")
            assert (theirs, action, index) == (sent["taskId"], sent["action"], sent.get("index"))
            task = await stage(gateway, upstream, made, shown(answer)["result"], end)
            sign = "R" if index is None else f"{action[0]}{index}"
            assert (f"/up {ours} {sign}", action) == (task["description"], task["state"])
    assert [("IMAGINE", "charge"), ("REROLL", "charge"), ("UPSCALE", "charge")] == gateway.rows(
        "select action, kind from ledger join tasks on tasks.id = task_id "
        "where kind <> 'hold' order by 1"
    )


async def test_a_picture_of_new_api_through_its_recorded_stages(gateway: Gateway) -> None:
    sheet = at("new-api", "good-imagine:2")
    theirs = shown(sheet)["result"]
    async with replaying() as upstream:
        await gateway.channel("new-api", upstream.url, "new-api", "sk-XXXX")
        body = {"prompt": "a cat --fast", "state": "ours"}
        ours = await accepted(gateway, upstream, sheet, body)
        waiting = at("new-api", "good-fetch-not-started:2")
        upstream.tasks[theirs] = waiting.body
        first = await seen(gateway, ours, lambda task: task["progress"] == "0%")
        assert ("NOT_START", None, None) == (
            first["status"], first["startTime"], first["finishTime"],
        )  # fmt: skip
        done = await stage(gateway, upstream, ours, theirs, at("new-api", "good-fetch-success:2"))
        assert ("ours", {"finalPrompt": "a cat --fast"}) == (done["state"], done["properties"])

        for action, index, place in (
            ("UPSCALE", 1, "good-change-upscale:2"),
            ("REROLL", None, "good-change-reroll-index1:2"),
        ):
            change = {"taskId": ours, "action": action} | ({"index": index} if index else {})
            await accepted(gateway, upstream, at("new-api", place), change)
            sent = upstream.last("/mj/submit/change")
            assert (theirs, action, 1) == (sent["taskId"], sent["action"], sent["index"])


async def test_a_recorded_failure_releases_its_hold(gateway: Gateway) -> None:
    end = at("new-api", "good-fetch-failed:2")
    accept = at("new-api", "good-imagine:2")
    theirs = shown(end)["id"]
    body = accept.body.replace(shown(accept)["result"].encode(), theirs.encode())
    async with replaying() as upstream:
        await gateway.channel("new-api", upstream.url, "new-api")
        reply = Reply(accept.status, accept.headers, body)
        ours = await accepted(gateway, upstream, reply, {"prompt": "FAILTASK"})
        upstream.tasks[theirs] = end.body
        task = await seen(gateway, ours, lambda task: task["status"] == "FAILURE")
    assert "[Banned prompt] failed by fake upstream" == task["failReason"]
    assert "100%" != task["progress"]
    assert [(0, 0)] == gateway.rows("select held, spent from tokens where label = 'client'")


@dataclass(frozen=True)
class Told:
    """What a client is told, and what becomes of the hold."""

    status: int
    code: int
    error: str | None
    made: bool
    phase: str


def table(reply: Reply) -> Told:
    """The outcome table of design section 5, for answers that were recorded."""
    if reply.status >= 500:
        return Told(502, 9, "outcome_unknown", False, "unknown")
    if reply.status != 200:
        return Told(502, 9, "upstream_refused", False, "rejected")
    said = json.loads(reply.body)
    code, usable = said["code"], isinstance(said.get("result"), str)
    if code in (1, 22):
        if usable:
            return Told(200, code, None, True, "running")
        return Told(502, 9, "outcome_unknown", False, "unknown")
    return Told(200, code, None, False, "rejected")


def submits() -> list[Exchange]:
    """Every recorded answer to a submit that differs from those before it."""
    found: dict[tuple[int, bytes], Exchange] = {}
    for name in RECORDED:
        for one in RECORDED[name].values():
            if one.call.method == "POST" and one.call.path.startswith("/mj/submit/"):
                found.setdefault((one.reply.status, one.reply.body), one)
    return list(found.values())


async def test_every_recorded_answer_to_a_submit_is_told_by_the_outcome_table(
    gateway: Gateway,
) -> None:
    exchanges = submits()
    assert len(exchanges) > 60
    async with replaying() as upstream:
        await gateway.channel("recorded", upstream.url, "novicezk", "k")
        told: dict[str, Told] = {}
        for exchange in exchanges:
            upstream.submit = exchange.reply
            status, body = await gateway.imagine(exchange.place)
            task = body["result"] or body["properties"].get("taskId")
            told[exchange.place] = Told(
                status,
                body["code"],
                body["properties"].get("error"),
                body["result"] is not None,
                *gateway.rows(
                    "select phase from tasks where prompt = %s order by id desc limit 1",
                    exchange.place,
                )[0],
            )
            check_words(exchange.reply, status, body)
            known = task is not None and (await gateway.fetch(task))["id"] == task
            assert known == (told[exchange.place].phase in ("running", "unknown"))
    assert {one.place: table(one.reply) for one in exchanges} == told
    kept = sum(one.phase in ("running", "unknown") for one in told.values())
    assert [(kept * 100_000, 0)] == gateway.rows(
        "select held, spent from tokens where label = 'client'"
    )


def check_words(reply: Reply, status: int, body: Any) -> None:
    """A business answer keeps its words; others show nothing of the upstream's."""
    if status == 200:
        said = json.loads(reply.body)
        assert said["description"] == body["description"]
        kept = {"numberOfQueues", "bannedWord", "promptEn"} & (said["properties"] or {}).keys()
        assert {name: said["properties"][name] for name in kept} == body["properties"]
    else:
        text = json.dumps(body)
        for word in ("Whitelabel", "new_api_error", "upstream_error", "timestamp", "request id"):
            assert word not in text
