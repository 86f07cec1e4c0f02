"""What is fuzzed: a token, on a database whose channel is a quick sandbox."""

from collections.abc import AsyncIterator

import pytest

from mjgate.domain.channel import ChannelState, Dialect
from mjgate.domain.token import new_key
from mjgate.sandbox import Settings, running_sandbox
from mjgate.store.channels import add_channel
from mjgate.store.cipher import Cipher
from mjgate.store.database import open_pool
from mjgate.store.tokens import add_token
from tests.fuzz.habits import UPSTREAM_KEY
from tests.harness import SECRET_KEY


@pytest.fixture
async def token(database: str) -> AsyncIterator[str]:
    """A token without a budget; the sandbox asks for a key."""
    settings = Settings(speed=1000, core_size=64, queue_size=1000, secret=UPSTREAM_KEY)
    with running_sandbox(settings) as upstream:
        key = new_key()
        async with open_pool(database, size=1) as pool:
            await add_token(pool, "fuzz", key, None)
            await add_channel(pool, Cipher(SECRET_KEY), "sandbox", _channel(upstream))
        yield key


def _channel(upstream: str) -> dict[str, object]:
    return {
        "base_url": upstream,
        "key": UPSTREAM_KEY,
        "dialect": Dialect.NOVICEZK,
        "priority": 0,
        "weight": 1,
        "models": ["midjourney"],
        "state": ChannelState.ENABLED,
    }
