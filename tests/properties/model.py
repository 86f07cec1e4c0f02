"""The books as they must be: a list of entries, and sums over it; no SQL, no counters.

Written from design section 5: a hold before a task, then one charge or one release, each at most
once; charged is a success that did not come late; no hold goes beyond the budget of a period.
Only what a submit may be refused for is kept beside it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import Any

from mjgate.domain.outcome import Hold
from mjgate.domain.send import Claim, Decision, Intent, Verdict

ALWAYS = date(1, 1, 1)
ENDS = ("SUCCESS", "FAILURE", "CANCEL")
_BURST_S = 60


@dataclass(slots=True)
class Entry:
    token: int
    task: int | None
    kind: str
    held: int
    spent: int
    period: date


@dataclass(slots=True)
class Task:
    id: int
    token: int
    price: int
    period: date
    channel: int = 1
    phase: str = "sending"
    end: str | None = None
    ended_by: str | None = None
    upstream: tuple[int, str] | None = None
    shares: bool = False
    days: int = 0

    @property
    def open(self) -> bool:
        return self.phase in ("sending", "unknown", "running")


@dataclass(slots=True)
class Token:
    """`start` is the day its current period began; `due_s` when its rate has room, from now."""

    id: int
    label: str
    budget: int | None = None
    period: str | None = None
    most_in_flight: int | None = None
    rate_per_minute: int | None = None
    models: list[str] | None = None
    ended: bool = False
    start: date = ALWAYS
    due_s: float = 0


@dataclass(slots=True)
class Key:
    """`said` is the status and body of the first answer, once it is there."""

    request: str
    task: int
    said: tuple[int, Any] | None = None
    days: int = 0


@dataclass(slots=True)
class Books:
    today: date
    tokens: dict[int, Token] = field(default_factory=dict)
    tasks: dict[int, Task] = field(default_factory=dict)
    keys: dict[tuple[int, str], Key] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)

    def balance(self, token: Token) -> tuple[int, int]:
        """Held and spent in the current period."""
        own = [e for e in self.entries if (e.token, e.period) == (token.id, token.start)]
        return sum(e.held for e in own), sum(e.spent for e in own)

    def in_flight(self, token: Token) -> int:
        return sum(task.open for task in self.tasks.values() if task.token == token.id)

    def admit(self, intent: Intent) -> Decision:
        token = self.tokens[intent.token]
        refusal = self._refusal(token, intent)
        if refusal is not None:
            return refusal
        token.start = self._current(token)
        token.due_s = self._due_s(token)
        task = Task(intent.id, token.id, intent.price, token.start)
        self.tasks[task.id] = task
        self._book(task, "hold", task.price, 0)
        if intent.claim:
            self.keys[token.id, intent.claim.key] = Key(intent.claim.request, task.id)
        return Decision(Verdict.HELD)

    def settle(
        self, intent: Intent, hold: Hold, channel: int, uid: str, *, exists: bool = False
    ) -> None:
        """What a send came to; a task that is not waiting for it stays as it is."""
        task = self.tasks[intent.id]
        upstream = (channel, uid)
        if exists and any(t.token == task.token for t in self._bound(upstream)):
            hold = Hold.RELEASE
        if task.phase not in ("sending", "unknown"):
            return
        if hold is Hold.KEEP and not exists and self._taken_by_another(upstream):
            hold = Hold.UNKNOWN
        task.channel = channel
        if hold is Hold.RELEASE:
            task.phase = "rejected"
            self._book(task, "release", -task.price, 0)
        elif hold is Hold.UNKNOWN:
            task.phase = "unknown"
        else:
            task.phase, task.upstream, task.shares = "running", upstream, exists

    def find(self, number: int, uid: str) -> bool:
        """An unknown task is found again."""
        task = self.tasks[number]
        if task.phase != "unknown" or self._taken_by_another((task.channel, uid)):
            return False
        task.phase, task.upstream = "running", (task.channel, uid)
        return True

    def conclude(self, intent: Intent, said: tuple[int, Any] | None) -> None:
        """Keeps a first answer with its key; without one the key of a rejected task is free."""
        if intent.claim is None:
            return
        place = (intent.token, intent.claim.key)
        key = self.keys.get(place)
        if key is None or key.task != intent.id or key.said is not None:
            return
        if said is not None:
            key.said = said
        elif self.tasks[intent.id].phase == "rejected":
            del self.keys[place]

    def see(self, number: int, status: str, ended_by: str | None = None) -> None:
        """A look at a task; only its end moves money."""
        task = self.tasks[number]
        if task.phase == "ended" and task.end == "FAILURE" and task.ended_by:
            task.end = "SUCCESS" if status == "SUCCESS" else task.end
        elif task.open and status in ENDS:
            task.phase, task.end, task.ended_by = "ended", status, ended_by
            paid = task.price if status == "SUCCESS" else 0
            self._book(task, "charge" if status == "SUCCESS" else "release", -task.price, paid)

    def adjust(self, token: Token, amount: int) -> bool:
        start = self._current(token)
        if self.balance(replace(token, start=start))[1] + amount < 0:
            return False
        token.start = start
        self.entries.append(Entry(token.id, None, "adjust", 0, amount, start))
        return True

    def set(self, token: Token, **limits: Any) -> None:
        for name, value in limits.items():
            setattr(token, name, value)
        if "period" in limits:
            token.start = self._key(token)

    def pass_days(self, days: int) -> None:
        """All that was becomes so much older."""
        dated: Iterable[Any] = (*self.tasks.values(), *self.entries)
        for each in dated:
            each.period = _older(each.period, days)
        for token in self.tokens.values():
            token.start = _older(token.start, days)
        for task in self.tasks.values():
            task.days += 0 if task.open else days
        for key in self.keys.values():
            key.days += days

    def forget(self) -> None:
        self.keys = {place: key for place, key in self.keys.items() if not key.days}

    def forget_tasks(self, days: int) -> list[int]:
        """Tasks that finished so many days ago; their entries stay."""
        gone = [n for n, task in self.tasks.items() if not task.open and task.days >= days]
        for number in gone:
            del self.tasks[number]
        return gone

    def _refusal(self, token: Token, intent: Intent) -> Decision | None:
        if token.ended:
            return Decision(Verdict.TOKEN)
        taken = self._taken(token, intent.claim) if intent.claim else None
        if taken is not None:
            return taken
        held, spent = self.balance(replace(token, start=self._current(token)))
        names = token.models
        if names is not None and not any(fnmatchcase(intent.model, name) for name in names):
            return Decision(Verdict.MODEL)
        if token.budget is not None and held + spent + intent.price > token.budget:
            return Decision(Verdict.BUDGET)
        if token.most_in_flight is not None and self.in_flight(token) >= token.most_in_flight:
            return Decision(Verdict.FLIGHT)
        if self._due_s(token) > _BURST_S:
            return Decision(Verdict.RATE)
        return None

    def _taken(self, token: Token, claim: Claim) -> Decision | None:
        key = self.keys.get((token.id, claim.key))
        if key is None:
            return None
        if key.request != claim.request:
            return Decision(Verdict.REUSED)
        if key.said is None and self.tasks[key.task].phase == "sending":
            return Decision(Verdict.GOING)
        status, answer = key.said or (None, None)
        return Decision(Verdict.GIVEN, 0, key.task, status, answer)

    def _due_s(self, token: Token) -> float:
        return token.due_s + _BURST_S / token.rate_per_minute if token.rate_per_minute else 0

    def _current(self, token: Token) -> date:
        return max(token.start, self._key(token))

    def _key(self, token: Token) -> date:
        match token.period:
            case "daily":
                return self.today
            case "weekly":
                return self.today - timedelta(days=self.today.weekday())
            case "monthly":
                return self.today.replace(day=1)
            case _:
                return ALWAYS

    def _bound(self, upstream: tuple[int, str]) -> list[Task]:
        return [task for task in self.tasks.values() if task.upstream == upstream]

    def _taken_by_another(self, upstream: tuple[int, str]) -> bool:
        return any(not task.shares for task in self._bound(upstream))

    def _book(self, task: Task, kind: str, held: int, spent: int) -> None:
        self.entries.append(Entry(task.token, task.id, kind, held, spent, task.period))


def _older(period: date, days: int) -> date:
    return period if period == ALWAYS else period - timedelta(days=days)
