"""What a token is told of itself, and what it may ask."""

from datetime import date, timedelta
from typing import Any

import pytest

from mjgate.domain.money import dollars
from tests.contract.document import faults
from tests.harness import Gateway

KEY, USAGE = "/v1/key", "/v1/usage"


async def asked(gateway: Gateway, path: str = USAGE, **more: Any) -> dict[str, Any]:
    """A good answer, which holds to its schema."""
    status, answer = await gateway.ask("GET", path, **more)
    assert 200 == status, answer
    assert [] == faults("Key" if path == KEY else "Usage", answer)
    return answer  # type: ignore[no-any-return]


async def refused(gateway: Gateway, query: str) -> tuple[str, str]:
    status, answer = await gateway.ask("GET", f"{USAGE}?{query}")
    assert (400, "invalid_request") == (status, answer["properties"]["error"])
    (error,) = answer["properties"]["errors"]
    return error["pointer"], error["message"]


def moved(gateway: Gateway, kind: str, spent: int, moment: str = "now()") -> None:
    """An entry of the ledger of `client`."""
    gateway.rows(
        "insert into ledger (token_id, kind, held_delta, spent_delta, created_at) "
        f"select id, %s, 0, %s, {moment} from tokens where label = 'client' returning id",
        kind,
        spent,
    )


async def test_a_key_without_limits_says_so_and_is_not_shown(gateway: Gateway) -> None:
    answer = await asked(gateway, KEY)

    limits = ("budget", "remaining", "period", "resetAt", "mostInFlight", "ratePerMinute")
    assert {None} == {answer[name] for name in (*limits, "models", "expiresAt", "addresses")}
    assert ("client", "0", "0", 0) == (
        answer["label"], answer["spent"], answer["held"], answer["inFlight"],
    )  # fmt: skip
    assert gateway.key not in str(answer)


async def test_a_key_says_what_is_left_of_its_budget_to_the_last_micro_dollar(
    ready: Gateway,
) -> None:
    ready.rows(
        "update tokens set budget = 20000001, spent = 3, period = 'monthly', models = '{mj_*}', "
        "period_start = date_trunc('month', now() at time zone 'UTC') returning id"
    )
    _, submitted = await ready.imagine("a fox sandbox:stuck")

    answer = await asked(ready, KEY)

    assert ("20.000001", "0.000003", "0.1", "19.899998") == tuple(
        answer[name] for name in ("budget", "spent", "held", "remaining")
    )
    assert ("monthly", ["mj_*"], 1) == (answer["period"], answer["models"], answer["inFlight"])
    assert answer["resetAt"] > ready.gate.clock()
    assert submitted


async def test_a_usage_of_nothing_is_empty_and_of_thirty_days(gateway: Gateway) -> None:
    answer = await asked(gateway)

    days = date.fromisoformat(answer["to"]) - date.fromisoformat(answer["from"])
    assert timedelta(days=29) == days
    assert ([], [], [], None) == tuple(
        answer[name] for name in ("days", "models", "lines", "cursor")
    )


async def test_a_picture_is_two_lines_and_adds_up(ready: Gateway) -> None:
    _, submitted = await ready.imagine()
    await ready.ended(submitted["result"])

    answer = await asked(ready)

    charge, hold = answer["lines"]
    shared = {"taskId": submitted["result"], "model": "mj_imagine", "period": None}
    assert {**shared, "kind": "charge", "held": "-0.1", "spent": "0.1"} == _timeless(charge)
    assert {**shared, "kind": "hold", "held": "0.1", "spent": "0"} == _timeless(hold)
    assert hold["time"] <= charge["time"]
    counts = {"submitted": 1, "charged": 1, "released": 0, "spent": "0.1"}
    assert [{"model": "mj_imagine", **counts}] == answer["models"]
    assert 1 == sum(day["charged"] for day in answer["days"])


def _timeless(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "time"}


async def test_pages_hold_every_line_once_and_totals_come_with_the_first(gateway: Gateway) -> None:
    for spent in range(5):
        moved(gateway, "adjust", spent)

    first = await asked(gateway, f"{USAGE}?limit=2")
    second = await asked(gateway, f"{USAGE}?limit=2&cursor={first['cursor']}")
    last = await asked(gateway, f"{USAGE}?limit=2&cursor={second['cursor']}")

    told = [line["spent"] for page in (first, second, last) for line in page["lines"]]
    assert [dollars(spent) for spent in (4, 3, 2, 1, 0)] == told
    assert [{"model": None, "submitted": 0, "charged": 0, "released": 0, "spent": "0.00001"}] == (
        first["models"]
    )
    assert (None, None, None, None, None) == (
        second["days"], second["models"], last["days"], last["models"], last["cursor"],
    )  # fmt: skip


async def test_a_page_that_is_just_full_is_the_last_one(gateway: Gateway) -> None:
    for spent in range(2):
        moved(gateway, "adjust", spent)
    answer = await asked(gateway, f"{USAGE}?limit=2")
    assert (2, None) == (len(answer["lines"]), answer["cursor"])


async def test_a_page_has_a_hundred_lines_unless_more_are_asked_for(gateway: Gateway) -> None:
    gateway.rows(
        "insert into ledger (token_id, kind, held_delta, spent_delta) "
        "select 1, 'adjust', 0, n from generate_series(1, 120) n returning id"
    )
    assert [100, 120] == [
        len((await asked(gateway, path))["lines"]) for path in (USAGE, f"{USAGE}?limit=1000")
    ]


async def test_days_that_were_asked_for_are_the_days_that_are_shown(gateway: Gateway) -> None:
    moved(gateway, "adjust", 1, "'2026-03-01 00:00Z'")
    moved(gateway, "adjust", 2, "'2026-02-28 23:59Z'")

    for query, expected in {
        "from=2026-03-01&to=2026-03-01": ("2026-03-01", "2026-03-01", ["0.000001"]),
        "to=2026-02-28": ("2026-01-30", "2026-02-28", ["0.000002"]),
        "from=2025-03-01&to=2026-03-01": ("2025-03-01", "2026-03-01", ["0.000001", "0.000002"]),
        "to=2000-01-02": ("2000-01-01", "2000-01-02", []),
    }.items():
        answer = await asked(gateway, f"{USAGE}?{query}")
        spent = [line["spent"] for line in answer["lines"]]
        assert expected == (answer["from"], answer["to"], spent)


@pytest.mark.parametrize(
    ("query", "pointer", "message"),
    [
        ("from=2026-02-30", "#from", "must be a day of the calendar"),
        ("to=2026-11-31", "#to", "must be a day of the calendar"),
        ("from=2026-03-02&to=2026-03-01", "#from", "must not be after 2026-03-01"),
        ("from=2025-02-28&to=2026-03-01", "#from", "must be within 366 days up to 2026-03-01"),
        ("from=tomorrow12", "#from", "must be a day such as 2026-11-24"),
        ("limit=0", "#limit", "must be at least 1"),
        ("limit=1001", "#limit", "must be at most 1000"),
        ("limit=1.0", "#limit", "must be a whole number of at most 19 digits"),
        ("limit=" + "9" * 5000, "#limit", "must be a whole number of at most 19 digits"),
        ("limit=1&limit=1", "#limit", "must be given once"),
        ("cursor=x", "#cursor", "must be a whole number of at most 19 digits"),
        ("cursor=0", "#cursor", "must be at least 1"),
        ("cursor=4711", "#cursor", "must be the cursor of an answer to this token"),
        ("to=%ff", "#to", "must be UTF-8"),
        ("to=2026-11-2%00", "#to", "must not hold U+0000"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_by_name(
    gateway: Gateway, query: str, pointer: str, message: str
) -> None:
    assert (pointer, message) == await refused(gateway, query)


async def test_nobody_sees_what_another_has_used(gateway: Gateway) -> None:
    moved(gateway, "adjust", 5)
    moved(gateway, "adjust", 6)
    theirs = (await asked(gateway, f"{USAGE}?limit=1"))["cursor"]
    gateway.key = await gateway.token("other")

    assert [] == (await asked(gateway))["lines"] == (await asked(gateway))["models"]
    assert "0" == (await asked(gateway, KEY))["spent"]
    assert "other" == (await asked(gateway, KEY))["label"]
    assert ("#cursor", "must be the cursor of an answer to this token") == (
        await refused(gateway, f"cursor={theirs}")
    )


@pytest.mark.parametrize("path", [KEY, USAGE])
@pytest.mark.parametrize("key", ["", "mj-nobody"])
async def test_statements_need_a_good_token(gateway: Gateway, path: str, key: str) -> None:
    status, answer = await gateway.ask("GET", path, key=key)
    assert (401, "unauthorized") == (status, answer["properties"]["error"])
