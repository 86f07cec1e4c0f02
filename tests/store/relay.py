"""A connection to PostgreSQL that is cut while both of its ends live."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory

from psycopg.conninfo import conninfo_to_dict, make_conninfo


@dataclass
class Relay:
    """Stands between a writer and PostgreSQL; of what it cuts PostgreSQL hears nothing."""

    uri: str
    clients: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        while self.clients:
            self.clients.pop().transport.abort()


@asynccontextmanager
async def relayed(uri: str) -> AsyncIterator[Relay]:
    """A relay to the PostgreSQL at an address, which is a socket's."""
    told = conninfo_to_dict(uri)
    name = f".s.PGSQL.{told.get('port', 5432)}"
    servers: list[asyncio.StreamWriter] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(f"{told['host']}/{name}")
        found.clients.append(writer)
        servers.append(back)
        await asyncio.gather(_pass(reader, back), _pass(there, writer))

    with TemporaryDirectory() as folder:  # pytest's own are too deep for a socket's name
        found = Relay(make_conninfo(uri, host=folder))
        async with await asyncio.start_unix_server(carry, f"{folder}/{name}"):
            try:
                yield found
            finally:
                for each in (*found.clients, *servers):
                    each.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while some := await reader.read(65536):
            writer.write(some)
