"""Hints of upstreams: the address where they may say that a task changed, and what comes of it."""

import orjson

from mjgate.domain.outcome import upstream_id
from mjgate.gate import Gate

PATH = "/notify/"
_MOST_DIGITS = 10


def notify_address(gate: Gate, channel: int) -> str | None:
    """Where the upstream of a channel may say so; None where nobody reaches us.

    Nobody guesses it who has not been told, and it stands for that channel alone.
    """
    public = gate.config.public_url
    if public is None:
        return None
    return f"{public}{PATH}{channel}.{gate.store.cipher.seal(_subject(str(channel)))}"


def channel_of(gate: Gate, path: str) -> int | None:
    """The channel whose upstream was told a path of ours; None where nobody was."""
    number, _, seal = path.removeprefix(PATH).partition(".")
    if not (number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS):
        return None
    return int(number) if gate.store.cipher.is_sealed(_subject(number), seal) else None


def hint(gate: Gate, channel: int, body: bytes) -> None:
    """Has the task that a body names looked at soon. Nothing else of the body is read."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    task = upstream_id(told.get("id")) if isinstance(told, dict) else None
    if task is not None:
        gate.store.hints.give(channel, task)


def _subject(number: str) -> str:
    return f"notify {number}"
