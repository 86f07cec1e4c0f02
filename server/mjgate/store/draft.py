"""Files that take their name only once they are whole and on the disk."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mjgate.disk import sync_folder


@contextmanager
def draft_of(path: Path) -> Iterator[BinaryIO]:
    """A file, mode 0600, that replaces the one of this name when the block is done.

    A process or a machine that dies in between leaves what was there before; a block that
    raises does so too.

    Raises:
        OSError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
