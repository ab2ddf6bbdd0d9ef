"""The threshold, as people cross it: on a phone in Spanish, with a passkey, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import pytest
from playwright.sync_api import Browser, Page, expect

from databases import Database
from e2e.browsing import PHONE, WIDE, Scheme, picture, visiting
from e2e.installations import Demo, console_alone, keys_of
from e2e.passkeys import with_passkeys
from e2e.signing_in import come_in_by_link, cookies_of, link_for
from gateway.house import Workspace

pytestmark = pytest.mark.e2e

LEAST_CONTRAST = 4.5  # WCAG 1.4.3
SIGN_IN = {"es": "Entrar", "pt-br": "Entrar", "en": "Sign in"}
WAYS = tuple(product(SIGN_IN, (WIDE, PHONE), ("light", "dark")))


@pytest.fixture
def empty(shared_database: Database) -> Iterator[tuple[str, str]]:
    """A console whose owner never came in yet, and the link that lets her."""
    email = Workspace(shared_database, *keys_of(shared_database)).create().email
    with console_alone(shared_database) as url:
        yield url, link_for(shared_database, email, url)


@contextmanager
def with_an_authenticator(browser: Browser, **options: object) -> Iterator[Page]:
    """A browser on a device that makes passkeys, and whose owner always says yes."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    page = context.new_page()
    with_passkeys(page)
    yield page
    context.close()


@pytest.mark.parametrize(("language", "size", "scheme"), WAYS)
def test_the_page_to_sign_in_has_nothing_to_complain_about(
    browser: Browser, shop: Demo, language: str, size: tuple[int, int], scheme: Scheme
) -> None:
    with visiting(browser, shop.console, language=language, size=size, scheme=scheme) as visit:
        expect(visit.page.get_by_role("heading", level=1)).to_have_text(SIGN_IN[language])

        assert visit.page.locator("html").get_attribute("lang") == language
        assert not visit.overflows()
        assert {n: c for n, c in visit.contrasts().items() if c < LEAST_CONTRAST} == {}
        assert visit.complaints == []
        picture(visit.page, f"sign-in-{language}-{size[0]}-{scheme}")


def test_on_a_phone_in_spanish_the_owner_comes_in_by_her_link_with_a_passkey(
    browser: Browser, empty: tuple[str, str]
) -> None:
    console, link = empty
    size = {"width": PHONE[0], "height": PHONE[1]}
    with with_an_authenticator(browser, locale="es-MX", viewport=size) as page:
        page.goto(link)
        page.get_by_label("Contraseña, al menos 15 caracteres").fill("corta")
        page.get_by_role("button", name="Continuar").click()
        expect(page.locator("#password-error").first).to_be_visible()
        page.get_by_label("Contraseña, al menos 15 caracteres").fill("tres gatos en el tejado azul")
        page.get_by_role("button", name="Continuar").click()

        expect(page.get_by_role("heading", level=1)).to_have_text("Cómo demuestras que eres tú")
        picture(page, "factors-es-390-light")
        page.get_by_role("link", name="Agregar una llave de acceso").click()
        page.wait_for_load_state()  # the button does nothing before its script is there
        page.get_by_role("button", name="Agregar una llave de acceso").click()
        page.wait_for_url(lambda url: not url.endswith("/add/"))
        page.goto(console)
        expect(page.get_by_role("heading", level=1)).to_have_text("Actividad")

        page.get_by_role("button", name="Abrir el menú").click()
        page.get_by_role("button", name="Salir").click()
        page.get_by_role("button", name="Entrar con llave de acceso").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Actividad")

        page.goto(f"{console}/factors/webauthn/reauthenticate/?next=/factors/")
        page.wait_for_load_state()
        expect(page.get_by_role("heading", level=1)).to_have_text("¿Sigues siendo tú?")
        picture(page, "shown-again-es-390-light")
        page.get_by_role("button", name="Usar mi llave de acceso").click()
        page.wait_for_url(f"{console}/factors/")

        page.goto(link)
        expect(page.get_by_role("heading", level=1)).to_have_text("Este enlace no abre nada")


def test_the_owner_comes_in_by_her_link_with_an_app(
    browser: Browser, empty: tuple[str, str]
) -> None:
    _, link = empty
    context = browser.new_context(locale="en")
    page = context.new_page()

    come_in_by_link(page, link)

    expect(page.get_by_role("heading", level=1)).to_have_text("Activity")
    context.close()


@pytest.mark.parametrize(("language", "size", "scheme"), WAYS)
def test_who_may_not_read_the_activity_is_told_so_and_who_can_give_it(
    browser: Browser, shop: Demo, language: str, size: tuple[int, int], scheme: Scheme,
    beto: list[dict[str, object]],
) -> None:  # fmt: skip
    with visiting(
        browser, shop.console, language=language, size=size, scheme=scheme, cookies=beto
    ) as visit:
        closed = {
            "es": "Esta puerta está cerrada para ti",
            "pt-br": "Esta porta está fechada para você",
            "en": "This door is closed to you",
        }
        expect(visit.page.get_by_role("heading", level=1)).to_have_text(closed[language])
        expect(visit.page.locator("main")).to_contain_text("Ana Quispe")
        expect(visit.page.locator("main")).to_contain_text("audit:read")

        assert not visit.overflows()
        assert {n: c for n, c in visit.contrasts().items() if c < LEAST_CONTRAST} == {}
        picture(visit.page, f"denied-{language}-{size[0]}-{scheme}")


@pytest.fixture(scope="module")
def beto(browser: Browser, shop: Demo) -> list[dict[str, object]]:
    """An agent, signed in."""
    [person] = [one for one in shop.document["people"] if one["role"] == "Agent"]
    return cookies_of(browser, shop.console, person)
