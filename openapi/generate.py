"""Writes the client package from the contract: python openapi/generate.py [--check] [PACKAGE]."""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONTRACT = HERE / "mjgate.yaml"
TEMPLATES = HERE / "templates"
PACKAGE = HERE.parent / "generated" / "mjgate_client"
CACHE = "__pycache__"
BY_HAND = "lib"


def render(package: Path, contract: Path = CONTRACT, templates: Path | None = TEMPLATES) -> None:
    """Write a fresh package into a folder that does not exist yet.

    `templates` None leaves the generator's own, defects included.

    Raises:
        subprocess.CalledProcessError: the generator failed, or warned.
    """
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    command += ["--path", str(contract), "--config", str(HERE / "client.yaml")]
    command += ["--output-path", str(package), "--fail-on-warning"]
    if templates:
        command += ["--custom-template-path", str(templates)]
    subprocess.run(command, check=True, env=_environment(), stdout=sys.stderr)
    (package / "py.typed").touch()


def _environment() -> dict[str, str]:
    scripts = sysconfig.get_path("scripts")
    return os.environ | {"PATH": os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])}


def stale(fresh: Path, package: Path) -> list[str]:
    """Name the files that differ, are missing or should not be there, sorted."""
    wanted, found = _files(fresh), _files(package)
    return sorted(name for name in wanted | found if wanted.get(name) != found.get(name))


def mirror(fresh: Path, package: Path) -> list[str]:
    """Make `package` equal to `fresh`, but for the folder written by hand; name what changed."""
    names = stale(fresh, package)
    for name in names:
        source, target = fresh / name, package / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        else:
            target.unlink()
            _prune(target.parent, package)
    return names


def _files(package: Path) -> dict[str, bytes]:
    paths = {path.relative_to(package): path for path in package.rglob("*") if path.is_file()}
    return {
        name.as_posix(): path.read_bytes()
        for name, path in paths.items()
        if name.parts[0] != BY_HAND and CACHE not in name.parts
    }


def _prune(folder: Path, package: Path) -> None:
    if folder != package and all(path.name == CACHE for path in folder.iterdir()):
        shutil.rmtree(folder)
        _prune(folder.parent, package)


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the client package from the contract.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if stale")
    parser.add_argument("package", nargs="?", type=Path, default=PACKAGE)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / PACKAGE.name
        render(fresh)
        names = (stale if options.check else mirror)(fresh, options.package)
    for name in names:
        print(f"{'stale' if options.check else 'wrote'}: {options.package / name}")
    return 1 if options.check and names else 0


if __name__ == "__main__":
    sys.exit(main())
