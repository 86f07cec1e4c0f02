"""Rules that the contract says in words, since no schema can: what is refused everywhere."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

LEAST, MOST = -(2**63), 2**63 - 1
MOST_DEPTH = 128
MOST_DAYS = 366
_PLAIN_HOOK = re.compile(
    r"https?://((?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z]+)(?::([0-9]+))?(?:[/?#\s]|$)"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_DIGITS = 400
"""Of an integer that is read; Python refuses thousands, and the verdict is the same."""


class NotJson(ValueError):
    """Raised for bytes that are no JSON text (RFC 8259); says why."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A JSON text: its value, what is wrong in it everywhere, and what parsers read in two ways."""

    value: Any
    refused: tuple[tuple[str, str], ...] = ()
    """(a JSON pointer to it, what it must not be)."""
    doubtful: bool = False
    """A repeated key, a byte order mark or a number that no float holds."""


def parse(body: bytes) -> Parsed:
    """Reads a body as strictly as RFC 8259 has it.

    Raises:
        NotJson: it is none.
    """
    reader = _Reader()
    try:
        value = reader.read(body)
    except NotJson:
        raise
    except RecursionError:
        return Parsed(None, (("", f"deeper than {MOST_DEPTH} levels"),))
    except ValueError as error:
        raise NotJson(str(error)) from None
    refused = [*_deep(value)] or [*_refused(value)]
    return Parsed(value, tuple(refused), reader.doubtful)


def is_blank(prompt: Any) -> bool:
    """Whether a prompt is white space alone, of any alphabet: patterns know only some of it."""
    return isinstance(prompt, str) and not prompt.strip()


def is_odd_hook(hook: Any) -> bool:
    """Whether an address is so odd that it may be refused, though it fits the schema."""
    if not isinstance(hook, str) or not hook.strip():
        return False
    found = _PLAIN_HOOK.match(hook)
    return not found or (found[2] is not None and not 0 < int(found[2]) < 2**16)


def odd_questions(query: Mapping[str, str]) -> list[str]:
    """The parameters of a good query for a usage that may be refused: days and cursors must fit."""
    found = ["cursor"] if "cursor" in query else []
    try:
        last = date.fromisoformat(query.get("to") or str(datetime.now(UTC).date()))
        first = date.fromisoformat(query.get("from") or str(last - timedelta(days=29)))
    except (ValueError, OverflowError):
        return [*found, "from", "to"]
    if first > last or last - first >= timedelta(days=MOST_DAYS):
        found += ["from", "to"]
    return found


def tame(value: Any) -> Any:
    """The same value with nothing in it that is refused everywhere."""
    if isinstance(value, dict):
        return {tame(key): tame(child) for key, child in value.items()}
    if isinstance(value, list):
        return [tame(child) for child in value]
    if _is_huge(value):
        return value % MOST
    return _SURROGATE.sub("s", value.replace("\0", "0")) if isinstance(value, str) else value


class _Reader:
    """Python's own parser, made strict, and made to notice what others read otherwise."""

    def __init__(self) -> None:
        self.doubtful = False

    def read(self, body: bytes) -> Any:
        if body.startswith(b"\xef\xbb\xbf"):
            self.doubtful, body = True, body[3:]
        return json.loads(
            body.decode("utf-8"),
            parse_constant=self._constant,
            parse_int=self._integer,
            parse_float=self._float,
            object_pairs_hook=self._object,
        )

    def _constant(self, name: str) -> Any:
        raise NotJson(f"{name} is no JSON")

    def _integer(self, text: str) -> int:
        return int(text[:_MOST_DIGITS])

    def _float(self, text: str) -> float:
        number = float(text)
        whole = number == int(number) if abs(number) < float("inf") else True
        self.doubtful = self.doubtful or (whole and not LEAST <= number <= MOST)
        return number

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        self.doubtful = self.doubtful or len(found) < len(pairs)
        return found


def _refused(value: Any) -> Iterator[tuple[str, str]]:
    """Every key and leaf that is refused wherever it stands."""
    rest: list[tuple[str, Any]] = [("", value)]
    while rest:
        place, node = rest.pop()
        if isinstance(node, dict):
            for key, child in node.items():
                inner = f"{place}/{key.replace('~', '~0').replace('/', '~1')}"
                rest.append((inner, child))
                rest.append((inner, key))
        elif isinstance(node, list):
            rest.extend((f"{place}/{number}", child) for number, child in enumerate(node))
        elif isinstance(node, str) and "\0" in node:
            yield place, "U+0000"
        elif isinstance(node, str) and _SURROGATE.search(node):
            yield place, "a lone surrogate"
        elif _is_huge(node):
            yield place, "an integer outside 64 bits"


def _deep(value: Any) -> Iterator[tuple[str, str]]:
    layer = [value]
    for _ in range(MOST_DEPTH):
        layer = [
            child
            for node in layer
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    if any(isinstance(node, dict | list) for node in layer):
        yield "", f"deeper than {MOST_DEPTH} levels"


def _is_huge(leaf: Any) -> bool:
    return isinstance(leaf, int) and not LEAST <= leaf <= MOST
