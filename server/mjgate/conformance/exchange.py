"""What was sent and what came back, byte for byte."""

import base64
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from mjgate.domain.display import harmless

TOKEN_HEADERS = ("mj-api-secret", "authorization")
_OF_CURL = {("accept", "*/*"), ("connection", "keep-alive")}
"""Headers that curl sends of itself, or that are so where none says otherwise."""
MOST_SHOWN = 4_000
"""Bytes of a body that a report shows; a stored case has all of a request, most of an answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it went out. `sender` names whose token it had, never the token itself."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    """In the order sent, without the token's."""
    body: bytes | None = None
    sender: str = "token"
    """`token`, `second`, `bad` or `none`."""
    form: str = "mj-api-secret"
    """The header that carried the token: `mj-api-secret` or `Authorization`."""

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def curl(self) -> str:
        """A command for bash that sends the same again; the token is `$TOKEN` or `$SECOND_TOKEN`.

        What a terminal might obey stands in it escaped.
        """
        words = ["curl", "-i", *_literal(self.url), "-X", _quoted(self.method)]
        for name, value in self.headers:
            if (name.lower(), value) in _OF_CURL:
                continue
            words += ["-H", _quoted(f"{name}: {value}" if value else f"{name};")]
        shown = {"token": "$TOKEN", "second": "$SECOND_TOKEN", "bad": "not-a-token"}.get(
            self.sender
        )
        if shown is not None:
            prefix = "Bearer " if self.form == "Authorization" else ""
            words += ["-H", f'"{self.form}: {prefix}{shown}"']
        if self.body is None:
            return " ".join([*words, _quoted(self.url)])
        if self.header("Content-Type") is None:
            words += ["-H", "'Content-Type:'"]
        if b"\0" not in self.body:
            return " ".join([*words, "--data-raw", _quoted(self.body), _quoted(self.url)])
        # No argument of a command can hold the byte 0.
        piped = "".join(map(_octal, self.body))
        return " ".join([f"printf '{piped}' |", *words, "--data-binary @-", _quoted(self.url)])

    def to_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "url": self.url,
            "headers": [list(each) for each in self.headers],
            "body": None if self.body is None else _encoded(self.body),
            "sender": self.sender,
            "form": self.form,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Request":
        body = stored["body"]
        return cls(
            method=stored["method"],
            url=stored["url"],
            headers=tuple((name, value) for name, value in stored["headers"]),
            body=None if body is None else _decoded(body),
            sender=stored["sender"],
            form=stored["form"],
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came. Header names are lower case, one that came twice is there twice."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    after_ms: int = 0

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    def to_json(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "headers": [list(each) for each in self.headers],
            "body": _encoded(self.body),
            "after_ms": self.after_ms,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Answer":
        return cls(
            status=int(stored["status"]),
            headers=tuple((name, value) for name, value in stored["headers"]),
            body=_decoded(stored["body"]),
            after_ms=int(stored["after_ms"]),
        )


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer; None where none came."""

    request: Request
    answer: Answer | None
    operation: str | None = None
    """The label of the operation, such as `POST /mj/submit/imagine`; None for no operation."""
    at_ms: int = field(default=0, compare=False)
    """When it was sent, from the start of the run."""

    def __str__(self) -> str:
        status = "no answer" if self.answer is None else str(self.answer.status)
        return f"{self.request.method} {self.request.path}: {status}"


def text_of(body: bytes) -> str:
    """A body for reading: cut at `MOST_SHOWN` bytes, what is not UTF-8 escaped."""
    shown = body[:MOST_SHOWN].decode("utf-8", "backslashreplace")
    more = len(body) - MOST_SHOWN
    return shown if more <= 0 else f"{shown}... ({more} bytes more)"


def headers_of(pairs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The headers of a request without those that hold a token."""
    return ((k, v) for k, v in pairs.items() if k.lower() not in TOKEN_HEADERS)


def _literal(url: str) -> Iterator[str]:
    """The options by which curl sends this address as it is written."""
    if any(sign in url for sign in "[]{}"):
        yield "-g"
    if "/." in urlsplit(url).path:
        yield "--path-as-is"


def _quoted(word: bytes | str) -> str:
    raw = word.encode(errors="surrogateescape") if isinstance(word, str) else word
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = None
    if text is None or "\n" in text or "\t" in text or harmless(text) != text:
        return "$'" + "".join(map(_escaped, raw)) + "'"
    return shlex.quote(text)


def _escaped(byte: int) -> str:
    plain = 32 <= byte < 127 and byte not in b"'\\"
    return chr(byte) if plain else f"\\x{byte:02x}"


def _octal(byte: int) -> str:
    plain = 32 <= byte < 127 and byte not in b"'\\%"
    return chr(byte) if plain else f"\\{byte:03o}"


def _encoded(body: bytes) -> dict[str, str]:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def _decoded(stored: Mapping[str, str]) -> bytes:
    return stored["text"].encode() if "text" in stored else base64.b64decode(stored["base64"])
