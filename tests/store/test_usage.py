"""What tokens have used: lines of the ledger, and totals."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from mjgate.domain.task import Phase
from mjgate.domain.usage import NO_PERIOD, Days, Entry, Total
from mjgate.store.database import Store
from mjgate.store.usage import fold_usage, list_entries, sum_entries
from tests.store.rows import PRICE, intent, query, settled, token

TODAY = datetime.now(UTC).date()
EVER = Days(date(2000, 1, 1), TODAY + timedelta(days=1))
AT_ONCE, NEVER = 0.0, 1e9
"""Ages of what was added up at which it is, or is not, done again."""


def written(store: Store, token_id: int, *entries: tuple[str, str, int], model: str = "m") -> None:
    """Entries at a moment, each of a kind, with a task of its own but for `adjust`."""
    for moment, kind, spent in entries:
        [(task,)] = query(store, "select nextval('task_ids')")
        if kind != "adjust":
            query(
                store,
                "insert into tasks (id, token_id, channel_id, action, model, price, phase, marker, "
                "send_deadline, status, submit_ms) values (%s, %s, 1, 'IMAGINE', %s, 0, 'ended', "
                "'m', now(), 'SUCCESS', 1)",
                task,
                token_id,
                model,
            )
        query(
            store,
            "insert into ledger (token_id, task_id, kind, held_delta, spent_delta, created_at) "
            "values (%s, %s, %s, 0, %s, %s)",
            token_id,
            None if kind == "adjust" else task,
            kind,
            spent,
            moment,
        )


async def lines(
    store: Store, token_id: int, days: Days = EVER, after: int | None = None, limit: int = 100
) -> list[Entry]:
    found = await list_entries(store.pool, token_id, days, after, limit)
    assert found is not None
    return found


async def test_a_line_shows_what_its_task_did_to_the_money(store: Store) -> None:
    mine = await token(store)
    await store.writer.admit(intent(7, mine))
    await store.writer.settle(settled(7, Phase.REJECTED))

    release, hold = await lines(store, mine)

    assert ("release", 7, "mj_imagine", -PRICE, 0, NO_PERIOD) == _shown(release)
    assert ("hold", 7, "mj_imagine", PRICE, 0, NO_PERIOD) == _shown(hold)
    assert hold.id < release.id
    assert 0 <= release.created_ms - hold.created_ms < 60_000


def _shown(entry: Entry) -> tuple[Any, ...]:
    return (
        entry.kind, entry.task_id, entry.model, entry.held_delta, entry.spent_delta, entry.period,
    )  # fmt: skip


async def test_a_correction_has_neither_a_task_nor_a_model(store: Store) -> None:
    mine = await token(store)
    written(store, mine, ("2026-03-01 12:00Z", "adjust", -5))

    assert [("adjust", None, None, 0, -5, NO_PERIOD)] == [
        _shown(entry) for entry in await lines(store, mine)
    ]
    _, models = await sum_entries(store.pool, mine, EVER)
    assert [Total("", 0, 0, 0, -5)] == models


async def test_pages_repeat_and_skip_nothing_while_lines_are_added(store: Store) -> None:
    mine = await token(store)
    # Three of a moment, as a batch writes them.
    moments = [f"2026-03-0{1 + number // 3} 12:00Z" for number in range(9)]
    written(store, mine, *((moment, "adjust", n) for n, moment in enumerate(moments)))

    seen: list[int] = []
    after = None
    while page := await lines(store, mine, after=after, limit=2):
        seen += [entry.spent_delta for entry in page]
        after = page[-1].id
        written(store, mine, ("2026-03-09 12:00Z", "adjust", 99))

    assert [8, 7, 6, 5, 4, 3, 2, 1, 0] == seen


async def test_lines_and_totals_are_those_of_the_days(store: Store) -> None:
    mine = await token(store)
    edges = ("2026-02-28 23:59:59.999999Z", "2026-03-01 00:00Z", "2026-03-02 23:59:59.999999Z")
    written(store, mine, *((moment, "charge", n) for n, moment in enumerate(edges)))
    written(store, mine, ("2026-03-03 00:00Z", "charge", 3))
    days = Days(date(2026, 3, 1), date(2026, 3, 2))

    assert [2, 1] == [entry.spent_delta for entry in await lines(store, mine, days)]
    by_day, by_model = await sum_entries(store.pool, mine, days)
    assert [Total(date(2026, 3, 2), 0, 1, 0, 2), Total(date(2026, 3, 1), 0, 1, 0, 1)] == by_day
    assert [Total("m", 0, 2, 0, 3)] == by_model


async def test_a_page_goes_on_in_other_days_than_it_began(store: Store) -> None:
    mine = await token(store)
    written(store, mine, *((f"2026-03-0{n} 12:00Z", "adjust", n) for n in range(1, 6)))
    newest, *_, oldest = await lines(store, mine)
    days = Days(date(2026, 3, 2), date(2026, 3, 3))

    assert [3, 2] == [e.spent_delta for e in await lines(store, mine, days, newest.id)]
    assert [] == await lines(store, mine, days, oldest.id)


async def test_nobody_sees_the_lines_of_another(store: Store) -> None:
    mine, other = await token(store), await token(store)
    written(store, other, ("2026-03-01 12:00Z", "charge", 5))
    [foreign] = await lines(store, other)

    assert [] == await lines(store, mine)
    assert ([], []) == await sum_entries(store.pool, mine, EVER)
    for number in (foreign.id, foreign.id + 1, 2**53):
        assert await list_entries(store.pool, mine, EVER, number, 10) is None


MANY = [
    ("2026-03-01 12:00Z", "hold", 0),
    ("2026-03-01 12:01Z", "charge", 5),
    ("2026-03-01 12:01Z", "release", 0),
    ("2026-03-02 12:00Z", "charge", 7),
    ("2026-03-02 13:00Z", "adjust", -1),
]
TOTALS = (
    [Total(date(2026, 3, 2), 0, 2, 0, 15), Total(date(2026, 3, 1), 1, 1, 1, 5)],
    [Total("", 0, 0, 0, -1), Total("m", 1, 2, 1, 12), Total("n", 0, 1, 0, 9)],
)


async def test_totals_are_the_same_before_and_after_they_were_folded(store: Store) -> None:
    mine, other = await token(store), await token(store)
    written(store, mine, *MANY[:2])
    written(store, other, *MANY)

    assert await fold_usage(store.pool, AT_ONCE)
    folded = query(store, "select count(*) from usage_totals")
    written(store, mine, *((str(_now()), kind, spent) for _, kind, spent in MANY[2:]))
    at_once = await sum_entries(store.pool, mine, EVER)

    assert [(4,)] == folded
    assert [Total("", 0, 0, 0, -1), Total("m", 1, 2, 1, 12)] == at_once[1]
    assert 11 == sum(total.spent for total in at_once[0])


def _now() -> datetime:
    return datetime.now(UTC)


async def test_entries_are_folded_once_however_often_it_is_done(store: Store) -> None:
    mine = await token(store)
    written(store, mine, *MANY)
    written(store, mine, ("2026-03-02 14:00Z", "charge", 9), model="n")
    assert TOTALS == await sum_entries(store.pool, mine, EVER)

    for _ in range(3):
        assert await fold_usage(store.pool, AT_ONCE)
        assert TOTALS == await sum_entries(store.pool, mine, EVER)

    days = Days(date(2026, 3, 1), date(2026, 3, 1))
    assert TOTALS[0][1:] == (await sum_entries(store.pool, mine, days))[0]


async def test_what_was_just_folded_is_not_folded_again(store: Store) -> None:
    assert await fold_usage(store.pool, 600)
    assert not await fold_usage(store.pool, 600)
    assert not await fold_usage(store.pool, NEVER)


async def test_an_entry_that_is_committed_late_is_not_lost(store: Store) -> None:
    mine = await token(store)
    adjust = (
        "insert into ledger (token_id, kind, held_delta, spent_delta) values (%s, 'adjust', 0, %s)"
    )
    async with await psycopg.AsyncConnection.connect(store.uri) as late:
        await late.execute(adjust, [mine, 5])
        query(store, adjust, mine, 2)
        assert await fold_usage(store.pool, AT_ONCE, margin_s=0)
        assert [(0,)] == query(store, "select count(*) from usage_totals")
        assert 2 == (await sum_entries(store.pool, mine, EVER))[1][0].spent

    async with asyncio.timeout(20):
        while [(7,)] != query(store, "select spent from usage_totals"):
            await fold_usage(store.pool, AT_ONCE, margin_s=0)
    assert 7 == (await sum_entries(store.pool, mine, EVER))[1][0].spent


async def test_one_process_folds_at_a_time(store: Store) -> None:
    async with await psycopg.AsyncConnection.connect(store.uri) as other:
        await other.execute("select pg_advisory_xact_lock(%s)", [0x6D6A75736167])
        assert not await fold_usage(store.pool, AT_ONCE)
    assert await fold_usage(store.pool, AT_ONCE)
