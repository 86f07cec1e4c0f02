"""Files in a folder: whole or not at all, whatever ends in between."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mjgate.errors import ConfigError, NotStored, StorageError
from mjgate.storage import Folder

NAME = "1795468526049404-0-1"
CONTENT = [b"a" * 1000, b"b" * 7, b"c"]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    opened = Folder(tmp_path / "pictures")
    opened.prove()
    return opened


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def files(folder: Folder) -> list[Path]:
    return [path for path in folder.path.rglob("*") if path.is_file()]


async def test_what_was_put_can_be_read_from_any_place(folder: Folder) -> None:
    await folder.put(NAME, pieces(*CONTENT))

    blob = await folder.open(NAME)
    assert 1008 == blob.size
    assert b"".join(CONTENT) == await blob.read(0, 5000)
    assert b"bbc" == await blob.read(1005, 10)
    assert b"" == await blob.read(1008, 10)
    blob.close()


async def test_one_that_was_deleted_is_gone_and_deleting_it_again_is_fine(folder: Folder) -> None:
    await folder.put(NAME, pieces(*CONTENT))

    for _ in range(2):
        await folder.delete(NAME)

    assert [] == files(folder)
    with pytest.raises(NotStored):
        await folder.open(NAME)


async def test_one_that_is_open_can_be_deleted(folder: Folder) -> None:
    await folder.put(NAME, pieces(*CONTENT))
    blob = await folder.open(NAME)

    await folder.delete(NAME)

    assert b"aa" == await blob.read(0, 2)
    blob.close()


async def test_files_are_spread_and_for_their_owner_alone(folder: Folder) -> None:
    for number in range(200):
        await folder.put(f"{number}-0-1", pieces(b"x"))

    found = files(folder)
    assert 200 == len(found)
    assert len({path.parent for path in found}) > 100
    assert {0o600} == {path.stat().st_mode & 0o777 for path in found}


async def test_nothing_is_left_of_one_whose_content_breaks_off(folder: Folder) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await folder.put(NAME, broken())

    assert [] == files(folder)


async def test_nothing_is_left_of_one_that_is_cancelled(folder: Folder) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"a"
        begun.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(folder.put(NAME, endless()))
    await begun.wait()
    assert 1 == len(files(folder))
    with pytest.raises(NotStored):
        await folder.open(NAME)

    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting

    assert [] == files(folder)


async def test_what_a_killed_process_left_goes_with_the_file(folder: Folder) -> None:
    await folder.put(NAME, pieces(b"x"))
    [place] = files(folder)
    place.rename(place.with_name(f".{NAME}"))

    await folder.delete(NAME)

    assert [] == files(folder)


async def test_a_file_that_was_left_there_is_replaced(folder: Folder) -> None:
    await folder.put(NAME, pieces(b"old and long"))

    await folder.put(NAME, pieces(b"new"))

    blob = await folder.open(NAME)
    assert b"new" == await blob.read(0, 100)
    blob.close()


@pytest.mark.parametrize("name", ["", "..", "../1", "a", "1/2", "1-", "-1", "1\n", "/1", "1.png"])
async def test_no_name_leads_out_of_the_folder(folder: Folder, name: str) -> None:
    with pytest.raises(ValueError, match="no name of a file"):
        await folder.put(name, pieces(b"x"))
    with pytest.raises(ValueError, match="no name of a file"):
        await folder.open(name)
    with pytest.raises(ValueError, match="no name of a file"):
        await folder.delete(name)


async def test_a_full_disk_is_a_fault_of_the_storage(tmp_path: Path) -> None:
    """/dev/full says that there is no room, whatever is written there."""
    folder = Folder(tmp_path)
    place = folder._place(NAME)
    place.parent.mkdir()
    place.with_name(f".{NAME}").symlink_to("/dev/full")

    with pytest.raises(StorageError, match=os.strerror(errno.ENOSPC)):
        await folder.put(NAME, pieces(b"x"))

    assert [] == list(place.parent.iterdir())


async def test_a_folder_that_is_a_file_is_a_fault_of_the_storage(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("")
    folder = Folder(tmp_path / "pictures")

    with pytest.raises(StorageError):
        await folder.put(NAME, pieces(b"x"))
    with pytest.raises(StorageError):
        await folder.open(NAME)


@pytest.mark.parametrize("path", ["/proc/nowhere", "/dev/null/pictures"])
def test_a_folder_that_cannot_be_written_is_named_with_the_way_out(path: str) -> None:
    with pytest.raises(ConfigError, match=rf"MJGATE_PICTURES_DIR={path} .*MJGATE_PICTURES=off"):
        Folder(Path(path)).prove()


def test_proving_a_folder_leaves_nothing_there(folder: Folder) -> None:
    assert [] == list(folder.path.iterdir())


async def test_threads_end_with_the_storage(folder: Folder) -> None:
    await folder.put(NAME, pieces(b"x"))
    folder.close()

    with pytest.raises(RuntimeError):
        await folder.open(NAME)
