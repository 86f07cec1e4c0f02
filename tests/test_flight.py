"""Submits that have begun are finished."""

import asyncio

import pytest

from mjgate.errors import Unavailable
from mjgate.flight import Flight


async def work(go: asyncio.Event, done: list[str]) -> str:
    await go.wait()
    done.append("landed")
    return "answer"


async def fail() -> None:
    raise ZeroDivisionError


async def test_the_result_is_handed_on() -> None:
    go = asyncio.Event()
    go.set()

    assert "answer" == await Flight().run(work(go, []))


async def test_errors_are_handed_on() -> None:
    with pytest.raises(ZeroDivisionError):
        await Flight().run(fail())


async def test_landing_waits_for_all_that_has_begun() -> None:
    flight, go, done = Flight(), asyncio.Event(), list[str]()
    callers = [asyncio.create_task(flight.run(work(go, done))) for _ in range(2)]
    await asyncio.sleep(0)
    landed = [asyncio.create_task(flight.landed()) for _ in range(2)]
    await asyncio.sleep(0)

    assert not flight.empty
    go.set()

    assert [True, True] == await asyncio.gather(*landed)
    assert (["landed", "landed"], True) == (done, flight.empty)
    assert ["answer", "answer"] == await asyncio.gather(*callers)


async def test_while_it_drains_nothing_new_begins() -> None:
    flight = Flight()
    flight.draining = True

    with pytest.raises(Unavailable, match="stopping"):
        await flight.run(work(asyncio.Event(), []))
    assert flight.empty


async def test_waiting_has_an_end() -> None:
    flight, go = Flight(), asyncio.Event()
    caller = asyncio.create_task(flight.run(work(go, [])))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert not await flight.landed(timeout=0)

    go.set()
    assert "answer" == await caller
    assert await flight.landed()


async def test_work_that_is_cancelled_lands_too() -> None:
    flight = Flight()
    caller = asyncio.create_task(flight.run(work(asyncio.Event(), [])))
    await asyncio.sleep(0)

    caller.cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller
    assert flight.empty
