"""The operations tagged `statements`."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from mjgate.contract.call import Answer, Call
from mjgate.contract.schema import broken
from mjgate.domain.money import dollars
from mjgate.domain.token import Account
from mjgate.domain.usage import NO_PERIOD, Days, Entry, Total
from mjgate.errors import Violation
from mjgate.gate import Gate
from mjgate.store.database import reached
from mjgate.store.tokens import find_account
from mjgate.store.usage import list_entries, sum_entries

_USUAL_DAYS = 30
_MOST_DAYS = 366
_FIRST_DAY = date(2000, 1, 1)
"""The earliest that the contract can write."""


async def fetch_key(gate: Gate, call: Call) -> Answer:
    with reached():
        account = await find_account(gate.store.pool, call.client.id)
    return Answer(200, _key(account))


async def fetch_usage(gate: Gate, call: Call) -> Answer:
    days = _days(gate, call.parameters)
    cursor, limit = call.parameters.get("cursor"), call.parameters["limit"]
    pool, token = gate.store.pool, call.client.id
    with reached():
        # One more than is shown tells whether there is another page.
        entries = await list_entries(pool, token, days, cursor, limit + 1)
        totals = None if cursor else await sum_entries(pool, token, days)
    if entries is None:
        raise broken([Violation("#cursor", "must be the cursor of an answer to this token")])
    return Answer(200, _usage(days, entries, limit, totals))


def _key(account: Account) -> dict[str, Any]:
    return {
        "label": account.label,
        "budget": _dollars(account.budget),
        "spent": dollars(account.spent),
        "held": dollars(account.held),
        "remaining": _dollars(account.remaining),
        "period": account.period,
        "resetAt": account.resets_ms,
        "inFlight": account.in_flight,
        "mostInFlight": account.most_in_flight,
        "ratePerMinute": account.rate_per_minute,
        "models": account.models,
        "expiresAt": account.expires_ms,
        "addresses": account.addresses,
    }


def _dollars(amount: int | None) -> str | None:
    return None if amount is None else dollars(amount)


def _days(gate: Gate, given: Mapping[str, Any]) -> Days:
    """The days that are asked for.

    Raises:
        InvalidRequest: they are none, or too many.
    """
    last = _day("to", given.get("to")) or datetime.fromtimestamp(gate.clock() / 1000, UTC).date()
    usual = max(last - timedelta(days=_USUAL_DAYS - 1), _FIRST_DAY)
    first = _day("from", given.get("from")) or usual
    if first > last:
        raise broken([Violation("#from", f"must not be after {last}")])
    if (last - first).days >= _MOST_DAYS:
        raise broken([Violation("#from", f"must be within {_MOST_DAYS} days up to {last}")])
    return Days(first, last)


def _day(name: str, text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise broken([Violation(f"#{name}", "must be a day of the calendar")]) from None


def _usage(
    days: Days, entries: list[Entry], limit: int, totals: tuple[list[Total], list[Total]] | None
) -> dict[str, Any]:
    by_day, by_model = totals or (None, None)
    return {
        "from": days.first.isoformat(),
        "to": days.last.isoformat(),
        "days": by_day and [{"day": str(each.of), **_counts(each)} for each in by_day],
        "models": by_model and [{"model": each.of or None, **_counts(each)} for each in by_model],
        "lines": [_line(entry) for entry in entries[:limit]],
        "cursor": entries[limit - 1].id if len(entries) > limit else None,
    }


def _counts(total: Total) -> dict[str, Any]:
    return {
        "submitted": total.submitted,
        "charged": total.charged,
        "released": total.released,
        "spent": dollars(total.spent),
    }


def _line(entry: Entry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "taskId": None if entry.task_id is None else str(entry.task_id),
        "model": entry.model,
        "held": dollars(entry.held_delta),
        "spent": dollars(entry.spent_delta),
        "period": None if entry.period == NO_PERIOD else entry.period.isoformat(),
        "time": entry.created_ms,
    }
