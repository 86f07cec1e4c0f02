"""What lax servers take, though the contract refuses it: each takes a bad request for a good one.

A request is mended by all that a server is lax in. Where the contract then allows it, the names
of what was mended say why it was taken; where it does not, the server is wrong in another way.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

from mjgate.conformance import words
from mjgate.conformance.contract_view import JSON, Contract
from mjgate.conformance.exchange import Exchange, Request
from mjgate.conformance.oracle import expect
from mjgate.conformance.profiles.look import NOTHING, read

Mend = Callable[[Request], Request]
_LONGEST = {"prompt": 65536, "state": 16384, "notifyHook": 2048, "taskId": 64}
_TEXTS = ("prompt", "state", "notifyHook", "base64", "taskId")
_MOST_IDS = 10_000
_MOST_ID = 2**53 - 1
_DEEP = 100
_HOOK = "#/components/schemas/NotifyHook"


@dataclass(frozen=True, slots=True)
class Laxity:
    """One thing that a server does not look at. `mend` gives what it takes the request for."""

    name: str
    mend: Mend


@cache
def contract() -> Contract:
    return Contract.load()


def mended(request: Request, laxities: Iterable[Laxity]) -> tuple[Request, frozenset[str]]:
    """The request as a server takes it, and the names of what it did not look at."""
    names = set()
    for laxity in laxities:
        after = laxity.mend(request)
        if after != request:
            names.add(laxity.name)
            request = after
    return request, frozenset(names)


def taken_for(exchange: Exchange, laxities: Sequence[Laxity]) -> frozenset[str]:
    """Why a bad request may be taken: what must not be looked at for it to be good.

    Nothing where it may not be taken, or is not bad.
    """
    return _taken_for(exchange.request, tuple(laxities))


@lru_cache(maxsize=8)
def is_allowed(request: Request) -> bool:
    """Whether the contract lets it pass, or leaves it open."""
    return expect(contract(), request).says != "bad"


def of_body(name: str, mend: Callable[[dict[str, Any]], dict[str, Any]]) -> Laxity:
    """A laxity in the fields of a body."""

    def on(request: Request) -> Request:
        body = read(request.body or b"")
        after = mend(body) if isinstance(body, dict) else body
        return request if _same(after, body) else with_body(request, after)

    return Laxity(name, on)


def with_body(request: Request, value: Any) -> Request:
    return replace(request, body=json.dumps(value).encode())


def of_media(name: str, takes: Callable[[str], bool]) -> Laxity:
    """A laxity in what the body is sent as; an empty text is no Content-Type."""

    def on(request: Request) -> Request:
        media = (request.header("Content-Type") or "").partition(";")[0].strip().lower()
        if media == JSON or not takes(media):
            return request
        others = [each for each in request.headers if each[0].lower() != "content-type"]
        return replace(request, headers=(*others, ("Content-Type", JSON)))

    return Laxity(name, on)


def of_header(name: str, header: str) -> Laxity:
    """A header that is not read."""

    def on(request: Request) -> Request:
        others = tuple(each for each in request.headers if each[0].lower() != header.lower())
        return replace(request, headers=others)

    return Laxity(name, on)


def filled(request: Request, name: str, is_missing: Callable[[Any], bool], value: Any) -> Request:
    """With a value in a field where what stands there is as good as nothing."""

    def fill(body: dict[str, Any]) -> dict[str, Any]:
        found = body.get(name)
        wrong = not isinstance(found, list | dict) and is_missing(found)
        return body | {name: value} if wrong else body

    return of_body("", fill).mend(request)


def shortened(body: dict[str, Any]) -> dict[str, Any]:
    """No text is too long, no id too short, no list too full."""
    after = dict(body)
    for name, most in _LONGEST.items():
        if isinstance(body.get(name), str):
            after[name] = body[name][:most]
    if isinstance(body.get("ids"), list):
        after["ids"] = [_short_id(each) for each in body["ids"][:_MOST_IDS]]
    return after


def texts(body: dict[str, Any]) -> dict[str, Any]:
    """Numbers and truth values are texts."""
    after = dict(body)
    for name in _TEXTS:
        if name in body and not (name == "taskId" and _is_id(body[name])):
            after[name] = _text(body[name])
    if isinstance(body.get("base64Array"), list):
        after["base64Array"] = [_text(each, "") for each in body["base64Array"]]
    if isinstance(body.get("ids"), list):
        after["ids"] = [each if _is_id(each) else _text(each, "0") for each in body["ids"]]
    return after


def hookless(body: dict[str, Any]) -> dict[str, Any]:
    """Any text is an address."""
    hook = body.get("notifyHook")
    bad = isinstance(hook, str) and not contract().accepts(_HOOK, hook)
    return body | {"notifyHook": ""} if bad else body


def indexed(body: dict[str, Any]) -> dict[str, Any]:
    """Any whole number is the index of a picture."""
    index = body.get("index")
    if isinstance(index, int) and not isinstance(index, bool) and not 1 <= index <= 4:
        return body | {"index": 1}
    return body


def plain(body: dict[str, Any]) -> dict[str, Any]:
    """U+0000, lone surrogates, integers of any size and nesting of any depth are nothing odd."""
    after: dict[str, Any] = words.tame(_shallow(body, _DEEP))
    return after


LENGTHS = of_body("lengths-not-limited", shortened)
TEXTS = of_body("scalars-are-text", texts)
HOOKS = of_body("hooks-not-checked", hookless)
INDEX = of_body("index-not-limited", indexed)
VALUES = of_body("odd-values-taken", plain)
KEYS = of_header("idempotency-key-unread", "Idempotency-Key")


@lru_cache(maxsize=8)
def _taken_for(request: Request, laxities: tuple[Laxity, ...]) -> frozenset[str]:
    """Each of a dozen waivers asks for the same request."""
    if is_allowed(request):
        return frozenset()
    after, names = mended(request, laxities)
    if not is_allowed(after):
        return frozenset()
    return frozenset(name for name in names if not _is_idle(request, laxities, name))


def _is_idle(request: Request, laxities: Sequence[Laxity], name: str) -> bool:
    """Whether the request is good without this laxity too."""
    others = (each for each in laxities if each.name != name)
    return is_allowed(mended(request, others)[0])


def _text(value: Any, null: Any = None) -> Any:
    if value is None:
        return null
    return json.dumps(value) if isinstance(value, bool | int | float) else value


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_ID


def _short_id(value: Any) -> Any:
    return (value[:64] or "0") if isinstance(value, str) else value


def _shallow(value: Any, deep: int) -> Any:
    if isinstance(value, dict):
        return {key: _shallow(each, deep - 1) for key, each in value.items()} if deep else {}
    if isinstance(value, list):
        return [_shallow(each, deep - 1) for each in value] if deep else []
    return value


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: 1 is not true."""
    return one is NOTHING or json.dumps(one) == json.dumps(other)
