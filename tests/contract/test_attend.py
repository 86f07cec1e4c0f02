"""Work that goes on only as long as its client is there."""

import asyncio
from typing import Any

import pytest

from mjgate.contract.attend import attended
from mjgate.contract.call import Call
from mjgate.contract.validation import ClientGone


class Line:
    """A connection whose client says when it goes."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self._messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive(self) -> dict[str, Any]:
        if self._messages:
            return self._messages.pop()
        await self.left.wait()
        return {"type": "http.disconnect"}

    @property
    def call(self) -> Call:
        return Call(None, {}, receive=self.receive)


class Work:
    def __init__(self) -> None:
        self.begun, self.go, self.cancelled = asyncio.Event(), asyncio.Event(), False

    async def run(self) -> str:
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "done"


async def test_the_result_is_handed_on() -> None:
    work = Work()
    work.go.set()
    assert "done" == await attended(Line().call, work.run())


async def test_errors_are_handed_on() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await attended(Line().call, fail())


async def test_work_for_a_client_that_hangs_up_is_cancelled() -> None:
    line, work = Line(), Work()
    attending = asyncio.create_task(attended(line.call, work.run()))
    await work.begun.wait()

    line.left.set()

    with pytest.raises(ClientGone):
        await attending
    assert work.cancelled


async def test_work_whose_request_is_cancelled_is_cancelled() -> None:
    work = Work()
    attending = asyncio.create_task(attended(Line().call, work.run()))
    await work.begun.wait()

    attending.cancel()

    with pytest.raises(asyncio.CancelledError):
        await attending
    assert work.cancelled


async def test_a_call_from_nowhere_has_hung_up() -> None:
    with pytest.raises(ClientGone):
        await attended(Call(None, {}), Work().run())
