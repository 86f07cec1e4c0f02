"""A block that takes too long is cut, and nothing else is."""

import asyncio

import pytest

from mjgate.upstream.deadlines import Deadlines

LONG_S = 60.0


async def held(deadlines: Deadlines, seconds: float, begun: asyncio.Event) -> str:
    with deadlines.within(seconds):
        begun.set()
        await asyncio.sleep(LONG_S)
    return "not cut"


async def test_what_takes_too_long_is_cut_and_its_task_goes_on() -> None:
    deadlines = Deadlines()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await held(deadlines, 0.05, asyncio.Event())
    task = asyncio.current_task()
    assert task is not None
    assert 0 == task.cancelling()
    assert "in time" == await asyncio.wait_for(asyncio.sleep(0.3, "in time"), LONG_S)


async def test_what_ends_in_time_is_not_cut() -> None:
    deadlines = Deadlines()
    with deadlines.within(0.05):
        await asyncio.sleep(0)
    assert "in time" == await asyncio.sleep(0.3, "in time")
    with deadlines.within(LONG_S):
        with pytest.raises(TimeoutError):
            await held(deadlines, 0.05, asyncio.Event())
        await asyncio.sleep(0.2)


async def test_a_task_that_somebody_cancels_is_cancelled() -> None:
    deadlines, begun = Deadlines(), asyncio.Event()
    task = asyncio.create_task(held(deadlines, LONG_S, begun))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_is_cancelled_while_it_is_cut_is_cancelled() -> None:
    begun = asyncio.Event()
    deadlines = Deadlines()

    async def cancelled_too() -> None:
        task = asyncio.current_task()
        assert task is not None
        with deadlines.within(0.05):
            begun.set()
            try:
                await asyncio.sleep(LONG_S)
            finally:
                task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(cancelled_too())


async def test_an_error_of_the_block_is_its_own() -> None:
    deadlines = Deadlines()

    async def fails() -> None:
        with deadlines.within(0.05):
            try:
                await asyncio.sleep(LONG_S)
            except asyncio.CancelledError:
                raise KeyError from None

    with pytest.raises(KeyError):
        await fails()
    task = asyncio.current_task()
    assert task is not None
    assert 0 == task.cancelling()
