"""Transport, breaker and dialects together."""

from dataclasses import replace

import pytest

from mjgate.domain.channel import Dialect
from mjgate.errors import Broken, NotSent
from mjgate.upstream.breaker import THRESHOLD
from mjgate.upstream.novicezk import Request
from mjgate.upstream.transport import Transport
from mjgate.upstream.upstreams import DIALECTS, Upstreams, dialect_of
from tests.harness import free_port
from tests.upstream.raw import channel, raw_upstream, resets, says

REQUEST = Request("/mj/submit/imagine", b"{}")


@pytest.mark.parametrize("status", ["500 No", "503 No"])
async def test_faults_of_an_upstream_open_its_breaker(
    transport: Transport,
    status: str,
) -> None:
    upstreams = Upstreams(transport)
    async with raw_upstream(says("", status)) as raw:
        for _ in range(THRESHOLD):
            await upstreams.send(channel(raw.address), REQUEST)

    assert {1} == upstreams.breaker.open()


async def test_connections_that_fail_open_it(transport: Transport) -> None:
    upstreams = Upstreams(transport)
    for _ in range(THRESHOLD - 1):
        with pytest.raises(NotSent):
            await upstreams.send(channel(f"http://127.0.0.1:{free_port()}"), REQUEST)
    async with raw_upstream(resets) as raw:
        with pytest.raises(Broken):
            await upstreams.send(channel(raw.address), REQUEST)

    assert {1} == upstreams.breaker.open()


async def test_refusals_are_no_faults(transport: Transport) -> None:
    upstreams = Upstreams(transport)
    async with raw_upstream(says("", "400 No")) as raw:
        for _ in range(THRESHOLD):
            await upstreams.send(channel(raw.address), REQUEST)

    assert set() == upstreams.breaker.open()


def test_what_was_set_goes_before_what_was_found() -> None:
    asked = replace(channel(""), dialect=Dialect.AUTO, spoken=Dialect.BUTTONS)

    assert DIALECTS[Dialect.BUTTONS] is dialect_of(asked)
    assert DIALECTS[Dialect.NEW_API] is dialect_of(replace(asked, dialect=Dialect.NEW_API))
