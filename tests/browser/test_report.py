"""The page of a conformance run, opened from a file as a person would open it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from mjgate.conformance.report.html import html_report
from mjgate.conformance.verdict import Verdict
from tests.browser.watched import PHONE, Watched, watched
from tests.conformance.report.verdicts import BIG, EMPTY, FAILED, PASSED, hostile
from tests.harness import until

EVERY = {"passed": PASSED, "failed": FAILED, "empty": EMPTY, "hostile": hostile()}
LEAST_SIZE, LEAST_CONTRAST = 14.0, 4.5
every = pytest.mark.parametrize("verdict", EVERY.values(), ids=EVERY)


@asynccontextmanager
async def opened(
    chromium: Browser, folder: Path, verdict: Verdict, **options: Any
) -> AsyncIterator[Watched]:
    """A page that may load itself and nothing else."""
    path = folder / "report.html"
    path.write_text(html_report(verdict), "utf-8")
    async with watched(chromium, lambda url: url == path.as_uri(), **options) as found:
        await found.page.goto(path.as_uri())
        yield found
        assert ([], []) == (found.said, found.strayed)


async def unfold(found: Watched) -> None:
    await found.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")


@every
@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_all_of_it_can_be_read_on_a_phone(
    chromium: Browser, tmp_path: Path, verdict: Verdict, colours: str
) -> None:
    async with opened(
        chromium, tmp_path, verdict, viewport=PHONE, color_scheme=colours, is_mobile=True
    ) as found:
        assert not await found.is_wider_than_its_window()
        await unfold(found)
        assert not await found.is_wider_than_its_window()
        texts = await found.texts()
    assert texts
    assert [] == [text for text in texts if text["size"] < LEAST_SIZE]
    assert [] == [text for text in texts if text["contrast"] < LEAST_CONTRAST]


async def test_its_tables_fit_a_phone(chromium: Browser, tmp_path: Path) -> None:
    wider = "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth)"
    async with opened(chromium, tmp_path, FAILED, viewport=PHONE, is_mobile=True) as found:
        await unfold(found)
        assert 0 == await found.page.evaluate(f"{wider}.length")


async def test_what_was_not_covered_stands_out(chromium: Browser, tmp_path: Path) -> None:
    async with opened(chromium, tmp_path, FAILED) as found:
        await unfold(found)
        colour = "e => getComputedStyle(e).color"
        names = found.page.locator(".seen th.name")
        told = {await each.inner_text(): await each.evaluate(colour) for each in await names.all()}
    assert "rgb(180, 35, 24)" == told["500"]
    assert "rgb(27, 31, 36)" == told["bearer"]


async def test_it_is_dark_where_the_reader_has_it_dark(chromium: Browser, tmp_path: Path) -> None:
    grounds = []
    for colours in ("light", "dark"):
        async with opened(chromium, tmp_path, FAILED, color_scheme=colours) as found:
            ground = "getComputedStyle(document.body).backgroundColor"
            grounds.append(await found.page.evaluate(ground))
    assert ["rgb(255, 255, 255)", "rgb(15, 18, 22)"] == grounds


async def test_a_failure_is_folded_and_can_be_unfolded(chromium: Browser, tmp_path: Path) -> None:
    async with opened(chromium, tmp_path, FAILED) as found:
        first = found.page.locator("#failure-1")
        assert not await first.locator("pre").first.is_visible()
        await first.locator("summary").click()
        assert await first.locator("pre").first.is_visible()
        assert "HTTP 418 after 12 ms" in await first.inner_text()


async def test_all_failures_can_be_unfolded_at_once(chromium: Browser, tmp_path: Path) -> None:
    async with opened(chromium, tmp_path, FAILED) as found:
        button = found.page.locator("#unfold")
        opened_ones = found.page.locator("#failures details[open]")
        await button.click()
        assert (3, "Fold all") == (await opened_ones.count(), await button.inner_text())
        await button.click()
        assert (0, "Unfold all") == (await opened_ones.count(), await button.inner_text())


async def test_a_broken_rule_leads_to_its_first_failure(chromium: Browser, tmp_path: Path) -> None:
    async with opened(chromium, tmp_path, FAILED) as found:
        await found.page.get_by_role("link", name="status_documented").click()
        await found.page.locator("#failure-1[open]").wait_for()


async def test_the_command_of_a_failure_can_be_copied(chromium: Browser, tmp_path: Path) -> None:
    async with opened(chromium, tmp_path, FAILED) as found:
        await found.page.locator("#failure-1 summary").click()
        button = found.page.locator("#failure-1 button")
        await button.click()
        await found.page.locator("#failure-1 button", has_text="Copied").wait_for()
        copied = await found.page.evaluate("navigator.clipboard.readText()")
    assert FAILED.failures[0].exchanges[0].request.curl() == copied


async def test_without_a_clipboard_the_command_is_selected(
    chromium: Browser, tmp_path: Path
) -> None:
    async with opened(chromium, tmp_path, FAILED) as found:
        await found.page.evaluate(
            "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
            "document.execCommand = () => false"
        )
        await found.page.locator("#failure-1 summary").click()
        await found.page.locator("#failure-1 button").click()
        await found.page.locator("#failure-1 button", has_text="press Ctrl+C").wait_for()
        selected = await found.page.evaluate("getSelection().toString()")
    assert FAILED.failures[0].exchanges[0].request.curl() == selected


async def test_without_scripts_all_can_be_read_still(chromium: Browser, tmp_path: Path) -> None:
    async with opened(chromium, tmp_path, FAILED, java_script_enabled=False) as found:
        assert 0 == await found.page.locator("button:visible").count()
        await found.page.locator("#failure-1 summary").click()
        assert await found.page.locator("#failure-1 pre").first.is_visible()


async def test_nothing_that_a_server_wrote_does_anything(chromium: Browser, tmp_path: Path) -> None:
    async with opened(chromium, tmp_path, hostile()) as found:
        await unfold(found)
        for each in await found.page.locator("summary, button:visible, pre").all():
            await each.hover()
        await found.page.locator("button[data-copies]").first.click()
        assert "owned" != await found.page.title()
        assert (await found.page.title()).startswith("failed: ")
        foreign = (
            "script:not(body > script:last-child), img, iframe, object, base, form, a[href^=h]"
        )
        assert 0 == await found.page.locator(foreign).count()
        assert await found.page.locator("#rules").is_visible()


async def test_the_policy_of_the_page_stops_a_script_that_got_in(
    chromium: Browser, tmp_path: Path
) -> None:
    """So that the page would hold even where its escaping did not."""
    path = tmp_path / "report.html"
    page = html_report(FAILED)
    attack = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    path.write_text(page.replace("<main>", f"{attack}<main>"), "utf-8")
    async with watched(chromium, lambda url: url == path.as_uri()) as found:
        await found.page.goto(path.as_uri())
        assert "owned" != await found.page.title()
        await until(
            lambda: 3 == len([said for said in found.said if "Content Security Policy" in said])
        )


async def test_a_big_page_can_be_used(chromium: Browser, tmp_path: Path) -> None:
    async with opened(chromium, tmp_path, BIG) as found:
        assert 500 == await found.page.locator("#failures details").count()
        assert not await found.is_wider_than_its_window()
        await found.page.locator("#failure-500 summary").click()
        assert await found.page.locator("#failure-500 pre").first.is_visible()
