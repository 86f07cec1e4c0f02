"""Rules that the contract says in words, since no schema can: what is refused everywhere."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

LEAST, MOST = -(2**63), 2**63 - 1
_PLAIN_HOOK = re.compile(
    r"https?://((?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z]+)(?::([0-9]+))?(?:[/?#\s]|$)"
)


def _has_nul(leaf: Any) -> bool:
    return isinstance(leaf, str) and "\0" in leaf


def _is_huge(leaf: Any) -> bool:
    return isinstance(leaf, int) and not LEAST <= leaf <= MOST


def _has_surrogate(leaf: Any) -> bool:
    return isinstance(leaf, str) and any("\ud800" <= sign <= "\udfff" for sign in leaf)


RULES: Mapping[str, Callable[[Any], bool]] = {
    "must not hold U+0000": _has_nul,
    "must be a whole number of at most 64 bits": _is_huge,
    "must not hold a lone surrogate": _has_surrogate,
}
"""What a refusal says, and what it is right about."""
BLANK = "must not be blank"
"""What a refusal says of a prompt."""


NO_HOOK = "must be an absolute http or https address without credentials"
"""What a refusal says of an address that has the form of one, such as http://[::::]:99999."""
NO_DAY = "must be a day of the calendar"
NO_CURSOR = "must be the cursor of an answer to this token"
MOST_DAYS = 366


def leaves(value: Any) -> Iterator[Any]:
    """Every key and leaf of a JSON value."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield key
            yield from leaves(child)
    elif isinstance(value, list):
        for child in value:
            yield from leaves(child)
    else:
        yield value


def broken_rules(value: Any) -> list[str]:
    """What a refusal of this value may say; empty where it must not be refused for a word."""
    found = list(leaves(value))
    return [text for text, breaks in RULES.items() if any(breaks(leaf) for leaf in found)]


def is_blank(prompt: Any) -> bool:
    """Whether a prompt is white space alone, of any alphabet: patterns know only some of it."""
    return isinstance(prompt, str) and not prompt.strip()


def is_odd_hook(hook: Any) -> bool:
    """Whether an address is so odd that it may be refused, though it fits the schema."""
    if not isinstance(hook, str) or not hook.strip():
        return False
    found = _PLAIN_HOOK.match(hook)
    return not found or (found[2] is not None and not 0 < int(found[2]) < 2**16)


def tame(value: Any) -> Any:
    """The same value with nothing in it that is refused everywhere."""
    if isinstance(value, dict):
        return {tame(key): tame(child) for key, child in value.items()}
    if isinstance(value, list):
        return [tame(child) for child in value]
    if _is_huge(value):
        return value % MOST
    return value.replace("\0", "0") if isinstance(value, str) else value


def parsed(body: Any) -> Any:
    """A sent body as Python's own parser reads it; None for what is no JSON."""
    try:
        return json.loads(body or b"null")
    except (ValueError, RecursionError):
        return None


def odd_questions(query: Mapping[str, str]) -> list[str]:
    """What a refusal of a good query for a usage may say: days and cursors have to fit."""
    found = [NO_CURSOR] if "cursor" in query else []
    try:
        last = date.fromisoformat(query.get("to") or str(datetime.now(UTC).date()))
        first = date.fromisoformat(query.get("from") or str(last))
    except ValueError:
        return [*found, NO_DAY]
    if first > last:
        found.append(f"must not be after {last}")
    if last - first >= timedelta(days=MOST_DAYS):
        found.append(f"must be within {MOST_DAYS} days up to {last}")
    return found
