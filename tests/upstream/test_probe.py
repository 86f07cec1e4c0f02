"""Asking an upstream which dialect it speaks."""

import pytest

from mjgate.domain.channel import Dialect
from mjgate.errors import SendError
from mjgate.sandbox import DIALECTS, Settings, running_sandbox
from mjgate.sandbox.settings import DialectName
from mjgate.upstream.probe import probe_dialect
from mjgate.upstream.transport import Transport
from tests.harness import free_port
from tests.upstream.raw import channel, raw_upstream, says


@pytest.mark.parametrize("secret", [None, "a secret"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_each_dialect_is_known(
    transport: Transport,
    dialect: DialectName,
    secret: str | None,
) -> None:
    with running_sandbox(Settings(dialect=dialect, secret=secret)) as address:
        assert Dialect(dialect) == await probe_dialect(transport, channel(address, secret))


@pytest.mark.parametrize("answer", ["401 No", "418 Teapot", "500 No", "302 Found"])
async def test_other_answers_fit_none(transport: Transport, answer: str) -> None:
    async with raw_upstream(says("", answer)) as raw:
        assert await probe_dialect(transport, channel(raw.address)) is None


async def test_a_json_answer_fits_none(transport: Transport) -> None:
    async with raw_upstream(says("{}")) as raw:
        assert await probe_dialect(transport, channel(raw.address)) is None


async def test_a_dead_port_does_not_answer(transport: Transport) -> None:
    with pytest.raises(SendError):
        await probe_dialect(transport, channel(f"http://127.0.0.1:{free_port()}"))
