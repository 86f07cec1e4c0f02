"""Shows on a terminal how far a run is."""

import time
from typing import TextIO

from mjgate.conformance.exchange import Exchange
from mjgate.conformance.oracle import Expectation

_EVERY_S = 0.2


class Progress:
    """One line that is written over; silent where nobody looks at a terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shows = out.isatty()
        self._began = time.monotonic()
        self._next = self._began
        self._answers = 0

    def listen(self, exchange: Exchange, expected: Expectation) -> None:
        """Hears of every judged exchange (`Habits.listen`)."""
        self._answers += 1
        now = time.monotonic()
        if self._shows and now >= self._next:
            self._next = now + _EVERY_S
            seconds = int(now - self._began)
            line = (
                f"{self._answers:,} answers in {seconds} s, {exchange.operation or 'no operation'}"
            )
            self._write(f"\r{line:.79}\x1b[K")

    def close(self) -> None:
        """Takes the line away."""
        if self._shows:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
