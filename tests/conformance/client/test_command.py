"""`mjgate conformance --client`, from the words to the files."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from mjgate.__main__ import main
from tests.conformance.client.mutants import copy_client


def conformance(*words: str) -> Result:
    return CliRunner().invoke(main, ["conformance", *words])


def test_a_client_that_is_not_installed_is_told_in_one_line_with_2() -> None:
    answer = conformance("--client", "--client-package", "no_such_client", "--seed", "1")
    assert 2 == answer.exit_code
    assert answer.stderr.splitlines()[1:] == [
        "mjgate conformance: could not run: no_such_client is not installed; pip install "
        "mjgate-client, or name another client with --client-package"
    ]


def test_the_words_may_stand_in_any_order_and_mean_the_command() -> None:
    for words in (["client"], ["--client"], ["--seed", "1", "--client"]):
        answer = conformance(*words, "--client-package", "no_such_client")
        assert (2, True) == (answer.exit_code, "no_such_client" in answer.stderr)
    assert "No such option" not in conformance("client", "--help").output


def test_a_run_that_fails_leaves_its_reports_and_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    name = "client_of_one_operation"
    copy_client(tmp_path / name, with_lib=False)
    for operation in ("tasks/submit_imagine", "tasks/submit_change", "tasks/list_tasks"):
        (tmp_path / name / "api" / f"{operation}.py").unlink()
    (tmp_path / name / "api" / "statements" / "fetch_usage.py").unlink()
    (tmp_path / name / "api" / "tasks" / "fetch_task.py").write_text("")
    reports = tmp_path / "reports"
    words = ["--client-package", name, "--seed", "4", "--max-examples", "1"]
    answer = conformance("--client", *words, "--report", str(reports))
    assert 1 == answer.exit_code, answer.output
    report = json.loads((reports / "report.json").read_text())
    assert (4, "client", 1) == (report["seed"], report["profile"], report["exit_code"])
    failure = next(each for each in report["failures"] if each["rule"] == "client_has_operation")
    assert "has no module api.tasks.submit_imagine: ModuleNotFoundError" == failure["text"]
    assert "has no module api.tasks.submit_change" in answer.stdout
    assert ElementTree.parse(reports / "junit.xml").getroot().findall(".//failure")
    assert (reports / "report.html").stat().st_size
