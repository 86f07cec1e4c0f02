"""A transport that soon loses patience."""

from collections.abc import AsyncIterator

import pytest

from mjgate.upstream.transport import Transport

TIMEOUT_S = 0.3


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    opened = Transport(TIMEOUT_S, 2.0)
    yield opened
    await opened.close()
