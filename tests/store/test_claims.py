"""Keys of clients: found again for a day, whatever else becomes of them."""

import pytest

from mjgate.domain.send import Claim, Conclusion, Decision, Verdict, claim_of
from mjgate.domain.task import Phase
from mjgate.store.claims import forget_claims, recall
from mjgate.store.database import Store
from tests.store.rows import intent, query, settled, token

CLAIM = claim_of("k", "submit_imagine", {})


@pytest.mark.parametrize(
    ("phase", "conclusion", "known"),
    [
        (None, None, Decision(Verdict.GOING)),
        (Phase.RUNNING, Conclusion("k", 200, {"b": 1, "a": 2}), (200, {"b": 1, "a": 2})),
        (Phase.REJECTED, Conclusion("k", 502, {"code": 9}), (502, {"code": 9})),
        (Phase.UNKNOWN, Conclusion("k", 504, {"code": 9}), (504, {"code": 9})),
        (Phase.UNKNOWN, None, (None, None)),
        (Phase.REJECTED, Conclusion("k"), None),
    ],
)
async def test_a_key_is_what_its_task_came_to(
    store: Store, phase: Phase | None, conclusion: Conclusion | None, known: object
) -> None:
    client = await token(store)
    await store.writer.admit(intent(1, client, claim=CLAIM))
    if phase:
        await store.writer.settle(settled(1, phase, claim=conclusion))

    if isinstance(known, tuple):
        known = Decision(Verdict.GIVEN, 0, 1, *known)
    assert known == await recall(store.pool, client, CLAIM)


async def test_a_key_of_another_request_or_token_is_told_apart(store: Store) -> None:
    client, stranger = await token(store), await token(store)
    await store.writer.admit(intent(1, client, claim=CLAIM))

    other = claim_of("k", "submit_change", {})
    assert Decision(Verdict.REUSED) == await recall(store.pool, client, other)
    assert await recall(store.pool, stranger, CLAIM) is None
    assert await recall(store.pool, client, Claim("K", CLAIM.request)) is None


async def test_keys_are_forgotten_after_a_day(store: Store) -> None:
    client = await token(store)
    for n in range(5):
        await store.writer.admit(intent(n, client, claim=Claim(str(n), "00")))
    query(
        store,
        "update idempotency set created_at = now() - interval '24 hours 1 s' where task_id < 3",
    )

    assert [2, 1, 0] == [await forget_claims(store.pool, 2) for _ in range(3)]
    assert [("3",), ("4",)] == query(store, "select key from idempotency order by key")
