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
_MOST_PLACED = 1024 * 1024
"""Bytes of a body that is searched for the place of what is wrong in it."""
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_STRING_OR_LONG_INTEGER = re.compile(
    rb"""\"(?:[^"\\]++|\\.)*+"|(?<![0-9.eE+-])(-?[0-9]{19,})(?![0-9.eE])"""
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNSPEAKABLE = re.compile("[\0\ud800-\udfff]")
_CONTAINERS = (dict, list)

_Path = tuple[str | int, ...]


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
    if body.count(b"[") + body.count(b"{") > MOST_DEPTH and _is_deep(value):
        raise _too_deep()
    if b"\\u0000" in body and _NUL.search(body):
        raise _refused(body, orjson.loads, _has_nul, "must not hold U+0000")
    if _LONG_NUMBER.search(body) and _has_huge(body):
        raise _refused(body, _exact, _is_huge, "must be a whole number of at most 64 bits")
    return value


def _malformed(body: bytes, error: orjson.JSONDecodeError) -> InvalidRequest:
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        return _invalid(f"is not UTF-8: byte {wrong.start} is 0x{body[wrong.start]:02x}")
    said = str(error)
    if "surrogate" in said and _is_json(body):
        return _refused(body, json.loads, _has_surrogate, "must not hold a lone surrogate")
    if "depth" in said:
        return _too_deep()
    reason = said.partition(": line ")[0]
    return _invalid(f"is not JSON: {reason} at line {error.lineno}, column {error.colno}")


def _is_json(body: bytes) -> bool:
    """Whether a parser that lets lone surrogates pass takes it."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _has_huge(body: bytes) -> bool:
    """Looks at the text: orjson makes floats of long integers."""
    integers = (found[1] for found in _STRING_OR_LONG_INTEGER.finditer(body))
    return any(_is_huge(_integer(text)) for text in integers if text)


def _exact(body: bytes) -> Any:
    return json.loads(body, parse_int=_integer)


def _integer(text: str | bytes) -> int:
    return int(text) if len(text) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _refused(
    body: bytes, read: Callable[[bytes], Any], wrong: Callable[[Any], bool], message: str
) -> InvalidRequest:
    """Names the first place where it is quickly found; of a repeated key only the last has one."""
    leaves = _walk(read(body)) if len(body) <= _MOST_PLACED else ()
    path = next((path for path, leaf in leaves if wrong(leaf)), ())
    return broken([Violation(_speakable(pointer(path)), message)])


def _speakable(text: str) -> str:
    """Text that every reader of our answer can hold."""
    return _UNSPEAKABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text[:_MOST_POINTER])


def _is_deep(value: Any) -> bool:
    layer = [value]
    for _ in range(MOST_DEPTH):
        layer = [
            child
            for node in layer
            for child in (node.values() if type(node) is dict else node)
            if type(child) in _CONTAINERS
        ]
    return bool(layer)


def _too_deep() -> InvalidRequest:
    return _invalid(f"is nested deeper than {MOST_DEPTH} levels")


def _walk(value: Any) -> Iterator[tuple[_Path, Any]]:
    """Every key and leaf with its place, in their order, without recursion."""
    layers: list[Iterator[tuple[_Path, Any]]] = [iter([((), value)])]
    while layers:
        for path, node in layers[-1]:
            if isinstance(node, _CONTAINERS):
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
