"""The outcome of a send: the table of design section 5, as rules without I/O."""

import re
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from mjgate.errors import ApiError, Unavailable, UpstreamRefused, UpstreamUnclear

SUBMITTED_CODE: Final = 1
EXISTS_CODE: Final = 21
QUEUED_CODE: Final = 22
ACCEPTED_CODES: Final = frozenset({SUBMITTED_CODE, QUEUED_CODE})

_REFUSED_REQUEST = frozenset({400, 404, 405, 413, 415, 422})
_REFUSED_KEY = frozenset({401, 403})
_SHOWN_PROPERTIES = frozenset(
    {"numberOfQueues", "bannedWord", "promptEn", "finalPrompt", "finalZhPrompt", "remix"}
)
_RETRY_AFTER_S = 5
_MOST_NUMBER = 2**64
_UNHELD = re.compile("[\0\ud800-\udfff]")


class Hold(StrEnum):
    """What becomes of the money that was held before the send."""

    KEEP = "keep"
    RELEASE = "release"
    UNKNOWN = "unknown"


class Reply(Struct, frozen=True):
    """An HTTP answer of an upstream; `body` is parsed JSON, None where it is none."""

    status: int
    body: Any
    retry_after_s: int | None = None


class Outcome(Struct, frozen=True):
    """What a send came to.

    Of `result` (the answer to give) and `error` (the one to raise) exactly one is set.

    `blames_key`: the upstream refused our key. `exists`: it names a task it already had.
    `modal`: the task waits for its client's confirmation. `final`: a repeat of the request is
    answered the same; not where nothing reached an upstream, or it asked for a repeat.
    """

    hold: Hold
    upstream_id: str | None = None
    result: dict[str, Any] | None = None
    error: ApiError | None = None
    blames_key: bool = False
    exists: bool = False
    modal: bool = False
    final: bool = True


def read_outcome(reply: Reply) -> Outcome:
    """The row of the outcome table that an answer falls under."""
    status = reply.status
    if 200 <= status < 300:
        return _read_business(reply.body)
    if status >= 500:
        return _unclear(f"The upstream answered HTTP {status}")
    if status in _REFUSED_KEY:
        return _refused(f"The upstream refused the gateway's key (HTTP {status})", True)
    if status == 429:
        wait = _RETRY_AFTER_S if reply.retry_after_s is None else reply.retry_after_s
        error = Unavailable("The upstream takes no more requests now.", wait)
        return Outcome(Hold.RELEASE, error=error, final=False)
    if status in _REFUSED_REQUEST:
        return _refused(f"The upstream refused the request (HTTP {status})")
    return _refused(f"The upstream gave an answer that is none (HTTP {status})")


def answer(code: int, description: str, result: str | None, properties: Any) -> dict[str, Any]:
    """The documented SubmitResult (`seed`), with what of `properties` is for clients."""
    return {
        "code": code,
        "description": description,
        "properties": _shown(properties),
        "result": result,
    }


def upstream_id(result: Any) -> str | None:
    """A usable task id; a whole number is its decimal text (`seed`, the example)."""
    if isinstance(result, int) and not isinstance(result, bool):
        return str(result) if 0 <= result < _MOST_NUMBER else None
    if isinstance(result, str) and 0 < len(result) <= 255 and result.isascii():
        return result if result.isprintable() and " " not in result else None
    return None


def clean(text: Any) -> str:
    """Text as PostgreSQL and UTF-8 can hold it; what is no text is empty."""
    if not isinstance(text, str):
        return ""
    if (text.isascii() or _is_utf8(text)) and "\0" not in text:
        return text
    return _UNHELD.sub("\N{REPLACEMENT CHARACTER}", text)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_business(body: Any) -> Outcome:
    code = body.get("code") if isinstance(body, dict) else None
    if not isinstance(code, int) or isinstance(code, bool) or abs(code) >= 2**31:
        return _unclear("The upstream answered, but not in its own form")
    task_id = upstream_id(body.get("result"))
    result = answer(code, clean(body.get("description")), task_id, body.get("properties"))
    if code in ACCEPTED_CODES:
        if task_id is None:
            return _unclear("The upstream accepted, but gave no task id")
        return Outcome(Hold.KEEP, task_id, result)
    if code == EXISTS_CODE and task_id is not None:
        modal = bool(result["properties"].keys() & {"remix", "finalPrompt"})
        return Outcome(Hold.KEEP, task_id, result, exists=not modal, modal=modal)
    return Outcome(Hold.RELEASE, result=result | {"result": None})


def _shown(properties: Any) -> dict[str, Any]:
    if not properties or not isinstance(properties, dict):
        return {}
    cleaned = {name: _scalar(properties[name]) for name in _SHOWN_PROPERTIES & properties.keys()}
    if not _is_count(cleaned.get("numberOfQueues", 0)):
        del cleaned["numberOfQueues"]
    return {name: value for name, value in cleaned.items() if value is not None}


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    return value if isinstance(value, int) and abs(value) < 2**53 else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _refused(description: str, blames_key: bool = False) -> Outcome:
    error = UpstreamRefused(f"{description}. Nothing was charged.")
    return Outcome(Hold.RELEASE, error=error, blames_key=blames_key)


def _unclear(description: str) -> Outcome:
    return Outcome(Hold.UNKNOWN, error=UpstreamUnclear(description))
