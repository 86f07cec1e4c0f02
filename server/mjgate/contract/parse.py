"""Parses a JSON body once, and says where it is wrong.

Refused wherever they stand: U+0000 and lone surrogates, which a database and UTF-8 cannot
hold, integers outside 64 bits, which parsers round, and nesting no parser should be asked for.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from mjgate.contract.schema import pointer
from mjgate.errors import InvalidRequest, Violation

MOST_DEPTH = 128
_LEAST, _MOST = -(2**63), 2**63 - 1
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_SURROGATE = re.compile("[\ud800-\udfff]")

_Path = tuple[str | int, ...]


def parse_body(body: bytes) -> Any:
    """The body as Python values.

    Raises:
        InvalidRequest: it is empty, no JSON, or holds a value that is refused everywhere.
    """
    if not body:
        raise InvalidRequest("The body is empty; send a JSON object.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _malformed(body, error) from None
    if b"\\u0000" in body:
        _refuse(value, _has_nul, "must not hold U+0000")
    if _LONG_NUMBER.search(body):
        _refuse(_exact(body), _is_huge, "must be a whole number of at most 64 bits")
    if body.count(b"[") + body.count(b"{") > MOST_DEPTH:
        _refuse_deep(value)
    return value


def _malformed(body: bytes, error: orjson.JSONDecodeError) -> InvalidRequest:
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        return _invalid(f"is not UTF-8: byte {wrong.start} is 0x{body[wrong.start]:02x}")
    if "surrogate" in str(error) and (place := _surrogate_place(body)) is not None:
        return InvalidRequest(
            "The request breaks the contract.",
            [Violation(pointer(place), "must not hold a lone surrogate")],
        )
    if "depth" in str(error):
        return _invalid(f"is nested deeper than {MOST_DEPTH} levels")
    reason = re.sub(r": line .*", "", str(error))
    return _invalid(f"is not JSON: {reason} at line {error.lineno}, column {error.colno}")


def _surrogate_place(body: bytes) -> _Path | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return next((path for path, leaf in _walk(value) if _has_surrogate(leaf)), None)


def _exact(body: bytes) -> Any:
    """The body with integers of any length; orjson makes floats of long ones."""
    return json.loads(body, parse_int=_integer)


def _integer(text: str) -> int:
    return int(text) if len(text) < 25 else 10**25


def _refuse(value: Any, wrong: Callable[[Any], bool], message: str) -> None:
    for path, leaf in _walk(value):
        if wrong(leaf):
            raise InvalidRequest(
                "The request breaks the contract.", [Violation(pointer(path), message)]
            )


def _refuse_deep(value: Any) -> None:
    level, layer = 0, [value]
    while layer:
        level += 1
        if level > MOST_DEPTH + 1:
            raise _invalid(f"is nested deeper than {MOST_DEPTH} levels")
        layer = [child for node in layer for child in _children(node)]


def _children(node: Any) -> list[Any]:
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [child for child in inner if isinstance(child, dict | list)]


def _walk(value: Any) -> Iterator[tuple[_Path, Any]]:
    """Every leaf and key with its place, without recursion."""
    waiting: list[tuple[_Path, Any]] = [((), value)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, dict):
            for key, child in node.items():
                yield (*path, key), key
                waiting.append(((*path, key), child))
        elif isinstance(node, list):
            waiting.extend(((*path, index), child) for index, child in enumerate(node))
        else:
            yield path, node


def _has_nul(leaf: Any) -> bool:
    return isinstance(leaf, str) and "\0" in leaf


def _has_surrogate(leaf: Any) -> bool:
    return isinstance(leaf, str) and _SURROGATE.search(leaf) is not None


def _is_huge(leaf: Any) -> bool:
    return isinstance(leaf, int) and not _LEAST <= leaf <= _MOST


def _invalid(reason: str) -> InvalidRequest:
    return InvalidRequest(f"The body {reason}.", [Violation("", reason)])
