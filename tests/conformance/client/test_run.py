"""Our client passes; clients with one fault, and the stock generator's, do not."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mjgate.conformance.client.draw import Drawing
from mjgate.conformance.client.judge import RULES
from mjgate.conformance.client.run import run_client
from mjgate.conformance.contract_view import Contract
from mjgate.conformance.verdict import CannotRun, Verdict
from openapi import generate
from tests.conformance.client.mutants import MUTANTS, Mutant

EXAMPLES = 1
Run = Callable[..., Verdict]


@pytest.fixture
def run(drawing: Drawing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs on a package, also on one below the test's own folder."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(package: str, *operations: str) -> Verdict:
        return run_client(
            package, seed=1, max_examples=EXAMPLES, operations=operations, drawing=drawing
        )

    return run


def told(verdict: Verdict) -> str:
    return "\n".join(f"{each.rule}: {each.text}; {each.detail}" for each in verdict.failures)


def test_our_client_keeps_every_rule(run: Run, contract: Contract) -> None:
    verdict = run("mjgate_client")
    assert (0, "") == (verdict.exit_code, told(verdict))
    assert set(RULES) == set(verdict.rules) == set(verdict.sentences)
    assert 0 < min(verdict.rules.values())
    assert verdict.cases > 1_000
    statuses = {
        (operation.label, status)
        for operation in contract.operations
        for status in operation.responses
    }
    assert statuses <= set(verdict.by_status)
    assert {(seen.operation, int(seen.name)) for seen in verdict.seen if seen.covered} == statuses
    assert ("client", 1, contract.version) == (verdict.profile, verdict.seed, verdict.contract)
    assert verdict.target.startswith("mjgate_client")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_client_with_one_fault_does_not_pass(mutant: Mutant, run: Run, tmp_path: Path) -> None:
    verdict = run(mutant.write(tmp_path), mutant.operation)
    assert 1 == verdict.exit_code
    found = [each for each in verdict.failures if each.rule == mutant.rule]
    assert any(mutant.says in each.text for each in found), told(verdict)
    assert {each.rule for each in verdict.failures} <= set(RULES)
    assert "s3cret-of-the-run" not in repr(verdict)


def test_the_same_seed_finds_the_same(run: Run, tmp_path: Path) -> None:
    mutant = next(each for each in MUTANTS if each.name == "misses_a_status")
    name = mutant.write(tmp_path)
    first, second = (replace(run(name, mutant.operation), took_ms=0) for _ in range(2))
    assert [each.key for each in first.failures] == [each.key for each in second.failures]
    assert (first.cases, first.by_status) == (second.cases, second.by_status)
    bodies = [
        [
            each.answer.body
            for failure in verdict.failures
            for each in failure.exchanges
            if each.answer
        ]
        for verdict in (first, second)
    ]
    assert bodies[0] == bodies[1] != []


def test_a_failure_shows_the_reply_and_the_exception(run: Run, tmp_path: Path) -> None:
    mutant = next(each for each in MUTANTS if each.name == "raises_a_key_error")
    failures = run(mutant.write(tmp_path), mutant.operation).failures
    failure = next(each for each in failures if each.rule == mutant.rule)
    exchange = failure.exchanges[-1]
    assert exchange.answer
    assert (200, b"{}") == (exchange.answer.status, exchange.answer.body)
    assert ("content-type", "application/json") in exchange.answer.headers
    assert "/fetch" in exchange.request.path
    assert "KeyError: 'action'" in failure.detail
    assert "models/task.py:" in failure.detail
    assert "GET /mj/task/{id}/fetch" == failure.operation
    assert failure.where.startswith("#/")


KNOWN = {
    "client_escapes_ids": "does not keep a parameter in its segment",
    "client_hides_token": "shows the token in the client",
    "client_keeps_token_home": "sends the token to the host that a redirect names",
    "client_times_out": "waits for ever where no time is given",
    "client_raises_its_own": "raises a bare JSONDecodeError",
    "client_keeps_all": "makes something of a body with NaN",
}


def test_the_client_of_the_stock_generator_has_its_known_defects(run: Run, tmp_path: Path) -> None:
    generate.render(tmp_path / "stock_client", generate.CONTRACT, None)
    verdict = run("stock_client", "fetch_task", "fetch_usage")
    assert 1 == verdict.exit_code
    found = {(each.rule, each.text) for each in verdict.failures}
    for rule, text in KNOWN.items():
        assert (rule, text) in found, told(verdict)
    assert "The client has no lib.wait_for: nobody has waited." in verdict.notes


def test_what_is_not_installed_cannot_be_run() -> None:
    with pytest.raises(CannotRun, match="no_such_client is not installed; pip install"):
        run_client("no_such_client")


def test_what_is_no_client_cannot_be_run() -> None:
    with pytest.raises(CannotRun, match="json is no client"):
        run_client("json")


def test_nothing_of_the_client_is_imported_before_it_is_asked_for() -> None:
    """A gateway is installed without one."""
    code = "import sys, mjgate.conformance.client.run; sys.exit('mjgate_client' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
