"""Submits sent together: each gets its own answer, and no budget is exceeded."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from mjgate.sandbox import Settings, running_sandbox
from tests.harness import Gateway, until

PRICE = 100_000
TOGETHER = 64
LATE = "sandbox:late=300"


@pytest.fixture(scope="module")
def wide() -> Iterator[str]:
    """A sandbox that runs all of them at once."""
    with running_sandbox(Settings(speed=40, core_size=1000)) as address:
        yield address


async def submit_all(gateway: Gateway, prompts: list[str]) -> list[tuple[int, Any]]:
    return await asyncio.gather(*(gateway.imagine(prompt) for prompt in prompts))


def phases(gateway: Gateway) -> dict[str, int]:
    return dict(gateway.rows("select phase, count(*) from tasks group by phase"))


def money(gateway: Gateway) -> tuple[int, int]:
    """Held and spent of all tokens; the ledger must say the same."""
    [counted] = gateway.rows("select sum(held)::bigint, sum(spent)::bigint from tokens")
    [summed] = gateway.rows("select sum(held_delta)::bigint, sum(spent_delta)::bigint from ledger")
    assert counted == summed
    return counted  # type: ignore[no-any-return]


async def test_a_submit_that_the_database_refuses_fails_alone(gateway: Gateway, wide: str) -> None:
    await gateway.channel("sandbox", wide)
    _alter(gateway, "alter table tasks add constraint poison check (prompt <> 'poison')")
    prompts = [f"{number} {LATE}" for number in range(TOGETHER)]
    prompts[17] = "poison"

    answers = await submit_all(gateway, prompts)

    assert [17] == [n for n, (status, _) in enumerate(answers) if status != 200]
    status, refused = answers[17]
    assert (400, 4, "invalid_request") == (status, refused["code"], refused["properties"]["error"])
    assert TOGETHER - 1 == len({answer["result"] for _, answer in answers} - {None})
    assert {"running": TOGETHER - 1} == phases(gateway)
    assert ((TOGETHER - 1) * PRICE, 0) == money(gateway)


@pytest.mark.parametrize(
    ("fault", "status", "phase"),
    [
        ("nul", 200, "running"),
        ("surrogate", 200, "running"),
        ("nul-id", 502, "unknown"),
        ("surrogate-id", 502, "unknown"),
        ("long-id", 502, "unknown"),
    ],
)
async def test_an_answer_that_cannot_be_kept_harms_no_other(
    gateway: Gateway, wide: str, fault: str, status: int, phase: str
) -> None:
    await gateway.channel("sandbox", wide)
    prompts = [f"{number} {LATE}" for number in range(TOGETHER)]
    prompts[40] += f" sandbox:{fault}"

    answers = await submit_all(gateway, prompts)

    assert [status] == [each for n, (each, _) in enumerate(answers) if n == 40]
    assert TOGETHER - 1 == sum(each == 200 for n, (each, _) in enumerate(answers) if n != 40)
    [(found,)] = gateway.rows("select phase from tasks where prompt = %s", prompts[40])
    assert found in (phase, "running"), "a send without an outcome may be found again by now"
    assert (TOGETHER * PRICE, 0) == money(gateway)


async def test_a_list_with_what_cannot_be_kept_harms_no_other(gateway: Gateway, wide: str) -> None:
    await gateway.channel("sandbox", wide)
    prompts = ["a fox"] * 20
    prompts[7] += " sandbox:nul-progress"

    answers = await submit_all(gateway, prompts)

    for _, answer in answers:
        assert "SUCCESS" == (await gateway.ended(answer["result"]))["status"]
    assert (0, len(prompts) * PRICE) == money(gateway)


async def test_a_budget_is_exact_under_concurrency(gateway: Gateway, wide: str) -> None:
    await gateway.channel("sandbox", wide)
    room = 16
    gateway.key = await gateway.token("poor", budget=room * PRICE + PRICE - 1)

    answers = await submit_all(gateway, [f"{number} {LATE}" for number in range(4 * room)])

    assert {200: room, 402: 3 * room} == Counter(status for status, _ in answers)
    assert {"budget_spent"} == {
        answer["properties"]["error"] for status, answer in answers if status == 402
    }
    assert (room * PRICE, 0) == money(gateway)


async def test_what_was_released_may_be_spent_again(gateway: Gateway, wide: str) -> None:
    await gateway.channel("sandbox", wide)
    room = 8
    gateway.key = await gateway.token("poor", budget=room * PRICE)
    refused = [f"{number} sandbox:code24" for number in range(room)]
    assert {24} == {answer["code"] for _, answer in await submit_all(gateway, refused)}

    answers = await submit_all(gateway, ["a fox"] * 3 * room)

    assert {200: room, 402: 2 * room} == Counter(status for status, _ in answers)
    await until(lambda: {"ended": room, "rejected": room} == phases(gateway))
    assert (0, room * PRICE) == money(gateway)


async def test_mixed_ends_are_paid_exactly(gateway: Gateway, wide: str) -> None:
    """As many of each as there are ways to end; held and spent agree with the ledger."""
    await gateway.channel("sandbox", wide)
    words = ["", "sandbox:fail", "sandbox:code24", "sandbox:http400", "sandbox:queued"]
    each = 12

    await submit_all(gateway, [f"a fox {word}" for word in words * each])

    await until(lambda: {"ended": 3 * each, "rejected": 2 * each} == phases(gateway))
    assert (0, 2 * each * PRICE) == money(gateway)
    assert [] == gateway.rows(
        "select task_id from ledger group by task_id having sum(held_delta) <> 0"
    )


def _alter(gateway: Gateway, statement: str) -> None:
    with psycopg.connect(gateway.uri, autocommit=True) as connection:
        connection.execute(statement.encode())
