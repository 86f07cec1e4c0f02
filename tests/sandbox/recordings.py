"""Reads recorded curl calls and their answers."""

import json
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

HOME = Path(
    os.environ.get("RECORDINGS", Path(__file__).resolve().parents[3] / "shared" / "recordings")
)
LONG_PROMPT = json.dumps({"prompt": "x" * 20_000})


@dataclass(frozen=True)
class Call:
    """A request as curl sent it."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: str | None


@dataclass(frozen=True)
class Reply:
    """An answer; header names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Exchange:
    """A recorded call, its answer and where it stands."""

    place: str
    call: Call
    reply: Reply


def read(dialect: str) -> list[Exchange]:
    """Every exchange of a dialect's files, in their order."""
    files = sorted((HOME / dialect).glob("*.txt"))
    return [exchange for file in files for exchange in _exchanges(file)]


def posts(dialect: str, path: str) -> list[tuple[dict[str, str], bytes]]:
    """Headers and bodies of the recorded notify posts to a path."""
    found = []
    for file in sorted((HOME / dialect).glob("*notifyhook*.txt")):
        for block in re.split(r"^### .*\n", file.read_text(), flags=re.MULTILINE):
            if block.startswith(f"POST {path} "):
                head, _, body = block.strip().partition("\n\n")
                lines = head.splitlines()[1:]
                found.append((dict(line.split(": ", 1) for line in lines), body.encode()))
    return found


def _exchanges(file: Path) -> Iterator[Exchange]:
    lines = file.read_text().split("\n")
    starts = [number for number, line in enumerate(lines) if line.startswith("$ curl ")]
    for start, end in pairwise([*starts, len(lines)]):
        reply = _reply([line for line in lines[start + 1 : end] if not line.startswith("#")])
        yield Exchange(f"{file.stem}:{start + 1}", _call(lines[start][2:]), reply)


def _call(line: str) -> Call:
    words = iter(shlex.split(line)[1:])
    method, url, body, headers = None, "", None, {"Accept": "*/*"}
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-I":
            method = "HEAD"
        elif word == "-m":
            next(words)
        elif word == "-H":
            name, _, value = next(words).partition(":")
            headers[name] = value.strip()
        elif word in ("-d", "--data-binary"):
            body = next(words)
        elif not word.startswith("-"):
            url = word
    if body == "@20000-chars":
        body = LONG_PROMPT
        headers |= {"mj-api-secret": "novice-secret", "Content-Type": "application/json"}
    if body is not None:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    given = tuple((name, value) for name, value in headers.items() if value)
    return Call(method or ("GET" if body is None else "POST"), _path(url), given, body)


def _path(url: str) -> str:
    return url[url.index("/mj") :]


def _reply(lines: list[str]) -> Reply:
    """Blank lines before the status line belong to the recording."""
    start = next(number for number, line in enumerate(lines) if line.startswith("HTTP/"))
    end = lines.index("", start)
    headers = (line.partition(":") for line in lines[start + 1 : end])
    body = lines[end + 1] if end + 1 < len(lines) else ""
    status = int(lines[start].split()[1])
    named = tuple((name.lower(), value.strip()) for name, _, value in headers)
    return Reply(status, named, b"" if status == 302 else body.encode())
