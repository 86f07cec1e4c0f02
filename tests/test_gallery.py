"""Copies under way: each once, and not too many."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mjgate.gallery import Copies


class Work:
    """Work that goes on until it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.done = asyncio.Event()

    async def __call__(self) -> None:
        self.begun += 1
        try:
            await self.done.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


@pytest.fixture
async def copies() -> AsyncIterator[Copies]:
    opened = Copies(2)
    yield opened
    await opened.close()


async def test_one_that_is_under_way_is_not_begun_again(copies: Copies) -> None:
    work = Work()
    first = copies.start((1, 0), work)
    assert first is copies.start((1, 0), work)
    assert first is not copies.start((1, 1), work)
    work.done.set()
    await first

    assert 1 == work.begun - 1
    assert first is not copies.start((1, 0), work)


async def test_room_is_told(copies: Copies) -> None:
    work = Work()
    assert (2, False) == (copies.free, copies.full)
    copies.start((1, 0), work)
    assert (1, False) == (copies.free, copies.full)
    for place in range(1, 4):
        copies.start((1, place), work)
    assert (0, True) == (copies.free, copies.full)


async def test_the_end_of_any_is_waited_for(copies: Copies) -> None:
    assert not await copies.ended(5)
    first, second = Work(), Work()
    copies.start((1, 0), first)
    copies.start((2, 0), second)
    waiting = asyncio.create_task(copies.ended(60))
    second.done.set()

    assert await waiting
    assert 1 == copies.free


async def test_waiting_has_an_end(copies: Copies) -> None:
    copies.start((1, 0), Work())

    assert await copies.ended(0.01)
    assert 1 == copies.free


async def test_closing_breaks_them_off(copies: Copies) -> None:
    work = Work()
    copies.start((1, 0), work)
    await asyncio.sleep(0)

    await copies.close()

    assert 1 == work.cancelled
    assert 2 == copies.free
