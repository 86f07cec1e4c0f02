"""The tools of strangers, as `make tools` installs them."""

from pathlib import Path

BIN = Path(__file__).resolve().parents[2] / ".tools" / "bin"


def tool(name: str) -> str:
    path = BIN / name
    assert path.exists(), f"{path} is missing: run `make tools`"
    return str(path)
