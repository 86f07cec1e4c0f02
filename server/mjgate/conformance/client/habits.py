"""What a client does whatever the operation: hide its token, keep it at home, end, and wait."""

import asyncio
import importlib
import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mjgate.conformance.client.draw import NO_BODY, Question
from mjgate.conformance.client.hostile import hostile
from mjgate.conformance.client.mock import Arrival, mocking
from mjgate.conformance.client.package import TOKEN, WAYS, Package, awaited, opened
from mjgate.conformance.client.reply import JSON_TYPE, Reply, as_json, canonical
from mjgate.conformance.contract_view import FETCH, Contract

_SOON_S = 0.2
_WAIT_S = 60.0
"""How long wait_for may take at most; no reply asks for so much."""
_UNSENDABLE = TOKEN + "\n"
_FORMS: tuple[dict[str, Any], ...] = ({}, {"prefix": "", "auth_header_name": "mj-api-secret"})
_TASK = "1320098173412546"
_ODD: tuple[Any, ...] = ([], {}, 7, None, True, [["a", 1]])
_FAULT = Reply("a fault", "odd", 500, payload=b"{}")


@dataclass(frozen=True, slots=True)
class Habit:
    """A rule that was applied once; `text` is empty where it held."""

    rule: str
    operation: str = ""
    text: str = ""
    detail: str = ""
    reply: Reply | None = None
    """What led to it, where a reply did."""


class Habits:
    """Asks one operation, the fetch of a task, for what holds for all."""

    def __init__(self, package: Package, contract: Contract, runner: asyncio.Runner) -> None:
        self._package = package
        self._contract = contract
        self._runner = runner
        self._fetch = contract.operation(FETCH)

    def all(self) -> Iterator[Habit]:
        for rule, texts in (
            ("client_hides_token", [*self._shown(), *self._shown_unsendable()]),
            ("client_keeps_token_home", list(self._leaks())),
            ("client_times_out", [*self._endless(), *self._deaf()]),
        ):
            yield from (Habit(rule, self._fetch.label, text) for text in dict.fromkeys(texts))
            if not texts:
                yield Habit(rule, self._fetch.label)
        yield from self._waits()

    def _call(self, way: str, client: Any) -> Any:
        function = self._package.function(self._contract, self._fetch, way)
        asked = Question(NO_BODY, {"id": _TASK})
        said = self._package.arguments(self._contract, self._fetch, function, asked)
        answer = function(client=client, **said)
        return self._runner.run(awaited(answer)) if inspect.isawaitable(answer) else answer

    def _shown(self) -> Iterator[str]:
        for options in _FORMS:
            with opened(self._package, self._runner, "http://127.0.0.1:1", **options) as client:
                sync, other = client.get_httpx_client(), client.get_async_httpx_client()
                for name, it in (
                    ("the client", client),
                    ("a copy of the client", client.with_cookies({})),
                    ("the httpx client", (sync, other)),
                    ("the headers of the httpx client", (sync.headers, other.headers)),
                ):
                    if TOKEN in f"{it!r}{it}":
                        yield f"shows the token in {name}"

    def _shown_unsendable(self) -> Iterator[str]:
        """A token that was read with its line break is refused without being shown."""
        with mocking(lambda _: _FAULT) as mock:
            for way in WAYS:
                try:
                    with opened(self._package, self._runner, mock.url, token=_UNSENDABLE) as client:
                        self._call(way, client)
                except Exception as error:
                    if any(TOKEN in f"{each!r}{each}" for each in _chain(error)):
                        yield "shows a token that no header can carry in an error"

    def _leaks(self) -> Iterator[str]:
        got: list[Arrival] = []

        def take(arrival: Arrival) -> Reply:
            got.append(arrival)
            return _FAULT

        with mocking(take) as other:
            away = Reply("a redirect", "odd", 307, (("Location", f"{other.url}/away"),))
            with mocking(lambda _: away) as home:
                for options in _FORMS:
                    settings = {"follow_redirects": True, **options}
                    with opened(self._package, self._runner, home.url, **settings) as client:
                        for way in WAYS:
                            # What a fault makes of a call is told by other rules.
                            with suppress(Exception):
                                self._call(way, client)
        if any(TOKEN in value for arrival in got for value in arrival.headers.values()):
            yield "sends the token to the host that a redirect names"

    def _endless(self) -> Iterator[str]:
        with opened(self._package, self._runner, "http://127.0.0.1:1") as client:
            for http in (client.get_httpx_client(), client.get_async_httpx_client()):
                if http.timeout.read is None or http.timeout.connect is None:
                    yield "waits for ever where no time is given"

    def _deaf(self) -> Iterator[str]:
        """A time that is given counts, in every way."""
        httpx = importlib.import_module("httpx")
        silence = Reply("silence", "broken", 200, raw=b"", end="hang")
        settings = {"timeout": httpx.Timeout(_SOON_S)}
        with (
            mocking(lambda _: silence) as mock,
            opened(self._package, self._runner, mock.url, **settings) as client,
        ):
            for way in WAYS:
                try:
                    self._call(way, client)
                except Exception as error:
                    late = isinstance(error, httpx.TimeoutException)
                    if not late and not self._package.is_own(error):
                        yield f"raises {type(error).__name__} where nobody answers in time"

    def _waits(self) -> Iterator[Habit]:
        wait_for = self._package.optional("lib.wait_for")
        if wait_for is None:
            return
        done = self._done()
        replies = _first_replies(done)
        first = {f"{way}-{number}" for way in ("sync", "asyncio") for number in range(len(replies))}

        def answer(arrival: Arrival) -> Reply:
            name = arrival.path.split("/")[3]
            if name in first:
                first.remove(name)
                return replies[int(name.partition("-")[2])]
            return Reply("the end", "valid", 200, payload=as_json(done))

        with mocking(answer) as mock:
            clients = [
                self._package.client(mock.url, raise_on_unexpected_status=it)
                for it in (False, True)
            ]
            for way, outcomes in (
                ("sync", _each_sync(wait_for, clients, len(replies))),
                ("asyncio", self._runner.run(_each_async(wait_for, clients, len(replies)))),
            ):
                for reply, outcome in zip(replies, outcomes, strict=True):
                    yield self._waited(reply, way, outcome, done)

    def _done(self) -> dict[str, Any]:
        """The contract's own example of a task that has ended."""
        media = f"{self._fetch.where}/responses/200/content/application~1json/examples"
        values = [each["value"] for each in self._contract.at(media).values()]
        return next(each for each in values if each["status"] == "SUCCESS")

    def _waited(self, reply: Reply, way: str, outcome: Any, done: Any) -> Habit:
        rule, label = "client_waits", self._fetch.label
        if isinstance(outcome, BaseException):
            final = 400 <= reply.status < 500 and reply.status not in (408, 425, 429)
            if final and self._package.is_own(outcome):
                return Habit(rule, label)
            text = f"wait_for.{way} raises {type(outcome).__name__} for {reply.name}"
            return Habit(rule, label, text, f"{outcome}"[:300], reply)
        told = canonical(outcome.to_dict())
        if told == canonical(done) or (_has_ended(reply.value) and told == canonical(reply.value)):
            return Habit(rule, label)
        return Habit(rule, label, f"wait_for.{way} ends too soon for {reply.name}", "", reply)


def _has_ended(value: Any) -> bool:
    """Whether an odd reply said of itself that the task has ended."""
    return isinstance(value, dict) and value.get("status") == "SUCCESS"


def _first_replies(done: dict[str, Any]) -> list[Reply]:
    """What a wait meets first, before the task as it ended."""
    odd = [each for each in hostile(done, "http://127.0.0.1:1/") if each.kind != "valid"]
    running = {**done, "status": "IN_PROGRESS"}
    for key in ("status", "progress", "id", "properties"):
        name = f"a task whose {key} is of another type"
        tasks = [{**running, key: value} for value in _ODD]
        odd += [Reply(name, "odd", 200, payload=as_json(task)) for task in tasks]
    for tag in ('W/"\u00e9"', "", "W/", '"a" "b"', "\u00ff"):
        headers = (*JSON_TYPE, ("ETag", tag), ("Preference-Applied", "wait"))
        odd.append(Reply("a task with an odd ETag", "odd", 200, headers, as_json(running)))
    return odd


def _each_sync(wait_for: Any, clients: list[Any], count: int) -> list[Any]:
    def wait(number: int) -> Any:
        try:
            return wait_for.sync(f"sync-{number}", client=clients[number % 2], timeout=_WAIT_S)
        except Exception as error:
            return error

    with ThreadPoolExecutor(count) as pool, clients[0], clients[1]:
        return list(pool.map(wait, range(count)))


async def _each_async(wait_for: Any, clients: list[Any], count: int) -> list[Any]:
    async with clients[0], clients[1]:
        return await asyncio.gather(
            *(
                wait_for.asyncio(f"asyncio-{number}", client=clients[number % 2], timeout=_WAIT_S)
                for number in range(count)
            ),
            return_exceptions=True,
        )


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
