import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from openapi import generate


def run(*arguments: str, seed: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, generate.__file__, *arguments],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONHASHSEED": seed},
        text=True,
    )


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the committed package with a file by hand, and three faults."""
    package = tmp_path / "mjgate_client"
    shutil.copytree(generate.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "lib").mkdir(exist_ok=True)
    (package / "lib" / "byhand.py").write_text("kept = True\n")
    (package / "errors.py").write_text("")
    (package / "types.py").unlink()
    (package / "api" / "gone").mkdir()
    (package / "api" / "gone" / "fetch.py").write_text("")
    (package / "api" / "gone" / "__pycache__").mkdir()
    return package


STALE = ["api/gone/fetch.py", "errors.py", "types.py"]


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_committed_package_is_what_the_generator_writes_byte_for_byte(seed: str) -> None:
    answer = run("--check", seed=seed)
    assert ("", 0) == (answer.stdout, answer.returncode)


def test_check_names_the_stale_files_and_writes_nothing(package: Path) -> None:
    answer = run("--check", str(package))
    assert [f"stale: {package / name}" for name in STALE] == answer.stdout.splitlines()
    assert 1 == answer.returncode
    assert "" == (package / "errors.py").read_text()


def test_generating_mends_the_stale_files_and_no_others(package: Path) -> None:
    answer = run(str(package))
    assert [f"wrote: {package / name}" for name in STALE] == answer.stdout.splitlines()
    assert [] == generate.stale(generate.PACKAGE, package)
    assert not (package / "api" / "gone").exists()


def test_generating_leaves_the_folder_written_by_hand_alone(package: Path) -> None:
    run(str(package))
    assert "kept = True\n" == (package / "lib" / "byhand.py").read_text()


def test_a_contract_that_the_generator_would_drop_a_part_of_is_refused(tmp_path: Path) -> None:
    contract = tmp_path / "contract.yaml"
    text = generate.CONTRACT.read_text("utf-8")
    contract.write_text(text.replace("application/json:", "application/x-unknown:"), "utf-8")
    with pytest.raises(subprocess.CalledProcessError):
        generate.render(tmp_path / "package", contract)
