"""How this program connects to PostgreSQL."""

import select
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool

_TIMEOUT_S = 5
_END_MS = 5_000
KEEPALIVE: Mapping[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""libpq's settings by which a host that has vanished is noticed within twenty seconds."""


async def connect(uri: str, name: str, **more: Any) -> AsyncConnection:
    """A connection of its own, in autocommit; `name` is what operators see it as.

    `more` are settings of libpq.
    """
    connection = await AsyncConnection.connect(
        uri,
        autocommit=True,
        connect_timeout=_TIMEOUT_S,
        application_name=f"mjgate {name}",
        **KEEPALIVE,
        **more,
    )
    async with prepared(connection):
        await tune(connection)
    return connection


async def check(connection: AsyncConnection) -> None:
    """Raises OperationalError for an idle connection that has ended.

    The server is asked only where something waits to be read, which is the end or a notification:
    else the connection lives, as far as this machine knows. `KEEPALIVE` is for hosts that vanish.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)


@asynccontextmanager
async def prepared(connection: AsyncConnection) -> AsyncIterator[None]:
    """Closes a new connection that the block could not make ready."""
    try:
        yield
    except BaseException:
        await connection.close()
        raise


@dataclass(frozen=True, slots=True)
class Backend:
    """The process of PostgreSQL behind a connection; ids of processes are used again."""

    pid: int
    started: datetime


async def backend_of(connection: AsyncConnection) -> Backend:
    cursor = await connection.execute(
        "select pid, backend_start from pg_stat_activity where pid = pg_backend_pid()"
    )
    row = await cursor.fetchone()
    assert row is not None
    return Backend(*row)


async def end_backend(connection: AsyncConnection, backend: Backend) -> None:
    """Ends the process of another connection, and waits for its end.

    A connection that is cut does not end what runs on it: what waits for a lock there may be
    committed long after. One that a pooler has given to somebody else has another name, and stays.

    Raises:
        OperationalError: it has not ended in time.
    """
    cursor = await connection.execute(
        "select pg_terminate_backend(pid, %s) from pg_stat_activity "
        "where pid = %s and backend_start = %s and pid <> pg_backend_pid() "
        "and application_name = current_setting('application_name')",
        [_END_MS, backend.pid, backend.started],
    )
    if await cursor.fetchone() == (False,):
        raise OperationalError(f"process {backend.pid} of PostgreSQL does not end")


async def tune(connection: AsyncConnection) -> None:
    """Plans are kept for the life of a connection: one made while a table was small would
    read all of it for ever after."""
    await connection.execute("set enable_seqscan = off")
