"""A gateway that many requests try to break, and what they left behind."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from mjgate.sandbox import Settings, running_sandbox
from tests.contract.document import faults
from tests.harness import Gateway, new_database, running_gateway

CHANNEL_KEY = "upstream-key"


@dataclass(frozen=True)
class Reply:
    """An answer as it came."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Enforced:
    """A gateway with a sandbox of its own, a foreign task and a revoked token."""

    gateway: Gateway
    upstream: str
    other: str
    revoked: str
    rows: psycopg.Connection[tuple[int, int]]
    foreign: str = ""
    mine: str = ""

    async def send(
        self,
        method: str,
        path: str,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Sends what is given and nothing more; the good token unless headers name one."""
        sent = CIMultiDict(headers or {})
        if "mj-api-secret" not in sent and "Authorization" not in sent:
            sent["mj-api-secret"] = self.gateway.key
        async with self.gateway.session.request(
            method,
            self.gateway.address + path,
            data=data,
            headers=sent,
            skip_auto_headers=["Content-Type"],
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def post(self, path: str, value: Any, **headers: str) -> Reply:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return await self.send("POST", path, body, {"Content-Type": "application/json", **named})

    async def submits(self) -> list[dict[str, Any]]:
        """The submits that reached the upstream since it was told to forget."""
        heard = await self._control("GET", "/sandbox/requests?path=/mj/submit")
        return heard["requests"]  # type: ignore[no-any-return]

    async def forget(self) -> None:
        await self._control("DELETE", "/sandbox/requests")

    async def _control(self, method: str, path: str) -> Any:
        async with self.gateway.session.request(method, self.upstream + path) as response:
            return json.loads(await response.read() or b"null")

    def kept(self) -> tuple[int, int] | None:
        """How many tasks and holds the store has."""
        return self.rows.execute(
            "select (select count(*) from tasks), (select count(*) from ledger where kind='hold')"
        ).fetchone()

    async def refuses(
        self, reply: Reply, status: int, slug: str, submits: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """The properties of a refusal that has the one shape and reached no upstream."""
        assert (status, "application/json") == (reply.status, reply.headers["Content-Type"])
        assert [] == faults("Error", reply.json)
        assert reply.headers["X-Request-Id"]
        assert slug == reply.json["properties"]["error"]
        assert submits == await self.submits()
        return reply.json["properties"]  # type: ignore[no-any-return]

    async def works(self) -> None:
        """A good submit is accepted."""
        status, answer = await self.gateway.imagine()
        assert (200, 1) == (status, answer["code"])


@pytest.fixture(scope="module")
async def enforced(postgres: str) -> AsyncIterator[Enforced]:
    settings = Settings(speed=40, core_size=64, queue_size=1000, secret=CHANNEL_KEY)
    with running_sandbox(settings) as upstream:
        async with running_gateway(new_database(postgres)) as gateway:
            await gateway.channel("sandbox", upstream, key=CHANNEL_KEY)
            with psycopg.connect(gateway.uri, autocommit=True) as connection:
                yield await _peopled(gateway, upstream, connection)


async def _peopled(
    gateway: Gateway, upstream: str, rows: psycopg.Connection[tuple[int, int]]
) -> Enforced:
    mine, other = gateway.key, await gateway.token("other")
    revoked = await gateway.token("revoked")
    gateway.rows("update tokens set revoked_at = now() where label = 'revoked' returning id")
    enforced = Enforced(gateway, upstream, other, revoked, rows)
    gateway.key = other
    enforced.foreign = (await gateway.imagine())[1]["result"]
    gateway.key = mine
    enforced.mine = (await gateway.imagine())[1]["result"]
    await gateway.ended(enforced.mine)
    return enforced
