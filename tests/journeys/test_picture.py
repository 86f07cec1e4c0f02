"""A picture from submit to success, and its changes."""

from tests.harness import Gateway


async def test_a_picture_goes_from_submit_to_success_and_is_charged(ready: Gateway) -> None:
    status, answer = await ready.imagine("a red fox", state="mine")
    assert (200, 1) == (status, answer["code"])

    done = await ready.ended(answer["result"])

    assert ("SUCCESS", "100%", "mine") == (done["status"], done["progress"], done["state"])
    assert [("hold", 100_000, 0), ("charge", -100_000, 100_000)] == ready.rows(
        "select kind, held_delta, spent_delta from ledger order by id"
    )
    assert [(0, 100_000)] == ready.rows("select held, spent from tokens where label = 'client'")
