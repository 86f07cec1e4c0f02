"""Group commits: each row gets its own verdict, whatever happens to the others."""

import asyncio
from collections import Counter

import psycopg
import pytest
from msgspec.structs import replace

from mjgate.domain.send import HELD, Claim, Decision, Verdict
from mjgate.domain.task import Phase
from mjgate.errors import RowRefused, StoreDown, StoreFull
from mjgate.store.database import Store
from mjgate.store.tokens import revoke_token
from mjgate.store.writer import Writer
from tests.harness import until
from tests.store.relay import relayed
from tests.store.rows import (
    PRICE,
    intent,
    ledger,
    locked,
    money,
    query,
    running,
    settled,
    terminate,
    token,
    waiting,
)

BUDGET, TOKEN = Decision(Verdict.BUDGET), Decision(Verdict.TOKEN)


async def test_a_batch_is_decided_in_order_and_a_refused_row_uses_up_nothing(store: Store) -> None:
    client = await token(store, budget=10)

    verdicts = await asyncio.gather(
        *(store.writer.admit(intent(n, client, price)) for n, price in enumerate((8, 5, 2)))
    )

    assert [HELD, BUDGET, HELD] == verdicts
    assert (10, 0) == money(store, client)
    assert [(0, "hold"), (2, "hold")] == ledger(store)


async def test_a_budget_is_exact_however_many_ask_at_once(store: Store) -> None:
    clients = [await token(store, budget=25 * PRICE) for _ in range(3)]

    verdicts = await asyncio.gather(
        *(store.writer.admit(intent(n, clients[n % 3])) for n in range(300))
    )

    assert {HELD: 75, BUDGET: 225} == Counter(verdicts)
    assert [(25 * PRICE, 0)] * 3 == [money(store, client) for client in clients]


async def test_two_writers_share_a_budget_exactly(store: Store) -> None:
    client = await token(store, budget=20 * PRICE)
    other = Writer(store.uri, 500)
    await other.start()

    verdicts = await asyncio.gather(
        *(writer.admit(intent(n, client)) for n, writer in enumerate([store.writer, other] * 50))
    )
    await other.stop()

    assert {HELD: 20, BUDGET: 80} == Counter(verdicts)
    assert (20 * PRICE, 0) == money(store, client)


async def test_what_an_outcome_frees_counts_for_the_intents_beside_it(store: Store) -> None:
    client = await token(store, budget=PRICE)
    await store.writer.admit(intent(1, client))

    verdict, _ = await asyncio.gather(
        store.writer.admit(intent(2, client)), store.writer.settle(settled(1, Phase.REJECTED))
    )

    assert HELD == verdict
    assert (PRICE, 0) == money(store, client)


@pytest.mark.parametrize("first", [Phase.RUNNING, Phase.REJECTED])
async def test_of_two_outcomes_of_a_task_at_once_the_first_holds(
    store: Store, first: Phase
) -> None:
    client = await token(store)
    await store.writer.admit(intent(1, client))
    outcomes = [settled(1, upstream_id="a"), settled(1, Phase.REJECTED)]

    await asyncio.gather(
        *(store.writer.settle(each) for each in sorted(outcomes, key=lambda o: o.phase != first))
    )

    assert [(first,)] == query(store, "select phase from tasks")
    assert (PRICE if first is Phase.RUNNING else 0, 0) == money(store, client)


async def test_unknown_and_revoked_tokens_are_refused(store: Store) -> None:
    client = await token(store)
    [(label,)] = query(store, "select label from tokens")
    await revoke_token(store.pool, label)

    assert TOKEN == await store.writer.admit(intent(1, client))
    assert TOKEN == await store.writer.admit(intent(2, 999))
    assert [] == ledger(store)


async def test_a_row_that_the_database_refuses_fails_alone(store: Store) -> None:
    query(store, "alter table tasks add constraint poison check (prompt <> 'poison')")
    client = await token(store)
    intents = [intent(n, client) for n in range(64)]
    intents[17] = replace(intents[17], prompt="poison")
    intents[40] = replace(intents[40], prompt="\ud800")
    intents[41] = replace(intents[41], prompt="a\0b")

    verdicts = await asyncio.gather(
        *(store.writer.admit(each) for each in intents), return_exceptions=True
    )

    assert [17, 40, 41] == [n for n, each in enumerate(verdicts) if isinstance(each, RowRefused)]
    assert 61 == verdicts.count(HELD)
    assert (61 * PRICE, 0) == money(store, client)
    assert "DETAIL" not in str(verdicts[17])


async def test_a_fault_of_the_database_itself_fails_the_row_alone(store: Store) -> None:
    query(
        store,
        "create function boom() returns trigger language plpgsql as $$ begin "
        "if new.prompt = 'boom' then raise exception 'boom'; end if; return new; end $$;"
        "create trigger boom before insert on tasks for each row execute function boom()",
    )
    client = await token(store)

    verdicts = await asyncio.gather(
        *(
            store.writer.admit(intent(n, client, prompt="boom" if n == 3 else "a"))
            for n in range(8)
        ),
        return_exceptions=True,
    )

    assert 7 == verdicts.count(HELD)
    assert isinstance(verdicts[3], psycopg.errors.RaiseException)
    assert (7 * PRICE, 0) == money(store, client)


async def test_a_repeated_outcome_changes_nothing(store: Store) -> None:
    client = await token(store)
    await store.writer.admit(intent(1, client))

    for _ in range(3):
        await store.writer.settle(settled(1, Phase.REJECTED))
    await store.writer.settle(settled(1, upstream_id="late"))

    assert (0, 0) == money(store, client)
    assert [(1, "hold"), (1, "release")] == ledger(store)
    assert [("rejected", None)] == query(store, "select phase, upstream_id from tasks")


async def test_the_same_outcome_twice_in_one_batch_releases_once(store: Store) -> None:
    client = await token(store)
    await store.writer.admit(intent(1, client))
    await store.writer.admit(intent(2, client))

    await asyncio.gather(
        *(store.writer.settle(settled(n, Phase.REJECTED)) for n in (1, 1, 2)),
        return_exceptions=True,
    )

    assert (0, 0) == money(store, client)
    assert [(1, "hold"), (2, "hold"), (1, "release"), (2, "release")] == sorted(
        ledger(store), key=lambda entry: (entry[1], entry[0])
    )


async def test_an_upstream_id_is_bound_once_unless_it_is_shared(store: Store) -> None:
    client = await token(store)
    for number in (1, 2, 3):
        await store.writer.admit(intent(number, client))
    await store.writer.settle(settled(1, upstream_id="same"))

    with pytest.raises(RowRefused, match="tasks_upstream"):
        await store.writer.settle(settled(2, upstream_id="same"))
    await store.writer.settle(settled(3, upstream_id="same", shares_upstream=True))

    assert ["running", "sending", "running"] == [
        phase for (phase,) in query(store, "select phase from tasks order by id")
    ]


async def test_a_settled_task_has_its_own_deadline(store: Store) -> None:
    client = await token(store)
    await running(store, 1, client)

    assert [(True, True)] == query(
        store,
        "select deadline between now() + interval '590 s' and now() + interval '600 s', "
        "accepted_at <= now() from tasks",
    )


async def test_beyond_its_limit_the_queue_is_full(store: Store) -> None:
    client = await token(store)
    writer = Writer(store.uri, 2)
    await writer.start()
    async with locked(store, client) as lock:
        first = asyncio.create_task(writer.admit(intent(1, client)))
        await until(lambda: waiting(store))
        others = [asyncio.create_task(writer.admit(intent(n, client))) for n in (2, 3)]
        await asyncio.sleep(0)

        with pytest.raises(StoreFull, match="2 submits wait"):
            await writer.admit(intent(4, client))
        await lock.commit()

    assert [HELD] * 3 == await asyncio.gather(first, *others)
    await writer.stop()


async def test_a_waiter_that_goes_away_harms_nobody(store: Store) -> None:
    client = await token(store)
    async with locked(store, client) as lock:
        waiters = [asyncio.create_task(store.writer.admit(intent(n, client))) for n in range(4)]
        await until(lambda: waiting(store))
        waiters.append(asyncio.create_task(store.writer.admit(intent(4, client, price=-1))))
        await asyncio.sleep(0)
        waiters[1].cancel()
        waiters[4].cancel()
        await lock.commit()

    done = await asyncio.gather(*waiters, return_exceptions=True)

    assert [HELD] * 3 == [done[0], *done[2:4]]
    assert HELD == await store.writer.admit(intent(9, client))
    await until(lambda: money(store, client) == (4 * PRICE, 0))


async def test_a_connection_lost_while_idle_is_made_again(store: Store) -> None:
    client = await token(store)
    assert 1 == terminate(store.uri, "mjgate writer")

    assert HELD == await store.writer.admit(intent(1, client))
    assert (PRICE, 0) == money(store, client)


async def test_a_connection_lost_with_a_batch_on_it_loses_and_doubles_nothing(
    store: Store,
) -> None:
    client = await token(store, budget=5 * PRICE)
    await store.writer.admit(intent(100, client))
    async with locked(store, client) as lock:
        outcome = asyncio.create_task(store.writer.settle(settled(100, Phase.REJECTED)))
        waiters = [asyncio.create_task(store.writer.admit(intent(n, client))) for n in range(9)]
        await until(lambda: waiting(store))
        assert 1 == terminate(store.uri, "mjgate writer")
        await lock.commit()

    verdicts = await asyncio.gather(*waiters)
    await outcome

    assert {HELD: 5, BUDGET: 4} == Counter(verdicts)
    assert (5 * PRICE, 0) == money(store, client)


async def test_what_runs_on_a_connection_that_was_cut_is_ended_before_it_is_repeated(
    store: Store,
) -> None:
    client = await token(store)
    keyed = intent(1, client, claim=Claim("k", "00" * 32))
    async with relayed(store.uri) as relay:
        writer = Writer(relay.uri, 10)
        await writer.start()
        async with locked(store, client) as lock:
            waiter = asyncio.create_task(writer.admit(keyed))
            cut_off = await until(lambda: waiting(store))
            relay.cut()
            await until(lambda: len(waiting(store)) == 1 and waiting(store) != cut_off)
            await lock.commit()

        assert HELD == await waiter
        assert [(1, "hold")] == ledger(store)
        await writer.stop()


def write_first(store: Store) -> None:
    """Writes task 1 as a commit would whose connection was lost before it could say so."""
    query(
        store,
        "insert into tasks (id, token_id, channel_id, action, model, price, phase, marker, "
        "send_deadline, status, submit_ms) values "
        "(1, 1, 1, 'IMAGINE', 'm', 0, 'sending', 'm', now(), 'NOT_START', 1)",
    )


async def test_what_was_written_before_the_connection_broke_is_not_written_again(
    store: Store,
) -> None:
    client = await token(store)
    async with locked(store, client) as lock:
        waiters = [asyncio.create_task(store.writer.admit(intent(n, client))) for n in (1, 2)]
        await until(lambda: waiting(store))
        write_first(store)
        terminate(store.uri, "mjgate writer")
        await lock.commit()

    assert [HELD] * 2 == await asyncio.gather(*waiters)
    assert [(2, "hold")] == ledger(store)


async def test_what_is_told_to_be_held_stays_held_however_often_the_connection_breaks(
    store: Store,
) -> None:
    client = await token(store)
    pids: set[int] = set()

    def tried(times: int) -> bool:
        name = "mjgate writer"
        pids.update(
            pid
            for (pid,) in query(
                store, "select pid from pg_stat_activity where application_name = %s", name
            )
        )
        return len(pids) > times

    async with locked(store, client) as lock:
        waiters = [asyncio.create_task(store.writer.admit(intent(n, client))) for n in (1, 2)]
        await until(lambda: waiting(store))
        write_first(store)
        # What is known can be asked for, and nothing can be prepared.
        query(store, "alter function commit_batch rename to away")
        terminate(store.uri, "mjgate writer")
        await lock.commit()
    assert HELD == await waiters[0]
    await until(lambda: tried(4))
    query(store, "alter function away rename to commit_batch")

    assert HELD == await waiters[1]
    assert HELD == await store.writer.admit(intent(3, client))
    assert [("sending",)] * 3 == query(store, "select phase from tasks")


async def test_what_a_lost_connection_writes_after_all_is_held(store: Store) -> None:
    client = await token(store)
    async with locked(store, client) as lock:
        waiters = [asyncio.create_task(store.writer.admit(intent(n, client))) for n in (1, 2)]
        await until(lambda: waiting(store))
        write_first(store)
        await lock.commit()

    assert [HELD] * 2 == await asyncio.gather(*waiters)
    assert [(2, "hold")] == ledger(store)


READ_ONLY = """
do $$ begin
  execute format('alter database %I set default_transaction_read_only = {}', current_database());
end $$
"""


async def test_an_outcome_outlives_a_database_that_only_reads(store: Store) -> None:
    client = await token(store)
    await store.writer.admit(intent(1, client))
    with psycopg.connect(store.uri, autocommit=True) as before:
        before.execute(READ_ONLY.format("on"))
        terminate(store.uri, "mjgate writer")
        outcome = asyncio.create_task(store.writer.settle(settled(1, upstream_id="theirs")))
        await until(lambda: not outcome.done() and writers(store))
        before.execute(READ_ONLY.format("off"))
        await outcome

    assert [("running", "theirs")] == query(store, "select phase, upstream_id from tasks")


async def test_stopping_where_a_database_only_reads_gives_up(store: Store) -> None:
    client = await token(store)
    writer = Writer(store.uri, 100)
    await writer.start()
    with psycopg.connect(store.uri, autocommit=True) as before:
        before.execute(READ_ONLY.format("on"))
        terminate(store.uri, "mjgate writer")
        waiter = asyncio.create_task(writer.admit(intent(1, client)))
        await asyncio.sleep(0)

        await writer.stop()
        before.execute(READ_ONLY.format("off"))

    with pytest.raises(StoreDown):
        await waiter


def writers(store: Store) -> int:
    """How many connections the writers have now."""
    [(count,)] = query(
        store, "select count(*) from pg_stat_activity where application_name = %s", "mjgate writer"
    )
    return int(count)


async def test_a_deadlock_repeats_the_batch(store: Store) -> None:
    first, second = await token(store), await token(store)
    async with locked(store, second) as lock:
        waiters = [asyncio.create_task(store.writer.admit(intent(n, n))) for n in (first, second)]
        await until(lambda: waiting(store))
        await lock.execute("select from tokens where id = %s for update", [first])
        await lock.commit()

    assert [HELD] * 2 == await asyncio.gather(*waiters)
    assert [(PRICE, 0)] * 2 == [money(store, first), money(store, second)]


async def test_stopping_writes_what_waits(store: Store) -> None:
    client = await token(store)
    writer = Writer(store.uri, 100)
    await writer.start()
    waiters = [asyncio.create_task(writer.admit(intent(n, client))) for n in range(10)]
    await asyncio.sleep(0)

    await writer.stop()

    assert [HELD] * 10 == [waiter.result() for waiter in waiters]


async def test_stopping_without_a_database_gives_up(store: Store, postgres: str) -> None:
    client = await token(store)
    writer = Writer(store.uri, 100)
    await writer.start()
    async with locked(store, client) as lock:
        waiter = asyncio.create_task(writer.admit(intent(1, client)))
        await until(lambda: waiting(store))
        with psycopg.connect(postgres, autocommit=True) as admin:
            name = store.uri.partition("?")[0].rpartition("/")[2]
            admin.execute(f"alter database {name} allow_connections false".encode())
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s "
                "and application_name = 'mjgate writer'",
                [name],
            )
            await writer.stop()
            admin.execute(f"alter database {name} allow_connections true".encode())
        await lock.rollback()

    with pytest.raises(StoreDown, match="not currently accepting connections"):
        await waiter


async def test_an_intent_that_waits_too_long_is_let_go_and_released(store: Store) -> None:
    client = await token(store)
    impatient = Writer(store.uri, 10, patience_s=0.2)
    await impatient.start()
    with psycopg.connect(store.uri) as holder:
        holder.execute("select from tokens for update")
        with pytest.raises(StoreDown, match="in time"):
            await impatient.admit(intent(1, client))
        with pytest.raises(StoreDown, match="in time"):
            await impatient.admit(intent(2, client))
    await impatient.stop()

    assert [(1, "rejected")] == query(store, "select id, phase from tasks")
    assert [(1, "hold"), (1, "release")] == ledger(store)
