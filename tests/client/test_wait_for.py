"""Waiting until a task has ended, on servers that can wait and on servers that cannot."""

import asyncio
import json
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from mjgate_client import AuthenticatedClient, errors
from mjgate_client.api.tasks import fetch_task
from mjgate_client.lib import NotEnded, Refused, wait_for
from mjgate_client.lib.watch import ENDS, Watch
from mjgate_client.models import Error, Task
from tests.client import samples
from tests.client.samples import examples, operation
from tests.client.server import Answer, Arrival, serving
from tests.harness import Gateway

RUNNING, DONE = examples(operation("fetch_task").responses[200])
ERROR = examples(operation("fetch_task").responses[404])[0]
LONG_S = 60.0

Step = Callable[[Arrival], Answer] | Answer


@dataclass
class Steps:
    """A server that answers as it is told, one step a request; the last one for ever."""

    steps: list[Step]
    arrivals: list[Arrival] = field(default_factory=list)
    url: str = ""

    def answer(self, arrival: Arrival) -> Answer:
        self.arrivals.append(arrival)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        return step if isinstance(step, Answer) else step(arrival)

    def asked(self, header: str) -> list[str | None]:
        return [arrival.headers.get(header) for arrival in self.arrivals]


def task(value: dict[str, Any], tag: str | None = None, *, applied: bool = False) -> Answer:
    headers = {"ETag": tag} if tag else {}
    if applied:
        headers["Preference-Applied"] = "wait"
    return Answer(200, json.dumps(value).encode(), headers)


def unchanged(arrival: Arrival) -> Answer:
    return Answer(304, b"", {"ETag": arrival.headers["if-none-match"]})


def waited(arrival: Arrival) -> Answer:
    """As a gateway does: nothing has come for a while."""
    time.sleep(0.6)
    return Answer(304, b"", {"Preference-Applied": "wait"})


@dataclass
class Waited:
    """How a task ended, and the pauses before each further question."""

    task: Task
    pauses: list[float]


def watched(server: Steps, **options: Any) -> Waited:
    """Waits as both ways do, but for the pauses, which are written down and not made."""
    pauses: list[float] = []
    with serving(server.answer) as listening:
        settings: dict[str, Any] = {"base_url": listening.url, "token": "t"}
        with AuthenticatedClient(**settings | options) as client:
            watch = Watch("1", None, client.get_httpx_client().timeout)
            while True:
                try:
                    asked = watch.question()
                    watch.read(fetch_task.sync_detailed("1", client=client, **asked))
                except (httpx.RequestError, errors.UnexpectedStatus) as error:
                    watch.fail(error)
                if watch.ended is not None:
                    return Waited(watch.ended, pauses)
                pauses.append(round(watch.pause(), 3))


Wait = Callable[..., Task]


@pytest.fixture(params=["sync", "asyncio"])
def wait(request: pytest.FixtureRequest) -> Wait:
    """Waits in one of the two ways."""

    def wait(server: Steps, *, timeout: float | None = LONG_S, **options: Any) -> Task:
        with serving(server.answer) as listening:
            client = AuthenticatedClient(base_url=listening.url, token="t", **options)
            if request.param == "sync":
                with client:
                    return wait_for.sync("1", client=client, timeout=timeout)
            return asyncio.run(wait_async(client, timeout))

    async def wait_async(client: AuthenticatedClient, timeout: float | None) -> Task:
        async with client:
            return await wait_for.asyncio("1", client=client, timeout=timeout)

    return wait


def test_a_task_that_has_ended_is_told_at_once(wait: Wait) -> None:
    server = Steps([task(DONE)])
    assert DONE == wait(server).to_dict()
    assert 1 == len(server.arrivals)


def test_a_change_is_waited_for(wait: Wait) -> None:
    server = Steps([task(RUNNING, 'W/"3"'), waited, task(DONE, 'W/"5"', applied=True)])
    assert DONE == wait(server).to_dict()
    assert [None, 'W/"3"', 'W/"3"'] == server.asked("if-none-match")


def test_a_server_that_waits_is_asked_once_for_each_change() -> None:
    changed = RUNNING | {"progress": "62%"}
    server = Steps(
        [
            task(RUNNING, 'W/"3"'),
            task(changed, 'W/"4"', applied=True),
            waited,
            task(DONE, 'W/"5"', applied=True),
        ]
    )

    end = watched(server)
    assert DONE == end.task.to_dict()

    assert [None, 'W/"3"', 'W/"4"', 'W/"4"'] == server.asked("if-none-match")
    assert [None, "wait=30", "wait=30", "wait=30"] == server.asked("prefer")
    assert [0.0] * 3 == end.pauses


def test_a_server_without_tags_is_polled_ever_more_rarely() -> None:
    server = Steps([*[task(RUNNING)] * 6, task(DONE)])

    end = watched(server)
    assert DONE == end.task.to_dict()

    assert {None} == {*server.asked("if-none-match"), *server.asked("prefer")}
    assert [1.0, 1.5, 2.25, 3.375, 5.0, 5.0] == end.pauses


def test_a_server_that_only_has_tags_is_polled() -> None:
    server = Steps([task(RUNNING, '"a"'), unchanged, unchanged, task(DONE, '"b"')])

    end = watched(server)
    assert DONE == end.task.to_dict()

    assert [0.0, 1.0, 1.5] == end.pauses


@pytest.mark.parametrize("proxy", [304, 200])
def test_a_proxy_that_makes_waiting_impossible_is_not_asked_in_a_hurry(
    proxy: int,
) -> None:
    """It answers at once, and what it answers says that it has waited."""
    same = task(RUNNING, 'W/"3"', applied=True)
    quick = Answer(304, b"", {"Preference-Applied": "wait"}) if proxy == 304 else same
    server = Steps([task(RUNNING, 'W/"3"'), quick, quick, task(DONE, 'W/"5"')])

    end = watched(server)
    assert DONE == end.task.to_dict()

    assert [0.0, 1.0, 1.5] == end.pauses


@pytest.mark.parametrize(
    "passing",
    [
        Answer(503, b"{}", {"Retry-After": "7"}),
        Answer(503, json.dumps(ERROR).encode(), {"Retry-After": "7"}),
        Answer(429, b"slow down", {"Retry-After": "7"}),
    ],
)
def test_what_may_pass_is_asked_again_when_it_says(
    passing: Answer,
) -> None:
    end = watched(Steps([passing, task(DONE)]))
    assert DONE == end.task.to_dict()
    assert [7.0] == end.pauses


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "odd", [Answer(502, b"<html>"), Answer(200, b""), Answer(200, b"[]"), Answer(504, b"")]
)
def test_an_odd_answer_may_pass(odd: Answer, strict: bool) -> None:
    server = Steps([odd, odd, task(DONE)])
    end = watched(server, raise_on_unexpected_status=strict)
    assert DONE == end.task.to_dict()
    assert [1.0, 1.5] == end.pauses


ODD_STATUSES: list[Any] = [[], {}, 7, None]


@pytest.mark.parametrize("status", ODD_STATUSES, ids=str)
def test_a_task_without_a_status_may_pass(status: Any) -> None:
    end = watched(Steps([task(RUNNING | {"status": status}), task(DONE)]))
    assert DONE == end.task.to_dict()
    assert [1.0] == end.pauses


@pytest.mark.parametrize("tag", ['W/"\u00e9"', "", " "])
def test_a_tag_that_cannot_be_given_back_is_none(tag: str) -> None:
    server = Steps([task(RUNNING, tag), task(DONE)])
    assert DONE == watched(server).task.to_dict()
    assert [None, None] == server.asked("if-none-match")


def test_a_body_that_is_not_encoded_as_it_says_may_pass() -> None:
    odd = Answer(502, b"<html>", {"Content-Encoding": "gzip"})
    assert [1.0] == watched(Steps([odd, task(DONE)])).pauses


def test_redirects_in_a_circle_may_pass() -> None:
    circle = Answer(307, b"", {"Location": "/mj/task/1/fetch"})
    server = Steps([*[circle] * 21, task(DONE)])
    assert [1.0] == watched(server, follow_redirects=True).pauses


def test_what_cannot_be_sent_is_told_at_once() -> None:
    for options, error in (
        ({"base_url": "localhost:8080"}, httpx.UnsupportedProtocol),
        ({"headers": {"X": "a\n"}}, httpx.LocalProtocolError),
    ):
        with pytest.raises(error):
            watched(Steps([task(DONE)]), **options)


def test_a_server_that_is_away_for_a_while_is_waited_for() -> None:
    calls: list[str] = []

    def away(request: httpx.Request) -> httpx.Response:
        calls.append(request.url.path)
        if len(calls) < 3:
            raise httpx.ConnectError("nobody there", request=request)
        return httpx.Response(200, json=DONE)

    transport = httpx.MockTransport(away)
    end = watched(Steps([]), httpx_args={"transport": transport})
    assert DONE == end.task.to_dict()
    assert [1.0, 1.5] == end.pauses


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_final(wait: Wait, status: int) -> None:
    server = Steps([Answer(status, json.dumps(ERROR).encode())])
    with pytest.raises(Refused, match=str(status)) as caught:
        wait(server)
    assert caught.value.error is not None
    assert (status, ERROR) == (caught.value.status_code, caught.value.error.to_dict())
    assert 1 == len(server.arrivals)


@pytest.mark.parametrize("strict", [True, False])
def test_a_refusal_that_nobody_documents_is_final_too(wait: Wait, strict: bool) -> None:
    server = Steps([Answer(404, b"<html>")])
    with pytest.raises(Refused, match="404: no documented answer") as caught:
        wait(server, raise_on_unexpected_status=strict)
    assert caught.value.error is None


def test_when_the_time_is_over_the_task_is_told_as_it_was_seen_last(wait: Wait) -> None:
    with pytest.raises(NotEnded, match=r"task 1 has not ended in time; it is IN_PROGRESS") as late:
        wait(Steps([task(RUNNING, 'W/"3"'), unchanged]), timeout=0.3)
    assert isinstance(late.value, TimeoutError)
    assert late.value.task is not None
    assert RUNNING == late.value.task.to_dict()


def test_when_the_time_is_over_and_nobody_answered_it_says_why(wait: Wait) -> None:
    with pytest.raises(NotEnded, match="the last answer was 503") as late:
        wait(Steps([Answer(503, b"")]), timeout=0.2)
    assert late.value.task is None


def test_an_answer_comes_before_the_client_gives_it_up() -> None:
    for read, longest in ((8.0, "wait=4"), (None, "wait=30")):
        server = Steps([task(RUNNING, 'W/"3"'), task(DONE, 'W/"5"')])
        watched(server, timeout=httpx.Timeout(read))
        assert [None, longest] == server.asked("prefer")


async def test_a_picture_of_a_real_gateway_is_waited_for_in_both_ways(ready: Gateway) -> None:
    _, answer = await ready.imagine()
    _, other = await ready.imagine()
    async with AuthenticatedClient(base_url=ready.address, token=ready.key) as client:
        done = await wait_for.asyncio(answer["result"], client=client, timeout=LONG_S)
        assert "SUCCESS" == done.status
        with client:
            again = await asyncio.to_thread(
                wait_for.sync, other["result"], client=client, timeout=LONG_S
            )
        assert "SUCCESS" == again.status
        with pytest.raises(Refused, match="404"):
            await wait_for.asyncio("1", client=client)


def test_the_errors_can_be_pickled() -> None:
    late = pickle.loads(pickle.dumps(NotEnded("1", Task.from_dict(RUNNING), "it is RUNNING")))
    assert ("1", RUNNING, "it is RUNNING") == (late.task_id, late.task.to_dict(), late.seen)
    refused = pickle.loads(pickle.dumps(Refused(404, Error.from_dict(ERROR))))
    assert (404, ERROR) == (refused.status_code, refused.error.to_dict())
    assert f"404: {ERROR['description']}" == str(refused)


def test_the_ends_are_statuses_of_the_contract() -> None:
    assert ENDS < set(samples.SCHEMAS["TaskStatus"]["enum"])
