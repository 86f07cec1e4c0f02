"""Each check of ours fails on an answer that breaks its rule, and passes on one that does not."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import schemathesis
from schemathesis import Case, Response
from schemathesis.checks import CheckContext
from schemathesis.config import ChecksConfig
from schemathesis.schemas import BaseSchema

from tests.contract.document import DOCUMENT
from tests.fuzz import checks
from tests.fuzz.campaign import rightly_accepted, rightly_refused
from tests.fuzz.checks import CHANGE, FETCH, IMAGINE, KEY, LIST, USAGE
from tests.fuzz.words import BLANK, NO_CURSOR, NO_DAY

READS = (FETCH, KEY, USAGE)
ID = "1795408020562001"
TASK: dict[str, Any] = dict.fromkeys(checks.DOCUMENTED_KEYS) | {
    "id": ID,
    "status": "IN_PROGRESS",
    "progress": "31%",
}
SUBMITTED = {"code": 1, "description": "", "properties": {}, "result": ID}
ERROR: dict[str, Any] = {
    "code": 4,
    "description": "No.",
    "properties": {"error": "invalid_request", "errors": [{"pointer": "", "message": "is empty"}]},
    "result": None,
}


class Liar:
    """A server that answers what it is told to, by path."""

    def __init__(self, schema: BaseSchema) -> None:
        self.schema = schema
        self.answers: dict[str, tuple[int, Any]] = {}
        self.headers: dict[str, str] = {"X-Request-Id": "one"}

    def ask(self, path: str, method: str = "POST", **parts: Any) -> tuple[Response, Case[Any]]:
        parts = {"path_parameters": {"id": ID}} | parts if path == FETCH else parts
        case: Case[Any] = self.schema[path][method].Case(**parts)
        return case.call(), case

    def judged(self, check: Any, status: int, answer: Any, path: str = FETCH, **parts: Any) -> None:
        """Raises what a check says of an answer."""
        self.answers[path.replace("{id}", ID)] = status, answer
        response, case = self.ask(path, "GET" if path in READS else "POST", **parts)
        check(context(), response, case)


def context() -> CheckContext:
    return CheckContext(None, None, None, ChecksConfig(), {}, response_checks=None)


@pytest.fixture
def liar() -> Iterator[Liar]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = told.answers[self.path.partition("?")[0]]
            content = json.dumps(body).encode()
            self.send_response(status)
            named = {"Content-Type": "application/json", "Content-Length": str(len(content))}
            for name, value in {**named, **told.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        schema = schemathesis.openapi.from_dict(DOCUMENT)
        schema.config.update(base_url=f"http://127.0.0.1:{server.server_port}")
        told = Liar(schema)
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield told
        server.shutdown()
        thread.join()


def error(**changes: Any) -> dict[str, Any]:
    return ERROR | changes


def slug(name: str) -> dict[str, Any]:
    return {"properties": {"error": name, "errors": ERROR["properties"]["errors"]}}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, {"detail": "no"}, "is no Error"),
        (400, error(code=3), "has code 3, not 4"),
        (404, error(**slug("not_found")), "has code 4, not 3"),
        (500, error(**slug("internal")), "has code 4, not 9"),
        (400, error(**slug("not_found")), "says 'not_found'"),
        (418, error(), "418 says"),
        (400, error(properties={"error": "invalid_request", "errors": []}), "what was wrong"),
        (401, error(**slug("unauthorized")), "without www-authenticate"),
        (405, error(**slug("method_not_allowed")), "without allow"),
        (503, error(code=9, **slug("unavailable")), "without retry-after"),
    ],
)
def test_an_error_of_another_shape_is_seen(liar: Liar, status: int, body: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        liar.judged(checks.one_error_shape, status, body)


def test_an_error_of_the_one_shape_passes(liar: Liar) -> None:
    liar.judged(checks.one_error_shape, 400, ERROR)
    liar.headers["Allow"] = "GET"
    liar.judged(checks.one_error_shape, 405, error(**slug("method_not_allowed")))


@pytest.mark.parametrize(
    ("status", "prompt"), [(502, "Cat"), (503, "Cat"), (500, "Cat"), (500, "Cat sandbox:empty")]
)
def test_a_5xx_that_nobody_asked_for_is_seen(liar: Liar, status: int, prompt: str) -> None:
    body = {"prompt": prompt}
    with pytest.raises(AssertionError, match=f"a {status} that nobody asked for"):
        liar.judged(checks.faults_were_asked_for, status, ERROR, IMAGINE, body=body)


def test_a_5xx_that_was_asked_for_passes(liar: Liar) -> None:
    body = {"prompt": "Cat sandbox:empty"}
    liar.judged(checks.faults_were_asked_for, 502, ERROR, IMAGINE, body=body)


@pytest.mark.parametrize(("given", "got"), [("mine", "one"), ("two words", "two words"), ("", "")])
def test_a_request_id_that_is_not_echoed_is_seen(liar: Liar, given: str, got: str) -> None:
    liar.headers["X-Request-Id"] = got
    with pytest.raises(AssertionError, match="X-Request-Id"):
        liar.judged(checks.request_id_echoed, 200, TASK, headers={"X-Request-Id": given})


def test_an_answer_without_a_request_id_is_seen(liar: Liar) -> None:
    del liar.headers["X-Request-Id"]
    with pytest.raises(AssertionError, match="came 0 times"):
        liar.judged(checks.request_id_echoed, 200, TASK)


@pytest.mark.parametrize("given", ["one", "two words"])
def test_a_request_id_that_is_echoed_or_replaced_passes(liar: Liar, given: str) -> None:
    liar.judged(checks.request_id_echoed, 200, TASK, headers={"X-Request-Id": given})


@pytest.mark.parametrize("secret", ["mjgate:00ff", checks.UPSTREAM_KEY])
def test_a_leak_is_seen_in_bodies_and_headers(liar: Liar, secret: str) -> None:
    with pytest.raises(AssertionError, match="an answer shows"):
        liar.judged(checks.nothing_leaks, 200, TASK | {"state": secret})
    liar.headers["X-Request-Id"] = secret
    with pytest.raises(AssertionError, match="an answer shows"):
        liar.judged(checks.nothing_leaks, 200, TASK)


def test_what_the_client_itself_has_said_is_no_leak(liar: Liar) -> None:
    body = {"prompt": "mjgate: a gate"}
    liar.judged(
        checks.nothing_leaks, 200, SUBMITTED | {"description": "mjgate:"}, IMAGINE, body=body
    )


@pytest.mark.parametrize("word", ["a\0b", 2**63, {"deep": [-(2**63) - 1]}])
def test_an_accepted_body_that_words_refuse_is_seen(liar: Liar, word: Any) -> None:
    body = {"prompt": "Cat", "more": word}
    with pytest.raises(AssertionError, match="accepted a body"):
        liar.judged(checks.refused_in_words, 200, SUBMITTED, IMAGINE, body=body)
    liar.judged(checks.refused_in_words, 400, ERROR, IMAGINE, body=body)
    liar.judged(checks.refused_in_words, 200, SUBMITTED, IMAGINE, body={"prompt": "Cat"})


@pytest.mark.parametrize("prompt", [" ", "\x1e", "\u3000\x85"])
def test_a_blank_prompt_is_refused_in_words_and_elsewhere_is_nothing(
    liar: Liar, prompt: str
) -> None:
    body = {"prompt": prompt}
    with pytest.raises(AssertionError, match="must not be blank"):
        liar.judged(checks.refused_in_words, 200, SUBMITTED, IMAGINE, body=body)
    liar.judged(checks.refused_in_words, 200, SUBMITTED, CHANGE, body=body)
    properties = {"error": "invalid_request", "errors": [{"pointer": "", "message": BLANK}]}
    liar.answers[IMAGINE] = 400, error(properties=properties)
    assert rightly_refused(liar.ask(IMAGINE, body=body)[0])
    assert not rightly_refused(liar.ask(IMAGINE, body={"prompt": "Cat"})[0])


@pytest.mark.parametrize(
    ("message", "more", "right"),
    [
        ("must not hold U+0000", "\0", True),
        ("must be a whole number of at most 64 bits", 2**64, True),
        ("must not hold U+0000", 2**64, False),
        ("must not be blank", "\0", False),
        ("must not hold U+0000", "", False),
    ],
)
def test_only_a_refusal_for_a_word_that_was_broken_is_right(
    liar: Liar, message: str, more: Any, right: bool
) -> None:
    properties = {"error": "invalid_request", "errors": [{"pointer": "/m", "message": message}]}
    liar.answers[IMAGINE] = 400, error(properties=properties)
    response, _ = liar.ask(IMAGINE, body={"prompt": "Cat", "more": more})
    assert right == rightly_refused(response)


@pytest.mark.parametrize(
    ("message", "query", "right"),
    [
        (NO_CURSOR, {"cursor": 1}, True),
        (NO_CURSOR, {"limit": 1}, False),
        (NO_DAY, {"to": "2026-02-30"}, True),
        (NO_DAY, {"to": "2026-02-28"}, False),
        ("must not be after 2026-02-27", {"from": "2026-02-28", "to": "2026-02-27"}, True),
        ("must not be after 2026-02-28", {"from": "2026-02-28", "to": "2026-02-28"}, False),
    ],
)
def test_only_a_question_that_does_not_fit_is_rightly_refused(
    liar: Liar, message: str, query: dict[str, Any], right: bool
) -> None:
    properties = {"error": "invalid_request", "errors": [{"pointer": "#x", "message": message}]}
    liar.answers[USAGE] = 400, error(properties=properties)
    response, _ = liar.ask(USAGE, "GET", query=query)
    assert right == rightly_refused(response)


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "x"}])
def test_only_a_key_is_rightly_refused_as_reused(liar: Liar, headers: dict[str, str]) -> None:
    liar.answers[IMAGINE] = 422, error(**slug("key_reused"))
    response, _ = liar.ask(IMAGINE, body={"prompt": "Cat"}, headers=headers)
    assert bool(headers) == rightly_refused(response)


KEY_ANSWER = {"budget": "2", "spent": "0.000001", "held": "0.1", "remaining": "1.899999"}
LINE = {"held": "-0.1", "spent": "0.1", "time": 2}
PAGE: dict[str, Any] = {"days": None, "models": [{"spent": "0"}], "lines": [LINE]}


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        (KEY, KEY_ANSWER | {"spent": "1e-06"}, "'1e-06' is no exact decimal"),
        (KEY, KEY_ANSWER | {"held": "0.10"}, "'0.10' is no exact decimal"),
        (KEY, KEY_ANSWER | {"held": "0.1000001"}, "'0.1000001' is no exact decimal"),
        (KEY, KEY_ANSWER | {"remaining": "1.9"}, "1.9 remains, not 1.899999"),
        (KEY, KEY_ANSWER | {"held": "3", "remaining": "-1.000001"}, "remains, not 0"),
        (USAGE, PAGE | {"days": [{"spent": "-"}]}, "'-' is no exact decimal"),
        (USAGE, PAGE | {"lines": [LINE, LINE | {"time": 3}]}, "not newest first"),
    ],
)
def test_a_statement_that_is_not_exact_is_seen(
    liar: Liar, path: str, answer: Any, said: str
) -> None:
    with pytest.raises(AssertionError, match=re.escape(said)):
        liar.judged(checks.statements_are_exact, 200, answer, path)


@pytest.mark.parametrize(
    ("path", "status", "answer"),
    [
        (KEY, 200, KEY_ANSWER),
        (KEY, 200, {"budget": None, "spent": "1", "held": "0", "remaining": None}),
        (KEY, 400, {"spent": "x"}),
        (USAGE, 200, PAGE),
        (USAGE, 200, PAGE | {"lines": [LINE, LINE, LINE | {"time": 1}]}),
    ],
)
def test_a_statement_that_is_exact_passes(liar: Liar, path: str, status: int, answer: Any) -> None:
    liar.judged(checks.statements_are_exact, status, answer, path)


@pytest.mark.parametrize(
    ("path", "body", "right"),
    [
        (CHANGE, {"action": "UPSCALE", "index": 1, "taskId": ID}, True),
        (CHANGE, {"action": "UPSCALE", "taskId": ID}, False),
        (CHANGE, {"action": "REROLL", "taskId": ID, "more": "\0"}, False),
        (IMAGINE, {"prompt": 1}, False),
        (LIST, {"ids": None}, True),
    ],
)
def test_only_a_body_that_is_good_after_all_is_rightly_accepted(
    liar: Liar, path: str, body: Any, right: bool
) -> None:
    liar.answers[path] = 200, SUBMITTED
    response, _ = liar.ask(path, body=body)
    assert right == rightly_accepted(path, response)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({key: value for key, value in TASK.items() if key != "promptEn"}, "promptEn"),
        (TASK | {"id": str(2**53)}, "JavaScript"),
        (TASK | {"id": int(ID)}, "JavaScript"),
        (TASK | {"id": "abc"}, "JavaScript"),
        (TASK | {"progress": "100%"}, "100% at IN_PROGRESS"),
    ],
)
@pytest.mark.parametrize("path", [FETCH, LIST])
def test_a_task_that_is_not_whole_is_seen(
    liar: Liar, path: str, task: dict[str, Any], said: str
) -> None:
    with pytest.raises(AssertionError, match=said):
        liar.judged(checks.tasks_are_whole, 200, task if path == FETCH else [TASK, task], path)
    liar.judged(checks.tasks_are_whole, 200, TASK if path == FETCH else [TASK], path)


@pytest.mark.parametrize(
    ("fetched", "listed", "said"),
    [
        ((404, ERROR), (200, [TASK]), "fetch says 404"),
        ((200, TASK | {"id": "1"}), (200, [TASK]), "got 1"),
        ((200, TASK), (200, []), r"got 200 with \[\]"),
        ((200, TASK), (400, ERROR), "got 400"),
    ],
)
@pytest.mark.parametrize("code", [1, 21, 22])
def test_a_submitted_id_that_is_not_there_is_seen(
    liar: Liar, fetched: tuple[int, Any], listed: tuple[int, Any], said: str, code: int
) -> None:
    liar.answers = {FETCH.replace("{id}", ID): fetched, LIST: listed}
    with pytest.raises(AssertionError, match=said):
        liar.judged(checks.submitted_is_there, 200, SUBMITTED | {"code": code}, IMAGINE)


def test_a_submit_of_unknown_outcome_is_there_too(liar: Liar) -> None:
    unknown = error(properties={"error": "outcome_unknown", "errors": [], "taskId": ID})
    liar.answers = {FETCH.replace("{id}", ID): (404, ERROR), LIST: (200, [])}
    with pytest.raises(AssertionError, match="fetch says 404"):
        liar.judged(checks.submitted_is_there, 504, unknown, IMAGINE)


@pytest.mark.parametrize("result", [None, 1795408020562001, str(2**53)])
def test_an_accepted_submit_without_a_good_id_is_seen(liar: Liar, result: Any) -> None:
    liar.answers = {FETCH.replace("{id}", ID): (200, TASK), LIST: (200, [TASK])}
    with pytest.raises(AssertionError, match="JavaScript"):
        liar.judged(checks.submitted_is_there, 200, SUBMITTED | {"result": result}, IMAGINE)


def test_a_submitted_id_that_is_there_passes(liar: Liar) -> None:
    liar.answers = {FETCH.replace("{id}", ID): (200, TASK), LIST: (200, [TASK])}
    liar.judged(checks.submitted_is_there, 200, SUBMITTED, IMAGINE)
    for code in (21, 24):
        refused = {"code": code, "result": None}
        liar.judged(checks.submitted_is_there, 200, SUBMITTED | refused, IMAGINE)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"status": "IN_PROGRESS"}, {"status": "SUBMITTED"}),
        ({"status": "SUCCESS", "progress": "100%"}, {"status": "FAILURE"}),
        ({"status": "FAILURE"}, {"status": "IN_PROGRESS"}),
        ({"status": "FAILURE"}, {"status": "CANCEL"}),
        ({"progress": "62%"}, {"progress": "31%"}),
        ({"progress": "62%"}, {"progress": None}),
    ],
)
def test_a_task_that_goes_back_is_seen(
    liar: Liar, before: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    look = looking(liar)
    look(before)
    with pytest.raises(AssertionError, match="went back"):
        look(now)
    look(before)


def test_a_task_may_go_forward_and_fail_and_still_succeed(liar: Liar) -> None:
    look = looking(liar)
    for status, progress in [
        ("NOT_START", None),
        ("SUBMITTED", "0%"),
        ("IN_PROGRESS", "31%"),
        ("IN_PROGRESS", "31%"),
        ("FAILURE", "31%"),
        ("SUCCESS", "100%"),
    ]:
        look({"status": status, "progress": progress})


def looking(liar: Liar) -> Callable[[Mapping[str, Any]], None]:
    check = checks.TasksGoForward()
    return lambda shown: liar.judged(check.after_response, 200, TASK | dict(shown))
