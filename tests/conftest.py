"""One PostgreSQL for all tests, a database for each."""

import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from mjgate.sandbox import Settings, running_sandbox
from tests.harness import Gateway, new_database, running_gateway, running_postgres

settings.register_profile("crowded", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("crowded")


def pytest_collection_finish() -> None:
    """Seven thousand tests are many objects: to look through all of them stops the world."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("data")
    with running_postgres(folder) as uri:
        yield uri


@pytest.fixture
def database(postgres: str) -> str:
    """A database of its own with the schema."""
    return new_database(postgres)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[str]:
    """A quick sandbox in the novicezk dialect."""
    with running_sandbox(
        Settings(dialect="novicezk", speed=40, core_size=64, queue_size=1000)
    ) as address:
        yield address


@pytest.fixture
async def gateway(database: str) -> AsyncIterator[Gateway]:
    """A gateway without channels."""
    async with running_gateway(database) as running:
        yield running


@pytest.fixture
async def ready(gateway: Gateway, sandbox: str) -> Gateway:
    """A gateway whose channel is the sandbox."""
    await gateway.channel("sandbox", sandbox)
    return gateway
