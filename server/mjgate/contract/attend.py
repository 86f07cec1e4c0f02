"""Work that is worth its while only as long as its client is there."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from mjgate.contract.call import Call
from mjgate.contract.validation import ClientGone

T = TypeVar("T")


async def attended(call: Call, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled should the client hang up.

    Raises:
        ClientGone: it has hung up.
    """
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_gone(call.receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
