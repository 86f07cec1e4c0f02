"""Pictures of tasks at addresses of ours; they stand outside the contract."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from mjgate.contract import etag
from mjgate.contract.headers import headers
from mjgate.contract.ranges import Part, part_of
from mjgate.contract.send import send_bytes
from mjgate.domain.picture import Copy, Picture, file_name, is_source, shown_name, url_of
from mjgate.errors import Forbidden, NotFound, NotStored, StorageError
from mjgate.gate import Gate
from mjgate.log import logger, note
from mjgate.services.keep import look, lost
from mjgate.services.show import opens
from mjgate.storage import Blob
from mjgate.store.database import reached

_CHUNK = 256 * 1024
_LONGEST_S = 365 * 86_400
_MOST_ID, _MOST_PLACE = 16, 2
"""Digits."""


@dataclass(frozen=True, slots=True)
class Link:
    """Which picture an address is of, and for how many seconds it still opens."""

    task: int
    place: int
    left_s: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A copy whose file is open."""

    link: Link
    copy: Copy
    blob: Blob = field(repr=False)

    @property
    def tag(self) -> str:
        return self.copy.hash.hex()

    def named(self) -> dict[str, str]:
        """What is said of it whether it is sent or not."""
        caching = f"public, max-age={min(self.link.left_s, _LONGEST_S)}, immutable"
        return {"etag": f'"{self.tag}"', "cache-control": caching}

    def described(self) -> dict[str, str]:
        """What is said of it where it is sent."""
        name = shown_name(self.link.task, self.link.place, self.copy.media_type)
        return {
            "content-type": self.copy.media_type,
            "content-disposition": f'inline; filename="{name}"',
            "x-content-type-options": "nosniff",
            "accept-ranges": "bytes",
        }


async def image(scope: Scope, receive: Receive, send: Send) -> None:
    """A picture that is kept; while it is not, or no longer, the way to where it came from.

    Raises:
        Forbidden: the address does not open, or does not any more.
        NotFound: there is no such picture.
        OutOfRange: nothing of it lies where it is asked for.
    """
    gate: Gate = scope["state"]["gate"]
    link = _link(gate, scope)
    note(task=link.task)
    picture = await _look(gate, link)
    opened = await _open(gate, link, picture)
    if opened is None:
        await _redirect(send, picture)
        return
    try:
        await _answer(scope, send, opened)
    finally:
        opened.blob.close()


def _link(gate: Gate, scope: Scope) -> Link:
    asked = parse_qs(scope["query_string"].decode("latin-1"))
    task = _number(scope["path_params"]["id"], _MOST_ID)
    if task is None:
        raise NotFound("There is no such picture.")
    place = _number(asked.get("n", ["0"])[0], _MOST_PLACE)
    expires_s = _number(asked.get("expires", [""])[0], _MOST_ID)
    [signature] = asked.get("signature", [""])[:1]
    if place is None or expires_s is None or not opens(gate, task, place, expires_s, signature):
        raise Forbidden("This address is wrong or has expired. Fetch the task for a new one.")
    return Link(task, place, max(expires_s - gate.clock() // 1000, 0))


def _number(text: str, most_digits: int) -> int | None:
    plain = text.isascii() and text.isdigit() and len(text) <= most_digits
    return int(text) if plain else None


async def _look(gate: Gate, link: Link) -> Picture:
    with reached():
        picture = await look(gate, link.task, link.place)
    if picture is None:
        raise NotFound("There is no such picture.")
    return picture


async def _open(gate: Gate, link: Link, picture: Picture, tries: int = 2) -> Opened | None:
    """The copy; None where there is none now. One whose file is gone is made again, once."""
    if picture.copy is None or not tries:
        return None
    try:
        return Opened(link, picture.copy, await _blob(gate, link, picture, picture.copy))
    except NotStored:
        with reached():
            await lost(gate, link.task, link.place, picture)
        return await _open(gate, link, await _look(gate, link), tries - 1)
    except StorageError as error:
        logger().error("picture not read", task=link.task, why=str(error))
        return None


async def _blob(gate: Gate, link: Link, picture: Picture, copy: Copy) -> Blob:
    """The file of a copy.

    Raises:
        NotStored: it is gone, or cut short.
    """
    name = file_name(link.task, link.place, picture.attempt)
    blob = await gate.gallery.storage.open(name)
    if blob.size != copy.size:
        blob.close()
        raise NotStored(f"{name} has {blob.size} bytes, not {copy.size}")
    return blob


async def _answer(scope: Scope, send: Send, opened: Opened) -> None:
    asked = {name.decode(): text.decode("latin-1") for name, text in headers(scope).items()}
    if etag.known(asked.get("if-none-match", "")).has(opened.tag):
        await send_bytes(send, 304, _encoded(opened.named()), b"")
        return
    whole = Part(0, opened.copy.size - 1, opened.copy.size)
    part = _part(scope, asked, opened) or whole
    told = {**opened.named(), **opened.described(), "content-length": str(part.count)}
    if part is not whole:
        told["content-range"] = str(part)
    status = 200 if part is whole else 206
    await send({"type": "http.response.start", "status": status, "headers": _encoded(told)})
    if scope["method"] != "HEAD":
        await _stream(send, opened.blob, part)
    await send({"type": "http.response.body", "body": b""})


def _part(scope: Scope, asked: dict[str, str], opened: Opened) -> Part | None:
    """What is asked for of it, if its client has the rest of this very copy."""
    unchanged = asked.get("if-range", f'"{opened.tag}"') == f'"{opened.tag}"'
    if scope["method"] != "GET" or not unchanged:
        return None
    return part_of(asked.get("range", ""), opened.copy.size)


async def _stream(send: Send, blob: Blob, part: Part) -> None:
    """Never more than a chunk of it in memory.

    Raises:
        StorageError: its file broke off; so does the answer.
    """
    start = part.first
    while start <= part.last:
        chunk = await blob.read(start, min(_CHUNK, part.last + 1 - start))
        if not chunk:
            raise StorageError("a file is shorter than it was")
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        start += len(chunk)


async def _redirect(send: Send, picture: Picture) -> None:
    if not is_source(picture.source):
        raise NotFound("There is no such picture.")
    location = str(url_of(picture.source)).encode("latin-1", "ignore")
    await send_bytes(send, 302, [(b"location", location), (b"cache-control", b"no-store")], b"")


def _encoded(told: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), text.encode()) for name, text in told.items()]
