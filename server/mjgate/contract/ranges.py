"""Parts of an answer: what `Range` and `If-Range` ask for (RFC 9110, section 14)."""

import re
from dataclasses import dataclass

from mjgate.errors import OutOfRange

_ONE = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.IGNORECASE | re.ASCII)
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes from `first` to `last`, both included, of `size`."""

    first: int
    last: int
    size: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        """As `Content-Range` has it."""
        return f"bytes {self.first}-{self.last}/{self.size}"


def part_of(asked: str, size: int) -> Part | None:
    """The part that a `Range` asks for; None for all of it.

    That is also the answer to what is no range, and to several at once.

    Raises:
        OutOfRange: none of the bytes that are asked for is there.
    """
    found = _ONE.fullmatch(asked.replace(" ", ""))
    first, last = found.groups() if found else ("", "")
    if not (first or last) or max(len(first), len(last)) > _MOST_DIGITS:
        return None
    if not first:
        part = Part(max(size - int(last), 0), size - 1, size)
    elif last and int(last) < int(first):
        return None
    else:
        part = Part(int(first), min(int(last or size - 1), size - 1), size)
    if part.first >= size:
        raise OutOfRange(f"There are {size} bytes.", headers={"Content-Range": f"bytes */{size}"})
    return part
