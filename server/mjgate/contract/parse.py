"""Parses a JSON body once, and says where it is wrong.

Refused wherever they stand: U+0000 and lone surrogates, which a database and UTF-8 cannot
hold, integers outside 64 bits, which parsers round, and nesting no parser should be asked for.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from mjgate.contract.schema import broken, pointer
from mjgate.errors import InvalidRequest, Violation

MOST_DEPTH = 128
_LEAST, _MOST = -(2**63), 2**63 - 1
_MOST_DIGITS = 20
_MOST_POINTER = 1000
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNSPEAKABLE = re.compile("[\0\ud800-\udfff]")

_Path = tuple[str | int, ...]


class _Huge(Exception):
    """Raised by the parser at an integer outside 64 bits."""


def parse_body(body: bytes) -> Any:
    """The body as Python values.

    Raises:
        InvalidRequest: it is empty, no JSON, or holds a value that is refused everywhere.
    """
    if not body:
        raise _invalid("is empty; send a JSON object")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _malformed(body, error) from None
    if body.count(b"[") + body.count(b"{") > MOST_DEPTH:
        _refuse_deep(value)
    if b"\\u0000" in body and _NUL.search(body):
        raise _refused(value, _has_nul, "must not hold U+0000")
    if _LONG_NUMBER.search(body):
        _refuse_huge(body)
    return value


def _malformed(body: bytes, error: orjson.JSONDecodeError) -> InvalidRequest:
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        return _invalid(f"is not UTF-8: byte {wrong.start} is 0x{body[wrong.start]:02x}")
    said = str(error)
    if "surrogate" in said and (value := _surrogate_kept(body)) is not None:
        return _refused(value, _has_surrogate, "must not hold a lone surrogate")
    if "depth" in said:
        return _too_deep()
    reason = said.partition(": line ")[0]
    return _invalid(f"is not JSON: {reason} at line {error.lineno}, column {error.colno}")


def _surrogate_kept(body: bytes) -> Any:
    """The body by a parser that lets lone surrogates pass; None if it is wrong otherwise."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _refuse_huge(body: bytes) -> None:
    """Asks a parser that keeps integers exact; orjson makes floats of long ones."""
    try:
        json.loads(body, parse_int=_bounded)
    except _Huge:
        exact = json.loads(body, parse_int=_integer)
        raise _refused(exact, _is_huge, "must be a whole number of at most 64 bits") from None


def _bounded(text: str) -> int:
    value = _integer(text)
    if _is_huge(value):
        raise _Huge
    return value


def _integer(text: str) -> int:
    return int(text) if len(text) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _refused(value: Any, wrong: Callable[[Any], bool], message: str) -> InvalidRequest:
    """Names the first place; of a key that stands twice only the last one has a place."""
    path = next((path for path, leaf in _walk(value) if wrong(leaf)), ())
    return broken([Violation(_speakable(pointer(path)), message)])


def _speakable(text: str) -> str:
    """Text that every reader of our answer can hold."""
    return _UNSPEAKABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text[:_MOST_POINTER])


def _refuse_deep(value: Any) -> None:
    layer = [value]
    for _ in range(MOST_DEPTH):
        layer = [child for node in layer for child in _children(node)]
    if layer:
        raise _too_deep()


def _too_deep() -> InvalidRequest:
    return _invalid(f"is nested deeper than {MOST_DEPTH} levels")


def _children(node: Any) -> list[Any]:
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [child for child in inner if isinstance(child, dict | list)]


def _walk(value: Any) -> Iterator[tuple[_Path, Any]]:
    """Every key and leaf with its place, in their order, without recursion."""
    layers: list[Iterator[tuple[_Path, Any]]] = [iter([((), value)])]
    while layers:
        for path, node in layers[-1]:
            if isinstance(node, dict | list):
                layers.append(_inside(path, node))
                break
            yield path, node
        else:
            layers.pop()


def _inside(path: _Path, node: dict[str, Any] | list[Any]) -> Iterator[tuple[_Path, Any]]:
    if isinstance(node, dict):
        for key, child in node.items():
            yield (*path, key), key
            yield (*path, key), child
    else:
        for index, child in enumerate(node):
            yield (*path, index), child


def _has_nul(leaf: Any) -> bool:
    return isinstance(leaf, str) and "\0" in leaf


def _has_surrogate(leaf: Any) -> bool:
    return isinstance(leaf, str) and _SURROGATE.search(leaf) is not None


def _is_huge(leaf: Any) -> bool:
    return isinstance(leaf, int) and not _LEAST <= leaf <= _MOST


def _invalid(reason: str) -> InvalidRequest:
    return broken([Violation("", reason)])
