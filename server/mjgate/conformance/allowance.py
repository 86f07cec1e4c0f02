"""Keeps a run from buying pictures: what might be accepted is sent only where that was allowed.

Real servers take more than the contract does: a number as prompt, keys in any case, a body in
another encoding. So what is sent for nothing is not what the schema refuses but what no server
of this kind could make a picture of.
"""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from mjgate.conformance.exchange import Answer, Request
from mjgate.conformance.oracle import json_of

NOWHERE = range(9_007_100_000_000_000, 2**53)
"""Numbers that no task has: as microseconds since 1970 they are of the year 2255."""
NOWHERE_WORD = "mjgate-nowhere-"
_MOST_ID = 64
_COSTLY = re.compile("submit|swap|upload|imagine|blend|describe|change|action|modal|shorten|edit")
_REFUSED_STATUSES = range(300, 500)


class Withheld(Exception):
    """Raised in place of sending what might be accepted where nothing more may be."""


@dataclass
class Allowance:
    """How many submits a server may accept; None where none was allowed."""

    most: int | None = None
    accepted: int = 0
    spent: int = 0
    """Accepted, and those of which nobody can say."""
    withheld: int = 0
    unasked: int = 0
    """Accepted, though no server of this kind could have."""
    breached: bool = False
    """Whether the server accepted one too many; from then on no submit is sent."""
    _keys: dict[tuple[str, str | None], bool] = field(default_factory=dict, repr=False)
    """(sender, key) of accepted submits: whether an answer came that is no replay."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def left(self) -> int:
        return 0 if self.breached else max(0, (self.most or 0) - self.spent)

    def take(self, request: Request) -> bool:
        """Whether the request counts against the allowance; that is held until it is `told`.

        Raises:
            Withheld: it must not be sent.
        """
        if not costly(request):
            return False
        with self._lock:
            if harmless(request):
                if self.breached:
                    self._withhold("the server accepts what it must refuse")
                return False
            if not self.left:
                self._withhold("no submit is allowed any more")
            self.spent += 1
            return True

    def again(self) -> bool:
        """Takes one more, for a submit of which nobody can say; whether there was one."""
        with self._lock:
            if not self.left:
                return False
            self.spent += 1
            return True

    def told(self, request: Request, answer: Answer | None, taken: bool) -> bool:
        """Notes what came of a request; whether it was accepted beyond what was allowed."""
        if not costly(request):
            return False
        accepted = answer is not None and draws(request, answer)
        unknown = answer is None or answer.status >= 500
        with self._lock:
            if accepted and answer is not None:
                accepted = not self._is_replay(request, answer)
            self.accepted += accepted
            if taken:
                self.spent -= not (accepted or unknown)
                return False
            if not accepted:
                return False
            self.unasked += 1
            beyond = self.left == 0
            self.spent += 1
            self.breached = self.breached or beyond
            return beyond

    def _is_replay(self, request: Request, answer: Answer) -> bool:
        """Whether it is of an earlier submit; that a server says so is not enough.

        Of two sent at the same time the replay may be told before what it repeats.
        """
        key = request.sender, request.header("Idempotency-Key")
        if not key[1]:
            return False
        is_known, replays = key in self._keys, answer.header("idempotency-replayed") == "true"
        had_first = self._keys.get(key, False)
        self._keys[key] = had_first or not replays
        return is_known and (replays or not had_first)

    def _withhold(self, why: str) -> None:
        self.withheld += 1
        raise Withheld(why)


def costly(request: Request) -> bool:
    """Whether a request is to where pictures are ordered, however its path is written."""
    if request.method in ("OPTIONS", "HEAD", "TRACE"):
        return False
    return _COSTLY.search(unquote(urlsplit(request.url).path).lower()) is not None


def harmless(request: Request) -> bool:
    """Whether no server could make a picture of this."""
    query = unquote(urlsplit(request.url).query).lower()
    if "prompt" in query or "task" in query or request.header("Content-Encoding") is not None:
        return False
    body = (request.body or b"").replace(b"\0", b"")
    try:
        value = json.loads(body.decode("utf-8-sig") or "null", object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        lower = body.lower()
        return not any(word in lower for word in (b"prompt", b"task", b"id", b"\\u"))
    fields = [*_fields(value)]
    return not any(map(_is_usable, fields)) and not _is_change_of_nothing(fields)


def draws(request: Request, answer: Answer) -> bool:
    """Whether an answer of where pictures are ordered may stand for a picture being drawn."""
    return is_accepted(answer) and not _is_page(request, answer)


def is_accepted(answer: Answer) -> bool:
    """Whether an answer may stand for a picture being drawn: 2xx that is no plain refusal."""
    if answer.status in _REFUSED_STATUSES or answer.status >= 500:
        return False
    try:
        body = json_of(answer.body)
    except ValueError:
        return True
    code = body.get("code") if isinstance(body, dict) else None
    return not isinstance(code, int) or isinstance(code, bool) or code in (0, 1, 22, 200)


def _is_page(request: Request, answer: Answer) -> bool:
    """Whether another method than POST got a page, as gateways show where they have no route."""
    kind = (answer.header("content-type") or "").lower()
    return request.method != "POST" and kind.startswith("text/html")


class _Pairs(list[tuple[str, Any]]):
    """An object with its repeated keys."""


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every field of every object in a value."""
    rest = [value]
    while rest:
        node = rest.pop()
        if isinstance(node, _Pairs):
            yield from node
            rest += [child for _, child in node]
        elif isinstance(node, list):
            rest += node


def _is_change_of_nothing(fields: Sequence[tuple[str, Any]]) -> bool:
    """Whether all is there but a task: new-api passes such a change on, and charges for it."""
    given = {_plain(name) for name, value in fields if value not in (None, "")}
    blank = [value for name, value in fields if _plain(name) == "taskid"]
    named = any(
        isinstance(value, int) or (isinstance(value, str) and value.strip()) for value in blank
    )
    return {"action", "index"} <= given and not named


def _is_usable(pair: tuple[str, Any]) -> bool:
    name = _plain(pair[0])
    if name == "prompt":
        return _is_prompt(pair[1])
    return name in ("taskid", "id", "content", "customid") and not _is_nowhere(pair[1])


def _plain(name: str) -> str:
    """The name of a field as the most lax server reads it."""
    return re.sub("[^a-z]", "", name.casefold())


def _is_prompt(value: Any) -> bool:
    if value is None or isinstance(value, list):
        return False
    return not isinstance(value, str) or bool(value.strip(" \t\r\n"))


def _is_nowhere(value: Any) -> bool:
    """Whether no server has a task of this id, be it read as text or as a number."""
    if value is None or isinstance(value, list):
        return True
    if isinstance(value, str):
        text = value.strip()
        if not text or text.startswith(NOWHERE_WORD) or len(text) > _MOST_ID:
            return True
        return text.isascii() and text.isdecimal() and int(text) in NOWHERE
    return (
        isinstance(value, int)
        and not isinstance(value, bool)
        and (value in NOWHERE or not 0 <= value < 2**64)
    )
