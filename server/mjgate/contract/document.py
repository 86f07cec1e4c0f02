"""The contract: one YAML file, loaded as it is and never through a template step."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from mjgate.errors import ConfigError

_INSTALLED = Path(__file__).with_name("mjgate.yaml")
_CHECKOUT = Path(__file__).parents[3] / "openapi" / "mjgate.yaml"


@dataclass(frozen=True, slots=True)
class Document:
    """The contract as bytes for publishing and as data for enforcing."""

    source: bytes
    spec: dict[str, Any]

    def json(self) -> bytes:
        return orjson.dumps(self.spec)


def load_document(path: Path | None = None) -> Document:
    """The contract of this installation, or the one at `path`.

    Raises:
        ConfigError: it cannot be read, or is no YAML object.
    """
    place = path or (_INSTALLED if _INSTALLED.exists() else _CHECKOUT)
    try:
        source = place.read_bytes()
        spec = yaml.load(source, Loader=yaml.CSafeLoader)
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"the contract {place} cannot be read: {error}") from error
    if not isinstance(spec, dict):
        raise ConfigError(f"the contract {place} is no YAML object")
    return Document(source, spec)


def resolved(document: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a node says, be it here or where its `$ref` within the document points."""
    found: Any = document
    if "$ref" not in node:
        return node
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found  # type: ignore[no-any-return]
