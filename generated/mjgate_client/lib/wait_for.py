"""Waits until a task has ended.

A server that has `ETag` and `Prefer: wait` is asked once for each change; any other is polled,
every second at first and then up to five seconds apart. What may pass, such as a connection that
breaks or a 503, is asked again: a fetch changes nothing.
"""

import asyncio as aio
import time

import httpx

from .. import errors
from ..api.tasks import fetch_task
from ..client import AuthenticatedClient
from ..models.task import Task
from .watch import Watch

TIMEOUT_S = 1800.0
"""A task of mjgate has ended by then, unless its operator allows it more."""


def sync(task_id: str, *, client: AuthenticatedClient, timeout: float | None = TIMEOUT_S) -> Task:
    """The task once it has ended, be it as SUCCESS, FAILURE or CANCEL.

    Args:
        task_id: The `result` of a submit.
        client: Who asks.
        timeout: The seconds to wait at most; None waits for ever.

    Raises:
        Refused: The server refuses to tell, such as for a wrong token or an unknown task.
        NotEnded: The time is over.
        httpx.UnsupportedProtocol, httpx.LocalProtocolError: What is asked cannot be sent, such as
            to an address that is none.
    """
    watch = Watch(task_id, timeout, client.get_httpx_client().timeout)
    while True:
        try:
            asked = watch.question()
            watch.read(fetch_task.sync_detailed(task_id, client=client, **asked))
        except (httpx.RequestError, errors.UnexpectedStatus) as error:
            watch.fail(error)
        if watch.ended is not None:
            return watch.ended
        time.sleep(watch.pause())


async def asyncio(
    task_id: str, *, client: AuthenticatedClient, timeout: float | None = TIMEOUT_S
) -> Task:
    """The task once it has ended, as `sync` does."""
    watch = Watch(task_id, timeout, client.get_async_httpx_client().timeout)
    while True:
        try:
            asked = watch.question()
            watch.read(await fetch_task.asyncio_detailed(task_id, client=client, **asked))
        except (httpx.RequestError, errors.UnexpectedStatus) as error:
            watch.fail(error)
        if watch.ended is not None:
            return watch.ended
        await aio.sleep(watch.pause())
