"""The layers put together, in process: what a socket shows only by accident."""

import asyncio
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from mjgate.contract.call import Answer, Call
from mjgate.errors import Fault, Forbidden, StoreDown, Unauthorized, Unavailable
from tests.contract.document import faults
from tests.contract.inprocess import ANSWERS, KEY, TASK, ask, ours, scope

GOOD = {"mj-api-secret": KEY, "content-type": "application/json"}
FETCH = "/mj/task/1/fetch"
CHALLENGE = 'ApiKey header="mj-api-secret", Bearer'


def answering(status: int, body: Any) -> Any:
    async def handler(gate: Any, call: Call) -> Answer:
        return Answer(status, body)

    return handler


def raising(error: Exception) -> Any:
    async def handler(gate: Any, call: Call) -> Answer:
        raise error

    return handler


def counted(operation: str) -> float:
    name = "mjgate_response_validation_faults_total"
    return REGISTRY.get_sample_value(name, {"operation": operation}) or 0.0


@pytest.mark.parametrize(
    ("status", "body", "where"),
    [
        (200, {**TASK, "id": 1}, ["/id"]),
        (200, {key: value for key, value in TASK.items() if key != "status"}, ["/status"]),
        (200, [], [""]),
        (418, TASK, ["its status"]),
    ],
)
async def test_an_answer_that_breaks_the_contract_is_logged_counted_and_sent(
    status: int, body: Any, where: list[str]
) -> None:
    before = counted("fetch_task")
    app = ours({"fetch_task": answering(status, body)})
    with capture_logs() as logs:
        answered = await ask(app, "GET", FETCH, headers=GOOD)
    assert (status, body) == (answered.status, answered.json)
    assert before + 1 == counted("fetch_task")
    (told,) = [log for log in logs if log["event"] == "answer breaks the contract"]
    assert ("error", "fetch_task", where) == (told["log_level"], told["operation"], told["where"])


async def test_a_status_without_a_body_has_none_and_is_no_json() -> None:
    before = counted("fetch_task")
    app = ours({"fetch_task": answering(304, None)})
    answered = await ask(app, "GET", FETCH, headers=GOOD)
    assert (304, b"") == (answered.status, answered.body)
    assert not {"content-type", "content-length"} & answered.headers.keys()
    assert before == counted("fetch_task")


async def test_a_body_where_there_is_none_is_logged_counted_and_left_out() -> None:
    before = counted("fetch_task")
    app = ours({"fetch_task": answering(304, TASK)})
    with capture_logs() as logs:
        answered = await ask(app, "GET", FETCH, headers=GOOD)
    assert (304, b"") == (answered.status, answered.body)
    assert before + 1 == counted("fetch_task")
    assert [[""]] == [log["where"] for log in logs if log["event"] == "answer breaks the contract"]


async def test_a_good_answer_is_not_counted() -> None:
    before = counted("fetch_task")
    answered = await ask(ours(), "GET", FETCH, headers=GOOD)
    assert (200, TASK) == (answered.status, answered.json)
    assert before == counted("fetch_task")


@pytest.mark.parametrize(
    ("error", "status", "slug", "more"),
    [
        (Forbidden("No."), 403, "forbidden", {}),
        (Unauthorized("Gone."), 401, "unauthorized", {"www-authenticate": CHALLENGE}),
        (Unavailable("Full.", 7), 503, "unavailable", {"retry-after": "7"}),
        (StoreDown("gone"), 503, "unavailable", {"retry-after": "2"}),
        (Fault("Odd."), 500, "internal", {}),
        (RuntimeError("secret"), 500, "internal", {}),
        (TimeoutError(), 500, "internal", {}),
    ],
)
async def test_each_error_has_the_one_shape(
    error: Exception, status: int, slug: str, more: dict[str, str]
) -> None:
    answered = await ask(ours({"fetch_task": raising(error)}), "GET", FETCH, headers=GOOD)
    assert (status, slug) == (answered.status, answered.json["properties"]["error"])
    assert [] == faults("Error", answered.json)
    assert more.items() <= answered.headers.items()
    assert "secret" not in answered.body.decode()


async def test_a_fault_is_logged_with_its_request_id_and_cause() -> None:
    app = ours({"fetch_task": raising(RuntimeError("cause"))})
    with capture_logs() as logs:
        await ask(app, "GET", FETCH, headers={**GOOD, "x-request-id": "mine"})
    fault, request = logs
    assert ("fault", "error", "mine", True) == (
        fault["event"],
        fault["log_level"],
        fault["request_id"],
        fault["exc_info"],
    )
    assert ("request", 500, "fetch_task", KEY) == (
        request["event"],
        request["status"],
        request["operation"],
        request["token"],
    )


async def test_an_answer_that_cannot_be_written_is_a_fault() -> None:
    app = ours({"fetch_task": answering(200, {**TASK, "more": object()})})
    answered = await ask(app, "GET", FETCH, headers=GOOD)
    assert (500, "internal") == (answered.status, answered.json["properties"]["error"])


async def test_an_error_after_the_answer_began_is_the_servers_to_end() -> None:
    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise Forbidden("Too late.")

    with pytest.raises(Forbidden), capture_logs() as logs:
        await ask(ours(pages={"/half": half}), "GET", "/half")
    assert [("request", 200)] == [(log["event"], log["status"]) for log in logs]


async def test_a_client_that_hangs_up_within_its_body_gets_no_answer() -> None:
    for pieces in ([], [b"{"], [b"{", b'"ids"']):
        with capture_logs() as logs:
            answered = await ask(ours(), "POST", "/mj/task/list-by-condition", pieces, GOOD)
        assert 0 == answered.status
        assert [499] == [log["status"] for log in logs]


async def test_a_client_that_hangs_up_within_a_body_too_large_gets_no_answer() -> None:
    app = ours(most_bytes=10)
    for headers in (GOOD, {**GOOD, "content-length": "100"}):
        pieces = [b"x" * 11, b"x"]
        answered = await ask(app, "POST", "/mj/task/list-by-condition", pieces, headers)
        assert 0 == answered.status


async def test_of_a_body_without_end_a_bounded_part_is_read() -> None:
    read = 0

    async def receive() -> Any:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b"x" * 10, "more_body": True}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await ours(most_bytes=100)(scope("POST", "/mj/submit/imagine", GOOD), receive, send)
    assert 413 == sent[0]["status"]
    assert 11 <= read <= 60


async def test_a_body_too_large_that_stops_coming_is_answered() -> None:
    pieces = [{"type": "http.request", "body": b"x" * 11, "more_body": True}]

    async def receive() -> Any:
        return pieces.pop() if pieces else await asyncio.Event().wait()

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await ours(most_bytes=10)(scope("POST", "/mj/submit/imagine", GOOD), receive, send)
    assert 413 == sent[0]["status"]


async def test_a_websocket_is_closed() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await ours()({**scope("GET", FETCH, GOOD), "type": "websocket"}, receive, send)
    assert [{"type": "websocket.close", "code": 1000}] == sent


async def test_a_handler_gets_who_asked_and_what_was_sent() -> None:
    seen: list[Call] = []

    async def handler(gate: Any, call: Call) -> Answer:
        seen.append(call)
        return Answer(200, [])

    app = ours({"list_tasks": handler})
    raw = b'{ "ids": ["1"], "more": 1.10 }'
    await ask(app, "POST", "/mj/task/list-by-condition/", raw, GOOD)
    [call] = seen
    assert (KEY, {}, {"ids": ["1"], "more": 1.1}) == (call.client, call.parameters, call.body)
    assert raw == call.raw


async def test_the_id_of_a_path_is_decoded_once() -> None:
    seen: list[Any] = []

    async def handler(gate: Any, call: Call) -> Answer:
        seen.append(dict(call.parameters))
        return Answer(200, ANSWERS["fetch_task"])

    app = ours({"fetch_task": handler})
    for wanted in ("1%2500", "%E5%90%8D"):
        await ask(app, "GET", f"/mj/task/{wanted}/fetch", headers=GOOD)
    assert [{"id": "1%00"}, {"id": "名"}] == seen


async def test_a_method_of_strange_letters_is_not_repeated() -> None:
    answered = await ask(ours(), "<B>", FETCH)
    assert 405 == answered.status
    assert "This method is not allowed here; use GET, OPTIONS." == answered.json["description"]
