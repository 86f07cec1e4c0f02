"""One JSON line a request, and one for what an operator should know."""

import logging
import sys
import time
from contextvars import ContextVar
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict

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
    """Seconds as a log line has them."""
    return round(seconds * 1000, 2)


def configure() -> None:
    """JSON lines on standard output."""
    structlog.configure(
        processors=[_stamp, structlog.processors.format_exc_info, _render],
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Relay()], level=logging.WARNING, force=True)


def logger() -> Any:
    return _LOGGER


class _Relay(logging.Handler):
    """What libraries warn of, as a line of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        _LOGGER.warning("library", source=record.name, why=record.getMessage().split("\n")[0])


def _stamp(_logger: Any, level: str, line: EventDict) -> EventDict:
    return {"ts": round(time.time(), 3), "level": level, **line}


def _render(_logger: Any, _level: str, line: EventDict) -> bytes:
    return orjson.dumps(line, default=repr)
