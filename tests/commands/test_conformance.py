"""`mjgate conformance`: what a run leaves, what it excuses, and when it does not begin."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from mjgate.__main__ import main
from mjgate.commands.conformance import _interruptible
from mjgate.conformance.baseline import read_baseline
from tests.client.server import Answer, Server, serving
from tests.conformance import honest
from tests.conformance.bodies import KEY
from tests.conformance.mutants import html, leaving

TOMORROW = str(datetime.now(UTC).date() + timedelta(1))
YESTERDAY = str(datetime.now(UTC).date() - timedelta(1))
FEW = ("--max-examples", "0", "--seed", "7")
SETTINGS = {
    "CONFORMANCE_TOKEN": honest.TOKEN,
    "CONFORMANCE_SECOND_TOKEN": honest.SECOND,
    "GITHUB_ACTIONS": None,
    "GITHUB_STEP_SUMMARY": None,
}


def conformance(*words: str, **settings: str) -> Result:
    """A run in this process; tokens are in its environment."""
    command = ["conformance", *words]
    return CliRunner().invoke(main, command, env={**SETTINGS, **settings}, catch_exceptions=False)


def refused(*words: str) -> str:
    """The one line of a command that could not run."""
    result = conformance(*words)
    assert (2, "") == (result.exit_code, result.stdout), result.output
    assert 1 == result.stderr.count("\n"), result.stderr
    return result.stderr.removeprefix("mjgate conformance: could not run: ").removesuffix("\n")


@pytest.fixture(scope="module")
def faulty() -> Iterator[str]:
    """A server that says what a token may spend in HTML."""
    with honest.serving(leaving(html, (KEY,))) as address:
        yield address


@pytest.fixture(scope="module")
def reported(faulty: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the reports of a run over it."""
    folder = tmp_path_factory.mktemp("reports")
    junit = folder / "other" / "junit.xml"
    result = conformance(faulty, *FEW, "--report", str(folder), "--junit", str(junit))
    assert 1 == result.exit_code, result.output
    (folder / "said.txt").write_text(result.stdout)
    assert "seed 7\n" == result.stderr
    return folder


def test_a_server_that_keeps_the_contract_passes() -> None:
    with honest.serving() as address:
        result = conformance("run", address, *FEW)
    assert 0 == result.exit_code, result.output
    assert result.stdout.splitlines()[-1].startswith("passed: ")


def test_a_picture_may_take_as_long_as_is_said() -> None:
    for_ever = honest.Manners(life=honest.LIFE[:-1])
    with honest.serving(for_ever) as address:
        result = conformance(address, *FEW, "--allow-submits", "1", "--patience", "1")
    assert 1 == result.exit_code, result.output
    assert "a task has not ended after 1 seconds" in result.stdout


def test_a_run_leaves_every_report(reported: Path) -> None:
    report = json.loads((reported / "report.json").read_bytes())
    assert ("failed", 7) == (report["outcome"], report["seed"])
    assert "content_type" in {failure["rule"] for failure in report["failures"]}
    for failure in report["failures"]:
        assert not failure["exchanges"] or (reported / failure["case"]).is_file()
    assert (reported / "junit.xml").read_bytes() == (reported / "other/junit.xml").read_bytes()
    assert "content_type at GET /v1/key" in (reported / "report.html").read_text("utf-8")


def test_the_terminal_has_it_all(reported: Path) -> None:
    said = (reported / "said.txt").read_text()
    assert ": content_type at GET /v1/key\n" in said
    assert f"mjgate conformance replay {reported}/CASE\n" in said
    assert said.splitlines()[-1].startswith("failed: ")
    assert said.endswith("(--seed 7)\n")


def test_no_token_is_in_what_is_left(reported: Path) -> None:
    for path in reported.rglob("*"):
        text = path.read_text("utf-8") if path.is_file() else ""
        assert honest.TOKEN not in text
        assert honest.SECOND not in text


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run that would take long, once it asks, and the folder of its reports."""
    asked = threading.Event()

    def hear(call: honest.Call) -> float:
        if call.number > 20:
            asked.set()
        return 0.05

    words = ("conformance", "--report", str(tmp_path), "--seed", "7", "--allow-submits", "9")
    with honest.serving(honest.Manners(pause_s=hear)) as address:
        command = [sys.executable, "-m", "mjgate", *words, address]
        settings = {name: text for name, text in SETTINGS.items() if text is not None}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=os.environ | settings
        ) as process:
            assert asked.wait(100)
            yield process, tmp_path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_every_report_and_has_not_passed(
    asking: tuple[subprocess.Popen[str], Path], number: signal.Signals
) -> None:
    process, folder = asking
    process.send_signal(number)
    said, _ = process.communicate(timeout=100)
    assert 2 == process.returncode, said
    assert "; interrupted after " in said.splitlines()[-1]
    report = json.loads((folder / "report.json").read_bytes())
    assert ("could not run", 2) == (report["outcome"], report["exit_code"])
    noted = " ".join(report["notes"])
    assert "The run ended early: interrupted after " in noted
    assert f"Until then the server accepted {report['submits']} submits" in noted
    for name in ("report.html", "junit.xml"):
        assert "interrupted after " in (folder / name).read_text("utf-8")


def test_the_second_signal_ends_the_program() -> None:
    with _interruptible():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(SystemExit) as end:
            signal.raise_signal(signal.SIGTERM)
    assert 130 == end.value.code
    with pytest.raises(SystemExit) as end, _interruptible():
        signal.raise_signal(signal.SIGINT)
    assert 130 == end.value.code


def test_what_is_known_passes_until_its_day_and_is_listed(
    faulty: str, reported: Path, tmp_path: Path
) -> None:
    known = tmp_path / "known.yaml"
    words = ("baseline", str(reported / "report.json"), "--reason", "ticket 77")
    written = conformance(*words, "--expires", TOMORROW, "--file", str(known))
    assert 0 == written.exit_code, written.output
    assert written.stdout.endswith(f" failures are known until {TOMORROW}: {known}\n")
    result = conformance(faulty, *FEW, "--json", "--baseline", str(known))
    report = json.loads(result.stdout)
    assert (0, "passed", []) == (result.exit_code, report["outcome"], report["failures"])
    assert {"ticket 77"} == {each["reason"] for each in report["known"]}


def test_what_was_known_until_yesterday_fails_and_is_told_to_github(
    faulty: str, reported: Path, tmp_path: Path
) -> None:
    known, summary = tmp_path / "known.yaml", tmp_path / "summary.md"
    words = ("baseline", str(reported / "report.json"), "--reason", "ticket 77")
    known.write_text(conformance(*words, "--expires", YESTERDAY).stdout)
    settings = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    result = conformance(faulty, *FEW, "--baseline", str(known), **settings)
    assert 1 == result.exit_code
    assert f"no longer excused, since {YESTERDAY} is over" in result.stdout
    first, *_ = result.stdout.splitlines()
    assert first.startswith("::stop-commands::")
    assert "\n::error title=content_type at GET /v1/key::" in result.stdout
    assert "❌ mjgate conformance" in summary.read_text("utf-8")


def test_where_enough_is_right_a_run_passes_and_prints_one_document(faulty: str) -> None:
    result = conformance(faulty, *FEW, "--fail-under", "50", "--json", GITHUB_ACTIONS="true")
    report = json.loads(result.stdout)
    assert (0, "passed", 50.0) == (result.exit_code, report["outcome"], report["least"])
    assert 50 < report["right"] < 100
    assert "::error title=content_type" in result.stderr


def test_only_one_rule_may_be_made_known(reported: Path, tmp_path: Path) -> None:
    known = tmp_path / "known.yaml"
    words = ("baseline", str(reported / "report.json"), "--expires", TOMORROW, "--file", str(known))
    for rule, reason in (("content_type", "one"), ("none", "two")):
        assert 0 == conformance(*words, "--rule", rule, "--reason", reason).exit_code
    assert {("content_type", "one")} == {(e.rule, e.reason) for e in read_baseline(known)}


@pytest.fixture
def untouched() -> Iterator[Server]:
    """A server that nothing may reach."""
    with serving(lambda arrival: Answer(200)) as server:
        yield server
        assert [] == server.arrivals


def test_where_a_report_cannot_be_written_nothing_is_asked(
    untouched: Server, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    said = refused(untouched.url, "--report", str(taken))
    assert f"{taken} cannot be written: Not a directory" == said
    said = refused(untouched.url, "--junit", str(tmp_path))
    assert f"{tmp_path} cannot be written: it is no regular file" == said


def test_where_a_baseline_is_wrong_nothing_is_asked_and_no_report_goes(
    untouched: Server, tmp_path: Path
) -> None:
    known = tmp_path / "known.yaml"
    known.write_text("version: 1\nknown: {}")
    (tmp_path / "report.json").touch()
    said = refused(untouched.url, "--baseline", str(known), "--report", str(tmp_path))
    assert f"{known}, line 2: `known` must be a list" == said
    assert (tmp_path / "report.json").exists()


def test_where_a_baseline_names_no_rule_nothing_is_asked(untouched: Server, tmp_path: Path) -> None:
    entry = {"rule": "status_document", "operation": "", "reason": "a", "expires": TOMORROW}
    known = tmp_path / "known.json"
    known.write_text(json.dumps({"version": 1, "known": [entry]}))
    said = refused(untouched.url, "--baseline", str(known))
    assert said.startswith(f"{known}, line 1: there is no rule `status_document`; near it are")


def test_an_address_with_a_password_is_refused_and_not_shown(untouched: Server) -> None:
    result = conformance(untouched.url.replace("//", "//user:hidden@"))
    assert 2 == result.exit_code
    assert "may not hold a name or a password" in result.stderr
    assert "hidden" not in result.output


def test_a_report_that_is_none_makes_nothing_known(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("{}")
    words = ("baseline", str(path), "--reason", "a", "--expires", TOMORROW)
    assert f"{path} is no report of `mjgate conformance`" == refused(*words)


def test_a_run_that_could_not_be_is_told_to_github(tmp_path: Path) -> None:
    result = conformance("nowhere", GITHUB_ACTIONS="true")
    assert 2 == result.exit_code
    assert "\n::error title=mjgate conformance::could not run: 'nowhere' is no" in result.stderr


def test_without_its_packages_it_says_how_to_install_them(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['schemathesis'] = None\n"
        "from mjgate.__main__ import main; main(['conformance', 'http://127.0.0.1:1'])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=100
    )
    assert (2, "") == (ran.returncode, ran.stdout)
    assert 'pip install "mjgate[conformance]"' in ran.stderr
    assert "(schemathesis is not installed)" in ran.stderr


def test_a_stored_case_breaks_again_until_the_server_is_mended(reported: Path, faulty: str) -> None:
    cases = sorted(map(str, (reported / "cases").glob("*.json")))
    again = conformance("replay", *cases)
    assert 1 == again.exit_code
    assert len(cases) == again.stdout.count(" breaks again: ")
    with honest.serving() as address:
        mended = conformance("replay", "--url", address, *cases)
    assert 0 == mended.exit_code
    assert len(cases) == mended.stdout.count(" does not break again: ")
    assert "is no case" in refused("replay", str(reported / "report.json"))


def test_a_case_that_could_not_be_sent_again_is_not_taken_for_mended(tmp_path: Path) -> None:
    case = {"format": 1, "rule": "callback_arrives", "operation": "", "text": "", "where": ""}
    case |= {"story": "callbacks", "target": "", "profile": "mjgate", "seed": 1, "steps": []}
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case))
    with honest.serving() as address:
        result = conformance("replay", "--url", address, str(path))
    assert 2 == result.exit_code
    assert f"{path}: callback_arrives at no operation tells nothing: needs " in (result.stdout)
    assert "--allow-submits 1" in result.stdout


def test_junit_of_a_run_names_where_it_was_broken(reported: Path) -> None:
    cases = ElementTree.parse(reported / "junit.xml").iter("testcase")
    failed = {case.attrib["name"] for case in cases if case.find("failure") is not None}
    assert "content_type at GET /v1/key" in failed


def test_help_leads_to_the_options() -> None:
    assert "mjgate conformance run --help" in " ".join(conformance("--help").stdout.split())
    assert "--fail-under" in conformance("run", "--help").stdout
