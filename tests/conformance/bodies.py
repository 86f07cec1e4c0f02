"""What is wrong with a request, by rules written anew: what judges a server is not asked here."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeGuard

IMAGINE, CHANGE, LIST = "/mj/submit/imagine", "/mj/submit/change", "/mj/task/list-by-condition"
FETCH, KEY, USAGE = "/mj/task/{id}/fetch", "/v1/key", "/v1/usage"
PICTURE_ACTIONS = ("UPSCALE", "VARIATION")
MOST_BYTES = 1024 * 1024
_MOST_ID = 2**53 - 1
_MOST_DEPTH = 128
_HOOK = re.compile(r"https?://[A-Za-z0-9._~%-]+(:[0-9]{1,5})?([/?#][!-~]*)?|https?://\[[^]@]+\]\S*")
_KEY = re.compile("[!-~]{1,255}")
_DAY = re.compile("20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]")


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong; `kind` is what a careless server may overlook."""

    kind: str
    pointer: str
    message: str
    status: int = 400


Found = Iterator[Wrong]


def wrong_media(content_type: str) -> Found:
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    if kind != "application/json" or not set(charsets) <= {"utf-8", "utf8"}:
        yield Wrong("media", "", "the body must be application/json", 415)


def wrong_length(body: bytes) -> Found:
    if len(body) > MOST_BYTES:
        yield Wrong("large", "", f"the body is larger than {MOST_BYTES} bytes", 413)


def parsed(body: bytes) -> tuple[Any, list[Wrong]]:
    """The JSON of a body, and what no value of any operation may be."""
    try:
        value = json.loads(body.decode(), parse_constant=_no_number)
    except RecursionError:
        return None, [Wrong("deep", "", "is nested too deep")]
    except json.JSONDecodeError as error:
        kind = "trailing" if error.msg == "Extra data" else "json"
        return None, [Wrong(kind, "", "is not JSON")]
    except ValueError:
        return None, [Wrong("json", "", "is not JSON")]
    return value, list(_everywhere(value))


def _no_number(text: str) -> Any:
    raise ValueError(text)


def _everywhere(value: Any) -> Found:
    left: list[tuple[str, int, Any]] = [("", 1, value)]
    while left:
        place, depth, each = left.pop()
        if isinstance(each, dict | list):
            if depth > _MOST_DEPTH:
                yield Wrong("deep", "", "is nested too deep")
                return
            pairs = each.items() if isinstance(each, dict) else enumerate(each)
            for name, child in pairs:
                below = f"{place}/{str(name).replace('~', '~0').replace('/', '~1')}"
                yield from _leaf(below, name)
                left.append((below, depth + 1, child))
        else:
            yield from _leaf(place, each)


def _leaf(place: str, leaf: Any) -> Found:
    if isinstance(leaf, str):
        if "\0" in leaf:
            yield Wrong("nul", _plain(place), "must not hold U+0000")
        if any("\ud800" <= sign <= "\udfff" for sign in leaf):
            yield Wrong("surrogate", _plain(place), "must not hold a lone surrogate")
    elif isinstance(leaf, int) and not -(2**63) <= leaf < 2**63:
        yield Wrong("huge", place, "must be a whole number of at most 64 bits")
    elif isinstance(leaf, float) and not math.isfinite(leaf):
        yield Wrong("json", "", "is not JSON")


def _plain(place: str) -> str:
    return place.replace("\0", r"\u0000").encode("utf-8", "backslashreplace").decode()


def wrong_imagine(body: Any) -> Found:
    if not isinstance(body, dict):
        yield Wrong("body type", "", "must be an object")
        return
    if "prompt" not in body:
        yield Wrong("prompt missing", "/prompt", "is required")
    elif not isinstance(body["prompt"], str):
        yield Wrong("prompt type", "/prompt", "must be a string")
    elif not body["prompt"].strip():
        yield Wrong("prompt blank", "/prompt", "must not be blank")
    elif len(body["prompt"]) > 65536:
        yield Wrong("prompt long", "/prompt", "must have at most 65536 characters")
    yield from _text(body, "base64", None)
    yield from _pictures(body.get("base64Array"))
    yield from _shared(body)


def _pictures(given: Any) -> Found:
    if given is None:
        return
    if not isinstance(given, list):
        yield Wrong("base64Array type", "/base64Array", "must be an array or null")
        return
    for index, each in enumerate(given):
        if not isinstance(each, str):
            yield Wrong("base64Array item", f"/base64Array/{index}", "must be a string")


def wrong_change(body: Any) -> Found:
    if not isinstance(body, dict):
        yield Wrong("body type", "", "must be an object")
        return
    action = body.get("action")
    if "action" not in body:
        yield Wrong("action missing", "/action", "is required")
    elif action in PICTURE_ACTIONS:
        yield from _index(body)
    elif action == "REROLL":
        yield from _ignored_index(body.get("index"))
    else:
        yield Wrong("action unknown", "/action", "must be UPSCALE, VARIATION or REROLL")
    if "taskId" not in body:
        yield Wrong("taskId missing", "/taskId", "is required")
    elif not _is_reference(body["taskId"]):
        yield Wrong("taskId form", "/taskId", "must be a task id")
    yield from _shared(body)


def _index(body: Mapping[str, Any]) -> Found:
    index = body.get("index")
    if "index" not in body:
        yield Wrong("index missing", "/index", "is required")
    elif not _is_whole(index):
        yield Wrong("index type", "/index", "must be a whole number")
    elif index < 1:
        yield Wrong("index low", "/index", "must be at least 1")
    elif index > 4:
        yield Wrong("index high", "/index", "must be at most 4")


def _ignored_index(index: Any) -> Found:
    if index is not None and not (_is_whole(index) and -(2**31) <= index < 2**31):
        yield Wrong("index ignored", "/index", "must be a whole number or null")


def wrong_list(body: Any) -> Found:
    if not isinstance(body, dict):
        yield Wrong("body type", "", "must be an object")
        return
    ids = body.get("ids")
    if ids is None:
        return
    if not isinstance(ids, list):
        yield Wrong("ids type", "/ids", "must be an array or null")
        return
    if len(ids) > 10_000:
        yield Wrong("ids many", "/ids", "must have at most 10000 items")
    for index, each in enumerate(ids):
        if not _is_reference(each):
            yield Wrong("ids item", f"/ids/{index}", "must be a task id")


def _shared(body: Mapping[str, Any]) -> Found:
    yield from _text(body, "state", 16384)
    hook = body.get("notifyHook")
    yield from _text(body, "notifyHook", 2048)
    if isinstance(hook, str) and hook.strip() and not _is_hook(hook):
        yield Wrong("notifyHook form", "/notifyHook", "must be an http or https address")


def _is_hook(hook: str) -> bool:
    found = _HOOK.fullmatch(hook.rstrip("\t\n\r "))
    port = found and found[1]
    return bool(found) and (not port or 0 < int(port[1:]) < 2**16)


def _text(body: Mapping[str, Any], name: str, most: int | None) -> Found:
    given = body.get(name)
    if given is not None and not isinstance(given, str):
        yield Wrong(f"{name} type", f"/{name}", "must be a string or null")
    elif given is not None and most is not None and len(given) > most:
        yield Wrong(f"{name} long", f"/{name}", f"must have at most {most} characters")


def _is_whole(value: Any) -> TypeGuard[int]:
    """1.0 is none in Draft 4, which OpenAPI 3.0 is close to."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_reference(value: Any) -> bool:
    if isinstance(value, str):
        return 1 <= len(value) <= 64
    return _is_whole(value) and 0 <= value <= _MOST_ID


BODIES: Mapping[str, Callable[[Any], Found]] = {
    IMAGINE: wrong_imagine,
    CHANGE: wrong_change,
    LIST: wrong_list,
}


def wrong_key(given: list[str]) -> Found:
    if len(given) > 1:
        yield Wrong("key", "#Idempotency-Key", "must be given once")
    elif given and not _KEY.fullmatch(given[0]):
        yield Wrong("key", "#Idempotency-Key", "must be visible ASCII characters")


def wrong_id(task_id: str) -> Found:
    if "\0" in task_id:
        yield Wrong("id", "#id", "must not hold U+0000")
    elif len(task_id) > 64:
        yield Wrong("id", "#id", "must have at most 64 characters")


def wrong_question(query: Mapping[str, list[str]], cursors: set[int]) -> Found:
    """`cursors` are those that were answered to whoever asks."""
    for name in ("from", "to", "cursor", "limit"):
        given = query.get(name, [])
        if len(given) > 1:
            yield Wrong(f"{name} twice", f"#{name}", "must be given once")
        elif given:
            yield from _QUESTIONS[name](name, given[0], cursors)
    yield from _days_apart(query)


def _day(name: str, text: str, _: set[int]) -> Found:
    if day_of(text) is None:
        yield Wrong(name, f"#{name}", "must be a day such as 2026-11-24")


def _cursor(name: str, text: str, cursors: set[int]) -> Found:
    if not re.fullmatch("[0-9]{1,16}", text) or int(text) not in cursors:
        yield Wrong(name, f"#{name}", "must be the cursor of an answer to this token")


def _limit(name: str, text: str, _: set[int]) -> Found:
    if not re.fullmatch("[0-9]{1,19}", text) or not 1 <= int(text) <= 1000:
        yield Wrong(name, f"#{name}", "must be a whole number from 1 to 1000")


_QUESTIONS: Mapping[str, Callable[[str, str, set[int]], Found]] = {
    "from": _day,
    "to": _day,
    "cursor": _cursor,
    "limit": _limit,
}


def day_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def days_of(query: Mapping[str, list[str]]) -> tuple[date, date]:
    """The first and the last day that are asked for."""
    last = day_of("".join(query.get("to", []))) or datetime.now(UTC).date()
    usual = max(last - timedelta(days=29), date(2000, 1, 1))
    return day_of("".join(query.get("from", []))) or usual, last


def _days_apart(query: Mapping[str, list[str]]) -> Found:
    first, last = days_of(query)
    if first > last:
        yield Wrong("from", "#from", f"must not be after {last}")
    elif last - first >= timedelta(days=366):
        yield Wrong("from", "#from", "must be within 366 days")
