"""Writes what a release consists of: python -m openapi.release [DIST].

Refuses, and writes nothing, where versions differ, the changelog has no entry, the contract breaks
somebody without saying so, or a released contract was changed. Twice from the same sources it
writes the same bytes. The contract is kept in openapi/released/, so that the next one is compared
with it.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from mjgate.contract.document import Document, load_document
from mjgate.contract.publish import reference_files
from openapi.breaking import Incomparable, compare
from openapi.edition import to_3_1
from openapi.versions import precedence, releases

ROOT = Path(__file__).resolve().parents[1]
SUMS = "SHA256SUMS"
HEADING = re.compile(r"^## (\S+)$", re.MULTILINE)


class Refused(Exception):
    """Raised where this may not be released: one line for each reason."""


@dataclass(frozen=True)
class Sources:
    """Where a release comes from."""

    root: Path = ROOT

    @property
    def contract(self) -> Path:
        return self.root / "openapi" / "mjgate.yaml"

    @property
    def changelog(self) -> Path:
        return self.root / "openapi" / "CHANGELOG.md"

    @property
    def released(self) -> Path:
        return self.root / "openapi" / "released"

    @property
    def client(self) -> Path:
        return self.root / "generated"

    @property
    def document(self) -> Document:
        return load_document(self.contract)

    def versions(self) -> dict[str, str]:
        """Which version each file says, the contract first."""
        entries = HEADING.findall(self.changelog.read_text("utf-8"))
        return {
            "openapi/mjgate.yaml": str(self.document.spec["info"]["version"]),
            "openapi/CHANGELOG.md": entries[0] if entries else "none",
            "generated/pyproject.toml": _version(self.client / "pyproject.toml"),
            "pyproject.toml": _version(self.root / "pyproject.toml"),
        }

    def entry(self, version: str) -> str:
        """What the changelog says of a version; empty where it says nothing."""
        _, *parts = HEADING.split(self.changelog.read_text("utf-8"))
        return dict(zip(parts[::2], parts[1::2], strict=True)).get(version, "").strip()


def _version(project: Path) -> str:
    return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])


def check(sources: Sources) -> str:
    """The version to release.

    Raises:
        Refused: it may not be.
    """
    versions = sources.versions()
    version = versions["openapi/mjgate.yaml"]
    faults = [*_version_faults(version, versions), *_changelog_faults(sources, version)]
    if not faults:
        faults = list(_history_faults(sources, version))
    if faults:
        raise Refused("\n".join(faults))
    return version


def _version_faults(version: str, versions: Mapping[str, str]) -> Iterator[str]:
    try:
        precedence(version)
    except ValueError as error:
        yield str(error)
    for name, other in versions.items():
        if other != version:
            yield f"{name} says {other}, the contract says {version}"


def _changelog_faults(sources: Sources, version: str) -> Iterator[str]:
    if not sources.entry(version):
        yield f"openapi/CHANGELOG.md has no entry for {version}"


def _history_faults(sources: Sources, version: str) -> Iterator[str]:
    kept = sources.released / f"{version}.yaml"
    if kept.exists() and kept.read_bytes() != sources.contract.read_bytes():
        yield f"{version} was released with another contract; take a new version"
    try:
        others = [path for path in releases(sources.released) if path.stem != version]
        _, lines = compare(str(others[-1]), sources.contract) if others else ("", [])
    except (Incomparable, ValueError) as error:
        yield str(error)
        return
    last = others[-1].stem if others else version
    if precedence(last) > precedence(version):
        yield f"{version} is older than {last}, which was released"
    if lines and not _may_break(last, version):
        yield from (f"{line}; that asks for more than {version} after {last}" for line in lines)
    elif lines and "**Breaking**" not in sources.entry(version):
        yield from (f"{line}; the changelog says nothing of it under Breaking" for line in lines)


def _may_break(old: str, new: str) -> bool:
    """Whether a version may break who has an older one: a new major; before 1.0 a new minor."""
    before, now = precedence(old)[0], precedence(new)[0]
    return now[0] > before[0] or (before[0] == 0 and now[1] > before[1])


def write(sources: Sources, dist: Path) -> list[Path]:
    """Write a release into a folder, in place of the one that was there; name the files.

    Raises:
        Refused: it may not be released, or the folder holds something else.
        subprocess.CalledProcessError: the client could not be built.
    """
    version = check(sources)
    if dist.exists() and any(dist.iterdir()) and not (dist / SUMS).exists():
        raise Refused(f"{dist} holds something else than a release")
    dist.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=dist.parent) as folder:
        fresh = Path(folder) / dist.name
        for name, content in _files(sources, version).items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        _build(sources.client, fresh)
        _sum(fresh)
        shutil.rmtree(dist, ignore_errors=True)
        fresh.rename(dist)
    return sorted(path for path in dist.rglob("*") if path.is_file())


def _files(sources: Sources, version: str) -> dict[str, bytes]:
    document = sources.document
    edition = _edition(document)
    stem = f"mjgate-{version}"
    pages = {f"{stem}-reference/{name}": page for name, page in reference_files(document).items()}
    return {
        f"{stem}.yaml": document.source,
        f"{stem}.json": document.json(),
        f"{stem}-openapi-3.1.yaml": edition.source,
        f"{stem}-openapi-3.1.json": edition.json(),
        "CHANGELOG.md": sources.changelog.read_bytes(),
        **pages,
    }


def _edition(document: Document) -> Document:
    spec = to_3_1(document.spec)
    for fault in OpenAPIV31SpecValidator(spec).iter_errors():
        raise Refused(f"the 3.1 edition is not valid: {fault.message}")
    text = yaml.dump(spec, Dumper=_Plain, allow_unicode=True, sort_keys=False, width=100)
    return Document(text.encode(), spec)


class _Plain(yaml.SafeDumper):
    """Writes everything out: no anchors, and texts of several lines as such."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Plain.add_representer(str, _text)


def _build(client: Path, folder: Path) -> None:
    """Build the client's wheel and sdist; with a fixed date, they are the same each time."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1580601600"}
    subprocess.run(command, cwd=client, check=True, env=environment, capture_output=True)


def _sum(folder: Path) -> None:
    """Write SHA256SUMS, which `sha256sum --check` reads."""
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}" for name in names]
    (folder / SUMS).write_text("\n".join(sums) + "\n")


def keep(sources: Sources) -> Path | None:
    """Keep the contract among the released ones; its path where it is new there."""
    path = sources.released / f"{check(sources)}.yaml"
    if path.exists():
        return None
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(sources.contract.read_bytes())
    return path


def main(arguments: list[str], sources: Sources) -> int:
    parser = argparse.ArgumentParser(
        prog="release", description="Write what a release consists of."
    )
    parser.add_argument("dist", nargs="?", type=Path, default=ROOT / "dist")
    options = parser.parse_args(arguments)
    try:
        for path in write(sources, options.dist.resolve()):
            print(path)
    except Refused as error:
        print(error, file=sys.stderr)
        return 1
    if kept := keep(sources):
        print(f"Commit {kept}: the next contract is compared with it.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Sources()))
