"""new-api v0.6.3.1, the gateway whose API this is: its own answers, and what it passes on."""

from dataclasses import replace
from typing import Any, Final

from mjgate.conformance.exchange import Exchange, Request
from mjgate.conformance.profiles import lax, novicezk
from mjgate.conformance.profiles.deviation import Deviation, Hidden, Kind, Omission, Shows
from mjgate.conformance.profiles.lax import Laxity
from mjgate.conformance.profiles.look import (
    CHANGE,
    FETCH,
    IMAGINE,
    KEY,
    LIST,
    SUBMITS,
    TAKEN,
    USAGE,
    field,
    has_keys,
    header,
    is_blank,
    is_split,
    kind,
    lacks,
    no_etag,
    no_request_id,
    outcome,
    sent,
    status,
    tasks,
    told,
)

MEASURED: Final = "new-api v0.6.3.1, measured"
READ: Final = "new-api v0.6.3.1, read in its source"
ASSUMED: Final = "new-api v0.6.3.1, not measured: no check of it is known"
FRAME: Final = "new-api v0.6.3.1, the default of its framework, not measured"
JSON: Final = "application/json"
PLAIN: Final = "text/plain"
NO_CHANNEL: Final = "无可用渠道"
SPENT: Final = "额度已用尽"


def relayed(exchange: Exchange) -> str | None:
    """The message of an error in its first shape; None for any other answer."""
    body = told(exchange)
    if status(exchange) not in (400, 401, 403, 503) or kind(exchange) != JSON:
        return None
    if not has_keys(body, "error") or not has_keys(body["error"], "message", "type"):
        return None
    message, of = body["error"]["message"], body["error"]["type"]
    known = isinstance(message, str) and "(request id: " in message and of == "new_api_error"
    return message if known else None


def fault(exchange: Exchange) -> tuple[int, str] | None:
    """Code and words of an error in its second shape; None for any other answer."""
    body = told(exchange)
    if status(exchange) != 400 or kind(exchange) != JSON:
        return None
    if not has_keys(body, "code", "description", "type") or body["type"] != "upstream_error":
        return None
    code, words = body["code"], body["description"]
    known = code in (4, 5) and isinstance(words, str) and words.endswith(" ")
    return (code, words.rstrip()) if known else None


def is_unset(exchange: Exchange) -> bool:
    """Times that are not yet, of tasks that have been submitted."""
    found = tasks(exchange)
    return bool(found) and all(task.get("submitTime") for task in found)


def no_task(request: Request) -> Request:
    """A change of no task is passed on, with an index or without."""
    filled = lax.filled(request, "taskId", is_blank, "1")
    return request if filled == request else novicezk.no_index(filled)


def blank_prompt(request: Request) -> Request:
    """A prompt of white space is passed on."""
    return lax.filled(request, "prompt", lambda text: bool(text) and is_blank(text), "x")


REASONS: Final[novicezk.Reasons] = {
    (3, "无可用的账号实例"): (novicezk.ANY, novicezk.as_it_is),
    (9, "提交失败，系统异常"): (novicezk.ANY, novicezk.as_it_is),
    (23, "队列已满，请稍后尝试"): (novicezk.ANY, novicezk.as_it_is),
    (24, "可能包含敏感词"): (IMAGINE, novicezk.as_it_is),
    (4, "prompt不能为空"): (IMAGINE, blank_prompt),
    (4, "base64格式错误"): (IMAGINE, novicezk.as_it_is),
    (4, "taskId不能为空"): (CHANGE, no_task),
}
"""What its upstream says of what it passes on."""
TEXTS: Final = (
    "prompt", "customId", "botType", "notifyHook", "action", "state", "content", "maskBase64",
)  # fmt: skip
"""What it reads as texts in any submit; index is a whole number, base64Array of texts."""


def only_base64(body: dict[str, Any]) -> dict[str, Any]:
    """The one field that it does not read: whatever stands there is passed on."""
    found = body.get("base64")
    return body | {"base64": str(found)} if isinstance(found, bool | int | float) else body


def no_nulls(body: dict[str, Any]) -> dict[str, Any]:
    """A null among pictures is an empty text."""
    found = body.get("base64Array")
    if not isinstance(found, list):
        return body
    return body | {"base64Array": ["" if each is None else each for each in found]}


LAXITIES: Final[tuple[Laxity, ...]] = (
    lax.of_media("lists-sent-as-anything", lambda media: True),
    lax.KEYS,
    lax.VALUES,
    lax.INDEX,
    lax.LENGTHS,
    lax.HOOKS,
    lax.of_body("base64-passed-on", only_base64),
    lax.of_body("base64-passed-on", no_nulls),
    Laxity("changes-of-nothing", no_task),
)


def took(name: str) -> Shows:
    """Whether a bad request was taken, and this is among the reasons."""

    def shows(exchange: Exchange) -> bool:
        return _is_taken(exchange) and name in lax.taken_for(exchange, LAXITIES)

    return shows


def is_refused_with_200(exchange: Exchange) -> bool:
    return novicezk.is_right_reason(exchange, passed_on(exchange), REASONS, LAXITIES[1:])


def passed_on(exchange: Exchange) -> dict[str, Any] | None:
    """What its upstream came to; of 23 and 24 some upstreams name a task, or no result at all."""
    body = told(exchange)
    refused = isinstance(body, dict) and body.get("code") in (23, 24) and is_plain(exchange)
    known = refused and body.keys() | {"result"} == {"code", "description", "properties", "result"}
    return body if known else outcome(exchange, PLAIN)


def is_plain(exchange: Exchange) -> bool:
    """The answer to a submit, JSON sent as plain text."""
    sent_as = exchange.operation in SUBMITS and kind(exchange) == PLAIN
    return sent_as and status(exchange) == 200 and isinstance(told(exchange), dict)


def is_relayed(exchange: Exchange) -> bool:
    return relayed(exchange) is not None


def is_unauthorised(exchange: Exchange) -> bool:
    return status(exchange) == 401 and is_relayed(exchange) and lacks(exchange, "www-authenticate")


def is_fault(exchange: Exchange) -> bool:
    return fault(exchange) is not None


def is_page(exchange: Exchange) -> bool:
    """Its own web page, where it has no route."""
    page = status(exchange) == 200 and kind(exchange) == "text/html"
    return page and (exchange.operation is None or is_split(exchange))


def is_redirect(exchange: Exchange) -> bool:
    """A path with a slash at its end is led to the same without one."""
    place = (header(exchange, "location") or "").partition("?")[0]
    led = status(exchange) in (301, 307) and exchange.request.path.endswith("/")
    return led and place.endswith(exchange.request.path.removesuffix("/"))


def is_named_otherwise(exchange: Exchange) -> bool:
    return no_request_id(exchange) and bool(header(exchange, "x-oneapi-request-id"))


def says(operation: str, code: int, *words: str) -> Shows:
    """Whether an operation was answered with one of these faults."""
    known = {(code, each) for each in words}

    def shows(exchange: Exchange) -> bool:
        return exchange.operation == operation and fault(exchange) in known

    return shows


def is_without_index(exchange: Exchange) -> bool:
    return (
        says(CHANGE, 4, "index_is_required")(exchange)
        and field(exchange, "action") == "REROLL"
        and field(exchange, "index") in (None, 0)
    )


def is_numbered(exchange: Exchange) -> bool:
    """Ids as numbers, which are none to it."""
    if exchange.operation == LIST:
        ids = field(exchange, "ids")
        numbers = isinstance(ids, list) and any(map(_is_whole, ids))
        return numbers and says(LIST, 4, "do_request_failed")(exchange)
    message = relayed(exchange) or ""
    wrong = exchange.operation == CHANGE and message.startswith("Invalid request, json: ")
    return wrong and status(exchange) == 400 and _is_whole(field(exchange, "taskId"))


def is_typed(exchange: Exchange) -> bool:
    """A field that the contract does not know, of a type that this server does not take."""
    message = relayed(exchange) or ""
    body = sent(exchange)
    wrong = isinstance(body, dict) and (
        any(not _is_text(body.get(name)) for name in TEXTS)
        or not (body.get("index") is None or _is_whole(body["index"]))
    )
    refused = status(exchange) == 400 and message.startswith("Invalid request, json: ")
    return exchange.operation in SUBMITS and wrong and refused


def is_passed_on(exchange: Exchange) -> bool:
    """An error of its upstream, sent on as plain text."""
    answer = exchange.answer
    if answer is None or exchange.operation not in SUBMITS or kind(exchange) != PLAIN:
        return False
    as_json = replace(answer, headers=(("content-type", JSON),))
    return novicezk.is_spring(replace(exchange, answer=as_json))


def is_unknown_action(exchange: Exchange) -> bool:
    """No channel for an action that there is not, be it for want of a body that it reads."""
    action = field(exchange, "action")
    media = (exchange.request.header("Content-Type") or "").lower()
    read = media.startswith(JSON) and isinstance(sent(exchange), dict)
    known = read and isinstance(action, str) and action.upper() in novicezk.CHANGES
    return exchange.operation == CHANGE and is_without_channel(exchange) and not known


def is_without_channel(exchange: Exchange) -> bool:
    return status(exchange) == 503 and NO_CHANNEL in (relayed(exchange) or "")


def is_channelless(exchange: Exchange) -> bool:
    """A good submit for which it has no channel."""
    good = exchange.operation in SUBMITS and lax.is_allowed(exchange.request)
    return good and is_without_channel(exchange)


def is_spent(exchange: Exchange) -> bool:
    return status(exchange) == 401 and SPENT in (relayed(exchange) or "")


def is_upstream_fault(exchange: Exchange) -> bool:
    known = (5, "do_request_failed"), (5, "unmarshal_response_body_failed")
    return exchange.operation in SUBMITS and fault(exchange) in known


def is_without_result(exchange: Exchange) -> bool:
    """A refusal of its upstream, passed on without a result."""
    body = told(exchange)
    refused = has_keys(body, "code", "description", "properties") and body["code"] == 24
    return is_plain(exchange) and refused and isinstance(body["properties"], dict)


def is_unpolled(exchange: Exchange) -> bool:
    """Tasks of which it knows nothing yet: no status, and properties null."""
    found = tasks(exchange)
    unknown = [task for task in found if task.get("properties", {}) is None]
    return bool(unknown) and all(task.get("status") == "" for task in unknown)


def is_whole_at_failure(exchange: Exchange) -> bool:
    return any(
        task.get("status") == "FAILURE" and task.get("progress") == "100%"
        for task in tasks(exchange)
    )


def is_stateless(exchange: Exchange) -> bool:
    """Tasks whose state is the empty text."""
    found = tasks(exchange)
    return bool(found) and all(task.get("state") == "" for task in found)


def is_described_by_submit(exchange: Exchange) -> bool:
    return any(task.get("description") == "提交成功" for task in tasks(exchange))


def is_long_id(exchange: Exchange) -> bool:
    """An id of more than 16 digits, as its upstream has it."""
    said = outcome(exchange, PLAIN) or {}
    ids = [task.get("id") for task in tasks(exchange)] or [said.get("result")]
    long = [each for each in ids if isinstance(each, str) and len(each) > 16]
    return bool(long) and all(each.isascii() and each.isdecimal() for each in long)


KIND: Final = Kind(
    name="new-api",
    title="new-api v0.6.3.1",
    deviations=(
        Deviation(
            "named-otherwise",
            "It has a name of its own for each request, as X-Oneapi-Request-Id.",
            MEASURED,
            is_named_otherwise,
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
            "unset-times-are-0",
            "startTime and finishTime are 0 until they are set.",
            MEASURED,
            is_unset,
            ("times_plausible",),
            only={"times_plausible": "is 0"},
        ),
        Deviation(
            "submit-time-is-copied",
            "submitTime is its own until the first poll, and then that of its upstream.",
            READ,
            is_unset,
            ("times_stay",),
            only={"times_stay": "submitTime of a task changed"},
        ),
        Deviation(
            "submits-are-plain-text",
            "The answer to a submit is JSON, but is sent as text/plain.",
            MEASURED,
            is_plain,
            ("content_type",),
        ),
        Deviation(
            "relayed-errors",
            "Its errors before a submit are {error: {message, type}}, without places.",
            MEASURED,
            is_relayed,
            novicezk.SHAPE,
        ),
        Deviation(
            "no-challenge",
            "A missing or wrong token is 401 without a challenge.",
            MEASURED,
            is_unauthorised,
            without=("www-authenticate",),
        ),
        Deviation(
            "own-errors",
            "Its errors in a submit or a fetch are {code, description, type} with 400.",
            MEASURED,
            is_fault,
            novicezk.SHAPE,
        ),
        Deviation(
            "pages-for-the-unrouted",
            "A path or a method that it does not have is 200 with its web page, token or not.",
            MEASURED,
            is_page,
            (
                "unknown_paths_refused",
                "methods_refused",
                "token_needed",
                "content_type",
                "body_matches_schema",
            ),
        ),
        Deviation(
            "slash-is-redirected",
            "A path with a slash at its end is led by 301, or 307, to the one without.",
            FRAME,
            is_redirect,
            ("good_accepted", "status_documented", "content_type", "request_id_echoed"),
        ),
        Deviation(
            "unknown-task-is-400",
            "A fetch of an unknown task is 400 task_no_found.",
            MEASURED,
            says(FETCH, 4, "task_no_found"),
            ("good_accepted",),
        ),
        Deviation(
            "unknown-parent-is-400",
            "A change of an unknown task is 400 task_not_found.",
            MEASURED,
            says(CHANGE, 4, "task_not_found"),
            ("good_accepted",),
        ),
        Deviation(
            "unfinished-parent-is-400",
            "A change of a task that has not succeeded is 400 task_status_not_success.",
            MEASURED,
            says(CHANGE, 4, "task_status_not_success"),
            ("good_accepted",),
        ),
        Deviation(
            "reroll-needs-index",
            "A REROLL without index is 400 index_is_required.",
            MEASURED,
            is_without_index,
            ("good_accepted",),
        ),
        Deviation(
            "numbers-are-no-ids",
            "Ids are texts: a number is 400.",
            MEASURED,
            is_numbered,
            ("good_accepted", "submitted_listed", "list_in_order"),
        ),
        Deviation(
            "other-fields-typed",
            "Fields of other submits, such as botType, are refused where they are of another type.",
            READ,
            is_typed,
            ("good_accepted",),
        ),
        Deviation(
            "upstream-errors-passed-on",
            "Errors of its upstream are passed on with their status and body, as plain text.",
            MEASURED,
            is_passed_on,
            (*novicezk.SHAPE, "content_type"),
        ),
        Deviation(
            "base64-passed-on",
            "base64 is not read, and null among pictures is an empty text: both are passed on.",
            READ,
            took("base64-passed-on"),
            ("bad_refused",),
        ),
        Deviation(
            "unknown-action-is-503",
            "A change without action, or with an unknown one, is 503: there is no channel for it.",
            MEASURED,
            is_unknown_action,
            ("no_server_error",),
        ),
        Deviation(
            "quota-is-400",
            "A user without quota gets 400 quota_not_enough.",
            MEASURED,
            lambda exchange: any(says(each, 4, "quota_not_enough")(exchange) for each in SUBMITS),
            ("good_accepted",),
        ),
        Deviation(
            "spent-token-is-401",
            "A token without quota is 401.",
            MEASURED,
            is_spent,
            ("good_accepted", "both_forms_taken"),
        ),
        Deviation(
            "no-channel-is-503",
            "A good submit without a channel for it is 503.",
            MEASURED,
            is_channelless,
            ("no_server_error",),
        ),
        Deviation(
            "upstream-faults-are-400",
            "An upstream that fails, or is not understood, is 400 with code 5.",
            MEASURED,
            is_upstream_fault,
            ("good_accepted",),
        ),
        Deviation(
            "no-result-with-24",
            "A banned word is passed on as its upstream said it, without a result.",
            MEASURED,
            is_without_result,
            ("body_matches_schema",),
            only={"body_matches_schema": "/result breaks required"},
        ),
        Deviation(
            "refused-with-200",
            "A blank prompt and a change without a task are passed on; what its upstream says of "
            "them is 200 with code 4.",
            MEASURED,
            is_refused_with_200,
            ("bad_refused",),
        ),
        Deviation(
            "unpolled-tasks-are-empty",
            "Until its first look at the upstream a task has an empty status and no properties.",
            MEASURED,
            is_unpolled,
            ("body_matches_schema",),
            only={"body_matches_schema": "/properties breaks type"},
        ),
        Deviation(
            "whole-at-failure",
            "Progress is 100% at a FAILURE too.",
            MEASURED,
            is_whole_at_failure,
            ("progress_is_true",),
            only={"progress_is_true": "100% at FAILURE"},
        ),
        Deviation(
            "state-forgotten",
            "State is passed on and forgotten: a task has the empty text.",
            MEASURED,
            is_stateless,
            ("state_kept",),
        ),
        Deviation(
            "parent-not-named",
            "The description of a task is what its submit was answered with.",
            MEASURED,
            is_described_by_submit,
            ("change_names_parent",),
            only={"change_names_parent": "does not name its picture"},
        ),
        Deviation(
            "ids-of-its-upstream",
            "Ids are those of its upstream, be they longer than JavaScript can count.",
            MEASURED,
            is_long_id,
            ("task_ids",),
            only={"task_ids": "16 digits"},
        ),
        Deviation(
            "changes-of-nothing",
            "A change without a task is passed on to any channel, and charged where it is taken.",
            MEASURED,
            took("changes-of-nothing"),
            ("bad_refused",),
        ),
        Deviation(
            "index-not-limited",
            "Any index is taken, passed on and charged.",
            MEASURED,
            took("index-not-limited"),
            ("bad_refused",),
        ),
        Deviation(
            "lists-sent-as-anything",
            "A list is read whatever it is sent as.",
            ASSUMED,
            took("lists-sent-as-anything"),
            ("bad_refused",),
        ),
        Deviation(
            "lengths-not-limited",
            "No text is too long, and no list has too many ids.",
            ASSUMED,
            took("lengths-not-limited"),
            ("bad_refused",),
        ),
        Deviation(
            "hooks-not-checked",
            "notifyHook is dropped unread.",
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
            MEASURED,
            took("idempotency-key-unread"),
            ("bad_refused",),
        ),
    ),
    unasked=(
        Omission(
            "key_holds",
            "Idempotency-Key is not known: the same submit twice is charged twice.",
            MEASURED,
        ),
        Omission("etag_holds", "There is no ETag.", MEASURED),
        Omission("callback_arrives", "It calls nobody: notifyHook is dropped.", MEASURED),
        Omission("callback_is_fetch", "It calls nobody: notifyHook is dropped.", MEASURED),
    ),
    absent=(
        Omission(KEY, "Its accounts have pages of their own.", MEASURED),
        Omission(USAGE, "Its accounts have pages of their own.", MEASURED),
    ),
    hidden=(
        Hidden(
            "queued-is-code-1",
            "Codes 21 and 22 of its upstream are told as 1: all are good.",
            MEASURED,
        ),
        Hidden(
            "big-integers-rounded",
            "Integers beyond 2^53 reach its upstream rounded; only the upstream sees it.",
            MEASURED,
        ),
        Hidden(
            "notify-is-open",
            "POST /mj/notify changes any task with any token; the contract has no such path.",
            MEASURED,
        ),
        Hidden(
            "pictures-are-open",
            "GET /mj/image/{id} fetches any address without a token; the contract has it not.",
            MEASURED,
        ),
        Hidden(
            "stray-id-stops-it",
            "An upstream that lists a task not asked for stops all tasks: it takes its upstream.",
            MEASURED,
        ),
        Hidden(
            "overdraft",
            "Submits at once spend more than there is: it takes accounts and load.",
            MEASURED,
        ),
        Hidden(
            "charged-without-task",
            "Under load a submit may be charged and answered 400: it takes load.",
            MEASURED,
        ),
        Hidden(
            "lost-tasks-never-end",
            "A task that its upstream has lost stands at 0% for ever: it takes its upstream.",
            MEASURED,
        ),
        Hidden(
            "refunds-in-error",
            "Refunds of what was never charged: it takes its upstream and accounts.",
            MEASURED,
        ),
        Hidden(
            "hang-ups-are-charged",
            "A client that hangs up is charged and has no id; no run hangs up on a submit.",
            MEASURED,
        ),
        Hidden(
            "limited-tokens-may-not-fetch",
            "A token limited to models gets 403 for a fetch, which the contract has: it takes "
            "such a token.",
            MEASURED,
        ),
        Hidden(
            "disabled-channel",
            "A change of a task whose channel is disabled is 400: it takes its operator.",
            MEASURED,
        ),
        Hidden(
            "panics-go-on",
            "An odd customId makes it panic and submit all the same; the contract has no "
            "/mj/submit/action.",
            MEASURED,
        ),
    ),
)


def _is_taken(exchange: Exchange) -> bool:
    said = outcome(exchange, PLAIN)
    return novicezk.is_list(exchange) or (said is not None and said["code"] in TAKEN)


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
