"""What a schema cannot say of this API, as checks that Schemathesis runs on every answer.

Importing registers them. Each fails with an AssertionError that says what was seen.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import schemathesis
from schemathesis import Case, CheckContext, Response

from tests.contract.document import faults
from tests.fuzz.faults import WORD
from tests.fuzz.words import (
    BLANK,
    NO_HOOK,
    broken_rules,
    is_blank,
    is_odd_hook,
    odd_questions,
    parsed,
)

UPSTREAM_KEY = "the-upstream-s-own-key"
"""The key of the channel that is fuzzed; nobody but the upstream may see it."""
MOST_ID = 2**53 - 1
ACCEPTED = (1, 22)
EXISTS = 21
"""Has an id where the upstream names the task."""
DOCUMENTED_KEYS = frozenset(
    [
        "action",
        "description",
        "failReason",
        "finishTime",
        "id",
        "imageUrl",
        "progress",
        "prompt",
        "promptEn",
        "properties",
        "startTime",
        "state",
        "status",
        "submitTime",
    ]
)
SLUGS: Mapping[int, frozenset[str]] = {
    400: frozenset({"invalid_request"}),
    401: frozenset({"unauthorized"}),
    402: frozenset({"budget_spent"}),
    403: frozenset({"forbidden"}),
    404: frozenset({"not_found"}),
    405: frozenset({"method_not_allowed"}),
    409: frozenset({"in_flight"}),
    413: frozenset({"too_large"}),
    415: frozenset({"not_json"}),
    422: frozenset({"key_reused"}),
    429: frozenset({"rate_limited", "too_many_in_flight"}),
    500: frozenset({"internal"}),
    502: frozenset({"upstream_refused", "outcome_unknown"}),
    503: frozenset({"unavailable"}),
    504: frozenset({"outcome_unknown"}),
}
NEEDED_HEADERS = {
    401: "www-authenticate",
    405: "allow",
    409: "retry-after",
    429: "retry-after",
    503: "retry-after",
}
STAGES = {"NOT_START": 0, "MODAL": 0, "SUBMITTED": 1, "IN_PROGRESS": 2, "PONDERING": 2}
"""The last is the sandbox's word for one that nobody documents."""
ENDS = {"FAILURE": 3, "CANCEL": 3, "SUCCESS": 4}
"""A success may still come after a failure; nothing comes after a success."""
_SECRETS = (b"mjgate:", UPSTREAM_KEY.encode())
_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_ID = re.compile(r"[1-9][0-9]{0,15}")
IMAGINE, CHANGE = "/mj/submit/imagine", "/mj/submit/change"
FETCH = "/mj/task/{id}/fetch"
LIST = "/mj/task/list-by-condition"
KEY, USAGE = "/v1/key", "/v1/usage"
REUSED = "key_reused"
_AMOUNT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]{0,5}[1-9])?")


@schemathesis.check
def one_error_shape(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """An error has the one shape, with the code and the slug of its status."""
    status = response.status_code
    if status < 400:
        return
    body = response.json()
    wrong = faults("Error", body)
    assert not wrong, f"{status} is no Error: {wrong}"
    code = 3 if status == 404 else 4 if status < 500 else 9
    assert code == body["code"], f"{status} has code {body['code']}, not {code}"
    slug = body["properties"]["error"]
    assert slug in SLUGS.get(status, ()), f"{status} says {slug!r}"
    assert body["result"] is None, f"an error has the result {body['result']!r}"
    assert status != 400 or body["properties"]["errors"], "a 400 does not say what was wrong"
    needed = NEEDED_HEADERS.get(status)
    assert needed is None or needed in response.headers, f"{status} without {needed}"


@schemathesis.check
def faults_were_asked_for(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Nobody gets a 5xx but one who asked the sandbox for a fault, and nobody a 500."""
    status = response.status_code
    asked = WORD.encode() in sent_in(response)
    assert status < 500 or (asked and status > 500), f"a {status} that nobody asked for"


@schemathesis.check
def request_id_echoed(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """A good X-Request-Id comes back; in place of any other, a good one."""
    given = str(response.request.headers.get("X-Request-Id", ""))
    got = response.headers.get("x-request-id", [])
    assert len(got) == 1, f"X-Request-Id came {len(got)} times"
    if _REQUEST_ID.fullmatch(given):
        assert got == [given], f"X-Request-Id {given!r} became {got[0]!r}"
    else:
        assert _REQUEST_ID.fullmatch(got[0]), f"X-Request-Id is {got[0]!r}"


@schemathesis.check
def nothing_leaks(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """No marker that we send upstream, and no key of an upstream, shows in an answer."""
    shown = response.content + repr(response.headers).encode()
    sent = sent_in(response)
    for secret in _SECRETS:
        assert secret in sent or secret not in shown, f"an answer shows {secret.decode()!r}"


@schemathesis.check
def refused_in_words(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """What the contract refuses everywhere is never accepted."""
    wrong = refusable(response)
    assert not wrong or response.status_code >= 400, f"accepted a body that {wrong}"


@schemathesis.check
def tasks_are_whole(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """A task has every documented key, an id that JavaScript can count, and a true progress."""
    for task in tasks_in(case.operation.path, response):
        missing = DOCUMENTED_KEYS - task.keys()
        assert not missing, f"a task without {sorted(missing)}"
        assert is_id(task["id"]), f"the id {task['id']!r} fits no JavaScript number"
        finished = task["progress"] == "100%"
        assert not finished or task["status"] == "SUCCESS", f"100% at {task['status']}"


@schemathesis.check
def submitted_is_there(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """The id of a submit can be fetched, and listed, as soon as it is known."""
    for task_id in submitted_in(response):
        assert is_id(task_id), f"the submitted id {task_id!r} fits no JavaScript number"
        _assert_there(ctx, response, case, task_id)


@schemathesis.check
def statements_are_exact(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Amounts are exact decimals, what remains is what is left, and lines come newest first."""
    if response.status_code != 200 or case.operation.path not in (KEY, USAGE):
        return
    body = response.json()
    for amount in amounts_in(body):
        assert _AMOUNT.fullmatch(amount), f"{amount!r} is no exact decimal"
    if case.operation.path == USAGE:
        times = [line["time"] for line in body["lines"]]
        assert times == sorted(times, reverse=True), "lines are not newest first"
    elif body["budget"] is not None:
        left = max(0, Decimal(body["budget"]) - Decimal(body["spent"]) - Decimal(body["held"]))
        assert left == Decimal(body["remaining"]), f"{body['remaining']} remains, not {left}"


def amounts_in(body: Mapping[str, Any]) -> list[str]:
    """Every amount of a statement."""
    rows = [body, *(row for name in ("days", "models", "lines") for row in body.get(name) or ())]
    names = ("budget", "held", "remaining", "spent")
    return [row[name] for row in rows for name in names if row.get(name) is not None]


@schemathesis.check
class TasksGoForward:
    """Status and progress of a task never go backwards, whoever asks."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, Any]] = {}

    def after_response(self, ctx: CheckContext, response: Response, case: Case[Any]) -> None:
        for task in tasks_in(case.operation.path, response):
            before = self._seen.get(task["id"])
            if before is None or not backwards(before, task):
                self._seen[task["id"]] = task
            else:
                raise AssertionError(f"task {task['id']} went back: {backwards(before, task)}")


def backwards(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """What of a task went back between two looks at it."""
    ranks = STAGES | ENDS
    first, then = ranks.get(before["status"], 0), ranks.get(now["status"], 0)
    if then < first or (first == then == 3 and before["status"] != now["status"]):
        return f"{before['status']} to {now['status']}"
    if _percent(now) < _percent(before):
        return f"{before['progress']} to {now['progress']}"
    return None


def tasks_in(path: str, response: Response) -> list[dict[str, Any]]:
    """The tasks that an answer to an operation holds."""
    if response.status_code != 200 or path not in (FETCH, LIST):
        return []
    body = response.json()
    return body if isinstance(body, list) else [body]


def submitted_in(response: Response) -> list[Any]:
    """The id of the task that a submit has made, or may have made; else nothing."""
    if "/mj/submit/" not in (response.request.url or "") or not response.content:
        return []
    body = response.json()
    if response.status_code == 200:
        named = body["code"] == EXISTS and body["result"] is not None
        return [body["result"]] if named or body["code"] in ACCEPTED else []
    if response.status_code >= 500 and body["properties"]["error"] == "outcome_unknown":
        return [body["properties"].get("taskId")]
    return []


def refusable(response: Response) -> list[str]:
    """What a refusal of the request may say, though its body fits the schema."""
    body = parsed(response.request.body)
    imagined = (response.request.url or "").endswith(IMAGINE) and isinstance(body, dict)
    blank = imagined and is_blank(body.get("prompt"))
    return broken_rules(body) + [BLANK] * blank


def doubtful(response: Response) -> list[str]:
    """What a refusal of the request may say of its query or hook, though they fit the schema."""
    address = urlsplit(response.request.url or "")
    if address.path == USAGE:
        return odd_questions(dict(parse_qsl(address.query)))
    body = parsed(response.request.body)
    odd = isinstance(body, dict) and is_odd_hook(body.get("notifyHook"))
    return [NO_HOOK] if odd else []


def sent_in(response: Response) -> bytes:
    """What the client itself has said, which an answer may repeat."""
    body = response.request.body or b""
    return (body if isinstance(body, bytes) else str(body).encode()) + repr(
        (response.request.url, dict(response.request.headers))
    ).encode()


def is_id(text: Any) -> bool:
    return isinstance(text, str) and bool(_ID.fullmatch(text)) and int(text) <= MOST_ID


def _assert_there(ctx: CheckContext, response: Response, case: Case[Any], task_id: str) -> None:
    fetched = _ask(ctx, response, case, "GET", FETCH, path_parameters={"id": task_id})
    assert fetched.status_code == 200, f"submitted {task_id}, fetch says {fetched.status_code}"
    assert task_id == fetched.json()["id"], f"fetched {task_id}, got {fetched.json()['id']}"
    listed = _ask(ctx, response, case, "POST", LIST, body={"ids": [int(task_id)]})
    ids = [task["id"] for task in tasks_in(LIST, listed)]
    assert [task_id] == ids, f"listed {task_id}, got {listed.status_code} with {ids}"


def _percent(task: Mapping[str, Any]) -> int:
    digits = (task["progress"] or "").removesuffix("%")
    return int(digits) if digits.isdecimal() else 0


def _ask(
    ctx: CheckContext, response: Response, case: Case[Any], method: str, path: str, **parts: Any
) -> Response:
    """Asks as the one who got this answer."""
    known = {"mj-api-secret", "authorization"}
    headers = {k: v for k, v in response.request.headers.items() if k.lower() in known}
    asking = case.operation.schema[path][method].Case(headers=headers, **parts)
    kwargs = dict(ctx.internals.transport_kwargs or {})
    kwargs["headers"] = {**(kwargs.get("headers") or {}), **headers}
    return asking.call(**kwargs)  # type: ignore[no-any-return]
