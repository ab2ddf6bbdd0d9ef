"""The console's page of the demo, as somebody at this machine sees it."""

from __future__ import annotations

import re
from itertools import product
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from e2e.browsing import PHONE, WIDE, Scheme, picture, visiting
from e2e.installations import Demo
from e2e.signing_in import Cookies

pytestmark = pytest.mark.e2e

LUCIA = "525512345678"
SPAIN = "34600111222"
PLACE = {"type": "location", "location": {"latitude": 19.4, "longitude": -99.1}}
TEXT = {"type": "text", "text": {"body": "Hola"}}
ORDER = {"type": "template", "template": {"name": "order_update", "language": {"code": "es_MX"}}}
TITLES = {"es": "Actividad", "pt-br": "Atividade", "en": "Activity"}
LEAST_CONTRAST = 4.5  # WCAG 1.4.3
WAYS = tuple(product(TITLES, (WIDE, PHONE), ("light", "dark")))


@pytest.mark.parametrize(("language", "size", "scheme"), WAYS)
def test_the_page_loads_without_a_complaint(
    browser: Browser, shop: Demo, ana: Cookies, language: str, size: tuple[int, int], scheme: Scheme
) -> None:
    with visiting(
        browser, shop.console, cookies=ana, language=language, size=size, scheme=scheme
    ) as visit:
        expect(visit.page.get_by_role("heading", level=1)).to_have_text(TITLES[language])

        assert visit.page.locator("html").get_attribute("lang") == language
        picture(visit.page, f"activity-{language}-{size[0]}-{scheme}")
        assert not visit.overflows()
        assert {n: c for n, c in visit.contrasts().items() if c < LEAST_CONTRAST} == {}
        live = f"localhost:{urlsplit(shop.console).port + 3}"
        assert {urlsplit(url).netloc for url in visit.asked} <= {
            urlsplit(shop.console).netloc,
            live,
        }
        assert visit.complaints == []


def test_control_a_fault_in_a_page_is_seen(browser: Browser, shop: Demo, ana: Cookies) -> None:
    with visiting(browser, f"{shop.console}/nowhere") as visit:
        assert any("404" in complaint for complaint in visit.complaints)
    with visiting(browser, shop.console, cookies=ana, size=PHONE) as visit:
        visit.page.evaluate("document.querySelector('h1').style.color = '#aaa'")
        visit.page.evaluate("document.querySelector('h1').style.width = '400px'")

        assert visit.overflows()
        assert visit.contrasts()["H1."] < LEAST_CONTRAST


def test_light_and_dark_are_not_the_same(browser: Browser, shop: Demo, ana: Cookies) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        with visiting(browser, shop.console, cookies=ana, scheme=scheme) as visit:
            grounds.add(visit.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert len(grounds) == 2


def test_what_was_just_decided_stands_first_with_its_recipient_masked(
    browser: Browser, shop: Demo, ana: Cookies
) -> None:
    assert shop.send("all", LUCIA, TEXT).status_code == 200

    with visiting(browser, shop.console, cookies=ana, language="es") as visit:
        first = visit.page.locator(".log").first.locator("li").first
        expect(first).to_contain_text("all envió un texto a")
        expect(first).to_contain_text("···78")
        expect(first).to_contain_text("Hecho")

        html = visit.page.content()
    assert LUCIA not in html
    assert "521" + LUCIA[2:] not in html


def test_a_refusal_says_why_in_the_readers_language(
    browser: Browser, shop: Demo, ana: Cookies
) -> None:
    assert shop.send("orders-bot", SPAIN, ORDER).status_code == 403

    for language, (refused, says) in {
        "es": ("Denegado", "Su permiso no llega hasta aquí"),
        "pt-br": ("Negado", "A permissão não chega até aqui"),
        "en": ("Refused", "Given for countries: MX"),
    }.items():
        with visiting(browser, shop.console, cookies=ana, language=language) as visit:
            first = visit.page.locator(".log").first.locator("li").first
            expect(first).to_contain_text("outside_scope")
            expect(first).to_contain_text(says)
            expect(first).to_contain_text(refused)


def test_no_number_of_a_customer_is_anywhere_in_the_page(
    browser: Browser, shop: Demo, ana: Cookies
) -> None:
    with visiting(browser, shop.console, cookies=ana) as visit:
        text = visit.page.locator("main").inner_text()

    assert text.count("···") > 10  # half a year of them
    assert re.findall(r"(?<![0-9.:])[0-9]{7,}", text) == []


def test_the_page_refreshes_itself_until_it_is_paused(
    browser: Browser, shop: Demo, ana: Cookies
) -> None:
    with visiting(browser, shop.console, cookies=ana) as visit:
        calls = visit.page.get_by_text("reader wanted to send a location")
        expect(calls).to_have_count(0)
        shop.send("reader", LUCIA, PLACE)
        expect(calls).to_have_count(1, timeout=15_000)

        visit.page.get_by_role("link", name="Pause").click()
        expect(visit.page.get_by_role("link", name="Resume")).to_be_visible()
        assert visit.page.locator("script[data-records]").count() == 0

        visit.page.get_by_role("link", name="Resume").click()
        expect(visit.page.locator("script[data-records]")).to_have_count(1)


def test_the_keyboard_reaches_the_content_first(browser: Browser, shop: Demo, ana: Cookies) -> None:
    with visiting(browser, f"{shop.console}?pause", cookies=ana) as visit:
        visit.page.keyboard.press("Tab")
        expect(visit.page.locator(":focus")).to_have_text("Skip to the content")
        visit.page.keyboard.press("Enter")

        assert urlsplit(visit.page.url).fragment == "main"


@pytest.mark.parametrize(("language", "size", "scheme"), WAYS)
def test_before_the_first_call_the_page_says_how_to_make_it(
    browser: Browser,
    unused: tuple[str, Cookies],
    language: str,
    size: tuple[int, int],
    scheme: Scheme,
) -> None:
    with visiting(
        browser, unused[0], language=language, size=size, scheme=scheme, cookies=unused[1]
    ) as visit:
        words = {
            "es": "Nadie ha pedido nada todavía",
            "pt-br": "Ninguém pediu nada ainda",
            "en": "Nobody has asked for anything yet",
        }
        expect(visit.page.get_by_role("heading", name=words[language])).to_be_visible()
        expect(visit.page.locator(".well")).to_contain_text("/messages")
        nothing_runs = {
            "es": "Ningún proceso del gateway",
            "pt-br": "Nenhum processo do gateway",
            "en": "No gateway process",
        }
        expect(visit.page.locator("main")).to_contain_text(nothing_runs[language])

        assert not visit.overflows()
        assert {n: c for n, c in visit.contrasts().items() if c < LEAST_CONTRAST} == {}
        # Where no streams are served the page stays as it is.
        assert {one for one in visit.complaints if "CONNECTION_REFUSED" not in one} == set()
