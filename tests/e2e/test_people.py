"""People and roles, on a desk and on a phone."""

from __future__ import annotations

from itertools import product

import pytest
from playwright.sync_api import Browser, expect

from e2e.browsing import PHONE, WIDE, Scheme, picture, visiting
from e2e.installations import Demo
from e2e.signing_in import Cookies

pytestmark = pytest.mark.e2e

LEAST_CONTRAST = 4.5  # WCAG 1.4.3
WAYS = tuple(product(("es", "en", "pt-br"), (WIDE, PHONE), ("light", "dark")))
PEOPLE = {"es": "Personas", "en": "People", "pt-br": "Pessoas"}
QUEUE = {"es": "Mi cola", "en": "My queue", "pt-br": "Minha fila"}
AGENT = {"es": "Agente", "en": "Agent", "pt-br": "Agente"}


@pytest.mark.parametrize(("language", "size", "scheme"), WAYS)
def test_from_the_list_to_what_somebody_may_do_and_to_the_role_that_gives_it(
    browser: Browser,
    shop: Demo,
    ana: Cookies,
    language: str,
    size: tuple[int, int],
    scheme: Scheme,
) -> None:
    with visiting(
        browser, shop.console, language=language, size=size, scheme=scheme, cookies=ana
    ) as visit:
        page = visit.page
        for follow, heading in (
            (PEOPLE[language], PEOPLE[language]),
            ("Beto Salas", "Beto Salas"),
            (AGENT[language], AGENT[language]),
        ):
            if size == PHONE and follow == PEOPLE[language]:
                page.locator("[popovertarget=places].menu").click()
            page.get_by_role("link", name=follow, exact=True).first.click()
            expect(page.get_by_role("heading", level=1)).to_have_text(heading)
            picture(page, f"{follow.split()[0]}-{language}-{size[0]}-{scheme}")
            assert not visit.overflows()
            assert {n: c for n, c in visit.contrasts().items() if c < LEAST_CONTRAST} == {}
        expect(page.get_by_text(QUEUE[language]).first).to_be_visible()
        assert visit.complaints == []


def test_two_roles_side_by_side(browser: Browser, shop: Demo, ana: Cookies) -> None:
    with visiting(browser, f"{shop.console}/roles/", cookies=ana) as visit:
        page = visit.page
        page.get_by_role("link", name="Support", exact=True).click()
        page.get_by_label("Beside").select_option(label="Agent")
        page.get_by_role("button", name="Compare").click()

        row = page.get_by_role("row").filter(has_text="Send images")
        expect(row.locator(".reach")).to_have_text(["No", "My queue"])
        assert not visit.overflows()


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")])
def test_the_navigation_shows_where_one_may_go(
    browser: Browser, shop: Demo, ana: Cookies, size: tuple[int, int], scheme: Scheme
) -> None:
    with visiting(browser, shop.console, size=size, scheme=scheme, cookies=ana) as visit:
        page = visit.page
        places = page.get_by_role("navigation", name="Places")
        if size == PHONE:
            expect(places).to_be_hidden()
            page.get_by_role("button", name="Open the menu").click()

        expect(places.get_by_role("link", name="Activity")).to_have_attribute(
            "aria-current", "page"
        )
        places.get_by_role("link", name="Roles").click()
        page.get_by_role("link", name="Agent", exact=True).first.click()
        if size == PHONE:
            expect(places).to_be_hidden()
            page.get_by_role("button", name="Open the menu").click()
        expect(places.get_by_role("link", name="Roles")).to_have_attribute("aria-current", "true")
        assert not visit.overflows()
        assert visit.complaints == []
