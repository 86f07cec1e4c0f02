"""The page as text; what a browser makes of it is in tests/browser."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from mjgate.conformance.report.html import html_report
from mjgate.conformance.verdict import Seen, Verdict
from tests.conformance.report.verdicts import (
    BIG,
    EMPTY,
    FAILED,
    IMAGINE,
    PASSED,
    WAIVED,
    exchange,
    failure,
    hostile,
    verdict,
)

EVERY = {"passed": PASSED, "failed": FAILED, "empty": EMPTY, "big": BIG, "hostile": hostile()}
LOADING = {"src", "href", "srcset", "action", "data", "poster", "background", "style"}


class Read(HTMLParser):
    """What a page consists of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: set[str] = set()
        self.names: list[str] = []
        self.text: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.loads |= {str(value) for name, value in attrs if name in LOADING}
        self.names += [str(value) for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.mark.parametrize("verdict", EVERY.values(), ids=EVERY)
def test_a_page_needs_nothing_else_and_runs_one_script(verdict: Verdict) -> None:
    page = Read(html_report(verdict))
    assert ["data:,"] == [each for each in sorted(page.loads) if not each.startswith("#failure-")]
    assert (1, 1) == (page.tags.count("script"), page.tags.count("style"))
    assert set() == {name for name in page.attributes if name.startswith("on")}
    assert len(page.names) == len(set(page.names))


def test_no_element_comes_from_a_server() -> None:
    tags = set(Read(html_report(hostile())).tags)
    assert set() == tags - set(Read(html_report(FAILED)).tags)


def test_the_policy_names_the_script_and_the_style_and_lets_nothing_else() -> None:
    found = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', html_report(PASSED))
    assert found
    policy = found[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy


def test_the_page_says_all_of_a_verdict() -> None:
    words = Read(html_report(FAILED)).words
    for part in (
        "failed: 2 rules broken in 3 ways",
        "status_documented at POST /mj/submit/imagine",
        "418 is not in the contract",
        "#/paths/~1mj~1submit~1imagine/post/responses",
        "cases/status_documented-1.json",
        "HTTP 418 after 12 ms",
        "no answer",
        "3 requests before these",
        "errors are HTTP 200 with a code",
        "novicezk 2.6.3, measured",
        "until 2027-01-31: mended in the next version",
        "The server asked to wait 2 times.",
        "rules that nothing was asked of: key_holds",
        "ImagineRequest/prompt minLength",
        "header Idempotency-Key",
        "2 statuses not covered",
        "A key gives one picture.",
    ):
        assert part in words, part


def test_deviations_that_were_not_met_are_named_alone() -> None:
    unmet = replace(WAIVED, name="never", times=0)
    words = Read(html_report(verdict(waived=(unmet, WAIVED)))).words
    assert "measured not met: never Notes" in words


def test_a_page_without_failures_says_none() -> None:
    words = Read(html_report(PASSED)).words
    assert "Failures (0) None." in words
    assert "Unfold" not in words.partition("use strict")[0]


def test_a_command_that_was_cut_cannot_be_copied() -> None:
    long = verdict(failures=(failure(exchanges=(exchange(sent=b"y" * 9000),)),))
    assert "data-copies=" not in html_report(long).partition("<script>")[0]
    assert "data-copies=" in html_report(FAILED).partition("<script>")[0]


def test_of_very_much_that_is_missing_the_first_are_named() -> None:
    many = tuple(Seen(IMAGINE, "keyword", f"k{number}") for number in range(250))
    words = Read(html_report(verdict(seen=many))).words
    assert "250 keywords not covered" in words
    assert "and 50 more, in report.json" in words


def test_a_big_page_has_every_failure() -> None:
    assert 500 == html_report(BIG).count('<details id="failure-')
