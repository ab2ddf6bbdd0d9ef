"""The palette, by keyboard alone and by touch."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from e2e.browsing import PHONE, WIDE, Scheme, picture, visiting
from e2e.installations import Demo
from e2e.signing_in import Cookies

pytestmark = pytest.mark.e2e

LEAST_CONTRAST = 4.5  # WCAG 1.4.3


def test_by_keyboard_from_any_page_to_a_person(browser: Browser, shop: Demo, ana: Cookies) -> None:
    with visiting(browser, f"{shop.console}/roles/", cookies=ana) as visit:
        page = visit.page
        palette = page.get_by_role("dialog", name="Search")
        page.keyboard.press("Control+k")
        expect(palette.get_by_role("searchbox")).to_be_focused()
        expect(palette.get_by_role("link", name="Invite people")).to_be_visible()

        page.keyboard.type("beto")
        beto = palette.get_by_role("link", name="Beto Salas")
        expect(palette.get_by_role("link")).to_have_count(1)
        expect(palette.get_by_role("status")).to_have_text("One result")
        page.keyboard.press("ArrowDown")
        expect(beto).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(palette.get_by_role("searchbox")).to_be_focused()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")

        expect(page.get_by_role("heading", level=1)).to_have_text("Beto Salas")
        assert visit.complaints == []


def test_enter_opens_the_first_result_and_escape_closes(
    browser: Browser, shop: Demo, ana: Cookies
) -> None:
    with visiting(browser, f"{shop.console}/people/", cookies=ana) as visit:
        page = visit.page
        palette = page.get_by_role("dialog", name="Search")
        page.keyboard.press("Control+k")
        page.keyboard.press("Escape")
        expect(palette).to_be_hidden()

        page.keyboard.press("Control+k")
        page.keyboard.type("new role")
        expect(palette.get_by_role("link")).to_have_count(1)
        page.keyboard.press("Enter")

        expect(page.get_by_role("heading", level=1)).to_have_text("A new role")
        assert visit.complaints == []


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (PHONE, "dark"), (WIDE, "dark")])
def test_by_touch_in_spanish(
    browser: Browser, shop: Demo, ana: Cookies, size: tuple[int, int], scheme: Scheme
) -> None:
    with visiting(
        browser, f"{shop.console}/people/", language="es", size=size, scheme=scheme, cookies=ana
    ) as visit:
        page = visit.page
        page.locator("[popovertarget=palette]:visible").first.click()
        palette = page.get_by_role("dialog", name="Buscar")
        palette.get_by_role("searchbox").fill("ventas")
        expect(palette.get_by_role("link", name="Ventas").first).to_be_visible()
        expect(palette.get_by_role("link", name="Invitar")).to_have_count(0)
        picture(page, f"palette-{size[0]}-{scheme}")

        assert not visit.overflows()
        assert {n: c for n, c in visit.contrasts().items() if c < LEAST_CONTRAST} == {}
        assert visit.complaints == []
