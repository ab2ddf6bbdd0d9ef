"""Every page of the console, on a desk and on a phone: by axe, by keyboard, and by the browser's own words.

Pages come from the routes themselves: whoever adds one whose address names a thing says in WHERE how
to come by such a thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import URLPattern, URLResolver
from playwright.sync_api import Browser, Page, expect

import django_ready  # noqa: F401 - before the routes, which need Django
from e2e.browsing import PHONE, WIDE, Scheme, visiting
from e2e.installations import Demo
from e2e.signing_in import Cookies, cookies_of
from portero.console.doors import Opens, declared
from portero.console.urls import urlpatterns

pytestmark = pytest.mark.e2e

UUID = r"[0-9a-f-]{36}"
WHERE: dict[str, tuple[str, str]] = {
    "principal": ("/people/?q=Beto", rf"/people/({UUID})/"),
    "api_key": ("/keys/", rf"/keys/({UUID})/\">orders-bot<"),
    "account": ("/people/?q=orders-bot", rf"/people/({UUID})/"),
    "team": ("/people/?q=Ventas", rf"/people/({UUID})/"),
    "role": ("/roles/", rf"/roles/({UUID})/\">Reader<"),
    "binding": ("/people/{principal}/", rf"/bindings/({UUID})/end/"),
    "request_id": ("/requests/", rf"/requests/({UUID})/"),
    "guardrail": ("/guardrails/", rf"/guardrails/({UUID})/change/"),
    "entry": ("/coming-in/", rf"/coming-in/({UUID})/change/"),
    "limit": ("/limits/", rf"/limits/({UUID})/change/"),
    "call": ("/", rf"/why/records/({UUID})/"),
}
"""By the name of a parameter: a page that links to such a thing, and how."""
GIVEN = {"kind": "networks", "token": "nothing-of-the-kind", "key": "set-up", "pk": "1"}
NO_PAGES = {"console:arrival", "console:asset", "console:health"}
"""Routes that answer something else than a page."""
ONLY_IN_A_DEMO = {"console:design", "console:mailbox"}
ANSWERS = {200, 404}
_RULES = {
    "resultTypes": ["violations"],
}
_LENGTHENED = """() => {
  const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT), found = [];
  while (texts.nextNode()) found.push(texts.currentNode);
  for (const text of found) {
    const element = text.parentElement;
    if (!text.data.trim() || !element.checkVisibility() || getComputedStyle(element).whiteSpace !== 'normal') continue;
    text.data = 'x'.repeat(200);
  }
  return document.documentElement.scrollWidth - innerWidth;
}"""
"""Every name, reason and sentence becomes one unbroken word; by how many pixels the page sticks out then."""
_TABS = """() => {
  const seen = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')]
    .filter(e => e !== document.body)
    .filter(e => e.checkVisibility({visibilityProperty: true}) && !e.disabled && e.tabIndex >= 0 && e.type !== 'hidden');
  const names = new Set();
  return seen.filter(e => e.type !== 'radio' || !e.name || !names.has(e.name) && names.add(e.name)).length;
}"""
_AT = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const style = getComputedStyle(e), box = e.closest('label') ?? e;
  const around = [style, getComputedStyle(box), getComputedStyle(e.parentElement)];
  return {
    name: e.outerHTML.slice(0, 120),
    shown: around.some(s => s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1 || s.boxShadow !== 'none'),
  };
}"""


def pages() -> Iterator[tuple[str, str]]:
    """Name and pattern of every route that has a page for somebody."""
    for name, pattern in routes(urlpatterns):
        door = declared()[name].get("GET")
        is_shut = door is None or door.opens is Opens.FOR_NOBODY
        if name not in NO_PAGES and (not is_shut or name in ONLY_IN_A_DEMO):
            yield name, pattern


def routes(
    patterns: list[URLPattern | URLResolver], before: str = "", space: str = ""
) -> Iterator[tuple[str, str]]:
    for one in patterns:
        begun = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from routes(one.url_patterns, begun, f"{one.namespace}:" if one.namespace else "")
        else:
            yield f"{space}{one.name}", begun


def address_of(pattern: str, page: Page, console: str, found: dict[str, str]) -> str:
    """The pattern with things of the demo in it."""

    def thing(match: re.Match[str]) -> str:
        name = match[1]
        if name in GIVEN:
            return GIVEN[name]
        if name not in found:
            assert name in WHERE, f"{pattern}: say in WHERE how to come by a {name}"
            where, how = WHERE[name]
            page.goto(console + where.format(**found))
            link = re.search(how, page.content())
            assert link, f"{where} leads to no {name}"
            found[name] = link[1]
        return found[name]

    return re.sub(r"<(?:\w+:)?(\w+)>", thing, pattern)


def faults(visit: Any, page: Page) -> list[str]:
    told = [
        f"{one['id']}: {node['target']} {node.get('failureSummary', '')}"
        for one in Axe().run(page, options=_RULES).response["violations"]
        for node in one["nodes"][:3]
    ]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        told.append("it can be scrolled sideways")
    told += [one for one in visit.complaints if "status of 40" not in one]
    visit.complaints.clear()
    return told


def keyboard_faults(page: Page) -> list[str]:
    """What Tab does not come to, and where one does not see that one is there."""
    page.evaluate("document.body.tabIndex = -1; document.body.focus()")
    wanted, told, came = page.evaluate(_TABS), [], 0
    for _ in range(wanted + 3):
        page.keyboard.press("Tab")
        at = page.evaluate(_AT)
        if at is None:
            break
        came += 1
        if not at["shown"]:
            told.append(f"no focus to be seen on {at['name']}")
    if came < wanted:
        told.append(f"Tab came to {came} of {wanted}")
    return told


@pytest.fixture(scope="module")
def asked(browser: Browser, shop: Demo) -> None:
    """Somebody has been refused, and asked for what they were missing."""
    beto = next(one for one in shop.document["people"] if one["name"].startswith("Beto"))
    cookies = cookies_of(browser, shop.console, beto, at="/requests/")
    with visiting(browser, f"{shop.console}/", cookies=cookies) as visit:
        visit.page.get_by_role("link", name="Ask for access").click()
        visit.page.get_by_label("What for").fill("To see what was sent yesterday")
        visit.page.get_by_role("button", name="Ask for it").click()
        expect(visit.page.get_by_role("heading", level=1)).to_contain_text("You asked for")


@pytest.mark.parametrize(
    ("language", "size", "scheme"), [("es", PHONE, "dark"), ("pt-br", WIDE, "light")]
)
def test_every_page_is_clean_by_axe_and_by_keyboard(
    browser: Browser,
    shop: Demo,
    ana: Cookies,
    asked: None,
    language: str,
    size: tuple[int, int],
    scheme: Scheme,
    tmp_path: Path,
) -> None:
    wrong: dict[str, list[str]] = {}
    found: dict[str, str] = {}
    with visiting(
        browser, shop.console, language=language, size=size, scheme=scheme, cookies=ana
    ) as visit:
        page = visit.page
        for name, pattern in pages():
            address = f"{shop.console}/{address_of(pattern, page, shop.console, found)}"
            visit.complaints.clear()
            answer = page.goto(address)
            assert answer is not None
            told = faults(visit, page) + keyboard_faults(page)
            if answer.status not in ANSWERS:
                told.append(f"answered {answer.status}")
            if (wider := page.evaluate(_LENGTHENED)) > 0:
                told.append(f"one long word makes it {wider} px wider")
            if told:
                wrong[f"{name} {address}"] = told

    assert not wrong, "\n".join(f"{where}: {told}" for where, told in wrong.items())
