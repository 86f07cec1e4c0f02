"""A real browser, Debian's Chromium, that is cut off from every network but loopback."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A browser without a window; each test takes a context of its own."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "there is no Chromium: run `make test-tools`"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=flags())
        try:
            yield browser
        finally:
            await browser.close()


def flags() -> list[str]:
    """What Chromium must be told here: root has no sandbox to run it in."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []
