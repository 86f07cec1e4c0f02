"""What a token is told of its money: pages that fit together, and one bill for each picture."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from mjgate.conformance.contract_view import USAGE
from mjgate.conformance.exchange import Exchange
from mjgate.conformance.rules import at, day_of
from mjgate.conformance.stories.follow import follow
from mjgate.conformance.stories.stage import Stage, pause, status_of, value_of

_PAGES = 4
_MOST = 1000
_TRIES = 4
_COUNTED = {"hold": "submitted", "charge": "charged", "release": "released"}
_ENDS = {"SUCCESS": "charge", "FAILURE": "release", "CANCEL": "release"}
Line = Mapping[str, Any]


def pages(stage: Stage) -> None:
    """The newest lines are asked for one at a time, and then all at once."""
    if not stage.has(USAGE):
        return
    # What is booked meanwhile may stand among those that were read: a few looks are allowed.
    for number in range(_TRIES):
        read = [*_pages(stage)]
        lines = [line for page in read for line in _lines(page)]
        whole = stage.session.get(f"{USAGE}?limit={_MOST}")
        good = _is_within(lines, _lines(whole))
        if good or not lines:
            break
        pause(number)
    text = "pages of a usage repeat or skip a line"
    if lines:
        stage.check("pages_whole", good, text, *read, whole)
    _totals(stage)


def _pages(stage: Stage) -> Iterator[Exchange]:
    cursor: Any = None
    for number in range(_PAGES):
        more = f"&cursor={cursor}" if number else ""
        page = stage.session.get(f"{USAGE}?limit=1{more}")
        if status_of(page) != 200:
            return
        yield page
        few = len(_lines(page)) <= 1
        stage.check("pages_whole", few, "a page has more lines than its limit", page)
        value = value_of(page)
        bare = at(value, "days") is None and at(value, "models") is None
        text = "totals come with the first page, and with no other"
        stage.check("pages_whole", bare == bool(number), text, page)
        cursor = at(value, "cursor")
        if not isinstance(cursor, int):
            return


def _is_within(some: list[Line], every: list[Line]) -> bool:
    """Whether they stand there one after the other; what was added meanwhile stands before."""
    return any(every[start : start + len(some)] == some for start in range(len(every)))


def _totals(stage: Stage) -> None:
    """Totals and lines of an answer may be read one after the other: a few looks are allowed."""
    for number in range(_TRIES):
        seen = stage.session.get(f"{USAGE}?limit={_MOST}")
        if status_of(seen) != 200 or at(value_of(seen), "cursor") is not None:
            return
        good = all(_adds_up(seen, *each) for each in _TOTALS)
        if good:
            break
        pause(number)
    stage.check("pages_whole", good, "totals of a usage are not those of its lines", seen)


def _day(line: Line) -> Any:
    time = line.get("time")
    return day_of(time) if isinstance(time, int) else None


_TOTALS: Sequence[tuple[str, str, Callable[[Line], Any]]] = (
    ("days", "day", _day),
    ("models", "model", lambda line: line.get("model")),
)


def _adds_up(usage: Exchange, name: str, key: str, of: Callable[[Line], Any]) -> bool:
    """Whether totals are those of the lines, each day or model of them once."""
    wanted: dict[Any, Counter[str]] = {}
    for line in _lines(usage):
        sums = wanted.setdefault(of(line), Counter())
        sums[_COUNTED.get(str(line.get("kind")), "other")] += 1
        sums["micros"] += _micros(line.get("spent"))
    rows = at(value_of(usage), name) or []
    told = {
        at(row, key): Counter(
            {each: at(row, each) for each in _COUNTED.values()}
            | {"micros": _micros(at(row, "spent"))}
        )
        for row in rows
    }
    for sums in wanted.values():
        del sums["other"]
    return len(told) == len(rows) and told == wanted


def bill(stage: Stage) -> None:
    """The picture was held once, and charged or released once, at one price."""
    drawn = stage.drawn()
    if drawn is None or not stage.has(USAGE):
        return
    if not drawn.ended:
        follow(stage, drawn)
    end = _ENDS.get(drawn.status)
    seen = stage.session.get(f"{USAGE}?limit={_MOST}")
    if end is None or status_of(seen) != 200:
        return
    led = (drawn.submit, seen)
    mine = {line.get("kind"): line for line in _lines(seen) if line.get("taskId") == drawn.id}
    count = sum(line.get("taskId") == drawn.id for line in _lines(seen))
    once = count == 2 and mine.keys() == {"hold", end}
    text = f"a task that ended as {drawn.status} has not one hold and one {end}"
    if stage.check("billed_once", once, text, *led):
        hold, last = mine["hold"], mine[end]
        price = _micros(hold.get("held"))
        spent = price if end == "charge" else 0
        good = (0, -price, spent) == (
            _micros(hold.get("spent")),
            _micros(last.get("held")),
            _micros(last.get("spent")),
        )
        text = f"{end} of a task is not of the price that was held"
        stage.check("billed_once", good and price >= 0, text, *led)


def _lines(usage: Exchange) -> list[Line]:
    lines = at(value_of(usage), "lines")
    return [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []


def _micros(amount: Any) -> int:
    """Micro-dollars; an amount that is none is judged by its own rule."""
    try:
        return int(Decimal(amount) * 1_000_000) if isinstance(amount, str) else 0
    except (InvalidOperation, ValueError, OverflowError):
        return 0
