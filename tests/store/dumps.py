"""Dumps as files in memory, whole and mended."""

import gzip
import hashlib
import io
from collections.abc import Callable
from typing import Any

import orjson

from mjgate.store.dump import write_dump
from mjgate.store.restore import Restored, restore_dump


def silent(_table: str, _rows: int) -> None:
    """Shows no progress."""


def dumped(uri: str) -> bytes:
    out = io.BytesIO()
    write_dump(uri, out, silent)
    return out.getvalue()


def restored(uri: str, content: bytes, *, force: bool = False) -> Restored:
    return restore_dump(uri, io.BytesIO(content), "a.dump", force=force, progress=silent)


def resealed(content: bytes, change: Callable[[list[bytes]], None]) -> bytes:
    """A dump with other lines, but whole: its counts and its sum are right."""
    lines = gzip.decompress(content).splitlines(keepends=True)[:-1]
    change(lines)
    names = [table["name"] for table in header(lines)["tables"]]
    closed = [place for place, line in enumerate(lines) if line == b"\\.\n"]
    starts = [0, *closed]
    rows = {name: closed[n] - starts[n] - 1 for n, name in enumerate(names)}
    body = b"".join(lines)
    end = orjson.dumps({"rows": rows, "sha256": hashlib.sha256(body).hexdigest()})
    return gzip.compress(body + end + b"\n")


def header(lines: list[bytes]) -> Any:
    return orjson.loads(lines[0])


def headed(content: bytes, **changes: Any) -> bytes:
    """A dump whose first line says something else."""

    def change(lines: list[bytes]) -> None:
        lines[0] = orjson.dumps(header(lines) | changes) + b"\n"

    return resealed(content, change)
