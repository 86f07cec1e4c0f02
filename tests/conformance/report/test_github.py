"""What GitHub Actions is told, and what it must not obey."""

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from mjgate.conformance.report.github import (
    MOST_ANNOTATIONS,
    MOST_SUMMARY,
    add_summary,
    annotations,
    fault,
    fenced,
    summary,
)
from mjgate.conformance.report.text import text_report
from mjgate.conformance.verdict import CannotRun, Verdict
from tests.conformance.report.verdicts import (
    ATTACKS,
    BIG,
    EMPTY,
    FAILED,
    PASSED,
    failure,
    hostile,
    verdict,
)

COMMAND = re.compile(r"::(error|notice) title=([^:,\r\n]*)::(.*)")


def unescaped(text: str) -> str:
    for sign, code in (("\n", "%0A"), ("\r", "%0D"), (":", "%3A"), (",", "%2C"), ("%", "%25")):
        text = text.replace(code, sign)
    return text


def test_each_failure_is_an_annotation() -> None:
    found = [COMMAND.fullmatch(line) for line in annotations(FAILED).splitlines()]
    assert ["error"] * 3 == [each[1] for each in found if each]
    assert found[0]
    assert "status_documented at POST /mj/submit/imagine" == unescaped(found[0][2])
    assert "418 is not in the contract\nrule      Every status" in unescaped(found[0][3])


def test_a_run_that_passed_annotates_nothing() -> None:
    assert "" == annotations(PASSED)


def test_of_many_failures_the_first_are_annotated_and_the_others_counted() -> None:
    *errors, last = annotations(BIG).splitlines()
    assert MOST_ANNOTATIONS == len(errors)
    assert "::notice title=mjgate conformance::490 more failures in the report" == last


def test_an_annotation_is_one_command_whatever_a_server_writes() -> None:
    (line,) = annotations(hostile()).split("\n")[:-1]
    found = COMMAND.fullmatch(line)
    assert found
    assert "owned" in found[2]


def test_a_percent_sign_is_not_taken_for_an_escape() -> None:
    bad = verdict(failures=(failure("100%0A: a, b", operation="GET /a%3A:b,c"),))
    found = COMMAND.fullmatch(annotations(bad).rstrip("\n"))
    assert found
    assert "status_documented at GET /a%3A:b,c" == unescaped(found[2])
    assert unescaped(found[3]).startswith("100%0A: a, b\n")


def test_a_run_that_could_not_be_is_one_annotation() -> None:
    said = fault("no such server\n::error::owned 100%")
    assert (
        "::error title=mjgate conformance::could not run: no such server ::error::owned 100%25\n"
        == said
    )


def test_no_line_of_the_log_is_a_command_of_the_workflow() -> None:
    said = text_report(hostile())
    first, *lines, last = fenced(said).splitlines()
    assert first.startswith("::stop-commands::")
    assert f"::{first.removeprefix('::stop-commands::')}::" == last
    assert last not in lines
    assert first != fenced(said).splitlines()[0]


def test_the_summary_is_added_to_what_the_job_has(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    add_summary(FAILED, str(path))
    assert f"before\n{summary(FAILED)}" == path.read_text("utf-8")
    add_summary(FAILED, None)


def test_a_summary_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="GITHUB_STEP_SUMMARY cannot be written: Is a directory"):
        add_summary(FAILED, str(tmp_path))


def rendered(verdict: Verdict) -> str:
    """As GitHub would render it, with the HTML that it lets through."""
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(summary(verdict)))


def test_the_summary_says_what_matters() -> None:
    page = rendered(FAILED)
    assert "❌ mjgate conformance" in page
    assert "2 rules broken in 3 ways" in page
    assert "<td>status_documented</td>" in page
    assert 3 == page.count("<details>")
    assert "known until 2027-01-31: no_server_error at POST" in page
    assert "let pass: errors-are-200, 14 times" in page
    assert "✅" in rendered(PASSED)
    assert "⚠️" in rendered(EMPTY)


def test_a_summary_fits_into_what_github_takes() -> None:
    said = summary(BIG)
    assert len(said) < MOST_SUMMARY + 100
    assert len(said.encode()) < 2**20
    assert re.search(r"\n[0-9]+ more failures in the report\.\n$", said)


def test_the_summary_obeys_no_markup_of_a_server() -> None:
    page = rendered(hostile())
    tags = set(re.findall(r"<(/?[a-zA-Z!][a-z0-9]*)", page))
    ours = {"h2", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    ours |= {"details", "summary", "pre", "code"}
    assert set() == tags - ours - {f"/{tag}" for tag in ours}
    assert 1 == page.count("<details>")
    assert 1 == page.count("<h2>")


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_body_never_ends_the_block_it_stands_in(attack: str) -> None:
    body = ("`````\n" + attack).encode(errors="surrogatepass")
    exchange = hostile().failures[0].exchanges[0]
    assert exchange.answer
    bad = verdict(
        failures=(
            failure(
                exchanges=(
                    type(exchange)(exchange.request, type(exchange.answer)(200, (), body, 1)),
                )
            ),
        )
    )
    assert 1 == rendered(bad).count("<pre>")
    assert 1 == rendered(bad).count("</details>")
