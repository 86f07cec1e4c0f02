"""Lives of a ledger: whatever happens, in any order, the database and the model agree."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from copy import deepcopy
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import psycopg
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mjgate.domain.channel import Channel, ChannelState, Dialect
from mjgate.domain.outcome import Hold, Outcome, Reply, read_outcome
from mjgate.domain.send import Claim, Decision, Intent, Verdict
from mjgate.domain.task import CANCEL, FAILURE, IN_PROGRESS, SUCCESS, Sight, advance
from mjgate.domain.token import new_key
from mjgate.errors import ApiError, CommandError, Unavailable, UpstreamBroken
from mjgate.gate import Gate
from mjgate.services.settle import settle
from mjgate.services.sweep import sweep
from mjgate.store.audit import audit
from mjgate.store.claims import forget_claims
from mjgate.store.ledger import adjust
from mjgate.store.prices import current_prices, set_prices
from mjgate.store.retention import forget_tasks
from mjgate.store.tasks import advance_tasks, bind_found, fetch_tasks
from mjgate.store.tokens import add_token, revoke_token, set_token
from tests.harness import until
from tests.properties.model import Books, Task, Token
from tests.services.gates import open_gate
from tests.store.rows import intent, terminate

T = TypeVar("T")
_MODELS = ("mj_imagine", "mj_upscale")
_WRITER = "mjgate writer"
# Rates of the lives have room again after half a minute, periods at midnight: a life that lasts
# longer, or into the next day, says nothing.
_LONGEST_S = 25
_ALL = "tokens, tasks, past_tasks, ledger, idempotency, prices, usage_totals, usage_folded"


_SIGHTS = (SUCCESS, SUCCESS, FAILURE, CANCEL, IN_PROGRESS)
_KEPT = (
    "select id, held, spent, in_flight, period_start from tokens",
    "select token_id, task_id, kind, held_delta, spent_delta, period from ledger",
    "select id, price, period, phase, case when phase = 'ended' then status end, ended_by "
    "from tasks",
    "select token_id, key, task_id from idempotency",
)


@dataclass(frozen=True)
class Row:
    """A row of the outcome table: what it does to the hold, and whether a repeat is said the same.

    `{}` in it is an upstream's id.
    """

    outcome: Callable[[str], Outcome]
    hold: Hold
    final: bool = True
    exists: bool = False


def _says(status: int, **body: Any) -> Callable[[str], Outcome]:
    named = "result" in body
    return lambda uid: read_outcome(Reply(status, body | ({"result": uid} if named else {})))


def _is(outcome: Outcome) -> Callable[[str], Outcome]:
    return lambda _: outcome


OUTCOMES: Final = {
    "accepted": Row(_says(200, code=1, result=""), Hold.KEEP),
    "queued": Row(_says(200, code=22, result=""), Hold.KEEP),
    "exists": Row(_says(200, code=21, result=""), Hold.KEEP, exists=True),
    "modal": Row(_says(200, code=21, result="", properties={"remix": True}), Hold.KEEP),
    "exists without an id": Row(_says(200, code=21), Hold.RELEASE),
    "full": Row(_says(200, code=23, result=""), Hold.RELEASE),
    "banned": Row(_says(200, code=24), Hold.RELEASE),
    **{f"HTTP {n}": Row(_says(n), Hold.RELEASE) for n in (302, 400, 401, 403, 404, 418, 422)},
    "HTTP 429": Row(_says(429), Hold.RELEASE, final=False),
    "HTTP 500": Row(_says(500, code=1, result=""), Hold.UNKNOWN),
    "accepted without an id": Row(_says(200, code=1), Hold.UNKNOWN),
    "empty": Row(_is(read_outcome(Reply(200, None))), Hold.UNKNOWN),
    "cut": Row(_is(Outcome(Hold.UNKNOWN, error=UpstreamBroken(""))), Hold.UNKNOWN),
    "not sent": Row(
        _is(Outcome(Hold.RELEASE, error=Unavailable("", 5), final=False)), Hold.RELEASE, final=False
    ),
}

# The others ask the database first, or again.
_SETTLED_AT_ONCE = sorted(name for name, row in OUTCOMES.items() if row.hold is not Hold.KEEP)

_names = st.sampled_from(["accepted"] * 20 + sorted(OUTCOMES))
_outright = st.sampled_from(sorted(name for name, row in OUTCOMES.items() if not row.exists))
_amounts = st.integers(0, 8).map(lambda n: n * 50_000 - (n > 4))
_budgets = st.none() | st.integers(0, 30).map(lambda n: n * 50_000 - n % 2)
_limits = st.fixed_dictionaries(
    {},
    optional={
        "budget": _budgets,
        "period": st.sampled_from([None, "daily", "weekly", "monthly"]),
        "most_in_flight": st.sampled_from([None, 0, 1, 3]),
        "rate_per_minute": st.sampled_from([None, 1, 2]),
        "models": st.sampled_from([None, ["mj_imagine"], ["mj_u*"]]),
    },
)
_wishes = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(_MODELS),
        st.sampled_from([None] * 6 + [("a", "00"), ("a", "11"), ("b", "00")]),
    ),
    min_size=1,
    max_size=8,
)
_moments = st.integers(0, 40)
_places = st.integers(0, 8)


class Lives(RuleBasedStateMachine):
    """One life of a database; it begins empty."""

    def __init__(self, uri: str) -> None:
        super().__init__()
        self._uri = uri
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._began = time.monotonic()
        self._books = Books(_today())
        self._intents: dict[int, Intent] = {}
        self._number = 0
        self._database = psycopg.connect(uri, autocommit=True)
        self._query(f"truncate {_ALL} restart identity")
        self._process = AsyncExitStack()
        self._gate = self._run(self._open())

    def teardown(self) -> None:
        try:
            self._expect([], self._run(audit(self._gate.store.pool)).breaches)
        finally:
            self._run(self._process.aclose())
            self._runner.close()
            self._database.close()

    @initialize(budget=_budgets)
    def begin(self, budget: int | None) -> None:
        self.make_token(budget, {})

    @precondition(lambda self: len(self._books.tokens) < 4)
    @rule(budget=_budgets, limits=_limits)
    def make_token(self, budget: int | None, limits: dict[str, Any]) -> None:
        label = f"t{len(self._books.tokens)}"
        account = self._run(add_token(self._pool, label, new_key(), budget))
        self._books.tokens[account.id] = Token(account.id, label, budget)
        self._set(self._books.tokens[account.id], limits)

    @rule(place=st.integers(0, 3), limits=_limits)
    def set_limits(self, place: int, limits: dict[str, Any]) -> None:
        token = self._token(place)
        if not token.ended:
            self._set(token, limits)

    @rule(place=st.integers(0, 3), expires=st.booleans())
    def end_token(self, place: int, expires: bool) -> None:
        """Of the first something is left to tell."""
        token = self._token(place)
        if token.ended or token.id == 1:
            return
        if expires:
            past = datetime(2020, 1, 1, tzinfo=UTC)
            self._run(set_token(self._pool, token.label, {"expires_at": past}))
        else:
            self._run(revoke_token(self._pool, token.label))
        token.ended = True

    @rule(imagine=_amounts, upscale=_amounts)
    def set_prices(self, imagine: int, upscale: int) -> None:
        table = {"mj_imagine": imagine + 1, "mj_*": upscale}
        self._run(set_prices(self._pool, table))

    @rule(place=st.integers(0, 3), amount=st.integers(-150_000, 100_000))
    def adjust(self, place: int, amount: int) -> None:
        token = self._token(place)
        if token.ended:
            return
        done = True
        try:
            self._run(adjust(self._pool, token.label, amount, "because"))
        except CommandError:
            done = False
        self._expect(self._books.adjust(token, amount), done)

    @rule(wishes=_wishes)
    def submit(self, wishes: Sequence[Any]) -> None:
        """Several at once: what they came to is as if one came after the other."""
        intents = self._wished(wishes)
        self._admitted(intents, self._run(self._submit(intents)))

    @rule(wishes=_wishes, place=_places, name=st.sampled_from(_SETTLED_AT_ONCE))
    def submit_beside_an_outcome(self, wishes: Sequence[Any], place: int, name: str) -> None:
        """What the outcome frees counts for the submits."""
        if not self._intents:
            return
        sent, row, intents = _newest(self._intents, place), OUTCOMES[name], self._wished(wishes)
        said, decided = self._run(self._submit_beside(sent, row, intents))
        self._books.settle(sent, row.hold, 1, "0")
        self._books.conclude(sent, said if row.final else None)
        self._admitted(intents, decided)

    @rule(wishes=_wishes, moment=_moments)
    def submit_over_a_cut(self, wishes: Sequence[Any], moment: int) -> None:
        """The writer's connection ends meanwhile; nobody notices."""
        intents = self._wished(wishes)
        self._admitted(intents, self._run(self._submit(intents, moment)))

    @rule(wishes=_wishes, moment=_moments, asks=st.booleans())
    def die(self, wishes: Sequence[Any], moment: int, asks: bool) -> None:
        """A process dies while it writes: what it wrote is what came first."""
        intents = self._wished(wishes)
        self._run(self._die(intents, moment, terminated=asks))
        kept = self._kept()
        for count in range(len(intents) + 1):
            books = deepcopy(self._books)
            decided = [(each, books.admit(each)) for each in intents[:count]]
            if _shown(books) == kept:
                break
        else:
            self._expect("what comes of the first intents", kept)
        self._books = books
        self._know(decided)

    @rule(
        place=_places,
        names=st.lists(_names, min_size=1, max_size=3),
        channel=st.integers(1, 2),
        uid=st.integers(1, 9).map(str),
    )
    def settle(self, place: int, names: list[str], channel: int, uid: str) -> None:
        """An outcome, and others after it: a task that has one keeps it."""
        if not self._intents:
            return
        sent = _newest(self._intents, place)
        for name in names:
            row = OUTCOMES[name]
            said = self._run(self._settle(sent, channel, row.outcome(uid)))
            self._books.settle(sent, row.hold, channel, uid, exists=row.exists)
            self._books.conclude(sent, said if row.final else None)

    @rule(place=_places, names=st.tuples(_outright, _outright))
    def settle_twice_at_once(self, place: int, names: tuple[str, str]) -> None:
        """The first of two outcomes in one batch holds."""
        sending = self._tasks("sending")
        if not sending:
            return
        sent = self._intents[sending[-1 - place % len(sending)].id]
        rows = [OUTCOMES[name] for name in names]
        uid = f"own{sent.id}"
        said, _ = self._run(self._settle_at_once(sent, [row.outcome(uid) for row in rows]))
        self._books.settle(sent, rows[0].hold, 1, uid)
        self._books.conclude(sent, said if rows[0].final else None)

    @rule(place=_places, uid=st.integers(1, 9).map(str))
    def find(self, place: int, uid: str) -> None:
        """An upstream lists a task whose outcome is unknown, or seems to."""
        tasks = self._tasks("unknown", "running")
        if tasks:
            number = tasks[-1 - place % len(tasks)].id
            found = self._run(bind_found(self._pool, number, uid))
            self._expect(self._books.find(number, uid), found)

    @rule(sights=st.dictionaries(_places, st.sampled_from(_SIGHTS), min_size=1, max_size=8))
    def refresh(self, sights: dict[int, str]) -> None:
        """A look at some tasks, written twice: the second time changes nothing."""
        tasks = self._tasks("sending", "unknown", "running", "ended")
        seen = {tasks[-1 - place % len(tasks)].id: each for place, each in sights.items() if tasks}
        self._expect(set(), self._run(self._refresh(seen)))
        for number, status in seen.items():
            self._books.see(number, status)

    @rule(places=st.sets(_places, max_size=3), late=st.booleans())
    def sweep(self, places: set[int], late: bool) -> None:
        """Sends may be past their deadline, and so may tasks."""
        waiting = self._tasks("running", "unknown")
        overdue = {waiting[-1 - place % len(waiting)].id for place in places if waiting}
        past = "now() - interval '1 second'"
        self._query(f"update tasks set deadline = {past} where id = any(%s)", list(overdue))
        if late:
            self._query(f"update tasks set send_deadline = {past} where phase = 'sending'")
        self._run(sweep(self._gate))
        for task in self._tasks("sending"):
            task.phase = "unknown" if late else "sending"
        for number in overdue:
            self._books.see(number, FAILURE, ended_by="deadline")
        self._books.forget()

    @rule(days=st.sampled_from([1, 7, 31]))
    def pass_days(self, days: int) -> None:
        for table, column in (
            ("tokens", "period_start"),
            ("tasks", "period"),
            ("past_tasks", "period"),
            ("ledger", "period"),
        ):
            self._query(
                f"update {table} set {column} = {column} - %s where {column} > '0001-01-01'", days
            )
        self._query(
            "update tasks set ended_at = ended_at - %s * interval '1 day', "
            "accepted_at = accepted_at - %s * interval '1 day' "
            "where phase in ('ended', 'rejected')",
            days,
            days,
        )
        self._query("update idempotency set created_at = created_at - %s * interval '1 day'", days)
        self._books.pass_days(days)

    @rule(days=st.sampled_from([1, 7]))
    def forget_tasks(self, days: int) -> None:
        """Tasks that have finished go with the days; keys go before them."""
        self._run(forget_claims(self._pool, 500))
        self._books.forget()
        gone = self._books.forget_tasks(days)
        self._expect(len(gone), self._run(forget_tasks(self._pool, days, 1000)))
        for number in gone:
            del self._intents[number]

    @invariant()
    def the_database_is_as_the_model(self) -> None:
        self._expect(_shown(self._books), self._kept())

    # What follows is what the rules are made of.

    async def _open(self) -> Gate:
        return await self._process.enter_async_context(open_gate(self._uri))

    async def _submit(self, intents: list[Intent], cut: int | None = None) -> list[Decision]:
        waiting = [asyncio.ensure_future(self._gate.store.writer.admit(i)) for i in intents]
        if cut is not None:
            await _hops(cut)
            terminate(self._uri, _WRITER)
        return await asyncio.gather(*waiting)

    async def _submit_beside(
        self, sent: Intent, row: Row, intents: list[Intent]
    ) -> tuple[tuple[int, Any], list[Decision]]:
        settling = asyncio.ensure_future(self._settle(sent, 1, row.outcome("0")))
        decided = await self._submit(intents)
        return await settling, decided

    async def _die(self, intents: list[Intent], moment: int, *, terminated: bool) -> None:
        writer = self._gate.store.writer
        waiting = [asyncio.ensure_future(writer.admit(each)) for each in intents]
        await _hops(moment)
        if terminated:
            terminate(self._uri, _WRITER)
        assert writer._task is not None
        for task in (writer._task, *waiting):
            task.cancel()
        await asyncio.gather(writer._task, *waiting, return_exceptions=True)
        writer._task = asyncio.create_task(asyncio.sleep(0))
        await self._process.aclose()
        await until(lambda: not self._query(_CONNECTED, _WRITER))
        self._gate = await self._open()

    async def _settle(self, sent: Intent, channel: int, outcome: Outcome) -> tuple[int, Any]:
        to = Channel(channel, "c", "", None, Dialect.AUTO, None, 0, 1, (), ChannelState.ENABLED)
        try:
            return 200, await settle(self._gate, sent, to, outcome)
        except ApiError as error:
            return error.status, error.body()

    async def _settle_at_once(self, sent: Intent, outcomes: list[Outcome]) -> list[tuple[int, Any]]:
        return await asyncio.gather(*(self._settle(sent, 1, each) for each in outcomes))

    async def _refresh(self, seen: dict[int, str]) -> set[int]:
        """Those that were written when all were written for the second time."""
        changed = []
        for token in self._books.tokens:
            for task in await fetch_tasks(self._pool, token, list(seen)):
                after = advance(task, Sight(seen[task.id]), self._gate.clock())
                if after != task:
                    changed.append(after)
        await advance_tasks(self._pool, changed)
        return await advance_tasks(self._pool, changed)

    def _wished(self, wishes: Sequence[Any]) -> list[Intent]:
        prices = self._run(current_prices(self._pool))
        intents = []
        for place, model, key in wishes:
            self._number += 1
            price = prices.quote(model)
            assert price is not None
            intents.append(
                intent(
                    self._number,
                    self._token(place).id,
                    price,
                    model=model,
                    price_version=prices.version,
                    send_s=3600,
                    claim=Claim(key[0], key[1] * 32) if key else None,
                )
            )
        return intents

    def _admitted(self, intents: list[Intent], decided: list[Decision]) -> None:
        expected = [self._books.admit(each) for each in intents]
        self._expect(expected, [_timeless(each) for each in decided])
        self._know(zip(intents, decided, strict=True))

    def _know(self, decided: Iterable[tuple[Intent, Decision]]) -> None:
        held = (each for each, decision in decided if decision.verdict is Verdict.HELD)
        self._intents |= {each.id: each for each in held}

    def _set(self, token: Token, limits: dict[str, Any]) -> None:
        if limits:
            self._run(set_token(self._pool, token.label, limits))
            self._books.set(token, **limits)

    def _token(self, place: int) -> Token:
        tokens = list(self._books.tokens.values())
        return tokens[place % len(tokens)]

    def _tasks(self, *phases: str) -> list[Task]:
        return [task for task in self._books.tasks.values() if task.phase in phases]

    def _kept(self) -> list[Any]:
        return [sorted(self._query(statement), key=str) for statement in _KEPT]

    @property
    def _pool(self) -> Any:
        return self._gate.store.pool

    def _query(self, statement: str, *values: Any) -> list[Any]:
        cursor = self._database.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def _expect(self, expected: Any, found: Any) -> None:
        if expected != found and (
            _today() != self._books.today or time.monotonic() > self._began + _LONGEST_S
        ):
            reject()
        assert expected == found, f"{expected}\n{found}"


def _shown(books: Books) -> list[Any]:
    """What the statements of `_KEPT` must give."""
    rows: list[Iterable[Any]] = [
        (
            (token.id, *books.balance(token), books.in_flight(token), token.start)
            for token in books.tokens.values()
        ),
        map(astuple, books.entries),
        ((t.id, t.price, t.period, t.phase, t.end, t.ended_by) for t in books.tasks.values()),
        ((*place, key.task) for place, key in books.keys.items()),
    ]
    return [sorted(each, key=str) for each in rows]


def _newest(things: dict[int, T], place: int) -> T:
    return list(things.values())[-1 - place % len(things)]


_CONNECTED = (
    "select 1 from pg_stat_activity where application_name = %s and datname = current_database()"
)


async def _hops(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _timeless(decision: Decision) -> Decision:
    """How long a rate lasts is a matter of the clock."""
    return Decision(Verdict.RATE) if decision.verdict is Verdict.RATE else decision


def _today() -> Any:
    return datetime.now(UTC).date()
