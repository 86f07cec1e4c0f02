"""Contains some shared types for properties"""

import json
from collections.abc import Mapping, MutableMapping
from http import HTTPStatus
from math import isfinite
from typing import IO, Any, BinaryIO, Generic, Literal, NoReturn, TypeVar
from urllib.parse import quote

from attrs import define, field


class Unset:
    def __bool__(self) -> Literal[False]:
        return False


UNSET: Unset = Unset()

# The types that `httpx.Client(files=)` can accept, copied from that library.
FileContent = IO[bytes] | bytes | str
FileTypes = (
    # (filename, file (or bytes), content_type)
    tuple[str | None, FileContent, str | None]
    # (filename, file (or bytes), content_type, headers)
    | tuple[str | None, FileContent, str | None, Mapping[str, str]]
)
RequestFiles = list[tuple[str, FileTypes]]


@define
class File:
    """Contains information for file uploads"""

    payload: BinaryIO
    file_name: str | None = None
    mime_type: str | None = None

    def to_tuple(self) -> FileTypes:
        """Return a tuple representation that httpx will accept for multipart/form-data"""
        return self.file_name, self.payload, self.mime_type


T = TypeVar("T")


def segment(value: object) -> str:
    """Write a path parameter so that it stays one segment of the path

    Raises:
        ValueError: If it is empty, which no segment can say.
    """
    text = str(value)
    if not text:
        raise ValueError("A path parameter must not be empty.")
    if text in (".", ".."):
        return text.replace(".", "%2E")
    return quote(text, safe="")


def status(code: int) -> HTTPStatus | int:
    """The member of HTTPStatus, or the number itself where Python has no name for it"""
    try:
        return HTTPStatus(code)
    except ValueError:
        return code


def read_json(content: bytes) -> Any:
    """The value that a body holds, if any reader of JSON would find the same one there

    Raises:
        ValueError: If it is not UTF-8, not JSON, has a number that no float holds, or a key twice.
        RecursionError: If it is nested too deep.
    """
    text = content.decode("utf-8-sig")
    return json.loads(
        text, object_pairs_hook=_object, parse_constant=_no_number, parse_float=_number
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("A key is there twice.")
    return value


def _number(text: str) -> float:
    value = float(text)
    return value if isfinite(value) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number.")


@define
class Response(Generic[T]):
    """A response from an endpoint"""

    status_code: HTTPStatus | int = field(converter=status)
    content: bytes
    headers: MutableMapping[str, str]
    parsed: T | None


__all__ = [
    "UNSET",
    "File",
    "FileTypes",
    "RequestFiles",
    "Response",
    "Unset",
    "read_json",
    "segment",
    "status",
]
