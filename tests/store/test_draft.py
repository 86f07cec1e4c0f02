"""Files that are whole or not there."""

from pathlib import Path

import pytest

from mjgate.store.draft import draft_of


def test_a_file_takes_its_name_when_it_is_whole_and_only_its_owner_may_read_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a"
    with draft_of(path) as file:
        file.write(b"one")
        assert not path.exists()

    assert (b"one", 0o600) == (path.read_bytes(), path.stat().st_mode & 0o777)
    assert [path] == list(tmp_path.iterdir())


def test_a_block_that_raises_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), draft_of(path) as file:
        file.write(b"half" * (1 // 0))

    assert "before" == path.read_text()
    assert [path] == list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), draft_of(tmp_path / "none" / "a"):
        pass
