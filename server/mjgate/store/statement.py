"""One prepared statement on a connection of its own, for what runs thousands of times a second.

psycopg's cursors register and forget the socket at every wait, and build what a general query
needs; for a batch of three rows that is most of its cost. Here the socket stays registered.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection, OperationalError, errors, pq
from psycopg.adapt import Transformer

from mjgate.store.connect import prepared

_NAME = b"mjgate"
_ANSWERED = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


class Statement:
    """Runs one statement, one run at a time; errors are psycopg's.

    The connection belongs to it: nothing else may wait on it any more. Of one whose run was
    cancelled only `close` is left.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._libpq = connection.pgconn
        self._socket = connection.pgconn.socket
        self._types = Transformer(connection)
        self._loop = asyncio.get_running_loop()
        self._results: list[Any] = []
        self._answer: asyncio.Future[list[tuple[Any, ...]]] | None = None
        self._fault: Exception | None = None
        self._loop.add_reader(self._socket, self._read)

    @classmethod
    async def prepare(cls, connection: AsyncConnection, query: str) -> "Statement":
        """`query` as PREPARE takes it, its parameters being `$1`, `$2` and so on."""
        async with prepared(connection):
            await connection.execute(f"prepare {_NAME.decode()} as {query}".encode())
        return cls(connection)

    async def run(self, parameters: Sequence[bytes | None]) -> list[tuple[Any, ...]]:
        """The rows of one run; parameters are PostgreSQL's text forms."""
        if self._fault is not None:
            raise self._fault
        self._answer = self._loop.create_future()
        self._libpq.send_query_prepared(_NAME, parameters, result_format=pq.Format.BINARY)
        self._flush()
        return await self._answer

    async def close(self) -> None:
        """Ends the connection, and with it a run that waits."""
        self._break(OperationalError("the connection was closed"))
        await self._connection.close()

    def _flush(self) -> None:
        """What the socket does not take now goes out when it can."""
        try:
            rest = self._libpq.flush()
        except OperationalError as error:
            self._break(error)
            return
        if rest:
            self._loop.add_writer(self._socket, self._flush)
        else:
            self._loop.remove_writer(self._socket)

    def _read(self) -> None:
        try:
            self._libpq.consume_input()
            while self._answer is not None and not self._libpq.is_busy():
                result = self._libpq.get_result()
                if result is None:
                    self._finish()
                else:
                    self._results.append(result)
        except OperationalError as error:
            self._break(error)

    def _finish(self) -> None:
        answer, results = self._answer, self._results
        self._answer, self._results = None, []
        if answer is None or answer.done():
            return
        refused = next((each for each in results if each.status not in _ANSWERED), None)
        if refused is not None:
            answer.set_exception(errors.error_from_result(refused))
            return
        self._types.set_pgresult(results[-1])
        answer.set_result(self._types.load_rows(0, results[-1].ntuples, tuple))

    def _break(self, error: Exception) -> None:
        """No byte will come any more: who waits is told, and so is who comes."""
        if self._fault is None:
            self._fault = error
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self._answer = None
