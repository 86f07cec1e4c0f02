"""A page that is watched: what it loads, what it complains of, how it can be read."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, Route

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}
CLIPBOARD = ["clipboard-read", "clipboard-write"]

# Each element that shows text of its own: how big it is, and how it stands out from its ground.
_TEXTS = """
() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = channels(colour).slice(0, 3).map((each) => {
      const part = each / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((channels(colour)[3] ?? 1) === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const own = (element) => [...element.childNodes].some(
    (node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  return [...document.body.querySelectorAll("*")].filter(
    (element) => own(element) && element.checkVisibility()).map((element) => {
    const style = getComputedStyle(element);
    const [a, b] = [light(style.color), light(ground(element))];
    return {
      text: element.textContent.slice(0, 40), size: parseFloat(style.fontSize),
      contrast: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05),
    };
  });
}
"""


@dataclass
class Watched:
    """A page and what came of it."""

    page: Page
    said: list[str] = field(default_factory=list)
    """Errors and warnings of its console, and errors of its scripts."""
    strayed: list[str] = field(default_factory=list)
    """Addresses that it asked for and must not."""

    async def texts(self) -> list[dict[str, Any]]:
        """Each element that shows text: `text`, `size` in pixels, `contrast` by WCAG."""
        found: list[dict[str, Any]] = await self.page.evaluate(_TEXTS)
        return found

    async def is_wider_than_its_window(self) -> bool:
        width = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        return bool(await self.page.evaluate(width))

    def hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(f"{message.type}: {message.text}")


@asynccontextmanager
async def watched(
    browser: Browser, may_load: Callable[[str], bool], **options: Any
) -> AsyncIterator[Watched]:
    """A page in a context of its own; what it may not load is refused and noted."""
    context = await browser.new_context(**{"viewport": DESK, "permissions": CLIPBOARD} | options)
    try:
        found = Watched(await context.new_page())
        found.page.on("console", found.hear)
        found.page.on("pageerror", lambda error: found.said.append(f"thrown: {error}"))

        async def guard(route: Route) -> None:
            if may_load(route.request.url):
                await route.continue_()
            else:
                found.strayed.append(route.request.url)
                await route.abort()

        await context.route("**/*", guard)
        yield found
    finally:
        await context.close()
