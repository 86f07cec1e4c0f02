"""What the writer says to PostgreSQL; the rules are in `migrations/0004.limits.sql`."""

from collections.abc import Sequence
from typing import Any

import msgspec

from mjgate.domain.send import HELD, Decision, Intent, Settlement, Verdict

COMMIT = "select commit_batch($1::json, $2::json, $3::integer[])"
KNOWN = "select id from tasks where id = any(%s::bigint[])"


def commit_parameters(
    settlements: Sequence[Settlement], intents: Sequence[Intent]
) -> tuple[bytes | None, bytes | None, bytes]:
    """Each kind as a JSON array in order of arrival, None for none; and the intents' tokens."""
    clients = ",".join({str(intent.token) for intent in intents})
    return _array(settlements), _array(intents), b"{%b}" % clients.encode()


def decisions(intents: int, refusals: Sequence[Sequence[Any]] | None) -> list[Decision]:
    """The decision on each of so many intents, from what was refused."""
    decided = [HELD] * intents
    for place, why, *more in refusals or ():
        decided[place - 1] = Decision(Verdict(why), *more)
    return decided


def _array(rows: Sequence[Settlement] | Sequence[Intent]) -> bytes | None:
    return msgspec.json.encode(rows) if rows else None
