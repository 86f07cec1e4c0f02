"""Budgets, keys and clients that hang up, over real sockets and in several processes."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from mjgate.sandbox import Settings, running_sandbox
from tests.harness import SECRET_KEY, Gateway, until
from tests.process import Client, serving

PRICE = 100_000
PICTURES = 20
CONNECTIONS = 64
SLOW = "sandbox:slow=0.2"
LATE = "sandbox:late=300"


@pytest.fixture(scope="module")
def wide() -> Iterator[str]:
    """A sandbox that runs all of them at once."""
    with running_sandbox(Settings(speed=40, core_size=1000)) as address:
        yield address


@pytest.fixture
async def gated(gateway: Gateway, wide: str) -> Gateway:
    await gateway.channel("sandbox", wide)
    return gateway


async def heard(upstream: str, text: str) -> int:
    """How many submits with a text have reached the upstream."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"{upstream}/sandbox/requests", params={"path": "/mj/submit", "text": text}
        ) as response,
    ):
        return len((await response.json())["requests"])


def balance(gateway: Gateway, label: str) -> Any:
    """Held, spent and in flight of a token; its ledger and its tasks must say the same."""
    [row] = gateway.rows(
        "select held, spent, in_flight, "
        "coalesce(sum(held_delta), 0)::bigint, coalesce(sum(spent_delta), 0)::bigint, "
        "(select count(*) from tasks where token_id = t.id "
        "and phase in ('sending', 'unknown', 'running')) "
        "from tokens t left join ledger l on l.token_id = t.id where t.label = %s group by t.id",
        label,
    )
    assert row[:3] == row[3:]
    return row[:3]


async def test_money_for_twenty_pictures_buys_twenty_whoever_asks_at_once(
    gated: Gateway, wide: str
) -> None:
    gated.key = await gated.token("twenty", PICTURES * PRICE)

    answers = await asyncio.gather(
        *(gated.imagine(f"twenty {SLOW}") for _ in range(2 * CONNECTIONS))
    )

    assert {200: PICTURES, 402: 2 * CONNECTIONS - PICTURES} == Counter(s for s, _ in answers)
    assert PICTURES == await heard(wide, f"twenty {SLOW}")
    await until(lambda: balance(gated, "twenty") == (0, PICTURES * PRICE, 0))
    assert 402 == (await gated.imagine())[0]


async def test_money_for_twenty_pictures_buys_twenty_from_two_processes(
    gated: Gateway, wide: str, tmp_path: Path
) -> None:
    key = await gated.token("twenty", PICTURES * PRICE)
    settings = {"DATABASE_URL": gated.uri, "MJGATE_SECRET_KEY": SECRET_KEY}
    async with (
        serving(tmp_path, **settings) as first,
        serving(tmp_path, **settings) as second,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        clients = [Client(session, server, key) for server in (first, second)]
        answers = await asyncio.gather(
            *(clients[n % 2].imagine(f"both {SLOW}") for n in range(2 * CONNECTIONS))
        )

        assert {200: PICTURES, 402: 2 * CONNECTIONS - PICTURES} == Counter(s for s, _ in answers)
        assert PICTURES == await heard(wide, f"both {SLOW}")
        await until(lambda: balance(gated, "twenty") == (0, PICTURES * PRICE, 0), 120)


async def keyed(gateway: Gateway, key: str, prompt: str) -> tuple[int, Any, str | None]:
    """Status, answer and whether it is an answer given again."""
    async with gateway.session.post(
        f"{gateway.address}/mj/submit/imagine",
        json={"prompt": prompt},
        headers={"mj-api-secret": gateway.key, "Idempotency-Key": key},
    ) as response:
        body = await response.json()
        return response.status, body, response.headers.get("Idempotency-Replayed")


async def test_two_hundred_with_one_key_are_one_picture(gated: Gateway, wide: str) -> None:
    async def insist() -> tuple[Any, str | None]:
        """As a client does: it comes again while the first is in flight."""
        while True:
            status, body, again = await keyed(gated, "one", f"one {SLOW}")
            if status != 409:
                assert 200 == status
                return body, again
            assert "in_flight" == body["properties"]["error"]

    answers = await asyncio.gather(*(insist() for _ in range(200)))

    assert 1 == len({json.dumps(body) for body, _ in answers})
    assert {"true": 199, None: 1} == Counter(again for _, again in answers)
    assert 1 == await heard(wide, f"one {SLOW}")
    await until(lambda: balance(gated, "client") == (0, PRICE, 0))


async def test_another_body_with_a_key_is_refused(gated: Gateway) -> None:
    await keyed(gated, "k", LATE)

    status, body, again = await keyed(gated, "k", f"another {LATE}")

    assert (422, "key_reused", None) == (status, body["properties"]["error"], again)
    assert (PRICE, 0, 1) == balance(gated, "client")

    body = {"action": "REROLL", "taskId": "1111111111111111"}
    headers = {"mj-api-secret": gated.key, "Idempotency-Key": "k"}
    async with gated.session.post(
        f"{gated.address}/mj/submit/change", json=body, headers=headers
    ) as response:
        assert 422 == response.status, "before a task of nobody is looked for"


async def test_a_refusal_at_the_door_leaves_no_key(gated: Gateway) -> None:
    gated.key = await gated.token("poor", 0)

    assert [402, 402] == [(await keyed(gated, "k", LATE))[0] for _ in range(2)]
    assert [] == gated.rows("select key from idempotency")


@pytest.mark.parametrize(
    ("fault", "status", "again"),
    [
        ("code24", 200, True),
        ("code21-noid", 200, True),
        ("http400", 502, True),
        ("http401", 502, True),
        ("http500", 502, True),
        ("noid", 502, True),
        ("reset", 504, True),
        ("http429", 503, False),
    ],
)
async def test_what_reached_the_upstream_is_answered_again_and_not_sent_again(
    gated: Gateway, wide: str, fault: str, status: int, again: bool
) -> None:
    prompt = f"kept {fault} sandbox:{fault}"

    first, second = [await keyed(gated, "k", prompt) for _ in range(2)]

    assert (status, None) == (first[0], first[2])
    assert (status, first[1], "true" if again else None) == second
    assert (1 if again else 2) == await heard(wide, prompt)


async def test_clients_that_hang_up_at_any_stage_lose_no_task(gated: Gateway, wide: str) -> None:
    """Two hundred: within the request, right after it, at its intent, within the answer."""
    rng = random.Random(5)
    prompts = [f"gone {number} sandbox:slow=0.05" for number in range(200)]
    written: set[str] = set()
    watch = asyncio.create_task(_watch(gated, written))

    await asyncio.gather(
        *(_hang_up(gated, prompt, n % 4, rng, written) for n, prompt in enumerate(prompts))
    )
    await until(
        lambda: (
            gated.flight.empty
            and not gated.rows("select 1 from tasks where phase in ('sending', 'running')")
        ),
        60,
    )
    watch.cancel()

    drawn = Counter(prompt for (prompt,) in gated.rows("select prompt from tasks"))
    assert {1} == set(drawn.values())
    assert {p for n, p in enumerate(prompts) if n % 4 > 1} <= drawn.keys()
    assert drawn.keys() <= {p for n, p in enumerate(prompts) if n % 4}
    assert [(len(drawn),)] == gated.rows("select count(*) from tasks where status = 'SUCCESS'")
    assert (0, len(drawn) * PRICE, 0) == balance(gated, "client")
    assert len(drawn) == await heard(wide, "gone")


async def _watch(gateway: Gateway, written: set[str]) -> None:
    """Keeps the prompts of the tasks that are written."""
    while True:
        written.update(prompt for (prompt,) in gateway.rows("select prompt from tasks"))
        await asyncio.sleep(0.02)


async def _hang_up(
    gateway: Gateway, prompt: str, stage: int, rng: random.Random, written: set[str]
) -> None:
    """Goes away within the request (0), after it (1), at its intent (2), within the answer (3)."""
    body = json.dumps({"prompt": prompt}).encode()
    head = (
        f"POST /mj/submit/imagine HTTP/1.1\r\nHost: a\r\nmj-api-secret: {gateway.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body
    where = urlsplit(gateway.address)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(request if stage else request[: rng.randrange(1, len(request))])
    await writer.drain()
    if stage == 2:
        await until(lambda: prompt in written)
    if stage == 3:
        await reader.readexactly(rng.randrange(1, 40))
    writer.transport.abort()
