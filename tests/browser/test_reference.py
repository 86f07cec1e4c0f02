"""The reference pages in a browser: of a release, from a folder; of the gateway, at /docs."""

import functools
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, expect

from mjgate.contract.document import load_document
from openapi.release import Sources, write
from tests.browser.watched import Watched, watched
from tests.harness import Gateway, until

DOCUMENT = load_document()


@functools.cache
def operations() -> frozenset[tuple[str, str, str]]:
    """Method, path and summary of each."""
    return frozenset(
        (method.upper(), path, operation["summary"])
        for path, item in DOCUMENT.spec["paths"].items()
        for method, operation in item.items()
    )


async def shown(found: Watched) -> list[tuple[str, ...]]:
    """The operations that the page shows, in the same words."""
    blocks = found.page.locator(".opblock")
    await expect(blocks).to_have_count(len(operations()))
    parts: list[tuple[str, ...]] = []
    for block in await blocks.all():
        words = (".opblock-summary-method", ".opblock-summary-path", ".opblock-summary-description")
        texts = [await block.locator(each).inner_text() for each in words]
        # Swagger UI lets a path break at its slashes, by signs without width.
        parts.append(tuple(text.replace("\u200b", "").strip() for text in texts))
    return parts


async def check(found: Watched) -> None:
    assert sorted(operations()) == sorted(await shown(found))
    await found.page.locator(".opblock").first.click()
    await found.page.locator(".opblock .responses-table").first.wait_for()
    assert "errors" not in (await found.page.locator("#pages").inner_text()).lower().split("\n")[:3]
    assert (
        0 == await found.page.locator(".errors-wrapper, .loading-container .failed-config").count()
    )
    assert ([], []) == (found.said, found.strayed)


async def test_the_reference_of_a_release_opens_from_its_folder(
    chromium: Browser, tmp_path: Path
) -> None:
    files = write(Sources(), tmp_path / "dist")
    page = next(path for path in files if path.name == "index.html")
    folder = page.parent.as_uri()
    async with watched(chromium, lambda url: url.startswith(f"{folder}/")) as found:
        await found.page.goto(page.as_uri())
        await check(found)


async def test_the_reference_of_the_gateway_opens_without_a_network(
    chromium: Browser, gateway: Gateway
) -> None:
    async with watched(chromium, lambda url: url.startswith(f"{gateway.address}/")) as found:
        await found.page.goto(f"{gateway.address}/docs")
        await check(found)


async def test_an_operation_can_be_tried_from_the_pages_of_the_gateway(
    chromium: Browser, gateway: Gateway
) -> None:
    asked: list[Any] = []
    async with watched(chromium, lambda url: url.startswith(f"{gateway.address}/")) as found:
        found.page.on("response", lambda response: asked.append((response.url, response.status)))
        await found.page.goto(f"{gateway.address}/docs")
        block = found.page.locator("#operations-statements-fetch_key")
        await found.page.get_by_role("button", name="Authorize").click()
        field = found.page.locator(".auth-container input").first
        await field.fill(gateway.key)
        await found.page.locator(".auth-btn-wrapper button", has_text="Authorize").first.click()
        await found.page.locator(".auth-btn-wrapper button", has_text="Close").first.click()
        await block.locator(".opblock-summary-control").click()
        await block.get_by_role("button", name="Try it out").click()
        await block.get_by_role("button", name="Execute").click()
        await block.locator(".live-responses-table .response").first.wait_for()
        await until(lambda: (f"{gateway.address}/v1/key", 200) in asked)
        assert ([], []) == (found.said, found.strayed)
