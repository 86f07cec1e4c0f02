"""What a token may do, over real sockets."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from mjgate.sandbox import Settings, running_sandbox
from mjgate.store.database import open_pool
from mjgate.store.tokens import set_token
from tests.harness import Gateway, running_gateway, until

LATE = "sandbox:late=300"
ASKED: list[tuple[str, str, Any]] = [
    ("POST", "/mj/submit/imagine", {"prompt": LATE}),
    ("POST", "/mj/submit/change", {"taskId": "1", "action": "REROLL"}),
    ("GET", "/mj/task/1/fetch", None),
    ("POST", "/mj/task/list-by-condition", {"ids": ["1"]}),
]


@pytest.fixture(scope="module")
def wide() -> Iterator[str]:
    """A sandbox that runs all of them at once."""
    with running_sandbox(Settings(speed=40, core_size=1000)) as address:
        yield address


@pytest.fixture
async def limited(database: str, wide: str) -> AsyncIterator[Gateway]:
    """A gateway behind a proxy on this machine."""
    proxies = (ip_network("127.0.0.0/8"),)
    async with running_gateway(database, trusted_proxies=proxies) as running:
        await running.channel("sandbox", wide)
        yield running


async def answers(gateway: Gateway, **headers: str) -> list[tuple[int, str | None]]:
    """Status and error of each operation."""
    told = [await gateway.ask(*asked, headers=headers) for asked in ASKED]
    return [
        (status, body["properties"].get("error") if isinstance(body, dict) else None)
        for status, body in told
    ]


async def refused(gateway: Gateway, prompt: str = LATE) -> tuple[int, str, str | None]:
    """Status, error and Retry-After of a submit."""
    async with gateway.session.post(
        f"{gateway.address}/mj/submit/imagine",
        json={"prompt": prompt},
        headers={"mj-api-secret": gateway.key},
    ) as response:
        body = await response.json()
        return response.status, body["properties"]["error"], response.headers.get("Retry-After")


async def test_an_expired_token_opens_nothing(limited: Gateway) -> None:
    limited.key = await limited.token("past", expires_at=datetime(2020, 1, 1, tzinfo=UTC))

    assert [(401, "unauthorized")] * 4 == await answers(limited)
    _, body = await limited.imagine()
    assert "The token has expired." == body["description"]


async def test_an_end_that_is_set_holds_at_once(limited: Gateway) -> None:
    async def fetched() -> int:
        status, _ = await limited.ask("GET", "/mj/task/1/fetch")
        return status

    soon = datetime.now(UTC) + timedelta(days=1)
    limited.key = await limited.token("soon", expires_at=soon)
    assert 404 == await fetched()

    async with open_pool(limited.uri, size=1) as pool:
        await set_token(pool, "soon", {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)})

    await until(lambda: not limited.gate.store._tokens)
    assert 401 == await fetched()


async def test_a_token_is_used_from_its_addresses_alone(limited: Gateway) -> None:
    limited.key = await limited.token("near", addresses=[ip_network("198.51.100.0/24")])

    good = [(200, None), (404, "not_found"), (404, "not_found"), (200, None)]
    for forwarded in ("198.51.100.7", "203.0.113.9, ::ffff:198.51.100.7, 127.0.0.9"):
        assert good == await answers(limited, **{"X-Forwarded-For": forwarded})
    for forwarded in ("203.0.113.9", "198.51.100.7, 203.0.113.9", "198.51.100.7, garbage"):
        assert [(403, "forbidden")] * 4 == await answers(limited, **{"X-Forwarded-For": forwarded})
    assert [(403, "forbidden")] * 4 == await answers(limited)


async def test_what_a_peer_says_that_is_no_proxy_counts_for_nothing(gateway: Gateway) -> None:
    gateway.key = await gateway.token("near", addresses=[ip_network("198.51.100.0/24")])
    assert [(403, "forbidden")] * 4 == await answers(gateway, **{"X-Forwarded-For": "198.51.100.7"})

    gateway.key = await gateway.token("here", addresses=[ip_network("127.0.0.0/8")])
    status, _ = await gateway.ask("GET", "/mj/task/1/fetch", headers={"X-Forwarded-For": "x"})
    assert 404 == status


async def test_a_model_that_a_token_may_not_use_is_named(limited: Gateway) -> None:
    limited.key = await limited.token("up", models=["mj_up*"])

    status, body = await limited.imagine()

    assert (403, "forbidden") == (status, body["properties"]["error"])
    assert "This token may not use mj_imagine." == body["description"]


async def test_beyond_its_rate_a_token_is_told_when_to_come_back(limited: Gateway) -> None:
    limited.key = await limited.token("slow", rate_per_minute=2)
    for _ in range(2):
        assert 200 == (await limited.imagine(LATE))[0]

    status, error, wait = await refused(limited)

    assert (429, "rate_limited") == (status, error)
    assert wait is not None
    assert 0 < int(wait) <= 30


async def test_beyond_its_places_a_token_waits_for_a_picture(limited: Gateway) -> None:
    limited.key = await limited.token("one", most_in_flight=1)
    _, first = await limited.imagine("a fox sandbox:late=5")

    assert (429, "too_many_in_flight", "5") == await refused(limited)

    await limited.ended(first["result"])
    assert 200 == (await limited.imagine(LATE))[0]
