"""A gate on a database of its own."""

from collections.abc import AsyncIterator

import pytest

from mjgate.gate import Gate
from tests.services.gates import open_gate


@pytest.fixture
async def gate(database: str) -> AsyncIterator[Gate]:
    async with open_gate(database) as opened:
        yield opened
