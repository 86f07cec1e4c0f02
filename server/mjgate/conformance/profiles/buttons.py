"""The trueai-org fork 11.10.3, whose tasks have buttons; known from its source, not measured."""

from typing import Any, Final

from mjgate.conformance.exchange import Exchange
from mjgate.conformance.profiles import lax, novicezk
from mjgate.conformance.profiles.deviation import Deviation, Hidden, Kind, Omission, Shows
from mjgate.conformance.profiles.lax import Laxity
from mjgate.conformance.profiles.look import (
    CHANGE,
    FETCH,
    IMAGINE,
    KEY,
    LIST,
    NOTHING,
    USAGE,
    field,
    has_keys,
    is_bare,
    is_split,
    kind,
    lacks,
    no_etag,
    no_request_id,
    outcome,
    sent,
    status,
    told,
)

READ: Final = "trueai 11.10.3, read in its source"
FRAME: Final = "trueai 11.10.3, the default of its framework, not measured"
WORDS_OF_401: Final = ("Authorization header missing.", "账号已禁用", "账号无权限")
LONGEST_STATE: Final = 255
FIELDS: Final[dict[str, dict[str, type]]] = {
    IMAGINE: {"prompt": str, "base64Array": list, "state": str, "notifyHook": str, "botType": str},
    LIST: {"ids": list},
}
"""What it reads of a body, and as what; the elements of the lists are texts."""
REASONS: Final[novicezk.Reasons] = {
    (3, "无可用的账号实例"): (IMAGINE, novicezk.as_it_is),
    (9, "提交失败，系统异常"): (IMAGINE, novicezk.as_it_is),
    (9, "提交失败，队列已满，请稍后重试"): (IMAGINE, novicezk.as_it_is),
    (4, "prompt不能为空"): (IMAGINE, novicezk.blank_prompt),
    (4, "base64格式错误"): (IMAGINE, novicezk.as_it_is),
    (4, "State参数过长，最大255字符"): (IMAGINE, novicezk.as_it_is),
}


def is_some_json(media: str) -> bool:
    return media == "text/json" or novicezk.is_some_json(media)


def no_base64(body: dict[str, Any]) -> dict[str, Any]:
    """base64 is no field of it; whatever stands there is not read."""
    found = body.get("base64")
    return body if found is None or isinstance(found, str) else body | {"base64": ""}


LAXITIES: Final[tuple[Laxity, ...]] = (
    lax.of_media("json-by-other-names", is_some_json),
    lax.KEYS,
    lax.VALUES,
    lax.LENGTHS,
    lax.HOOKS,
    lax.of_body("base64-unread", no_base64),
)


def took(name: str) -> Shows:
    """Whether a bad request was taken, and this is among the reasons."""

    def shows(exchange: Exchange) -> bool:
        return novicezk.is_taken(exchange) and name in lax.taken_for(exchange, LAXITIES)

    return shows


def is_refused_with_200(exchange: Exchange) -> bool:
    said = outcome(exchange)
    return novicezk.is_right_reason(exchange, said, REASONS, LAXITIES)


def is_plain_401(exchange: Exchange) -> bool:
    """A sentence as plain text, without a challenge."""
    answer = exchange.answer
    return (
        answer is not None
        and answer.status == 401
        and kind(exchange) == "text/plain"
        and answer.body.decode("utf-8", "replace").strip() in WORDS_OF_401
        and lacks(exchange, "www-authenticate")
    )


def is_bearer_refused(exchange: Exchange) -> bool:
    request = exchange.request
    good = request.sender in ("token", "second")
    return is_plain_401(exchange) and good and request.form == "Authorization"


def is_bare_error(exchange: Exchange) -> bool:
    """404 of a path that it has not, 405 of a method: a status and no more."""
    known = exchange.operation in (IMAGINE, FETCH, LIST) and not is_split(exchange)
    return is_bare(exchange, 405) or (is_bare(exchange, 404) and not known)


def is_problem(exchange: Exchange) -> bool:
    """The error of its framework for what is not sent as JSON."""
    body = told(exchange)
    return (
        status(exchange) == 415
        and kind(exchange) == "application/problem+json"
        and isinstance(body, dict)
        and body.keys() <= {"type", "title", "status", "traceId"}
        and body.get("status") == 415
    )


def is_unreadable(exchange: Exchange) -> bool:
    """Its other answer, with 200, to a body that it cannot read: one that it really cannot."""
    body = told(exchange)
    return (
        status(exchange) == 200
        and kind(exchange) == "application/json"
        and has_keys(body, "success", "code", "message", "timestamp")
        and body["success"] is False
        and body["code"] == -1
        and isinstance(body["message"], str)
        and exchange.operation in FIELDS
        and not _reads(sent(exchange), FIELDS[exchange.operation])
    )


def is_numbered_list(exchange: Exchange) -> bool:
    """A list by numbers, which it cannot read."""
    ids = field(exchange, "ids")
    numbers = isinstance(ids, list) and any(isinstance(each, int) for each in ids)
    return exchange.operation == LIST and numbers and is_unreadable(exchange)


def is_no_content(exchange: Exchange) -> bool:
    return exchange.operation == FETCH and is_bare(exchange, 204)


KIND: Final = Kind(
    name="buttons",
    title="trueai-org/midjourney-proxy 11.10.3",
    deviations=(
        Deviation(
            "no-request-id",
            "It names no request: X-Request-Id is neither sent nor given back.",
            READ,
            no_request_id,
            ("request_id_echoed",),
            ("x-request-id",),
        ),
        Deviation(
            "no-etag",
            "A task has no ETag, and If-None-Match is not read.",
            READ,
            no_etag,
            without=("etag",),
        ),
        Deviation(
            "plain-401",
            "A missing or wrong token is 401 with a sentence in plain text and no challenge.",
            READ,
            is_plain_401,
            novicezk.NO_BODY,
            ("www-authenticate",),
        ),
        Deviation(
            "bearer-unknown",
            "Authorization is read before mj-api-secret, and the word Bearer is not taken off.",
            READ,
            is_bearer_refused,
            novicezk.BEARER,
        ),
        Deviation(
            "bare-errors",
            "An unknown path and a wrong method are a status without a body.",
            FRAME,
            is_bare_error,
            ("content_type", "body_matches_schema", "error_shape"),
        ),
        Deviation(
            "more-paths",
            "GET /mj/task/list lists the newest tasks.",
            READ,
            novicezk.is_more,
            ("unknown_paths_refused",),
        ),
        Deviation(
            "problem-415",
            "What is not sent as JSON is answered as application/problem+json.",
            FRAME,
            is_problem,
            ("content_type", "body_matches_schema", "error_shape"),
        ),
        Deviation(
            "unreadable-is-200",
            "A body that it cannot read is 200 with success, code -1, message and timestamp.",
            READ,
            is_unreadable,
            ("bad_refused", "body_matches_schema", "task_keys", "task_ids"),
        ),
        Deviation(
            "numbers-are-no-ids",
            "Ids are texts: a list by numbers cannot be read.",
            READ,
            is_numbered_list,
            ("submitted_listed", "list_in_order"),
        ),
        Deviation(
            "refused-with-200",
            "A submit that comes to nothing is 200 with code 4.",
            READ,
            is_refused_with_200,
            ("bad_refused",),
        ),
        Deviation(
            "unknown-task-is-204",
            "A fetch of an unknown task is 204.",
            FRAME,
            is_no_content,
            ("status_documented", "bad_refused"),
        ),
        Deviation(
            "progress-in-words",
            "Progress may be words of the bot, such as Waiting to start, after a percentage.",
            READ,
            novicezk.is_in_words,
            ("tasks_go_forward",),
            only={"tasks_go_forward": "in its progress"},
        ),
        Deviation(
            "properties-grow",
            "Properties of a task grow while its progress stays, so a callback may have fewer.",
            READ,
            novicezk.is_task,
            ("callback_is_fetch",),
            only={"callback_is_fetch": "another properties than"},
        ),
        Deviation(
            "json-by-other-names",
            "text/json and application/*+json are taken for application/json.",
            READ,
            took("json-by-other-names"),
            ("bad_refused",),
        ),
        Deviation(
            "lengths-not-limited",
            "No prompt is too long, and no list has too many ids.",
            READ,
            took("lengths-not-limited"),
            ("bad_refused",),
        ),
        Deviation(
            "hooks-not-checked",
            "Any text is taken as notifyHook.",
            READ,
            took("hooks-not-checked"),
            ("bad_refused",),
        ),
        Deviation(
            "base64-unread",
            "base64 is no field of it, so whatever stands there is taken.",
            READ,
            took("base64-unread"),
            ("bad_refused",),
        ),
        Deviation(
            "odd-values-taken",
            "U+0000, integers of any size and deep nesting are taken.",
            "trueai 11.10.3, no check of it is known",
            took("odd-values-taken"),
            ("bad_refused",),
        ),
        Deviation(
            "idempotency-key-unread",
            "Idempotency-Key is not read, so a bad one is not refused.",
            READ,
            took("idempotency-key-unread"),
            ("bad_refused",),
        ),
    ),
    unasked=(
        Omission(
            "key_holds",
            "Idempotency-Key is not known: the same submit twice makes two tasks.",
            READ,
        ),
        Omission("etag_holds", "There is no ETag.", READ),
        Omission("change_names_parent", "There is no change to ask for.", READ),
        Omission("changes_only_finished", "There is no change to ask for.", READ),
    ),
    absent=(
        Omission(
            CHANGE, "It has /mj/submit/action in its place, with the buttons of a task.", READ
        ),
        Omission(KEY, "It has no such path.", READ),
        Omission(USAGE, "It has no such path.", READ),
    ),
    hidden=(
        Hidden(
            "guests",
            "Only where guests are let in: a wrong token is served. A run then fails, on purpose.",
            READ,
        ),
        Hidden(
            "waits-for-a-window",
            "Code 21 stands for a window to confirm: it takes /mj/submit/action, which the "
            "contract has not.",
            READ,
        ),
        Hidden(
            "banned-words-fail-later",
            "A banned word is code 1, and the task fails: both are good.",
            READ,
        ),
        Hidden(
            "queue-full-is-code-9",
            "A full queue is code 9: any code is good, and it needs a full queue.",
            READ,
        ),
        Hidden(
            "rules-by-address",
            "429 and 403 without a body come of rules for addresses, which its operator sets.",
            READ,
        ),
        Hidden(
            "no-reroll",
            "A reroll has the action of its parent; it takes /mj/submit/action.",
            READ,
        ),
        Hidden(
            "limits-per-user",
            "Counts of pictures a day and of those at once refuse with code 4: any code is good.",
            READ,
        ),
    ),
)


def _reads(body: Any, fields: dict[str, type]) -> bool:
    """Whether it can read a body: an object, what it knows null or of its type."""
    if body is NOTHING or not isinstance(body, dict):
        return False
    return all(_fits(body.get(name), kind) for name, kind in fields.items())


def _fits(value: Any, kind: type) -> bool:
    if isinstance(value, list) and kind is list:
        return all(isinstance(each, str) for each in value)
    return value is None or isinstance(value, kind)
