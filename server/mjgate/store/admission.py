"""What the writer says to PostgreSQL; the rules are in `migrations/0003.commit-batch.sql`."""

from collections.abc import Sequence

import orjson

from mjgate.domain.send import Intent, Settlement

COMMIT = "select commit_batch(%s::json, %s::bigint[], %s::json, %s::integer[])"
KNOWN = "select id from tasks where id = any(%s::bigint[])"


def commit_parameters(
    settlements: Sequence[Settlement], intents: Sequence[Intent]
) -> tuple[str | None, list[int], str | None, list[int]]:
    """Each kind as a JSON array in order of arrival, None for none, with the ids it locks."""
    return (
        orjson.dumps(settlements).decode() if settlements else None,
        [row.id for row in settlements],
        orjson.dumps(intents).decode() if intents else None,
        list({row.token for row in intents}),
    )
