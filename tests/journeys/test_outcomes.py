"""Every row of the outcome table (design, section 5), over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from mjgate.domain.channel import ChannelState
from mjgate.sandbox import Settings, running_sandbox
from tests.harness import Gateway, free_port, new_database, running_gateway, until
from tests.upstream.raw import Speak, raw_upstream, resets, says

PRICE = 100_000
LATE = "sandbox:late=300"
HELD = [("hold", PRICE, 0)]
RELEASED = [*HELD, ("release", -PRICE, 0)]
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Money:
    """What is held of a token now, and was charged and released of it, in micro-dollars."""

    held: int = 0
    charged: int = 0
    released: int = 0


@dataclass(frozen=True)
class Row:
    """What an upstream does, and what comes of it: answered, held, charged, released.

    `end` is what is paid once its picture is there; None where there will be none.
    """

    fault: str
    status: int
    code: int
    error: str | None
    phase: str
    money: Money
    end: Money | None = None

    def __str__(self) -> str:
        return self.fault.replace("sandbox:", "") or "good"


def kept(fault: str, code: int = 1) -> Row:
    end = None if "code21" in fault else Money(charged=PRICE)
    return Row(fault, 200, code, None, "running", Money(held=PRICE), end)


def told(fault: str, code: int) -> Row:
    """The upstream's own no, passed on."""
    return Row(fault, 200, code, None, "rejected", Money(released=PRICE))


def refused(fault: str) -> Row:
    return Row(fault, 502, 9, "upstream_refused", "rejected", Money(released=PRICE))


def unclear(fault: str) -> Row:
    return Row(fault, 502, 9, "outcome_unknown", "unknown", Money(held=PRICE))


def broken(fault: str) -> Row:
    return Row(fault, 504, 9, "outcome_unknown", "unknown", Money(held=PRICE))


ROWS = [
    kept(""),
    kept("sandbox:queued", 22),
    kept("sandbox:numeric"),
    kept("sandbox:noproperties"),
    kept("sandbox:nul"),
    kept("sandbox:surrogate"),
    kept("sandbox:code21-unknown", 21),
    kept("sandbox:code21-modal", 21),
    *(told(f"sandbox:code{code}", code) for code in (3, 4, 9, 23, 24, 30, 99)),
    told("sandbox:code21-noid", 21),
    *(refused(f"sandbox:http{status}") for status in (400, 404, 405, 413, 415, 422)),
    *(refused(f"sandbox:http{status}") for status in (401, 403)),
    *(refused(f"sandbox:http{status}") for status in (301, 418)),
    Row("sandbox:http429", 503, 9, "unavailable", "rejected", Money(released=PRICE)),
    broken("sandbox:reset"),
    broken("sandbox:cut"),
    broken("sandbox:hang"),
    *(unclear(f"sandbox:http{status}") for status in (500, 502, 503)),
    unclear("sandbox:empty"),
    unclear("sandbox:garbage"),
    unclear("sandbox:html"),
    unclear("sandbox:array"),
    unclear("sandbox:null"),
    unclear("sandbox:nocode"),
    unclear("sandbox:textcode"),
    unclear("sandbox:noid"),
    unclear("sandbox:blankid"),
    unclear("sandbox:queued-noid"),
    unclear("sandbox:nul-id"),
    unclear("sandbox:surrogate-id"),
    unclear("sandbox:long-id"),
]


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    """A sandbox of its own: these tests ask for the newest of its tasks."""
    settings = Settings(dialect="novicezk", speed=40, core_size=500)
    with running_sandbox(settings) as address:
        yield address


@pytest.fixture(scope="module")
async def table(postgres: str, upstream: str) -> AsyncIterator[Gateway]:
    async with running_gateway(new_database(postgres), upstream_timeout=TIMEOUT_S) as running:
        await running.channel("sandbox", upstream)
        yield running


@pytest.fixture
async def client(table: Gateway, request: pytest.FixtureRequest) -> str:
    """The label of a new token, which the gateway now uses."""
    table.key = await table.token(request.node.name)
    return str(request.node.name)


@asynccontextmanager
async def raw_gateway(postgres: str, speak: Speak) -> AsyncIterator[Gateway]:
    """A gateway before one raw upstream, then the sandbox's like."""
    async with (
        raw_upstream(speak) as raw,
        running_gateway(new_database(postgres), upstream_timeout=TIMEOUT_S) as running,
    ):
        await running.channel("raw", raw.address)
        yield running


async def heard(address: str, prompt: str) -> list[dict[str, Any]]:
    """The submits with a prompt that reached the upstream."""
    asked = {"path": "/mj/submit", "text": prompt}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{address}/sandbox/requests", params=asked) as response,
    ):
        requests = (await response.json())["requests"]
    return [each for each in requests if json.loads(each["body"]).get("prompt") == prompt]


def paid(gateway: Gateway, label: str) -> Money:
    """What the ledger says of a token; its counters and its tasks must say the same."""
    [(held, charged, released, running)] = gateway.rows(
        "select sum(held_delta)::bigint, sum(spent_delta)::bigint, "
        "coalesce(-sum(held_delta) filter (where kind = 'release'), 0)::bigint, "
        "(select count(*) from tasks where token_id = t.id and phase in ('unknown', 'running')) "
        "from ledger join tokens t on t.id = token_id where label = %s group by t.id",
        label,
    )
    assert [(held, charged, running)] == gateway.rows(
        "select held, spent, in_flight from tokens where label = %s", label
    )
    return Money(held, charged, released)


def money(gateway: Gateway, label: str) -> tuple[int, int]:
    """Held and spent of a token."""
    found = gateway.rows("select held, spent from tokens where label = %s", label)
    return found[0]  # type: ignore[no-any-return]


def ledger(gateway: Gateway, label: str) -> list[Any]:
    return gateway.rows(
        "select kind, held_delta, spent_delta from ledger join tokens on tokens.id = token_id "
        "where label = %s order by ledger.id",
        label,
    )


def tasks(gateway: Gateway, label: str) -> list[Any]:
    return gateway.rows(
        "select tasks.id, phase, status, upstream_id from tasks join tokens on tokens.id = token_id"
        " where label = %s order by tasks.id",
        label,
    )


async def serves(gateway: Gateway) -> None:
    """The next submit works."""
    status, answer = await gateway.imagine(f"the next {LATE}", state="next")
    assert (200, 1) == (status, answer["code"])


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_each_row_is_answered_and_paid_as_the_table_says(
    table: Gateway, upstream: str, client: str, row: Row
) -> None:
    prompt = f"{client} {LATE} {row.fault}"

    status, answer = await table.imagine(prompt)

    [(task, phase, shown, bound)] = tasks(table, client)
    released = phase == "rejected"
    assert (row.status, row.code) == (status, answer["code"])
    assert row.phase == phase
    assert row.money == paid(table, client)
    assert (RELEASED if released else HELD) == ledger(table, client)
    assert row.error == answer["properties"].get("error")
    assert (str(task) if phase == "running" else None) == answer["result"]
    assert (str(task) if phase == "unknown" else None) == answer["properties"].get("taskId")
    assert ("MODAL" if "modal" in row.fault else "NOT_START") == shown
    assert (phase == "running") == (bound is not None)
    assert 1 == len(await heard(upstream, prompt))
    fetched, _ = await table.ask("GET", f"/mj/task/{task}/fetch")
    assert (404 if released else 200) == fetched
    await serves(table)


@pytest.mark.parametrize("row", [row for row in ROWS if row.end], ids=str)
async def test_what_was_kept_is_charged_once_for_its_picture(
    table: Gateway, client: str, row: Row
) -> None:
    _, answer = await table.imagine(f"{client} {row.fault}")

    assert "SUCCESS" == (await table.ended(answer["result"]))["status"]

    assert row.end == paid(table, client)


@pytest.mark.parametrize("fault", ["sandbox:fail", "sandbox:queued sandbox:fail"])
async def test_what_was_kept_is_released_without_a_picture(
    table: Gateway, client: str, fault: str
) -> None:
    _, answer = await table.imagine(f"{client} {fault}")

    assert "FAILURE" == (await table.ended(answer["result"]))["status"]

    assert Money(released=PRICE) == paid(table, client)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_marks_the_channel(table: Gateway, client: str, status: int) -> None:
    table.rows("update channels set fault = null returning id")

    await table.imagine(f"{client} sandbox:http{status}")

    assert [("the upstream refuses the key",)] == table.rows("select fault from channels")


async def test_other_refusals_do_not_mark_the_channel(table: Gateway, client: str) -> None:
    table.rows("update channels set fault = null returning id")

    await table.imagine(f"{client} sandbox:http400")

    assert [(None,)] == table.rows("select fault from channels")


async def test_codes_and_texts_of_the_upstream_are_passed_on(table: Gateway, client: str) -> None:
    _, answer = await table.imagine(f"{client} sandbox:code24")

    assert {
        "code": 24,
        "description": "可能包含敏感词",
        "properties": {"promptEn": "nude body", "bannedWord": "nude"},
        "result": None,
    } == answer


async def test_an_id_that_is_bound_already_is_unknown_and_reported(
    table: Gateway, client: str
) -> None:
    await table.imagine(f"the first {LATE}")

    with capture_logs() as logs:
        status, answer = await table.imagine(f"{client} sandbox:collide")

    (_, first, _, theirs), (task, second, _, bound) = tasks(table, client)
    assert (502, "outcome_unknown") == (status, answer["properties"]["error"])
    assert (str(task), "running", "unknown") == (answer["properties"]["taskId"], first, second)
    assert theirs is not None
    assert bound is None
    assert Money(held=2 * PRICE) == paid(table, client)
    [line] = [line for line in logs if line["event"] == "upstream id refused"]
    assert ("error", task, "sandbox") == (line["log_level"], line["task"], line["channel"])
    await serves(table)


async def test_code_21_with_an_id_of_this_token_answers_with_that_task(
    table: Gateway, client: str
) -> None:
    _, first = await table.imagine(f"the first {LATE}")

    status, answer = await table.imagine(f"{client} sandbox:code21")

    assert (200, 21, first["result"]) == (status, answer["code"], answer["result"])
    assert ["running", "rejected"] == [phase for _, phase, _, _ in tasks(table, client)]
    assert Money(held=PRICE, released=PRICE) == paid(table, client)
    await serves(table)


async def test_code_21_with_an_id_of_another_token_never_names_that_task(
    table: Gateway, client: str
) -> None:
    own = table.key
    table.key = await table.token(f"another {client}")
    _, other = await table.imagine(f"the first {LATE}")
    table.key = own

    status, answer = await table.imagine(f"{client} sandbox:code21")

    [(task, phase, _, _)] = tasks(table, client)
    assert (200, 21, str(task)) == (status, answer["code"], answer["result"])
    assert other["result"] not in json.dumps(answer)
    assert ("running", Money(held=PRICE)) == (phase, paid(table, client))
    await serves(table)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ((), "5"),
        (("Retry-After: 17",), "17"),
        (("Retry-After: 999999",), "3600"),
        ((f"Retry-After: {'9' * 5000}",), "3600"),
        (("Retry-After: Fri, 31 Dec 1999 23:59:59 GMT",), "5"),
    ],
)
async def test_429_says_when_to_come_back(
    postgres: str, headers: tuple[str, ...], wait: str
) -> None:
    async with raw_gateway(postgres, says("", "429 Too Many", *headers)) as gateway:
        async with gateway.session.post(
            f"{gateway.address}/mj/submit/imagine",
            json={"prompt": "a"},
            headers={"mj-api-secret": gateway.key},
        ) as response:
            assert (503, wait) == (response.status, response.headers["Retry-After"])
        assert RELEASED == ledger(gateway, "client")


@pytest.mark.parametrize(
    ("status", "body", "answered", "phase"),
    [
        ("302 Found", "", 502, "rejected"),
        ("307 Temporary Redirect", "", 502, "rejected"),
        ("504 Gateway Timeout", "", 502, "unknown"),
        ("599 Whatever", "", 502, "unknown"),
        ("201 Created", '{"code":1,"description":"ok","result":"17"}', 200, "running"),
        ("204 No Content", "", 502, "unknown"),
    ],
)
async def test_statuses_that_the_sandbox_does_not_know(
    postgres: str, status: str, body: str, answered: int, phase: str
) -> None:
    speak = says(body, status, "Location: /elsewhere")
    async with raw_gateway(postgres, speak) as gateway:
        got, _ = await gateway.imagine()

        assert (answered, phase) == (got, tasks(gateway, "client")[0][1])


async def unreachable(gateway: Gateway, *urls: str) -> None:
    """Nothing was sent: 503, the hold released, and the next channel serves."""
    for number, url in enumerate(urls):
        await gateway.channel(f"dead {number}", url, priority=9)

    async with gateway.session.post(
        f"{gateway.address}/mj/submit/imagine",
        json={"prompt": "a"},
        headers={"mj-api-secret": gateway.key},
    ) as response:
        answer = await response.json()

    assert (503, 9) == (response.status, answer["code"])
    assert ("unavailable", None) == (answer["properties"]["error"], answer["result"])
    assert "5" == response.headers["Retry-After"]
    assert ["rejected"] == [phase for _, phase, _, _ in tasks(gateway, "client")]
    assert (RELEASED, (0, 0)) == (ledger(gateway, "client"), money(gateway, "client"))


async def takes_over(gateway: Gateway, sandbox: str) -> None:
    """Once there is a channel that can be reached, submits work."""
    await gateway.channel("last", sandbox)
    async with asyncio.timeout(60):
        while (await gateway.imagine(LATE))[0] != 200:
            await asyncio.sleep(0.05)


async def test_no_channel_that_can_be_reached(gateway: Gateway, sandbox: str) -> None:
    await unreachable(gateway, *(f"http://127.0.0.1:{free_port()}" for _ in range(2)))
    await takes_over(gateway, sandbox)


async def test_no_tls_where_it_should_be(gateway: Gateway, sandbox: str) -> None:
    await unreachable(gateway, sandbox.replace("http://", "https://"))
    await takes_over(gateway, sandbox)


async def test_no_such_name(gateway: Gateway, sandbox: str) -> None:
    await unreachable(gateway, "http://does-not-exist.invalid")
    await takes_over(gateway, sandbox)


async def test_no_address_at_all(gateway: Gateway, sandbox: str) -> None:
    await unreachable(gateway, "http://[::1", "ftp://127.0.0.1")
    await takes_over(gateway, sandbox)


async def test_an_upstream_of_unknown_dialect_is_not_sent_to(
    gateway: Gateway, sandbox: str
) -> None:
    async with raw_upstream(says("", "418 Teapot")) as raw:
        await gateway.channel("odd", raw.address, dialect="auto", priority=9)
        status, _ = await gateway.imagine()

        assert (503, RELEASED) == (status, ledger(gateway, "client"))
        assert [b"GET"] == [head[:3] for head in raw.heard]
        await takes_over(gateway, sandbox)


async def test_no_channel(gateway: Gateway, sandbox: str) -> None:
    await gateway.channel("off", sandbox, state=ChannelState.DISABLED)
    await gateway.channel("other", sandbox, models=["mj_blend"])

    status, answer = await gateway.imagine()

    assert (503, "unavailable") == (status, answer["properties"]["error"])
    assert ([], []) == (tasks(gateway, "client"), ledger(gateway, "client"))
    await takes_over(gateway, sandbox)


async def test_no_price(gateway: Gateway, sandbox: str) -> None:
    await gateway.channel("sandbox", sandbox)
    gateway.rows("insert into prices (prices) values ('{\"mj_blend\": 1}') returning version")
    async with asyncio.timeout(20):
        while (await gateway.gate.store.catalog()).prices.quote("mj_imagine") is not None:
            await asyncio.sleep(0.02)

    status, answer = await gateway.imagine()

    assert (403, "forbidden") == (status, answer["properties"]["error"])
    assert [] == ledger(gateway, "client")


async def test_a_refused_connection_moves_on_to_the_next_channel(
    gateway: Gateway, sandbox: str
) -> None:
    await gateway.channel("dead", f"http://127.0.0.1:{free_port()}", priority=9)
    await gateway.channel("sandbox", sandbox)

    status, answer = await gateway.imagine(f"moved {LATE}")

    assert (200, 1) == (status, answer["code"])
    assert [("sandbox", "running")] == gateway.rows(
        "select name, phase from tasks join channels on channels.id = channel_id"
    )
    assert HELD == ledger(gateway, "client")
    assert 1 == len(await heard(sandbox, f"moved {LATE}"))


@pytest.mark.parametrize(
    "speak", [resets, says("", "500 No"), says("", "400 No"), says("", "429 No"), says("")]
)
async def test_nothing_later_moves_on(gateway: Gateway, sandbox: str, speak: Speak) -> None:
    async with raw_upstream(speak) as raw:
        await gateway.channel("first", raw.address, priority=9)
        await gateway.channel("sandbox", sandbox)

        status, _ = await gateway.imagine("stays where it is")

        assert (True, 1) == (status >= 500, len(raw.heard))
        assert [("first",)] == gateway.rows(
            "select name from tasks join channels on channels.id = channel_id"
        )
        assert [] == await heard(sandbox, "stays where it is")


async def test_a_client_that_hangs_up_changes_nothing(
    table: Gateway, upstream: str, client: str
) -> None:
    prompt = f"{client} sandbox:slow=0.4 {LATE}"
    request = asyncio.create_task(table.imagine(prompt))
    async with asyncio.timeout(10):
        while not await heard(upstream, prompt):
            await asyncio.sleep(0.02)

    request.cancel()

    [(_, _, _, bound)] = await until(
        lambda: [row for row in tasks(table, client) if row[1] == "running"]
    )
    assert bound is not None
    assert (PRICE, 0) == money(table, client)
    await serves(table)


async def test_the_upstream_gets_a_marker_and_never_the_address_of_the_client(
    table: Gateway, upstream: str, client: str
) -> None:
    prompt = f"{client} {LATE}"
    await table.imagine(prompt, state="mine", notifyHook="http://198.51.100.7/hook", extra=[1])

    [request] = await heard(upstream, prompt)

    sent = json.loads(request["body"])
    assert {"prompt": prompt, "extra": [1]} == {k: v for k, v in sent.items() if k != "state"}
    assert [(sent["state"], "mine")] == table.rows(
        "select marker, state from tasks where prompt = %s", prompt
    )
    assert sent["state"].startswith("mjgate:")
    assert len("mjgate:") + 32 == len(sent["state"])
