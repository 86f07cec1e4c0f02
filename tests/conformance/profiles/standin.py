"""Servers that answer with what was recorded: a request gets the answer to one of its kind.

What was measured and is not among the recordings is said where it is made up.
"""

import json
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, cycle
from typing import Any, ClassVar
from urllib.parse import unquote
from urllib.request import Request, urlopen

from tests.sandbox.recordings import Exchange, Reply, read

IMAGINE, CHANGE = "/mj/submit/imagine", "/mj/submit/change"
LIST, ALL = "/mj/task/list-by-condition", "/mj/task/list"
FETCH = re.compile("/mj/task/([^/]+)/fetch")
CHANGES = ("UPSCALE", "VARIATION", "REROLL")
_HOPS = ("connection", "content-length", "date", "transfer-encoding")
_LONG = 2_000
"""Letters from which on a prompt fails."""


@dataclass(frozen=True)
class Asked:
    """A request as it came; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def media(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass
class Task:
    """A task on its way: what is said of it at each look, the last for ever."""

    stages: list[dict[str, Any]]
    looks: int = 0
    hook: str = ""

    @property
    def now(self) -> dict[str, Any]:
        return self.stages[min(self.looks, len(self.stages) - 1)]

    def look(self) -> dict[str, Any]:
        """As it is; whoever wanted to be called hears the same, where that is a step forward."""
        shown = self.now
        self.looks += 1
        forward = shown["status"] == "FAILURE" or str(shown["progress"]).endswith("%")
        if self.hook and forward:
            headers = {"Content-Type": "application/json", "User-Agent": "Java/17.0.15"}
            with suppress(OSError, ValueError):
                urlopen(Request(self.hook, written(shown), headers), timeout=5).close()
        return shown


class Refused(Exception):
    """Raised to answer at once."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass
class Standin(ABC):
    """One kind of server. Its tasks are known by the ids that it gave them."""

    name: ClassVar[str]
    secret: ClassVar[str]
    recorded: Sequence[Exchange] = ()
    tasks: dict[str, Task] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: count(1_795_408_000_000_000))

    def __post_init__(self) -> None:
        self.recorded = read(self.name)

    @abstractmethod
    def answer(self, asked: Asked) -> Reply: ...

    def said(self, method: str, path: str, body: str | None = None, **headers: str) -> Reply:
        """What was recorded of such a request; a header that is empty was not sent."""
        for each in self.recorded:
            given = {name.lower(): value for name, value in each.call.headers}
            like = all(given.get(k.replace("_", "-"), "") == v for k, v in headers.items())
            asked = each.call.method, each.call.path
            if like and asked == (method, path) and body in (None, each.call.body):
                return each.reply
        raise LookupError(f"{self.name} has no {method} {path} {body} {headers}")

    def shown(self, place: str) -> dict[str, Any]:
        """The task that was recorded at a place."""
        reply = next(each.reply for each in self.recorded if each.place == place)
        return dict(json.loads(reply.body))

    def make(self, stages: Sequence[Mapping[str, Any]], **known: Any) -> str:
        """A new task with these stages, and what is known of it in all of them."""
        task_id = str(next(self.ids))
        self.tasks[task_id] = Task([{**stage, "id": task_id, **known} for stage in stages])
        return task_id

    def known(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        return [self.tasks[each].now for each in ids if each in self.tasks]


def edited(reply: Reply, **changes: Any) -> Reply:
    """An answer with other values in its JSON."""
    value = json.loads(reply.body)
    return replace(reply, body=written({**value, **changes}))


def written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


class Novicezk(Standin):
    name = "novicezk"
    secret = "novice-secret"

    def answer(self, asked: Asked) -> Reply:
        guarded = asked.path.startswith(("/mj/submit/", "/mj/task/", "/mj/account/"))
        if guarded and asked.headers.get("mj-api-secret") != self.secret:
            return self.said("POST", IMAGINE, mj_api_secret="", authorization="")
        reply = self._routed(asked, asked.path.removesuffix("/"))
        accept = asked.headers.get("accept", "*/*")
        if accept == "text/html" and reply.status == 400:
            return self.said("POST", IMAGINE, accept="text/html")
        if accept == "application/xml" and reply.body and reply.status == 200:
            return self.said("GET", ALL, accept="application/xml")
        return reply

    def _routed(self, asked: Asked, path: str) -> Reply:
        fetched = FETCH.fullmatch(path)
        known = {IMAGINE: "POST", CHANGE: "POST", LIST: "POST", ALL: "GET"}
        allowed = "GET" if fetched else known.get(path)
        if path == "/mj" and asked.method == "GET":
            return self.said("GET", "/mj")
        if allowed is None:
            return self._nowhere(asked)
        if asked.method != allowed:
            reply = self._spring(asked, self.said("GET", IMAGINE))
            others = (pair for pair in reply.headers if pair[0] != "allow")
            return replace(reply, headers=(("allow", allowed), *others))
        if fetched:
            return self._fetch(unquote(fetched[1]))
        if path == ALL:
            return self.said("GET", ALL, mj_api_secret=self.secret)
        try:
            return {IMAGINE: self._imagine, CHANGE: self._change, LIST: self._list}[path](asked)
        except Refused as refused:
            return refused.reply

    def _nowhere(self, asked: Asked) -> Reply:
        if asked.path.startswith("/mj"):
            return self._spring(asked, self.said("POST", "/mj/nope"))
        page = (("content-type", "text/html;charset=utf-8"),)  # not recorded: Tomcat's own
        return Reply(404, page, b"<!doctype html><title>HTTP Status 404</title>")

    def _fetch(self, task_id: str) -> Reply:
        if task_id not in self.tasks:
            return self.said("GET", "/mj/task/123/fetch")
        reply = self.said("GET", "/mj/task/1795408020557714/fetch", mj_api_secret=self.secret)
        return replace(reply, body=written(self.tasks[task_id].look()))

    def _list(self, asked: Asked) -> Reply:
        body = self._read(asked)
        ids = [] if body.get("ids") is None else body["ids"]
        if not isinstance(ids, list) or any(isinstance(each, dict | list) for each in ids):
            raise Refused(self._spring(asked, self.said("POST", IMAGINE, "[]")))
        found = self.known([_text(each) or "" for each in ids])
        # Unordered, which is not recorded of more than one: those that wait come first.
        return replace(self.said("POST", LIST, "{}"), body=written(found[::-1]))

    def _imagine(self, asked: Asked) -> Reply:
        body = self._read(asked)
        self._hold(asked, body, "prompt", "state", "notifyHook", "base64")
        prompt, images = _text(body.get("prompt")), body.get("base64Array")
        images = [] if images is None else images
        if not isinstance(images, list) or any(isinstance(each, dict | list) for each in images):
            wrong = '{"prompt":"cat","base64Array":"data:image/png;base64,AAAA"}'
            raise Refused(self._spring(asked, self.said("POST", IMAGINE, wrong)))
        if not prompt or not prompt.strip():
            return self.said("POST", IMAGINE, "{}")
        if not all(str(each).startswith("data:") for each in images):
            return self.said("POST", IMAGINE, '{"prompt":"cat","base64Array":["notadataurl"]}')
        made = self.make(self._stages(prompt), prompt=prompt, promptEn=prompt, **_kept(body))
        self.tasks[made].hook = _text(body.get("notifyHook")) or ""
        return edited(self.said("POST", IMAGINE, '{"prompt":12345}'), result=made)

    def _stages(self, prompt: str) -> list[dict[str, Any]]:
        """As recorded, but for words in place of a percentage, and for a prompt that fails."""
        places = (11, 20, 47, 74, 83)
        stages = [self.shown(f"01_imagine_and_fetch_every_stage:{each}") for each in places]
        stages.insert(3, {**stages[2], "progress": "Waiting to start"})
        if len(prompt) > _LONG:
            reason = "[Invalid parameter] too long"
            stages[4:] = [{**stages[2], "status": "FAILURE", "progress": "", "failReason": reason}]
        return stages

    def _change(self, asked: Asked) -> Reply:
        body = self._read(asked)
        self._hold(asked, body, "taskId", "state", "notifyHook")
        task_id, action = _text(body.get("taskId")), body.get("action")
        ordinals = ("IMAGINE", *CHANGES, "DESCRIBE", "BLEND")
        if type(action) is int and 0 <= action < len(ordinals):
            action = ordinals[action]
        if action is not None and action not in ordinals:
            raise Refused(self._spring(asked, self._changed("FOO", 1)))
        index = self._index(asked, body.get("index"))
        if not task_id or not task_id.strip():
            return self.said("POST", CHANGE, '{"action":"UPSCALE","index":1}')
        if action is None:
            return self.said("POST", CHANGE, '{"taskId":"1795408020557714","index":1}')
        if action not in CHANGES:
            return self._changed("DESCRIBE", 1)
        if task_id not in self.tasks:
            return self._unknown()
        return self._made(task_id, action, index, body)

    def _made(self, task_id: str, action: str, index: int | None, body: dict[str, Any]) -> Reply:
        parent = self.tasks[task_id].now
        if parent["status"] != "SUCCESS":
            return edited(self._unknown(), code=4, description="关联任务状态错误")
        if parent["action"] == "UPSCALE":
            of_upscale = '{"taskId":"1795408029320287","action":"VARIATION","index":1}'
            return self.said("POST", CHANGE, of_upscale)
        if action != "REROLL" and index is None:
            return self.said("POST", CHANGE, '{"taskId":"1795408020557714","action":"UPSCALE"}')
        sign = "R" if action == "REROLL" else f"{action[0]}{index}"
        made = self.make(
            [self.shown("02_change_actions:29")],
            action=action,
            prompt=parent["prompt"],
            description=f"/up {task_id} {sign}",
            **_kept(body),
        )
        return edited(self._changed("UPSCALE", 9), result=made)

    def _changed(self, action: str, index: int) -> Reply:
        body = f'{{"taskId":"1795408020557714","action":"{action}","index":{index}}}'
        return self.said("POST", CHANGE, body)

    def _unknown(self) -> Reply:
        body = '{"taskId":"9999999999999999","action":"UPSCALE","index":1}'
        return self.said("POST", CHANGE, body)

    def _index(self, asked: Asked, index: Any) -> int | None:
        try:
            if index is None or index == "":
                return None
            return int(index if type(index) in (int, str, float) else "none")
        except (ValueError, OverflowError):
            wrong = '{"taskId":"1795408020557714","action":"UPSCALE","index":"abc"}'
            raise Refused(self._spring(asked, self.said("POST", CHANGE, wrong))) from None

    def _read(self, asked: Asked) -> dict[str, Any]:
        if not re.fullmatch(r"application/([\w.-]+\+)?json", asked.media):
            plain = self.said("POST", IMAGINE, content_type="text/plain")
            raise Refused(self._spring(asked, plain))
        try:
            text = asked.body.decode().lstrip()
            body, _ = json.JSONDecoder(parse_constant=_no_constant).raw_decode(text)
        except (ValueError, RecursionError):
            broken = self.said("POST", IMAGINE, '{"prompt":')
            raise Refused(self._spring(asked, broken)) from None
        if not isinstance(body, dict):
            raise Refused(self._spring(asked, self.said("POST", IMAGINE, "[]")))
        return body

    def _hold(self, asked: Asked, body: dict[str, Any], *names: str) -> None:
        """Texts are no objects."""
        if any(isinstance(body.get(name), dict | list) for name in names):
            wrong = self.said("POST", IMAGINE, '{"prompt":{"a":1}}')
            raise Refused(self._spring(asked, wrong))

    def _spring(self, asked: Asked, reply: Reply) -> Reply:
        return edited(reply, path=asked.path)


MOODS = {
    "a red fox in the snow": ("bad-no-channel", "good-imagine"),
    "Cat": (
        "bad-user-quota",
        "bad-token-exhausted",
        "up-http500",
        "up-code24",
        "up-code23",
        "up-code22",
        "good-imagine",
    ),
}
"""Prompts to which new-api answers as it is in the mood to, by turns."""


@dataclass
class NewApi(Standin):
    """Its upstream hiccups now and then, and its user is out of quota at times."""

    name = "new-api"
    secret = "sk-XXXX"
    moods: Mapping[str, Iterator[str]] = field(
        default_factory=lambda: {prompt: cycle(places) for prompt, places in MOODS.items()}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ids = count(1_795_407_690_128_000_100)

    def answer(self, asked: Asked) -> Reply:
        path = asked.path.removesuffix("/")
        fetched = FETCH.fullmatch(path)
        posts = {IMAGINE: self._imagine, CHANGE: self._change, LIST: self._list}
        if not (fetched and asked.method == "GET") and not (
            path in posts and asked.method == "POST"
        ):
            # Measured, and not among the recordings: its web page.
            page = (("content-type", "text/html; charset=utf-8"), self._named())
            return Reply(200, page, b"<!doctype html><title>New API</title>")
        try:
            self._admit(asked)
            return self._fetch(unquote(fetched[1])) if fetched else posts[path](asked)
        except Refused as refused:
            return refused.reply

    def _admit(self, asked: Asked) -> None:
        given = asked.headers.get("authorization", "").removeprefix("Bearer ")
        token = given or asked.headers.get("mj-api-secret", "")
        if not token:
            raise Refused(self._place("bad-no-token"))
        if token != self.secret:
            raise Refused(self._place("bad-token"))

    def _fetch(self, task_id: str) -> Reply:
        if task_id not in self.tasks:
            return self._place("bad-fetch-unknown")
        return replace(self._place("good-fetch-success"), body=written(self.tasks[task_id].look()))

    def _list(self, asked: Asked) -> Reply:
        try:
            ids = json.loads(asked.body).get("ids")
        except (ValueError, RecursionError, AttributeError):
            return self._fault("do_request_failed")
        ids = [] if ids is None else ids
        if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
            return self._fault("do_request_failed")
        return replace(self._place("good-list"), body=written(self.known(ids)))

    def _imagine(self, asked: Asked) -> Reply:
        body = self._read(asked)
        prompt = body.get("prompt") or ""
        if not prompt:
            return self._place("bad-prompt-missing")
        if isinstance(body.get("base64"), dict | list):
            return self._spring(asked)
        if not prompt.strip():
            return self._passed_on("prompt不能为空")
        if not all(str(each).startswith("data:") for each in body.get("base64Array") or []):
            return self._passed_on("base64格式错误")
        return self._taken(prompt)

    def _taken(self, prompt: str) -> Reply:
        place = next(self.moods.get(prompt, iter(())), "good-imagine")
        if place not in ("good-imagine", "up-code22"):
            return self._place(place)
        end = "good-fetch-failed" if len(prompt) > _LONG else "good-fetch-success"
        early = [] if len(prompt) > _LONG else ["good-fetch-not-started"] * 6
        places = (*early, end)
        stages = [self.shown(f"{each}:2") for each in places]
        made = self.make(stages, prompt=prompt)
        return edited(self._place(place), result=made)

    def _change(self, asked: Asked) -> Reply:
        body = self._read(asked)
        action, task_id = body.get("action") or "", body.get("taskId") or ""
        if action not in CHANGES:
            return self._place("bad-no-channel")
        if not task_id:
            return self._changed(action)  # passed on to any channel, and charged
        if not body.get("index"):
            return self._fault("index_is_required")
        if task_id not in self.tasks:
            return self._place("bad-change-unknown-task")
        if self.tasks[task_id].now["status"] != "SUCCESS":
            return self._fault("task_status_not_success")
        return self._changed(action)

    def _changed(self, action: str) -> Reply:
        made = self.make([self.shown("good-fetch-success:2")], action=action)
        return edited(self._place("good-change-upscale"), result=made)

    def _read(self, asked: Asked) -> dict[str, Any]:
        if asked.media != "application/json":
            return {}
        try:
            body = json.loads(asked.body.decode() or "{", parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise Refused(self._place("bad-json")) from None
        if body is None:
            return {}
        if not isinstance(body, dict) or not _is_typed(body):
            said = "Invalid request, json: cannot unmarshal (request id: 2026)"
            error = {"message": said, "type": "new_api_error"}
            raise Refused(edited(self._place("bad-json"), error=error))
        return body

    def _place(self, name: str) -> Reply:
        return next(each.reply for each in self.recorded if each.place == f"{name}:2")

    def _fault(self, words: str) -> Reply:
        return edited(self._place("bad-fetch-unknown"), description=f"{words} ")

    def _passed_on(self, words: str) -> Reply:
        said = edited(self._place("good-imagine"), code=4, description=words, result=None)
        return replace(said, status=200)

    def _spring(self, asked: Asked) -> Reply:
        said = {"timestamp": "2026", "status": 400, "error": "Bad Request", "path": asked.path}
        return replace(self._place("good-imagine"), status=400, body=written(said))

    def _named(self) -> tuple[str, str]:
        headers = self._place("good-imagine").headers
        return next(pair for pair in headers if pair[0] == "x-oneapi-request-id")


@contextmanager
def standing_in(standin: Standin) -> Iterator[str]:
    """Serves it; gives its address, ends with the block."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.serve
            raise AttributeError(name)

        def serve(self) -> None:
            headers = {name.lower(): value.strip() for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            path = self.path.partition("?")[0]
            with lock:
                reply = standin.answer(Asked(self.command, path, headers, body))
            self.send_response_only(reply.status)
            for name, value in reply.headers:
                if name not in _HOPS:
                    self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _kept(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"state": _text(body.get("state"))}


def _no_constant(text: str) -> Any:
    raise ValueError(text)


def _is_typed(body: Mapping[str, Any]) -> bool:
    """Whether the fields that it knows are of the types that it reads."""
    texts = ("prompt", "customId", "botType", "notifyHook", "action", "state", "taskId")
    images, index = body.get("base64Array"), body.get("index")
    listed = images is None or (
        isinstance(images, list) and all(each is None or isinstance(each, str) for each in images)
    )
    whole = index is None or type(index) is int
    return listed and whole and all(isinstance(body.get(name), str | type(None)) for name in texts)
