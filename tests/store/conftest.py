"""A store on a database of its own."""

from collections.abc import AsyncIterator

import pytest

from mjgate.store.cipher import Cipher
from mjgate.store.database import Store, open_store
from tests.harness import SECRET_KEY

QUEUE = 500


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    async with open_store(database, Cipher(SECRET_KEY), QUEUE) as opened:
        yield opened
