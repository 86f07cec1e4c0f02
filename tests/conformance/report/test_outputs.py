"""Where reports go, and what is said where they cannot."""

import json
from pathlib import Path

import pytest

from mjgate.conformance.report.outputs import Outputs, write_whole
from mjgate.conformance.verdict import CannotRun
from tests.conformance.report.verdicts import FAILED

FILES = {"report.json", "report.html", "junit.xml"}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_folder_takes_every_report(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "a" / "b", tmp_path / "c" / "j.xml")
    outputs.prepare()
    assert {"cases"} == names(tmp_path / "a" / "b")
    outputs.write(FAILED)
    assert {"cases", *FILES} == names(tmp_path / "a" / "b")
    assert "failed" == json.loads((tmp_path / "a" / "b" / "report.json").read_bytes())["outcome"]
    written = (tmp_path / "c" / "j.xml").read_bytes()
    assert written == (tmp_path / "a" / "b" / "junit.xml").read_bytes()


def test_each_failure_is_stored_as_a_case_and_named(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path)
    outputs.prepare()
    stored = outputs.store(FAILED)
    assert 3 == len({failure.case for failure in stored.failures})
    for failure in stored.failures:
        assert (tmp_path / failure.case).is_file()


def test_cases_that_cannot_be_stored_are_told(tmp_path: Path) -> None:
    (tmp_path / "cases").touch()
    with pytest.raises(CannotRun, match="cases cannot be written: File exists"):
        Outputs(tmp_path).store(FAILED)


def test_where_nothing_is_asked_for_nothing_is_written(tmp_path: Path) -> None:
    Outputs().prepare()
    Outputs().write(FAILED)
    assert FAILED == Outputs().store(FAILED)
    assert set() == names(tmp_path)


def test_reports_of_an_earlier_run_are_gone_before_the_next(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path)
    outputs.prepare()
    outputs.write(FAILED)
    (tmp_path / "cases" / "one.json").touch()
    outputs.prepare()
    assert {"cases"} == names(tmp_path)
    assert {"one.json"} == names(tmp_path / "cases")


def test_a_folder_that_cannot_be_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotRun, match=r"file/out cannot be written: Not a directory$"):
        Outputs(tmp_path / "file" / "out").prepare()
    with pytest.raises(CannotRun, match=r"j\.xml cannot be written: (Not a directory|File exists)"):
        Outputs(junit=tmp_path / "file" / "j.xml").prepare()


def test_a_name_too_long_for_the_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="cannot be written: File name too long"):
        Outputs(junit=tmp_path / ("x" * 300)).prepare()


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "j.xml").mkdir()
    for path in (tmp_path / "j.xml", Path("/dev/null")):
        with pytest.raises(CannotRun, match=f"{path} cannot be written: it is no regular file"):
            Outputs(junit=path).prepare()


def test_a_folder_that_went_away_is_told_at_the_end(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "out")
    outputs.prepare()
    (tmp_path / "out" / "cases").rmdir()
    (tmp_path / "out").rmdir()
    with pytest.raises(CannotRun, match=r"report\.json cannot be written: No such file"):
        outputs.write(FAILED)


def test_a_write_that_fails_leaves_nothing_and_the_old_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(OSError, match="directory"):
        write_whole(target, b"new")
    assert {"taken"} == names(tmp_path)
    assert {"old"} == names(target)
