"""The documented API alone: what its page says of three operations, and nothing that we added."""

from typing import Any, Final, Literal

from jsonschema import Draft202012Validator

from mjgate.conformance.exchange import Exchange
from mjgate.conformance.profiles.deviation import Deviation, Kind, Omission
from mjgate.conformance.profiles.look import (
    CHANGE,
    FETCH,
    IMAGINE,
    KEY,
    LIST,
    SUBMITS,
    USAGE,
    sent,
    status,
    tasks,
    told,
)

PAGE: Final = "the documented API"
OURS: Final = "added by the contract"
_TEXT: Final = {"type": "string"}
SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    IMAGINE: {
        "type": "object",
        "required": ["prompt"],
        "properties": {
            "base64": _TEXT,
            "notifyHook": _TEXT,
            "prompt": _TEXT,
            "state": _TEXT,
        },
    },
    CHANGE: {
        "type": "object",
        "required": ["action", "taskId"],
        "properties": {
            "action": {"enum": ["UPSCALE", "VARIATION", "REROLL"]},
            "index": {"type": "integer", "minimum": 1, "maximum": 4},
            "notifyHook": _TEXT,
            "state": _TEXT,
            "taskId": _TEXT,
        },
        "if": {"properties": {"action": {"enum": ["UPSCALE", "VARIATION"]}}},
        "then": {"required": ["index"]},
    },
}
"""The bodies that the page documents: fields, types, enums, and what is required."""
_VALIDATORS: Final = {name: Draft202012Validator(schema) for name, schema in SCHEMAS.items()}
EXISTS: Final = (1, 21, 22)
"""Codes that are no error."""


def says(exchange: Exchange) -> Literal["good", "bad", "open"]:
    """What the page says of a request; open where it says nothing."""
    operation, request = exchange.operation, exchange.request
    if request.form != "mj-api-secret":
        return "open"
    if operation not in SCHEMAS:
        return "good" if operation == FETCH and "%" not in request.url else "open"
    body = sent(exchange)
    if not _VALIDATORS[operation].is_valid(_nulls_out(body)):
        return "bad"
    known = isinstance(body, dict) and body.keys() <= SCHEMAS[operation]["properties"].keys()
    plain = known and None not in body.values()
    media = (request.header("Content-Type") or "").lower() == "application/json"
    return "good" if plain and media else "open"


def is_not_bad(exchange: Exchange) -> bool:
    """A request that the page does not forbid, whatever came of it."""
    return says(exchange) != "bad" and status(exchange) < 500


def is_not_good(exchange: Exchange) -> bool:
    """A request that the page does not promise to take."""
    return says(exchange) != "good" and 400 <= status(exchange) < 500


def is_refused_by_code(exchange: Exchange) -> bool:
    """A submit that came to nothing, told with 200 by a code that is an error."""
    body = told(exchange)
    code = body.get("code") if isinstance(body, dict) else None
    submit = exchange.operation in SUBMITS and status(exchange) == 200
    return submit and type(code) is int and code not in EXISTS


def is_error(exchange: Exchange) -> bool:
    return status(exchange) >= 400


def is_forbidden(exchange: Exchange) -> bool:
    """403 in place of 401: the page has both, and says of neither when."""
    return status(exchange) == 403 and exchange.request.sender in ("bad", "none")


def is_elsewhere(exchange: Exchange) -> bool:
    """A path that is not documented, and needs no token."""
    return exchange.operation is None and status(exchange) < 500


def is_without_properties(exchange: Exchange) -> bool:
    return any("properties" not in task for task in tasks(exchange))


def is_numbered(exchange: Exchange) -> bool:
    """A result as the example of the page has it: a number, though its table says a text."""
    body = told(exchange)
    result = body.get("result") if isinstance(body, dict) else None
    return exchange.operation in SUBMITS and status(exchange) == 200 and type(result) is int


def is_named(exchange: Exchange) -> bool:
    """Ids that are texts, of whatever form."""
    body = told(exchange)
    ids = [task.get("id") for task in tasks(exchange)]
    if exchange.operation in SUBMITS and isinstance(body, dict):
        ids.append(body.get("result"))
    return bool(ids) and all(isinstance(each, str) and each for each in ids)


KIND: Final = Kind(
    name="documented",
    title="the documented API, without what the contract adds",
    deviations=(
        Deviation(
            "not-forbidden",
            "What only the contract forbids may be taken: limits, forms of addresses, odd values.",
            OURS,
            is_not_bad,
            ("bad_refused",),
        ),
        Deviation(
            "not-promised",
            "What only the contract promises may be refused: numbers as ids, null, more fields, "
            "media types with parameters, Bearer.",
            OURS,
            is_not_good,
            ("good_accepted",),
        ),
        Deviation(
            "refused-by-code",
            "A code other than 1, 21 and 22 is an error, and comes with 200.",
            PAGE,
            is_refused_by_code,
            ("bad_refused",),
        ),
        Deviation(
            "errors-without-form",
            "No error has a documented body.",
            PAGE,
            is_error,
            ("body_matches_schema",),
        ),
        Deviation(
            "forbidden-for-unauthorized",
            "401 and 403 are documented, and not which is for a wrong token.",
            PAGE,
            is_forbidden,
            ("token_needed", "bad_token_refused"),
        ),
        Deviation(
            "open-elsewhere",
            "Nothing is documented of other paths, nor that they need a token.",
            OURS,
            is_elsewhere,
            ("token_needed",),
        ),
        Deviation(
            "tasks-without-properties",
            "A task has 13 documented fields; properties is none of them.",
            PAGE,
            is_without_properties,
            ("body_matches_schema", "task_keys"),
            only={
                "body_matches_schema": "/properties breaks required",
                "task_keys": "a task without properties",
            },
        ),
        Deviation(
            "numbers-as-result",
            "The documented result is a text in its table, and a number in its example.",
            PAGE,
            is_numbered,
            ("body_matches_schema", "task_ids"),
            only={
                "body_matches_schema": "/result breaks type",
                "task_ids": "an accepted submit names no task",
            },
        ),
        Deviation(
            "ids-of-any-form",
            "An id is a text; that it is of digits is not documented.",
            OURS,
            is_named,
            ("task_ids",),
            only={"task_ids": "16 digits"},
        ),
    ),
    unasked=(
        Omission("content_type", "Answers are documented as */*.", PAGE),
        Omission("headers_match", "No header of an answer is documented.", PAGE),
        Omission("error_shape", "No error has a documented body.", PAGE),
        Omission("request_id_echoed", "X-Request-Id is not documented.", OURS),
        Omission("refusal_says_where", "No error has a documented body.", OURS),
        Omission("both_forms_taken", "No second form of a token is documented.", OURS),
        Omission("methods_refused", "Nothing is documented of other methods.", OURS),
        Omission("unknown_paths_refused", "Nothing is documented of other paths.", OURS),
        Omission("progress_is_true", "Progress is documented as a text.", OURS),
        Omission("picture_shown", "When there is a picture is not documented.", OURS),
        Omission("times_plausible", "Times are documented as numbers, 0 in the example.", PAGE),
        Omission("times_in_order", "What the times are of is not documented.", OURS),
        Omission("times_stay", "What the times are of is not documented.", OURS),
        Omission("views_agree", "Lists are not documented.", OURS),
        Omission("statements_exact", "Statements are not documented.", OURS),
        Omission("pages_whole", "Statements are not documented.", OURS),
        Omission("billed_once", "Statements are not documented.", OURS),
        Omission("list_in_order", "Lists are not documented.", OURS),
        Omission("tokens_not_shown", "Nothing is documented of it.", OURS),
        Omission("tasks_go_forward", "The order of statuses is not documented.", OURS),
        Omission("submitted_listed", "Lists are not documented.", OURS),
        Omission("change_names_parent", "How a task names another is not documented.", OURS),
        Omission("changes_only_finished", "When a change is right is not documented.", OURS),
        Omission("tenants_apart", "Whose tasks are seen is not documented.", OURS),
        Omission("callback_is_fetch", "The body of a callback is not documented.", OURS),
        Omission("key_holds", "Idempotency-Key is not documented.", OURS),
        Omission("etag_holds", "ETag is not documented.", OURS),
        Omission("every_task_ends", "When a task ends is not documented.", OURS),
    ),
    absent=(
        Omission(LIST, "It is not documented.", OURS),
        Omission(KEY, "It is not documented.", OURS),
        Omission(USAGE, "It is not documented.", OURS),
    ),
)


def _nulls_out(body: Any) -> Any:
    """A body without null fields: whether null is absent is not documented."""
    if not isinstance(body, dict):
        return body
    return {name: value for name, value in body.items() if value is not None}
