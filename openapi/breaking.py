"""Tells what the contract breaks: python -m openapi.breaking [--base BASE] [CONTRACT].

BASE is a revision of git, or a file; without it, the last contract in openapi/released/. Ends with
0 where nothing is broken, with 1 where something is, and with 2 where that cannot be told.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from openapi_spec_validator import OpenAPIV30SpecValidator

from openapi.compare import breaks
from openapi.versions import CONTRACT, RELEASED, releases


class Incomparable(Exception):
    """Raised where nobody can tell what is broken: the message says why."""


def read_base(base: str, folder: Path = RELEASED) -> tuple[str, bytes]:
    """A name for the old contract, and its text.

    Raises:
        Incomparable: there is none.
    """
    if not base:
        base = str(last_release(folder))
    if Path(base).is_file():
        return base, Path(base).read_bytes()
    shown = subprocess.run(
        ["git", "show", "--end-of-options", f"{base}:./{CONTRACT.name}"],
        cwd=CONTRACT.parent,
        capture_output=True,
    )
    if shown.returncode:
        reason = shown.stderr.decode(errors="replace").strip().splitlines() or ["git failed"]
        raise Incomparable(f"{base} is no file and no revision with a contract: {reason[0]}")
    return base, shown.stdout


def last_release(folder: Path) -> Path:
    try:
        found = releases(folder)
    except ValueError as error:
        raise Incomparable(f"{folder}: {error}") from error
    if not found:
        raise Incomparable(f"{folder} holds no released contract; name one as BASE")
    return found[-1]


def parse(name: str, source: bytes) -> dict[str, Any]:
    """A contract as data.

    Raises:
        Incomparable: it is no valid OpenAPI 3.0.
    """
    try:
        document = yaml.load(source, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Incomparable(f"{name} is no YAML: {error}") from error
    version = document.get("openapi") if isinstance(document, dict) else None
    if not str(version).startswith("3.0."):
        raise Incomparable(f"{name} is no OpenAPI 3.0; its `openapi` is {version!r}")
    for fault in OpenAPIV30SpecValidator(document).iter_errors():
        place = "/".join(map(str, fault.absolute_path))
        message = fault.message.splitlines()[0]
        raise Incomparable(f"{name} is no valid OpenAPI: {message} at /{place}")
    contract: dict[str, Any] = document
    return contract


def compare(base: str, contract: Path) -> tuple[str, list[str]]:
    """The name of the old contract, and a line for each thing that is broken.

    Raises:
        Incomparable: one of them is missing or no contract, or a schema is beyond comparison.
    """
    name, source = read_base(base)
    try:
        now = contract.read_bytes()
    except OSError as error:
        raise Incomparable(f"{contract} cannot be read: {error.strerror}") from error
    old, new = parse(name, source), parse(str(contract), now)
    try:
        return name, [str(found) for found in breaks(old, new)]
    except (KeyError, TypeError, NotImplementedError) as error:
        raise Incomparable(f"{name} and {contract} cannot be compared: {error}") from error


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="breaking", description="Tell what the contract breaks.")
    parser.add_argument("--base", default="", help="a revision or a file; else the last release")
    parser.add_argument("contract", nargs="?", type=Path, default=CONTRACT)
    options = parser.parse_args(arguments)
    try:
        name, lines = compare(options.base, options.contract)
    except Incomparable as error:
        print(error, file=sys.stderr)
        return 2
    for line in lines:
        print(line)
    print(f"{len(lines) or 'Nothing'} broken since {name}")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
