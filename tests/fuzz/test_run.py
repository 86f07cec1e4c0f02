"""The runner says 0 only of a gateway that was asked, and that answered by the rules."""

import asyncio
import json
from pathlib import Path

import pytest

from mjgate.conformance.exchange import Request
from tests.conformance.exchanges import answer, expected, request, sight
from tests.fuzz import run
from tests.fuzz.faults import WORD
from tests.fuzz.habits import NOTHING_LEAKS, UPSTREAM_KEY, Ledger, habits

# Hypothesis says so of a failure with a large body, in place of the failure.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
FETCHED = request("GET", "/mj/task/1795408020562001/fetch")
SUBMIT = request("POST", "/mj/submit/imagine", {"prompt": "a red fox"})


async def fuzz(*words: str) -> int:
    return await asyncio.to_thread(run.main, words)


async def test_a_gateway_of_its_own_passes_and_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ("--max-examples", "15", "--linked-examples", "5")
    words = ("--seed", "20", *few, "--faults", "ending")
    assert 0 == await fuzz(*words, "--report", str(tmp_path)), capsys.readouterr().out
    assert [] == json.loads((tmp_path / "seed-20" / "report.json").read_text())["failures"]
    assert "by links, on the seeds 20: every rule held" in capsys.readouterr().out
    assert (tmp_path / "server.log").read_text()


async def test_too_few_cases_are_a_failure() -> None:
    assert ["coverage: fewer than 2 cases"] == [*run.missing(1, 2)]
    assert [] == [*run.missing(1, 1)]


@pytest.mark.parametrize("seed", ["", "soon", "-1"])
async def test_a_seed_is_a_number_or_random(seed: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        run.main(["--seed", seed])


@pytest.mark.parametrize(
    ("asked", "body", "leaks"),
    [
        (FETCHED, {"state": "mjgate:5f"}, True),
        (FETCHED, {"description": UPSTREAM_KEY}, True),
        (FETCHED, {"state": "order-77"}, False),
        (request("POST", "/mj/submit/imagine", {"state": "mjgate:"}), {"state": "mjgate:"}, False),
    ],
)
async def test_what_is_between_us_and_an_upstream_is_seen_where_it_shows(
    asked: Request, body: dict[str, str], leaks: bool
) -> None:
    assert NOTHING_LEAKS.judge is not None
    found = [*NOTHING_LEAKS.judge(sight(asked, answer(200, body)))]
    assert leaks == any(found)


async def test_every_other_good_prompt_asks_for_a_fault() -> None:
    bend = habits(Ledger(), ("fail", "cancel")).bend
    sent = [bend(SUBMIT, number).body or b"" for number in range(4)]
    assert [b"fail", b"", b"cancel", b""] == [
        body.partition(WORD.encode())[2].rstrip(b'"}') for body in sent
    ]
    for odd in (FETCHED, request("POST", "/mj/submit/imagine", b"{")):
        assert odd == bend(odd, 0)
    bodies: tuple[object, ...] = ({"prompt": 1}, [], {})
    for prompt in bodies:
        odd = request("POST", "/mj/submit/imagine", prompt)
        assert odd == bend(odd, 0)
    assert SUBMIT == habits(Ledger(), ()).bend(SUBMIT, 0)


async def test_a_ledger_hears_what_an_audit_needs() -> None:
    ledger = Ledger()
    made = answer(200, {"code": 1, "result": "1795408020562001"})
    ledger.listen(sight(SUBMIT, made).exchange, expected(SUBMIT))
    ledger.listen(sight(FETCHED, answer(404)).exchange, expected(FETCHED))
    assert ({1795408020562001}, {1795408020562001}, 2, 0) == (
        ledger.submitted,
        ledger.numbers,
        ledger.answered,
        ledger.faulty,
    )
