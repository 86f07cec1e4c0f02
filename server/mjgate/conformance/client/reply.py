"""What the mock answers, byte for byte, and what a client may make of it."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import responses
from typing import Any, Final, Literal, NoReturn

from mjgate.conformance.exchange import Answer

Kind = Literal["valid", "odd", "broken"]
"""`valid`: the contract allows it, a client parses it. `odd`: it came whole; a client parses it
without loss or refuses it. `broken`: no whole answer comes; the error may be the transport's."""
End = Literal["keep", "close", "reset", "hang"]
Headers = tuple[tuple[str, str], ...]
JSON_TYPE: Headers = (("Content-Type", "application/json"),)
LATIN = "iso-8859-1"


class _Nothing:
    """Stands for no JSON value, where None is null."""

    def __repr__(self) -> str:
        return "no JSON"


NOTHING: Final = _Nothing()


@dataclass(frozen=True, slots=True)
class Reply:
    """`name` says what it is, after `for`: `for a page of a proxy`."""

    name: str
    kind: Kind
    status: int
    headers: Headers = JSON_TYPE
    payload: bytes = b""
    """The body as it goes out, without its framing."""
    decoded: bytes | None = None
    """The body as a reader has it, where that is another one."""
    raw: bytes | None = None
    """All that goes out, where that is no plain answer."""
    end: End = "keep"

    @property
    def content(self) -> bytes:
        return self.payload if self.decoded is None else self.decoded

    @property
    def value(self) -> Any:
        """The JSON value that its body holds, or NOTHING."""
        return NOTHING if self.kind == "broken" else value_of(self.content)

    @property
    def wire(self) -> bytes:
        if self.raw is not None:
            return self.raw
        bodiless = self.status in (204, 304) or self.status < 200
        length = () if bodiless else (("Content-Length", str(len(self.payload))),)
        return head(self.status, (*self.headers, *length, *self.closing)) + self.payload

    @property
    def closing(self) -> Headers:
        return () if self.end == "keep" else (("Connection", "close"),)

    @property
    def answer(self) -> Answer:
        """As a report shows it; of what is no answer, the bytes."""
        shown = self.payload if self.raw is None or self.kind != "broken" else self.raw
        return Answer(self.status, tuple((k.lower(), v) for k, v in self.headers), shown)


def head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """A status line and headers; what is beyond ASCII goes out as Latin-1."""
    lines = [
        f"HTTP/1.1 {status} {responses.get(status, 'Odd')}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode(LATIN)


def value_of(content: bytes) -> Any:
    """What any reader of JSON finds in a body, or NOTHING: not UTF-8, a key twice, NaN."""
    try:
        return json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_float=_number,
        )
    except (ValueError, RecursionError):
        return NOTHING


def canonical(value: Any) -> str:
    """One text for each JSON value, where Python holds True, 1 and 1.0 to be equal."""
    return json.dumps(value, sort_keys=True)


def as_json(value: Any) -> bytes:
    """A value as a gateway writes it. Lone surrogates, which UTF-8 cannot say, are escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key twice")
    return value


def _number(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")
