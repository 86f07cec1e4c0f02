"""What the writer says to PostgreSQL; the rules are in `migrations/0003.commit-batch.sql`."""

from collections.abc import Sequence

import orjson

from mjgate.domain.send import Intent, Settlement

COMMIT = "select commit_batch(%s::json, %s::json)"
KNOWN = "select id from tasks where id = any(%s::bigint[])"


def commit_parameters(
    settlements: Sequence[Settlement], intents: Sequence[Intent]
) -> tuple[str | None, str | None]:
    """Each kind as a JSON array in order of arrival, None for none."""
    return _array(settlements), _array(intents)


def _array(rows: Sequence[Settlement] | Sequence[Intent]) -> str | None:
    return orjson.dumps(rows).decode() if rows else None
