"""A server on a real socket that answers as told, byte for byte, or not at all."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it came; header names are lower case."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Script = Callable[[Arrival], bytes]
"""What goes out for a request; empty for hanging up."""


@dataclass
class Scripted:
    url: str
    arrivals: list[Arrival] = field(default_factory=list)

    def paths(self, part: str) -> list[Arrival]:
        return [each for each in self.arrivals if part in each.path]


@contextmanager
def scripted(script: Script) -> Iterator[Scripted]:
    """Answers each request on each connection by the script until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Scripted(f"http://127.0.0.1:{listener.getsockname()[1]}")
    open_: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                open_.append(connection)
                threading.Thread(target=_serve, args=(connection, script, server)).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield server
    finally:
        for each in (listener, *open_):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        thread.join()


def reply(status: int, body: Any = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """An answer on the wire; a body that is no bytes is JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = {"Content-Type": "application/json", "Content-Length": str(len(raw)), **(headers or {})}
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {text}" for name, text in pairs.items())]
    return "\r\n".join([*lines, "", ""]).encode() + raw


def refusal(status: int, slug: str, *pointers: str, **headers: str) -> bytes:
    """An error of the contract."""
    code = 3 if status == 404 else 4 if status < 500 else 9
    errors = [{"pointer": pointer, "message": "is wrong"} for pointer in pointers]
    body = {"code": code, "description": "", "result": None}
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return reply(
        status,
        body | {"properties": {"error": slug, "errors": errors}},
        {"X-Request-Id": "one-of-tests", **named},
    )


def _serve(connection: socket.socket, script: Script, server: Scripted) -> None:
    with connection, suppress(OSError), connection.makefile("rb") as stream:
        while line := stream.readline():
            method, path, _ = line.decode("latin-1").split(" ", 2)
            headers = []
            while (header := stream.readline().decode("latin-1").rstrip("\r\n")) != "":
                name, _, value = header.partition(":")
                headers.append((name.lower(), value.strip()))
            size = next((int(value) for name, value in headers if name == "content-length"), 0)
            arrival = Arrival(method, path, tuple(headers), stream.read(size))
            server.arrivals.append(arrival)
            answer = script(arrival)
            if not answer:
                return
            connection.sendall(answer)
