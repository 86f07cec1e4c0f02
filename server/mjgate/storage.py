"""Where copies of pictures are: one seam with put, open and delete, and a folder behind it."""

import asyncio
import contextlib
import os
import re
import threading
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

from mjgate.disk import sync_folder
from mjgate.errors import ConfigError, NotStored, StorageError

_NAME = re.compile("[0-9]+(-[0-9]+)*")
_FOLDERS = 256
_THREADS = 4
T = TypeVar("T")


class Blob(Protocol):
    """A file that was put, open; `size` is bytes."""

    @property
    def size(self) -> int: ...

    async def read(self, start: int, count: int) -> bytes:
        """At most `count` bytes from `start` on; none only at its end."""

    def close(self) -> None: ...


class Storage(Protocol):
    """Keeps files by name. A name is digits with hyphens between, and is put once.

    All raise StorageError where it does not do its part.
    """

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        """Takes in a whole file: it is there for good, or not at all where `chunks` raises."""

    async def open(self, name: str) -> Blob:
        """A file that was put.

        Raises:
            NotStored: there is none of this name.
        """

    async def delete(self, name: str) -> None:
        """Removes a file, and what an attempt to put it has left; fine where there is none."""


class Folder:
    """Storage in a folder, its files spread over 256 others by a hash of their names."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self._threads = _Threads(self.path)

    def prove(self) -> None:
        """Makes the folder and writes a file there.

        Raises:
            ConfigError: it cannot be written.
        """
        probe = self.path / f".probe.{os.getpid()}"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"mjgate")
            probe.unlink()
        except OSError as error:
            raise ConfigError(
                f"MJGATE_PICTURES_DIR={self.path} cannot be written ({error.strerror}); "
                "name another folder, or keep no pictures with MJGATE_PICTURES=off"
            ) from None

    def close(self) -> None:
        """Lets its threads end with what they are at."""
        self._threads.close()

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        draft = _Draft(self._place(name))
        try:
            await self._threads.run(draft.begin)
            async for chunk in chunks:
                await self._threads.run(draft.write, chunk)
            await self._threads.run(draft.finish)
        except BaseException:
            await self._threads.run(draft.abandon)
            raise

    async def open(self, name: str) -> "File":
        return await self._threads.run(File, self._place(name), self._threads)

    async def delete(self, name: str) -> None:
        place = self._place(name)
        for path in (place, _draft_of(place)):
            with contextlib.suppress(NotStored):
                await self._threads.run(path.unlink)

    def _place(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a file")
        return self.path / f"{zlib.crc32(name.encode()) % _FOLDERS:02x}" / name


class File:
    """A file of a folder, open."""

    def __init__(self, path: Path, threads: "_Threads") -> None:
        self._threads = threads
        self._descriptor = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._descriptor).st_size

    async def read(self, start: int, count: int) -> bytes:
        return await self._threads.run(os.pread, self._descriptor, count, start)

    def close(self) -> None:
        os.close(self._descriptor)


class _Threads:
    """Threads of its own: a disk that hangs holds up nothing else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="storage")

    async def run(self, work: Callable[..., T], *given: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *given)
        except FileNotFoundError as error:
            raise NotStored(f"{self._path} has no such file") from error
        except OSError as error:
            raise StorageError(f"{self._path}: {error.strerror}") from error

    def close(self) -> None:
        self._pool.shutdown(wait=False)


class _Draft:
    """A file that takes its name only once it is whole and on the disk.

    Whoever gives up may do so while another thread still writes.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._path = _draft_of(place)
        self._descriptor: int | None = None
        self._lock = threading.Lock()

    def begin(self) -> None:
        with self._lock:
            self._place.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            self._descriptor = os.open(self._path, flags, 0o600)

    def write(self, chunk: bytes) -> None:
        with self._lock:
            while chunk and self._descriptor is not None:
                chunk = chunk[os.write(self._descriptor, chunk) :]

    def finish(self) -> None:
        with self._lock:
            assert self._descriptor is not None
            os.fsync(self._descriptor)
            self._path.rename(self._place)
            sync_folder(self._place.parent)
            sync_folder(self._place.parent.parent)
            self._close()

    def abandon(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._close()
            self._path.unlink()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _draft_of(place: Path) -> Path:
    return place.with_name(f".{place.name}")
