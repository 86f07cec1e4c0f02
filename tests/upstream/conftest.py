"""Transports, one of which soon loses patience."""

from collections.abc import AsyncIterator

import pytest

from mjgate.upstream.transport import Transport

TIMEOUT_S = 10.0
IMPATIENT_S = 2.0


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    opened = Transport(TIMEOUT_S, 2.0)
    yield opened
    await opened.close()


@pytest.fixture
async def impatient() -> AsyncIterator[Transport]:
    opened = Transport(IMPATIENT_S, 2.0)
    yield opened
    await opened.close()
