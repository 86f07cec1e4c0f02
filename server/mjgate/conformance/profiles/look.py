"""Reads exchanges for those who say what they show."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from mjgate.conformance.exchange import Exchange

IMAGINE: Final = "POST /mj/submit/imagine"
CHANGE: Final = "POST /mj/submit/change"
FETCH: Final = "GET /mj/task/{id}/fetch"
LIST: Final = "POST /mj/task/list-by-condition"
KEY: Final = "GET /v1/key"
USAGE: Final = "GET /v1/usage"
SUBMITS: Final = (IMAGINE, CHANGE)
TAKEN: Final = (1, 22)
"""Codes of a submit that made a task."""
NOTHING: Final = object()
"""In place of a body that is no JSON, or of none."""
_MOST_DIGITS = 20


def status(exchange: Exchange) -> int:
    """Of the answer; 0 where none came."""
    return exchange.answer.status if exchange.answer else 0


def header(exchange: Exchange, name: str) -> str | None:
    return exchange.answer.header(name) if exchange.answer else None


def kind(exchange: Exchange) -> str:
    """The media type of the answer, without parameters; empty where it has none."""
    return (header(exchange, "content-type") or "").partition(";")[0].strip().lower()


def told(exchange: Exchange) -> Any:
    """The answer's body as JSON."""
    return read(exchange.answer.body) if exchange.answer else NOTHING


def sent(exchange: Exchange) -> Any:
    """The request's body as JSON."""
    return read(exchange.request.body or b"")


def read(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_int=whole, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return NOTHING


def field(exchange: Exchange, name: str) -> Any:
    """What the request has in a field; None where it has nothing there."""
    body = sent(exchange)
    return body.get(name) if isinstance(body, dict) else None


def is_bare(exchange: Exchange, wanted: int) -> bool:
    """Whether the answer is a status and no more: no body, no media type."""
    answer = exchange.answer
    return answer is not None and answer.status == wanted and not (answer.body or kind(exchange))


def has_keys(value: Any, *keys: str) -> bool:
    """Whether it is an object with these keys and no other."""
    return isinstance(value, dict) and value.keys() == set(keys)


def is_blank(value: Any) -> bool:
    """Whether a text is missing, null or white space alone."""
    return value is None or (isinstance(value, str) and not value.strip())


def path(exchange: Exchange) -> str:
    return unquote(exchange.request.path)


def is_split(exchange: Exchange) -> bool:
    """Whether a path has an escaped slash, which some servers take for one."""
    return "%2f" in exchange.request.path.lower()


def tasks(exchange: Exchange) -> list[Mapping[str, Any]]:
    """The tasks that an answer to a fetch or a list holds."""
    if status(exchange) != 200 or exchange.operation not in (FETCH, LIST):
        return []
    body = told(exchange)
    return [each for each in (body if isinstance(body, list) else [body]) if isinstance(each, dict)]


def lacks(exchange: Exchange, name: str) -> bool:
    """Whether there is an answer, and this header is not in it."""
    return exchange.answer is not None and header(exchange, name) is None


def no_request_id(exchange: Exchange) -> bool:
    return lacks(exchange, "x-request-id")


def no_etag(exchange: Exchange) -> bool:
    return exchange.operation == FETCH and status(exchange) == 200 and lacks(exchange, "etag")


def outcome(exchange: Exchange, media: str = "application/json") -> dict[str, Any] | None:
    """What a submit came to, where it is told with 200 in the four documented keys."""
    if exchange.operation not in SUBMITS or status(exchange) != 200 or kind(exchange) != media:
        return None
    body = told(exchange)
    if not has_keys(body, "code", "description", "properties", "result"):
        return None
    good = (
        type(body["code"]) is int
        and isinstance(body["description"], str)
        and isinstance(body["properties"], dict)
        and isinstance(body["result"], str) is (body["code"] in TAKEN)
        and (body["result"] is None or isinstance(body["result"], str))
    )
    return dict(body) if good else None


def whole(text: str) -> int:
    """An integer of JSON; one of thousands of digits is as good as one of twenty."""
    return int(text) if len(text) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _refuse(text: str) -> Any:
    raise ValueError(text)
