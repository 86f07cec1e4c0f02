"""The contracts that were released: openapi/released/VERSION.yaml, never edited again."""

import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
RELEASED = HERE / "released"
CONTRACT = HERE / "mjgate.yaml"
# semver.org, without build metadata: two releases never differ by that alone.
SEMVER = re.compile(
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(?:-((?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
    r"(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?"
)

Precedence = tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]


def precedence(version: str) -> Precedence:
    """What versions are sorted by, as SemVer 2.0.0 says in section 11.

    Raises:
        ValueError: it is no version.
    """
    found = SEMVER.fullmatch(version)
    if not found:
        raise ValueError(f"{version!r} is no version of SemVer such as 1.2.3")
    parts = (found[4] or "").split(".") if found[4] else []
    names = tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts)
    return tuple(map(int, found.groups()[:3])), not parts, names


def releases(folder: Path = RELEASED) -> list[Path]:
    """The released contracts, oldest first.

    Raises:
        ValueError: a file is not named by a version.
    """
    return sorted(folder.glob("*.yaml"), key=lambda path: precedence(path.stem))
