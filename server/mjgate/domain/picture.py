"""Pictures of tasks: where they come from, what they may be, and how long a link to one lives."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from yarl import URL

MOST_SOURCE: Final = 4096
MOST_PICTURES: Final = 16
"""Of one task; upstreams give four at most."""
HEAD: Final = 32
"""How many bytes tell what a file is."""
WINDOW_S: Final = 86_400

_SOURCE = re.compile("https?://", re.IGNORECASE)
_PNG, _JPEG, _GIF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", (b"GIF87a", b"GIF89a")
_RIFF, _WEBP, _EBML = b"RIFF", b"WEBP", b"\x1a\x45\xdf\xa3"
_AVIF = frozenset({b"avif", b"avis"})
_MP4 = frozenset({b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"avc1", b"mp41", b"mp42", b"M4V "})
_SHOWN = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "video/mp4": "mp4",
    "video/webm": "webm",
}
_UNSAID = frozenset({"", "application/octet-stream", "binary/octet-stream", "image/jpg"})


@dataclass(frozen=True, slots=True)
class Claimed:
    """A picture that is ours to copy until its lease ends.

    `place` is 0 for the `imageUrl` of its task, else its place among the `imageUrls`, from 1.
    Attempts and failures count this attempt, and what went before it.
    """

    task: int
    place: int
    source: str
    attempt: int
    failures: int
    channel: int | None


@dataclass(frozen=True, slots=True)
class Copy:
    """What a picture came to in storage: bytes, and their SHA-256."""

    media_type: str
    size: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it stands; `source` is where else it is. Without a copy it is not ours."""

    source: str
    state: str | None = None
    attempt: int = 0
    due: bool = False
    copy: Copy | None = None

    @property
    def coming(self) -> bool:
        """Whether it is being copied, or may be at once."""
        return self.state == "copying" or (self.state == "waiting" and self.due)


def is_source(address: str | None) -> bool:
    """Whether a picture may be fetched from there, as far as its address shows."""
    return bool(address and len(address) <= MOST_SOURCE and _SOURCE.match(address))


def file_name(task: int, place: int, attempt: int) -> str:
    """What an attempt to copy a picture calls its file."""
    return f"{task}-{place}-{attempt}"


def shown_name(task: int, place: int, media_type: str) -> str:
    """What a browser calls the file that it saves."""
    return f"{task}-{place}.{_SHOWN[media_type]}" if place else f"{task}.{_SHOWN[media_type]}"


def is_admitted(media_type: str) -> bool:
    """Whether a server that says so of its content may be sending a picture."""
    named = media_type.partition(";")[0].strip().lower()
    return named in _SHOWN or named in _UNSAID


def media_type_of(head: bytes) -> str | None:
    """What the first `HEAD` bytes of a file say that it is; None where it is no picture.

    No type that runs scripts is among them, as SVG does.
    """
    if head.startswith(_PNG):
        return "image/png"
    if head.startswith(_JPEG):
        return "image/jpeg"
    if head.startswith(_GIF):
        return "image/gif"
    if head.startswith(_RIFF) and head[8:12] == _WEBP:
        return "image/webp"
    if head.startswith(_EBML):
        return "video/webm"
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    return "image/avif" if brand in _AVIF else "video/mp4" if brand in _MP4 else None


def expiry_s(now_s: int, life_s: int) -> int:
    """When a link made now expires, in seconds since 1970: not before its life has passed.

    It is rounded up, so that the same link is made for a while.
    """
    window_s = min(WINDOW_S, life_s)
    return -(-(now_s + life_s) // window_s) * window_s


def distinct(first: str | None, others: Sequence[str]) -> list[str]:
    """Those of a task's pictures that are kept with it; none where the first is all there is."""
    sources = [each for each in others if is_source(each)][:MOST_PICTURES]
    return sources if any(each != first for each in sources) else []


def url_of(address: str) -> URL:
    """An address as it goes over the wire; what is written in it as it may be stays so.

    Raises:
        ValueError: it is none.
    """
    plain = address.isascii() and address.isprintable() and " " not in address
    return URL(address, encoded=plain)


def origin_of(source: str) -> str:
    """Who serves a picture: scheme, host and port of its address; blank where it is none."""
    try:
        return str(url_of(source).origin())
    except ValueError:
        return ""
