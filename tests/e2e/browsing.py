"""A real Chromium at a console, and everything it complained about."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from e2e.signing_in import Cookies
from programs import needed

Scheme = Literal["light", "dark"]
WIDE, PHONE = (1280, 900), (390, 844)
_PICTURES = os.environ.get("KEEP_PICTURES", "")
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]
_CONTRASTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const pixel = (...layers) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const layer of layers) { canvas.fillStyle = layer; canvas.fillRect(0, 0, 1, 1); }
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const luminance = ([...rgb]) => rgb.slice(0, 3)
    .map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
    return layers;
  };
  const found = {};
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    const layers = behind(element);
    const [text, ground] = [[...layers, getComputedStyle(element).color], layers].map(l => luminance(pixel(...l)));
    const ratio = (Math.max(text, ground) + .05) / (Math.min(text, ground) + .05);
    const name = element.tagName + '.' + element.className;
    found[name] = Math.min(ratio, found[name] ?? 21);
  }
  return found;
}"""

_OVERLAPS = """() => {
  const texts = document.createTreeWalker(document.querySelector('main') ?? document.body, NodeFilter.SHOW_TEXT), lines = [];
  while (texts.nextNode()) {
    const text = texts.currentNode, element = text.parentElement, range = document.createRange();
    if (!text.data.trim() || !element.checkVisibility() || element.closest('.vh, .foot, option')) continue;
    range.selectNodeContents(text);
    for (const box of range.getClientRects()) lines.push({box, text});
  }
  const lies = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 3
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4;
  return lines.flatMap((one, at) => lines.slice(at + 1)
    .filter(other => other.text !== one.text && lies(one.box, other.box))
    .map(other => one.text.data.trim() + ' / ' + other.text.data.trim()));
}"""


@contextmanager
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Debian's browser, without its own traffic to the outside."""
    browser = playwright.chromium.launch(executable_path=needed("chromium"), args=_FLAGS)
    yield browser
    browser.close()


@dataclass
class Visit:
    """One page in a window of its own. `complaints`: what the browser found wrong, in its words."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Every address the page made the browser ask for."""

    def overflows(self) -> bool:
        """Whether something can be scrolled to sideways."""
        self.page.wait_for_load_state()  # a page that is just being left has no document
        wide = self.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        return bool(wide)

    def overlaps(self) -> list[str]:
        """Texts that lie one over another, two by two."""
        found: list[str] = self.page.evaluate(_OVERLAPS)
        return found

    def contrasts(self) -> dict[str, float]:
        """The least contrast of the text in each kind of element, as WCAG reckons it."""
        found: dict[str, float] = self.page.evaluate(_CONTRASTS)
        return found


@contextmanager
def visiting(
    browser: Browser,
    url: str,
    *,
    language: str = "en",
    size: tuple[int, int] = WIDE,
    scheme: Scheme = "light",
    cookies: Cookies | None = None,
) -> Iterator[Visit]:
    """Open a page as somebody with this language, window and theme, signed in by cookies."""
    width, height = size
    context = browser.new_context(
        locale=language, viewport={"width": width, "height": height}, color_scheme=scheme
    )
    context.add_cookies(cast(Any, cookies or []))
    visit = Visit(context, context.new_page())
    visit.page.on(
        "console",
        lambda message: visit.complaints.append(
            f"{message.text} {message.location['url']}".strip()
        ),
    )
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    visit.page.on("request", lambda request: visit.asked.append(request.url))
    visit.page.goto(url)
    yield visit
    context.close()


def picture(page: Page, name: str) -> None:
    """Keep a picture for the documentation, where somebody asked for them."""
    if _PICTURES:
        page.screenshot(path=Path(_PICTURES) / f"{name}.png")
