"""novicezk/midjourney-proxy 2.6.3: what it answers, what it takes, and where it deviates.

Measured on the running server, save what says otherwise.
"""

import json
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

from mjgate.conformance.exchange import Exchange, Request
from mjgate.conformance.profiles import lax
from mjgate.conformance.profiles.deviation import Deviation, Hidden, Kind, Omission, Shows
from mjgate.conformance.profiles.lax import Laxity
from mjgate.conformance.profiles.look import (
    CHANGE,
    FETCH,
    IMAGINE,
    LIST,
    TAKEN,
    field,
    has_keys,
    header,
    is_bare,
    is_blank,
    kind,
    lacks,
    no_etag,
    no_request_id,
    outcome,
    path,
    status,
    tasks,
    told,
    whole,
)

MEASURED: Final = "novicezk 2.6.3, measured"
READ: Final = "novicezk 2.6.3, read in its source"
ASSUMED: Final = "novicezk 2.6.3, not measured: no check of it is known"
ACTIONS: Final = ("IMAGINE", "UPSCALE", "VARIATION", "REROLL", "DESCRIBE", "BLEND")
CHANGES: Final = ("UPSCALE", "VARIATION", "REROLL")
PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
_PERCENT = re.compile(r"(0|[1-9][0-9]?|100)%")


def is_spring(exchange: Exchange, *statuses: int) -> bool:
    """Whether an error is worded as Spring Boot words it, of one of these statuses or of any."""
    number, body = status(exchange), told(exchange)
    return (
        number >= 400
        and number in (statuses or (number,))
        and kind(exchange) == "application/json"
        and has_keys(body, "timestamp", "status", "error", "path")
        and body["status"] == number
        and body["error"] == PHRASES.get(number)
        and path(exchange) in (body["path"], unquote(str(body["path"])))
    )


def blank_prompt(request: Request) -> Request:
    """A prompt that is not there becomes one."""
    return lax.filled(request, "prompt", is_blank, "x")


def blank_task(request: Request) -> Request:
    """The task is looked at first, before an action that is missing or makes no change."""
    return other_action(no_action(lax.filled(request, "taskId", is_blank, "1")))


def no_action(request: Request) -> Request:
    return lax.filled(request, "action", lambda action: action is None, "REROLL")


def other_action(request: Request) -> Request:
    """An action that makes no change; the index is looked at later."""
    others = ("IMAGINE", "DESCRIBE", "BLEND")
    return no_index(lax.filled(request, "action", lambda action: action in others, "REROLL"))


def no_index(request: Request) -> Request:
    """The index is looked at last, after the task."""
    return lax.filled(request, "index", lambda index: index in (None, ""), 1)


def as_it_is(request: Request) -> Request:
    return request


Reasons = dict[tuple[int, str], tuple[str, Callable[[Request], Request]]]
ANY: Final = "any operation"
NONE: Final = "no operation"
REASONS: Final[Reasons] = {
    (3, "无可用的账号实例"): (ANY, as_it_is),
    (9, "提交失败，系统异常"): (ANY, as_it_is),
    (23, "队列已满，请稍后尝试"): (ANY, as_it_is),
    (4, "prompt不能为空"): (IMAGINE, blank_prompt),
    (4, "base64格式错误"): (IMAGINE, as_it_is),
    (24, "可能包含敏感词"): (IMAGINE, as_it_is),
    (4, "taskId不能为空"): (CHANGE, blank_task),
    (4, "action参数错误"): (CHANGE, other_action),
    (3, "关联任务不存在或已失效"): (CHANGE, no_index),
    (4, "关联任务状态错误"): (CHANGE, no_index),
    (4, "关联任务不允许执行变化"): (CHANGE, no_index),
}
"""Why a submit came to nothing: of which operation, and what would have been right."""


def only_json(request: Request) -> Request:
    """What follows the object is not read."""
    try:
        text = (request.body or b"").decode().lstrip()
        value, end = json.JSONDecoder(parse_int=whole).raw_decode(text)
    except (ValueError, RecursionError):
        return request
    return lax.with_body(request, value) if text[end:].strip() else request


def coerced(body: dict[str, Any]) -> dict[str, Any]:
    """A text or a fraction is an index too."""
    index = body.get("index")
    if isinstance(index, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,10}\s*", index):
        return body | {"index": int(index)}
    if isinstance(index, float) and abs(index) < 2**31:
        return body | {"index": int(index)}
    return body


def by_ordinal(body: dict[str, Any]) -> dict[str, Any]:
    """A number is the action at its place."""
    action = body.get("action")
    if isinstance(action, int) and not isinstance(action, bool) and 0 <= action < len(ACTIONS):
        return body | {"action": ACTIONS[action]}
    return body


def is_some_json(media: str) -> bool:
    return re.fullmatch(r"application/[\w.-]+\+json", media) is not None


LAXITIES: Final[tuple[Laxity, ...]] = (
    Laxity("rest-is-ignored", only_json),
    lax.of_media("json-by-other-names", is_some_json),
    lax.KEYS,
    lax.VALUES,
    lax.of_body("action-by-ordinal", by_ordinal),
    lax.TEXTS,
    lax.of_body("index-is-coerced", coerced),
    lax.INDEX,
    lax.LENGTHS,
    lax.HOOKS,
)


def is_list(exchange: Exchange) -> bool:
    """Whether a list of tasks was given."""
    good = status(exchange) == 200 and kind(exchange) == "application/json"
    return good and exchange.operation == LIST and isinstance(told(exchange), list)


def is_taken(exchange: Exchange) -> bool:
    """Whether a task was made, or tasks listed."""
    said = outcome(exchange)
    return is_list(exchange) or (said is not None and said["code"] in TAKEN)


def took(name: str) -> Shows:
    """Whether a bad request was taken, and this is among the reasons."""

    def shows(exchange: Exchange) -> bool:
        return is_taken(exchange) and name in lax.taken_for(exchange, LAXITIES)

    return shows


def is_refused_with_200(exchange: Exchange) -> bool:
    return is_right_reason(exchange, outcome(exchange), REASONS, LAXITIES)


def is_right_reason(
    exchange: Exchange,
    said: dict[str, Any] | None,
    reasons: Reasons,
    laxities: tuple[Laxity, ...],
) -> bool:
    """Whether a wrong request came to nothing for the reason that the answer gives."""
    if said is None:
        return False
    of, mend = reasons.get((said["code"], said["description"]), (NONE, as_it_is))
    request, _ = lax.mended(exchange.request, (*laxities, Laxity("the reason", mend)))
    return of in (ANY, exchange.operation) and lax.is_allowed(request)


def is_bare_401(exchange: Exchange) -> bool:
    return is_bare(exchange, 401) and lacks(exchange, "www-authenticate")


def is_bearer_refused(exchange: Exchange) -> bool:
    request = exchange.request
    good = request.sender in ("token", "second")
    return is_bare_401(exchange) and good and request.form == "Authorization"


def is_empty_fetch(exchange: Exchange) -> bool:
    return exchange.operation == FETCH and is_bare(exchange, 200)


def is_without_action(exchange: Exchange) -> bool:
    return (
        exchange.operation == CHANGE
        and is_spring(exchange, 500)
        and field(exchange, "action") is None
        and not is_blank(field(exchange, "taskId"))
    )


def is_without_index(exchange: Exchange) -> bool:
    return (
        exchange.operation == CHANGE
        and is_spring(exchange, 500)
        and field(exchange, "action") in ("UPSCALE", "VARIATION", 1, 2)
        and field(exchange, "index") in (None, "")
        and not is_blank(field(exchange, "taskId"))
    )


def is_in_words(exchange: Exchange) -> bool:
    """Progress that is no percentage: words of the bot, or nothing at a FAILURE."""
    odd = [task for task in tasks(exchange) if not _is_percent(task.get("progress"))]
    return bool(odd) and all(
        isinstance(task["progress"], str)
        and (task["progress"] == "") is (task.get("status") == "FAILURE")
        and task.get("status") != "SUCCESS"
        for task in odd
    )


def is_task(exchange: Exchange) -> bool:
    """A task that is still being made, or has been."""
    return any(isinstance(task.get("properties"), dict) for task in tasks(exchange))


def is_more(exchange: Exchange) -> bool:
    """A path that the contract has not, but this server has."""
    listed = exchange.request.path == "/mj/task/list" and status(exchange) == 200
    led_on = status(exchange) == 302 and (header(exchange, "location") or "").endswith(
        ("/mj/", "/mj/doc.html")
    )
    return led_on or (listed and isinstance(told(exchange), list))


def is_outside(exchange: Exchange) -> bool:
    """The error page of its Tomcat, for a path that is not below /mj."""
    below = (exchange.request.path + "/").startswith("/mj/")
    return not below and status(exchange) == 404 and kind(exchange) == "text/html"


def is_unordered(exchange: Exchange) -> bool:
    """A list of what was asked for, each once, in another order."""
    asked, got = field(exchange, "ids"), [task.get("id") for task in tasks(exchange)]
    known = [str(each) for each in asked] if isinstance(asked, list) else []
    return len(got) == len(set(map(str, got))) and set(got) <= set(known)


def is_by_accept(exchange: Exchange) -> bool:
    """An answer in another form, or none, to one who does not take JSON."""
    accepted = exchange.request.header("Accept") or "*/*"
    if any(each in accepted for each in ("*/*", "application/*", "application/json")):
        return False
    page = kind(exchange) == "text/html" and status(exchange) >= 400
    return is_bare(exchange, 406) or page


SHAPE: Final = ("body_matches_schema", "error_shape", "refusal_says_where")
BEARER: Final = (
    "both_forms_taken",
    "good_accepted",
    "bad_refused",
    "methods_refused",
    "unknown_paths_refused",
)
"""What 401 breaks where a good token came as Bearer."""
NO_BODY: Final = ("content_type", "body_matches_schema", "error_shape")

KIND: Final = Kind(
    name="novicezk",
    title="novicezk/midjourney-proxy 2.6.3",
    deviations=(
        Deviation(
            "no-request-id",
            "It names no request: X-Request-Id is neither sent nor given back.",
            MEASURED,
            no_request_id,
            ("request_id_echoed",),
            ("x-request-id",),
        ),
        Deviation(
            "no-etag",
            "A task has no ETag, and If-None-Match is not read.",
            MEASURED,
            no_etag,
            without=("etag",),
        ),
        Deviation(
            "bare-401",
            "A missing or wrong secret is 401 without a body and without a challenge.",
            MEASURED,
            is_bare_401,
            NO_BODY,
            ("www-authenticate",),
        ),
        Deviation(
            "bearer-unknown",
            "The secret is known as mj-api-secret alone.",
            MEASURED,
            is_bearer_refused,
            BEARER,
        ),
        Deviation(
            "spring-errors",
            "Errors have the body of Spring Boot: timestamp, status, error, path.",
            MEASURED,
            is_spring,
            SHAPE,
        ),
        Deviation(
            "more-paths",
            "/mj leads to its documents, and GET /mj/task/list lists every task.",
            MEASURED,
            is_more,
            ("unknown_paths_refused", "token_needed"),
        ),
        Deviation(
            "page-outside",
            "A path that is not below /mj is 404 with the page of its Tomcat.",
            "novicezk 2.6.3, as Tomcat does, not measured",
            is_outside,
            ("content_type", "error_shape"),
        ),
        Deviation(
            "accept-is-heeded",
            "Who takes no JSON gets 406 without a body, or errors as a page.",
            MEASURED,
            is_by_accept,
            ("status_documented", *NO_BODY, "refusal_says_where", "unknown_paths_refused"),
        ),
        Deviation(
            "refused-with-200",
            "A submit that comes to nothing is 200 with a code: 4 for what is missing or wrong, "
            "3 for an unknown task.",
            MEASURED,
            is_refused_with_200,
            ("bad_refused",),
        ),
        Deviation(
            "missing-action-is-500",
            "A change without action makes it fail.",
            MEASURED,
            is_without_action,
            ("no_server_error",),
        ),
        Deviation(
            "missing-index-is-500",
            "UPSCALE or VARIATION of a finished task without index makes it fail.",
            MEASURED,
            is_without_index,
            ("no_server_error",),
        ),
        Deviation(
            "unknown-task-is-empty",
            "A fetch of an unknown task is 200 without a body.",
            MEASURED,
            is_empty_fetch,
            ("content_type", "body_matches_schema", "bad_refused"),
        ),
        Deviation(
            "progress-in-words",
            "Progress may be words of the bot, such as Waiting to start, after a percentage.",
            MEASURED,
            is_in_words,
            ("tasks_go_forward",),
            only={"tasks_go_forward": "in its progress"},
        ),
        Deviation(
            "properties-grow",
            "Properties of a task grow while its progress stays, so a callback may have fewer.",
            MEASURED,
            is_task,
            ("callback_is_fetch",),
            only={"callback_is_fetch": "another properties than"},
        ),
        Deviation(
            "list-unordered",
            "A list has tasks that wait first, and the others in any order.",
            MEASURED,
            is_unordered,
            ("list_in_order",),
            only={"list_in_order": "order"},
        ),
        Deviation(
            "rest-is-ignored",
            "What follows the JSON of a body is not read.",
            MEASURED,
            took("rest-is-ignored"),
            ("bad_refused",),
        ),
        Deviation(
            "json-by-other-names",
            "application/*+json is taken for application/json.",
            MEASURED,
            took("json-by-other-names"),
            ("bad_refused",),
        ),
        Deviation(
            "scalars-are-text",
            "Numbers and truth values are taken where a text belongs.",
            MEASURED,
            took("scalars-are-text"),
            ("bad_refused",),
        ),
        Deviation(
            "action-by-ordinal",
            "A number is taken as the action at that place: 1 is UPSCALE.",
            MEASURED,
            took("action-by-ordinal"),
            ("bad_refused",),
        ),
        Deviation(
            "index-is-coerced",
            'An index may be a text or a fraction: "3" is 3, and 1.5 is 1.',
            MEASURED,
            took("index-is-coerced"),
            ("bad_refused",),
        ),
        Deviation(
            "index-not-limited",
            "Any index is taken and sent on, 0 and 9 too.",
            MEASURED,
            took("index-not-limited"),
            ("bad_refused",),
        ),
        Deviation(
            "lengths-not-limited",
            "No text is too long, and no list has too many ids.",
            MEASURED,
            took("lengths-not-limited"),
            ("bad_refused",),
        ),
        Deviation(
            "hooks-not-checked",
            "Any text is taken as notifyHook.",
            MEASURED,
            took("hooks-not-checked"),
            ("bad_refused",),
        ),
        Deviation(
            "odd-values-taken",
            "U+0000, lone surrogates, integers of any size and nesting of any depth are taken.",
            ASSUMED,
            took("odd-values-taken"),
            ("bad_refused",),
        ),
        Deviation(
            "idempotency-key-unread",
            "Idempotency-Key is not read, so a bad one is not refused.",
            ASSUMED,
            took("idempotency-key-unread"),
            ("bad_refused",),
        ),
    ),
    unasked=(
        Omission(
            "key_holds",
            "Idempotency-Key is not known: the same submit twice makes two tasks.",
            MEASURED,
        ),
        Omission("etag_holds", "There is no ETag.", MEASURED),
        Omission(
            "tenants_apart",
            "There is one secret, and who has it sees every task.",
            MEASURED,
        ),
    ),
    absent=(
        Omission("GET /v1/key", "It has no budgets.", MEASURED),
        Omission("GET /v1/usage", "It keeps no accounts.", MEASURED),
    ),
    hidden=(
        Hidden(
            "no-secret",
            "Only where no secret is set: every request is let in. A run then fails, on purpose.",
            MEASURED,
        ),
        Hidden(
            "forgets-at-restart",
            "Tasks are in memory: after a restart a fetch is empty. A run restarts nothing.",
            MEASURED,
        ),
        Hidden(
            "first-waiting-is-code-1",
            "The first task that waits is answered with code 1 and not 22: both are good.",
            MEASURED,
        ),
        Hidden(
            "queue-full-names-no-task",
            "Code 23 has no result, though its documents show an id: both are good, and it needs "
            "a full queue.",
            MEASURED,
        ),
        Hidden(
            "never-exists",
            "Code 21 is never sent; a repeated change is a new task, which the contract allows.",
            MEASURED,
        ),
        Hidden(
            "pictures-mixed-up",
            "A VARIATION and a REROLL of one task at once may get each other's picture: it takes "
            "the bot's timing.",
            MEASURED,
        ),
        Hidden(
            "failed-tasks-stay-queued",
            "A task that fails at once stays in GET /mj/task/queue, which the contract has not.",
            MEASURED,
        ),
        Hidden(
            "late-hook",
            "A message of the bot that comes before the answer to its request reaches no hook: "
            "it takes the bot's timing.",
            READ,
        ),
        Hidden(
            "stuck-until-timeout",
            "Some errors of the bot are taken for a start: the task stands at 0% for 5 minutes.",
            MEASURED,
        ),
        Hidden(
            "ids-may-collide",
            "Two submits in one millisecond may get one id, once in a thousand.",
            READ,
        ),
        Hidden(
            "prompts-with-pictures-are-rewritten",
            "With base64Array the addresses of the pictures come to stand before the prompt; "
            "no rule asks for a prompt with pictures.",
            MEASURED,
        ),
        Hidden(
            "hooks-are-shown",
            "Everyone with the secret sees properties.notifyHook of every task; the contract "
            "leaves properties open.",
            MEASURED,
        ),
        Hidden(
            "no-cors",
            "A browser cannot call it from another origin; the contract's document does not "
            "speak of it.",
            MEASURED,
        ),
        Hidden(
            "accounts-are-open",
            "GET /mj/account/list shows Discord tokens; the contract has no such path, and a run "
            "does not ask for it.",
            MEASURED,
        ),
    ),
)


def _is_percent(progress: Any) -> bool:
    return progress is None or (isinstance(progress, str) and bool(_PERCENT.fullmatch(progress)))
