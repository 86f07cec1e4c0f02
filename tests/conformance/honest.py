"""A server of the whole contract, small and quick, which keeps it unless told otherwise.

It holds everything in memory. A task goes from its submit to its end in a fifth of a second, and
each change is posted to its hook.
"""

import asyncio
import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import uvicorn
from starlette.types import Receive, Scope, Send

from mjgate.contract.protocol import Protocol
from tests.conformance import bodies
from tests.conformance.bodies import CHANGE, FETCH, IMAGINE, KEY, LIST, USAGE, Wrong
from tests.harness import listening

TOKEN, SECOND = "sk-the-first-of-two", "sk-the-second-of-two"
STEP_S = 0.03
METHODS: Mapping[str, str] = {
    IMAGINE: "POST",
    CHANGE: "POST",
    LIST: "POST",
    FETCH: "GET",
    KEY: "GET",
    USAGE: "GET",
}
SLUGS = {
    400: "invalid_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    409: "in_flight",
    413: "too_large",
    415: "not_json",
    422: "key_reused",
    429: "rate_limited",
    500: "internal",
    502: "upstream_refused",
    503: "unavailable",
}
_PRICES = {"IMAGINE": 100_000, "UPSCALE": 50_000, "VARIATION": 100_000, "REROLL": 100_000}
_BUDGET = 1_000_000_000
_FIRST_ID = 1_795_400_000_000_001
_REQUEST_ID = re.compile("[!-~]{1,128}")
_WAIT = re.compile(r'(?:^|,)\s*wait\s*=\s*"?([0-9]{1,4})')
_FETCHED = re.compile("/mj/task/([^/]+)/fetch")

Body = dict[str, Any]
Life = Sequence[tuple[str, str]]
LIFE: Life = (
    ("NOT_START", "0%"),
    ("SUBMITTED", "0%"),
    ("IN_PROGRESS", "31%"),
    ("IN_PROGRESS", "62%"),
    ("SUCCESS", "100%"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `operation` is the path as the contract writes it, None for no operation."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    operation: str | None = None
    asker: str = ""
    number: int = 0
    """How many came before it."""

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str:
        return ", ".join(self.all(name))

    @property
    def json(self) -> Any:
        return bodies.parsed(self.body)[0]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; the body is sent as JSON, None is none."""

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()

    def having(self, name: str, value: str) -> "Reply":
        """With a header, in place of one of that name."""
        return replace(self, headers=(*self.lacking(name).headers, (name, value)))

    def lacking(self, name: str) -> "Reply":
        return replace(self, headers=tuple(each for each in self.headers if each[0] != name))


@dataclass(slots=True)
class Task:
    id: str
    owner: str
    action: str
    prompt: Any
    description: str
    state: str | None
    hook: str
    life: Life
    stage: int = 0
    parent: "Task | None" = None
    submit_ms: int = field(default_factory=lambda: _now_ms())
    start_ms: int | None = None
    finish_ms: int | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> str:
        return self.life[self.stage][0]

    @property
    def progress(self) -> str:
        return self.life[self.stage][1]

    @property
    def tag(self) -> str:
        return f"{self.id}.{self.stage}"

    @property
    def price(self) -> int:
        return _PRICES.get(self.action, 100_000)


@dataclass(frozen=True, slots=True)
class Post:
    """A callback."""

    address: str
    body: Any


@dataclass(frozen=True, slots=True)
class Manners:
    """Where a server may go wrong; as it stands it goes right.

    `asker`: who asks, given what the headers say; None for nobody.
    `overlooks`: kinds of `Wrong` that it does not see.
    `hasty`: its answer to a good request, in place of the right one.
    `sees`: whether whoever asks may see a task, by `fetch`, `list` or `change`.
    `named`: the id of a new task, by its number.
    `shown`: a task as fetch, list and callbacks show it, given the task.
    `listed`: the tasks of a list, given those asked for and some others.
    `statement`: what a token may spend or has spent.
    `posts`: what is posted in place of a callback.
    `recalls`: what a known key calls for, given whether body and operation are the same:
    `replay`, `reused` or `ignored`.
    `keys_of`: whose key a key is. `keeps_keys_after_s`: how long a key is not known yet.
    `ledger`: the entries of a token. `page`: the cursor and the limit that it goes by.
    `looks_at`: how many ids of a list. `tags_in`: what tags `If-None-Match` has.
    `waits` for a change where it says so, `knows` a tag that comes back.
    `leaving`: the last hand at each answer.
    `written`: the bytes of a body.
    `pause_s`: how long it thinks.
    """

    asker: Callable[[Call, str | None], str | None] = lambda call, asker: asker
    overlooks: frozenset[str] = frozenset()
    hasty: Callable[[Call], Reply | None] = lambda call: None
    sees: Callable[[str, Task, bool], bool] = lambda way, task, owned: owned
    named: Callable[[int], str] = str
    life: Life = LIFE
    step_s: float = STEP_S
    shown: Callable[[Task, Body], Body] = lambda task, body: body
    listed: Callable[[list[Body], list[Body]], list[Body]] = lambda tasks, everything: tasks
    statement: Callable[[Body], Body] = lambda body: body
    posts: Callable[[Task, Post], Sequence[Post]] = lambda task, post: [post]
    recalls: Callable[[bool], str] = lambda same: "replay" if same else "reused"
    keys_of: Callable[[Call], str] = lambda call: call.asker
    keeps_keys_after_s: float = 0
    ledger: Callable[[list["Entry"]], list["Entry"]] = lambda entries: entries
    page: Callable[[int, int], tuple[int, int]] = lambda cursor, limit: (cursor, limit)
    looks_at: int = 10_000
    tags_in: Callable[[str], list[str]] = re.compile('"([^"]*)"').findall
    tag: Callable[[Task], str] = lambda task: task.tag
    leaving: Callable[[Call, Reply], Reply] = lambda call, reply: reply
    written: Callable[[Any], bytes] = lambda body: json.dumps(body, ensure_ascii=False).encode(
        "utf-8", "replace"
    )
    waits: bool = True
    knows: Callable[[Call], bool] = lambda call: True
    changes_early: bool = False
    pause_s: Callable[[Call], float] = lambda call: 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the ledger."""

    number: int
    kind: str
    task: Task
    held: int
    spent: int
    time_ms: int


class Refused(Exception):
    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Honest:
    """The server, as an ASGI application."""

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self.tasks: dict[str, Task] = {}
        self._ledger: list[Entry] = []
        self._claims: dict[tuple[str, str], tuple[str, Any, Body]] = {}
        self._numbers = itertools.count(_FIRST_ID)
        self._requests = itertools.count()
        self._living: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = _placed(await _read(scope, receive, next(self._requests)))
        await asyncio.sleep(self.manners.pause_s(call))
        try:
            reply = await self._answer(call)
        except Refused as refused:
            reply = refused.reply
        await self._send(call, reply, send)

    async def _send(self, call: Call, reply: Reply, send: Send) -> None:
        if reply.body is not None:
            reply = reply.having("content-type", "application/json")
        reply = reply.having("x-request-id", _request_id(call))
        reply = self.manners.leaving(call, reply)
        raw = reply.body if isinstance(reply.body, bytes) else self._written(reply.body)
        headers = [(name.encode(), value.encode("latin-1")) for name, value in reply.headers]
        if reply.status not in (204, 304):
            headers.append((b"content-length", str(len(raw)).encode()))
        begun = {"type": "http.response.start", "status": reply.status, "headers": headers}
        await send(begun)
        await send({"type": "http.response.body", "body": b"" if call.method == "HEAD" else raw})

    def _written(self, body: Any) -> bytes:
        return b"" if body is None else self.manners.written(body)

    async def _answer(self, call: Call) -> Reply:
        _check_place(call)
        call = replace(call, asker=self._asker(call))
        answers = {
            IMAGINE: self._imagine,
            CHANGE: self._change,
            LIST: self._list,
            KEY: self._key,
            USAGE: self._usage,
        }
        if call.operation == FETCH:
            self._check(bodies.wrong_id(_id_in(call.path)))
            return self.manners.hasty(call) or await self._fetch(call)
        assert call.operation is not None
        return answers[call.operation](call)

    def _asker(self, call: Call) -> str:
        asker = self.manners.asker(call, who(call))
        if asker is None:
            challenge = ("www-authenticate", 'ApiKey header="mj-api-secret", Bearer')
            raise Refused(
                replace(error(401, "the token is missing or wrong"), headers=(challenge,))
            )
        return asker

    def _check(self, found: bodies.Found) -> None:
        wrong = [each for each in found if each.kind not in self.manners.overlooks]
        if wrong:
            places = [each for each in wrong if each.status == 400]
            raise Refused(error(wrong[0].status, wrong[0].message, places))

    def _body(self, call: Call) -> Body:
        """The body, once it is good or its faults are overlooked."""
        assert call.operation is not None
        self._check(bodies.wrong_media(call.header("content-type")))
        self._check(bodies.wrong_length(call.body))
        value, wrong = bodies.parsed(call.body)
        self._check(iter(wrong))
        if any(each.kind in ("json", "trailing") for each in wrong):
            return {}
        self._check(bodies.BODIES[call.operation](value))
        return value if isinstance(value, dict) else {}

    def _imagine(self, call: Call) -> Reply:
        self._check(bodies.wrong_key(call.all("idempotency-key")))
        body = self._body(call)

        def draw() -> Reply:
            prompt = body.get("prompt")
            prompt = prompt if isinstance(prompt, str) else "?"
            return self._submitted(call, body, "IMAGINE", prompt, f"/imagine {prompt}")

        return self._once(call, body, draw)

    def _change(self, call: Call) -> Reply:
        self._check(bodies.wrong_key(call.all("idempotency-key")))
        body = self._body(call)
        return self._once(call, body, lambda: self._changed(call, body))

    def _changed(self, call: Call, body: Body) -> Reply:
        given = body.get("taskId")
        usable = bool(given) and isinstance(given, str | int) and not isinstance(given, bool)
        parent = self._find("change", call.asker, str(given))
        if usable and parent is None:
            raise Refused(error(404, f"There is no task {given} of this token."))
        early = parent is not None and parent.status != "SUCCESS"
        if early and not self.manners.changes_early:
            return Reply(200, result(4, "关联任务状态错误", None))
        action = body.get("action")
        action = action if isinstance(action, str) and action else "UPSCALE"
        sign = "R" if action == "REROLL" else f"{action[0]}{body.get('index')}"
        name, prompt = (parent.id, parent.prompt) if parent else ("?", "?")
        return self._submitted(call, body, action, prompt, f"/up {name} {sign}", parent)

    def _submitted(
        self,
        call: Call,
        body: Body,
        action: str,
        prompt: str,
        description: str,
        parent: Task | None = None,
    ) -> Reply:
        state, hook = body.get("state"), body.get("notifyHook")
        task = Task(
            self.manners.named(next(self._numbers)),
            call.asker,
            action,
            prompt,
            description,
            state if isinstance(state, str) else None,
            hook.strip() if isinstance(hook, str) else "",
            self.manners.life,
            parent=parent,
        )
        self.tasks[task.id] = task
        self._enter("hold", task, task.price, 0)
        living = asyncio.ensure_future(self._live(task))
        self._living.add(living)
        living.add_done_callback(self._living.discard)
        return Reply(200, result(1, "提交成功", task.id))

    def _once(self, call: Call, body: Body, draw: Callable[[], Reply]) -> Reply:
        """What a submit is answered: what its key was answered before, if it has one that was."""
        hasty = self.manners.hasty(call)
        if hasty is not None:
            return hasty
        key = call.header("idempotency-key")
        owner = self.manners.keys_of(call)
        claim = self._claims.get((owner, key))
        if claim is not None:
            said = self.manners.recalls(claim[:2] == (call.operation, body))
            if said == "replay":
                return Reply(200, claim[2], (("idempotency-replayed", "true"),))
            if said == "reused":
                raise Refused(error(422, "Another request had this Idempotency-Key."))
        reply = draw()
        if key:
            assert call.operation is not None
            kept = {(owner, key): (call.operation, body, reply.body)}
            if self.manners.keeps_keys_after_s:
                loop = asyncio.get_running_loop()
                loop.call_later(self.manners.keeps_keys_after_s, self._claims.update, kept)
            else:
                self._claims.update(kept)
        return reply

    async def _live(self, task: Task) -> None:
        """Its whole life; a callback that cannot be delivered is not sent again."""
        async with aiohttp.ClientSession() as session:
            for _ in task.life[1:]:
                await asyncio.sleep(self.manners.step_s)
                self._move(task)
                for post in self.manners.posts(task, Post(task.hook, self._shown(task))):
                    if urlsplit(post.address).hostname == "127.0.0.1":
                        with suppress(aiohttp.ClientError, ValueError):
                            await session.post(post.address, json=post.body)

    def _move(self, task: Task) -> None:
        task.stage += 1
        if task.status == "IN_PROGRESS":
            task.start_ms = task.start_ms or _now_ms()
        if task.status == "SUCCESS":
            task.finish_ms = _now_ms()
            self._enter("charge", task, -task.price, task.price)
        if task.status == "FAILURE":
            self._enter("release", task, -task.price, 0)
        task.changed.set()
        task.changed = asyncio.Event()

    def _shown(self, task: Task) -> Body:
        done = task.status == "SUCCESS"
        body = {
            "action": task.action,
            "description": task.description,
            "failReason": None,
            "finishTime": task.finish_ms,
            "id": task.id,
            "imageUrl": f"https://pictures.example.org/{task.id}.png" if done else None,
            "progress": task.progress,
            "prompt": task.prompt,
            "promptEn": task.prompt,
            "properties": {"finalPrompt": task.prompt} if done else {},
            "startTime": task.start_ms,
            "state": task.state,
            "status": task.status,
            "submitTime": task.submit_ms,
        }
        return self.manners.shown(task, body)

    def _find(self, way: str, asker: str, task_id: str) -> Task | None:
        task = self.tasks.get(task_id)
        seen = task is not None and self.manners.sees(way, task, task.owner == asker)
        return task if seen else None

    async def _fetch(self, call: Call) -> Reply:
        wanted = _id_in(call.path)
        task = self._find("fetch", call.asker, wanted)
        if task is None:
            raise Refused(error(404, f"There is no task {wanted} of this token."))
        known = self.manners.tags_in(call.header("if-none-match"))
        asked = _WAIT.search(call.header("prefer"))
        headers: tuple[tuple[str, str], ...] = ()
        if asked and known and task.stage < len(task.life) - 1:
            headers = (("preference-applied", "wait"),)
            if self.manners.waits and self.manners.tag(task) in known:
                with suppress(TimeoutError):
                    await asyncio.wait_for(task.changed.wait(), min(60, int(asked[1])))
        tag = self.manners.tag(task)
        headers = (("etag", f'W/"{tag}"'), *headers)
        known_now = tag in known or call.header("if-none-match").strip() == "*"
        if known_now and self.manners.knows(call):
            return Reply(304, None, headers)
        return Reply(200, self._shown(task), headers)

    def _list(self, call: Call) -> Reply:
        ids = self._body(call).get("ids")
        hasty = self.manners.hasty(call)
        if hasty is not None:
            return hasty
        ids = ids[: self.manners.looks_at] if isinstance(ids, list) else ()
        wanted = dict.fromkeys(map(str, ids))
        found = [self._find("list", call.asker, each) for each in wanted]
        tasks = [self._shown(each) for each in found if each is not None]
        mine = [self._shown(each) for each in self.tasks.values() if each.owner == call.asker]
        return Reply(200, self.manners.listed(tasks, mine[-3:]))

    def _enter(self, kind: str, task: Task, held: int, spent: int) -> None:
        self._ledger.append(Entry(len(self._ledger) + 1, kind, task, held, spent, _now_ms()))

    def _entries(self, asker: str) -> list[Entry]:
        return self.manners.ledger([each for each in self._ledger if each.task.owner == asker])

    def _key(self, call: Call) -> Reply:
        mine = self._entries(call.asker)
        spent, held = sum(each.spent for each in mine), sum(each.held for each in mine)
        running = [each for each in self.tasks.values() if each.owner == call.asker]
        body: Body = {
            "label": call.asker,
            "budget": dollars(_BUDGET),
            "spent": dollars(spent),
            "held": dollars(held),
            "remaining": dollars(max(0, _BUDGET - spent - held)),
            "period": None,
            "resetAt": None,
            "inFlight": sum(each.status != "SUCCESS" for each in running),
            "mostInFlight": None,
            "ratePerMinute": None,
            "models": None,
            "expiresAt": None,
            "addresses": None,
        }
        return self.manners.hasty(call) or Reply(200, self.manners.statement(body))

    def _usage(self, call: Call) -> Reply:
        mine = self._entries(call.asker)
        self._check(bodies.wrong_question(call.query, {each.number for each in mine}))
        hasty = self.manners.hasty(call)
        if hasty is not None:
            return hasty
        first, last = bodies.days_of(call.query)
        mine = [each for each in reversed(mine) if first <= _day(each) <= last]
        cursor, most = self.manners.page(_number(call, "cursor", 0), _number(call, "limit", 100))
        page = [each for each in mine if not cursor or each.number < cursor]
        body = {
            "from": str(first),
            "to": str(last),
            "days": None if cursor else _totals("day", mine, lambda each: str(_day(each))),
            "models": None if cursor else _totals("model", mine, _model),
            "lines": [_line(each) for each in page[:most]],
            "cursor": page[most - 1].number if len(page) > most else None,
        }
        return Reply(200, self.manners.statement(body))


def who(call: Call) -> str | None:
    """Whose token a request shows, in either form."""
    given = call.header("authorization").strip()
    bearer = given[7:].strip() if given[:7].lower() == "bearer " else ""
    owners = {TOKEN: "first", SECOND: "second"}
    return owners.get(call.header("mj-api-secret").strip()) or owners.get(bearer)


def error(status: int, text: str, wrong: Sequence[Wrong] = ()) -> Reply:
    code = 3 if status == 404 else 4 if status < 500 else 9
    errors = [{"pointer": each.pointer, "message": each.message} for each in wrong]
    properties = {"error": SLUGS[status], "errors": errors}
    body = {"code": code, "description": text, "properties": properties, "result": None}
    needed = (("retry-after", "1"),) if status in (429, 503) else ()
    return Reply(status, body, needed)


def result(code: int, description: str, task_id: str | None) -> Body:
    return {"code": code, "description": description, "properties": {}, "result": task_id}


def dollars(amount: int) -> str:
    """Micro-dollars as an exact decimal."""
    whole, rest = divmod(abs(amount), 1_000_000)
    return f"{'-' * (amount < 0)}{whole}.{rest:06}".rstrip("0").rstrip(".")


async def _read(scope: Scope, receive: Receive, number: int) -> Call:
    chunks, more = [], True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        query.setdefault(name, []).append(value)
    headers = tuple((name.decode(), value.decode("latin-1")) for name, value in scope["headers"])
    return Call(scope["method"], scope["path"], query, headers, b"".join(chunks), number=number)


def _placed(call: Call) -> Call:
    path = call.path.removesuffix("/")
    operation = FETCH if _FETCHED.fullmatch(path) else path
    return replace(call, operation=operation if operation in METHODS else None)


def _check_place(call: Call) -> None:
    if call.operation is None:
        raise Refused(error(404, "There is no such path."))
    method = METHODS[call.operation]
    allow = (("allow", f"{method}, OPTIONS"),)
    if call.method == "OPTIONS":
        raise Refused(Reply(204, None, allow))
    if call.method != method:
        raise Refused(replace(error(405, f"This path has {method} only."), headers=allow))


def _id_in(path: str) -> str:
    found = _FETCHED.match(path)
    assert found
    return found[1]


def _request_id(call: Call) -> str:
    given = call.all("x-request-id")
    good = len(given) == 1 and _REQUEST_ID.fullmatch(given[0])
    return given[0] if good else f"request-{call.number}"


def _now_ms() -> int:
    return int(time.time() * 1000)


def _number(call: Call, name: str, usual: int) -> int:
    text = "".join(call.query.get(name, []))
    return int(text) if text.isdecimal() else usual


def _day(entry: Entry) -> Any:
    return datetime.fromtimestamp(entry.time_ms / 1000, UTC).date()


def _model(entry: Entry) -> str:
    return f"mj_{entry.task.action.lower()}"


def _totals(name: str, entries: list[Entry], of: Callable[[Entry], str]) -> list[Body]:
    """Totals of entries, in their order."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(of(entry), []).append(entry)
    order = sorted(found) if name == "model" else list(found)
    return [
        {
            name: each,
            "submitted": sum(entry.kind == "hold" for entry in found[each]),
            "charged": sum(entry.kind == "charge" for entry in found[each]),
            "released": sum(entry.kind == "release" for entry in found[each]),
            "spent": dollars(sum(entry.spent for entry in found[each])),
        }
        for each in order
    ]


def _line(entry: Entry) -> Body:
    return {
        "kind": entry.kind,
        "taskId": entry.task.id,
        "model": _model(entry),
        "held": dollars(entry.held),
        "spent": dollars(entry.spent),
        "period": None,
        "time": entry.time_ms,
    }


class _Server(uvicorn.Server):
    """One that says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.up.set()


@contextmanager
def serving(
    manners: Manners | None = None, protocol: type[asyncio.Protocol] = Protocol
) -> Iterator[str]:
    """The address of a server with these manners, in a thread of its own."""
    settings = uvicorn.Config(
        Honest(manners or Manners()),
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=60,
    )
    server = _Server(settings)
    with listening() as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            assert server.up.wait(20)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
