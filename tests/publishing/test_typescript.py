"""Others build on the contract: a program in TypeScript is held to types made of it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from openapi.edition import to_3_1
from tests.client import samples
from tests.publishing.tools import tool

PROGRAM = Path(__file__).with_name("program.ts")
EDITIONS = {"3.0": samples.CONTRACT, "3.1": to_3_1(samples.CONTRACT)}


def types(edition: str, folder: Path) -> Path:
    """The types of an edition, beside the program that imports them."""
    contract, written = folder / "contract.json", folder / "contract.ts"
    contract.write_text(json.dumps(EDITIONS[edition]))
    command = [tool("openapi-typescript"), str(contract), "--output", str(written)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    shutil.copy(PROGRAM, folder)
    return written


def bare(written: Path) -> list[str]:
    """Types without the comments that explain them."""
    lines = re.sub(r"/\*\*.*?\*/", "", written.read_text(), flags=re.DOTALL).splitlines()
    return [line.strip() for line in lines if line.strip()]


def type_check(folder: Path) -> str:
    """What the compiler complains of."""
    options = ["--noEmit", "--strict", "--noUnusedLocals", "--target", "es2022"]
    command = [tool("tsc"), *options, PROGRAM.name]
    return subprocess.run(command, capture_output=True, cwd=folder, text=True).stdout


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_program_that_keeps_the_contract_is_typed(edition: str, tmp_path: Path) -> None:
    types(edition, tmp_path)
    assert "" == type_check(tmp_path)


def test_both_editions_give_the_same_types(tmp_path: Path) -> None:
    older, newer = tmp_path / "older", tmp_path / "newer"
    for folder in (older, newer):
        folder.mkdir()
    assert bare(types("3.0", older)) == bare(types("3.1", newer))


def test_a_program_that_breaks_the_contract_is_not_typed(tmp_path: Path) -> None:
    types("3.0", tmp_path)
    program = tmp_path / PROGRAM.name
    lines = program.read_text().splitlines()
    expected = [line for line in lines if line.startswith("// @ts-expect-error")]
    program.write_text("\n".join(line for line in lines if line not in expected))
    complaints = [line for line in type_check(tmp_path).splitlines() if ": error TS" in line]
    assert len(expected) == len(complaints) > 0, complaints
