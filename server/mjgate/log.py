"""One JSON line a request, and one for what an operator should know."""

import asyncio
import logging
import sys
import time
import traceback
from contextvars import ContextVar
from typing import Any, BinaryIO

import orjson
import structlog

_NOTES: ContextVar[dict[str, Any] | None] = ContextVar("mjgate_notes", default=None)
_LOGGER = structlog.get_logger()


def open_notes() -> dict[str, Any]:
    """A new dict for this request; `note` adds to it, in tasks it starts too."""
    notes: dict[str, Any] = {}
    _NOTES.set(notes)
    return notes


def note(**facts: Any) -> None:
    """Adds facts to the log line of the request at hand; never a prompt, never a key."""
    notes = _NOTES.get()
    if notes is not None:
        notes.update(facts)


def milliseconds(seconds: float) -> float:
    """Seconds as a log line has them, to a hundredth; `round` takes several times as long."""
    return int(seconds * 100_000) / 100


def configure() -> None:
    """JSON lines on standard output."""
    structlog.configure(
        wrapper_class=_Logger,
        logger_factory=lambda: _Lines(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Relay()], level=logging.WARNING, force=True)


def logger() -> Any:
    return _LOGGER


class _Logger(structlog.BoundLoggerBase):
    """Says things as they are: structlog's own would copy a line for each of its steps."""

    def info(self, event: str, **facts: Any) -> None:
        self._say("info", event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        self._say("warning", event, facts)

    def error(self, event: str, **facts: Any) -> None:
        self._say("error", event, facts)

    def exception(self, event: str, **facts: Any) -> None:
        self._say("error", event, {**facts, "exception": traceback.format_exc()})

    def _say(self, level: str, event: str, facts: dict[str, Any]) -> None:
        line = {"ts": time.time_ns() // 1_000_000 / 1000, "level": level, "event": event, **facts}
        self._logger.msg(orjson.dumps(line, default=repr))


class _Lines:
    """Writes what one turn of the event loop had to say at its end: one system call, not many.

    Outside an event loop a line is written at once.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._waiting: list[bytes] = []

    def msg(self, line: bytes) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._write([line])
            return
        if not self._waiting:
            loop.call_soon(self._write_waiting)
        self._waiting.append(line)

    def _write_waiting(self) -> None:
        lines, self._waiting = self._waiting, []
        self._write(lines)

    def _write(self, lines: list[bytes]) -> None:
        self._stream.write(b"\n".join(lines) + b"\n")
        self._stream.flush()


class _Relay(logging.Handler):
    """What libraries warn of, as a line of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        _LOGGER.warning("library", source=record.name, why=record.getMessage().split("\n")[0])
