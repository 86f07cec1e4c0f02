"""The client as the stock templates write it, beside ours: each mend is shown on both."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from openapi import generate

TRAPS = Path(__file__).with_name("traps.yaml")


@dataclass(frozen=True)
class Package:
    """A generated client, loaded under a name of its own."""

    root: ModuleType

    def module(self, name: str) -> Any:
        return importlib.import_module(f"{self.root.__name__}.{name}")

    def operation(self, name: str) -> Any:
        return self.module(f"api.tasks.{name}")

    def client(self, **options: Any) -> Any:
        settings = {"base_url": "http://gateway.test", "token": "the-token"}
        return self.root.AuthenticatedClient(**settings | options)

    def answering(self, status: int, content: bytes, **options: Any) -> Any:
        """A client whose every call is answered so, without a network."""
        transport = httpx.MockTransport(lambda _: httpx.Response(status, content=content))
        return self.client(httpx_args={"transport": transport}, **options)


def load(folder: Path, name: str) -> Package:
    spec = spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec
    assert spec.loader
    root = module_from_spec(spec)
    sys.modules[name] = root
    spec.loader.exec_module(root)
    return Package(root)


Generated = Callable[[str, Path, Path | None], Package]


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    def generated(name: str, contract: Path, templates: Path | None) -> Package:
        folder = tmp_path_factory.mktemp("generated") / name
        generate.render(folder, contract, templates)
        return load(folder, name)

    return generated


@pytest.fixture(scope="session")
def ours() -> Package:
    return load(generate.PACKAGE, "ours")


@pytest.fixture(scope="session")
def stock(generated: Generated) -> Package:
    return generated("stock", generate.CONTRACT, None)


@pytest.fixture(scope="session")
def our_traps(generated: Generated) -> Package:
    return generated("our_traps", TRAPS, generate.TEMPLATES)


@pytest.fixture(scope="session")
def stock_traps(generated: Generated) -> Package:
    return generated("stock_traps", TRAPS, None)
