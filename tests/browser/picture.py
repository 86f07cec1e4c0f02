"""Draws the picture that openapi/CONFORMANCE.md shows: python -m tests.browser.picture [FILE]"""

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.async_api import ViewportSize, async_playwright

from mjgate.conformance.report.html import html_report
from tests.browser.conftest import NAMES, flags
from tests.conformance.report.verdicts import FAILED

PICTURE = Path(__file__).parents[2] / "openapi" / "conformance.png"
MOST_BYTES = 200_000
_SIZE = ViewportSize(width=900, height=760)


async def draw(path: Path) -> None:
    """The top of a page with its first failure unfolded."""
    browser_path = next(filter(None, map(shutil.which, NAMES)))
    with tempfile.TemporaryDirectory() as folder:
        page_path = Path(folder) / "report.html"
        page_path.write_text(html_report(FAILED), "utf-8")
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=browser_path, args=flags())
            page = await browser.new_page(viewport=_SIZE)
            await page.goto(page_path.as_uri())
            await page.locator("#failure-1 summary").click()
            await page.screenshot(path=path)
            await browser.close()


if __name__ == "__main__":
    target = Path(sys.argv[1]) if sys.argv[1:] else PICTURE
    asyncio.run(draw(target))
    print(f"{target}: {os.path.getsize(target):,} bytes")
