"""The owner's first day: from the one-time link to three people at work, on a phone in Spanish."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Browser, Page, expect

from cast import playing
from console.visitors import person_of
from databases import Database
from e2e.browsing import PHONE, picture
from e2e.installations import console_and_worker
from e2e.passkeys import with_passkeys
from e2e.signing_in import code_of, link_for
from e2e.steps import Steps
from portero.project.configuration import create_secrets
from portero.store.sealing import KeyRing

pytestmark = pytest.mark.e2e

MOST_STEPS = 40
GUESTS = (("Beto Salas", "Agente"), ("Gabriela Silva", "Analista"), ("Carla Mendoza", "Soporte"))
_PATIENCE_S = 30


@pytest.fixture
def installation(shared_database: Database) -> Iterator[tuple[str, str]]:
    """A console nobody came in to yet, and the link that lets its owner."""
    # In a thread of its own: the browser's driver has a loop in this one, which Django minds.
    with ThreadPoolExecutor(1) as thread:
        email = thread.submit(founded, shared_database).result()
    with console_and_worker(shared_database) as url:
        yield url, link_for(shared_database, email, url)


def founded(database: Database) -> str:
    """A workspace with its owner, sealed with the secrets of the installation; her address."""
    secrets = database.cluster.state / "secrets"
    create_secrets(database.cluster.state)
    with playing(database, kek=KeyRing.parse((secrets / "kek").read_text())) as cast:
        email: str = person_of(cast.ana).email
    return email


def phone(browser: Browser) -> Page:
    size = {"width": PHONE[0], "height": PHONE[1]}
    return browser.new_context(locale="es-MX", viewport=size, has_touch=True).new_page()  # type: ignore[arg-type]


def test_from_the_one_time_link_to_three_people_who_have_come_in(
    browser: Browser, installation: tuple[str, str]
) -> None:
    console, link = installation
    page = phone(browser)
    with_passkeys(page)
    steps = Steps(page)

    page.goto(link)
    steps.fill(
        page.get_by_label("Contraseña, al menos 15 caracteres"), "tres gatos en el tejado azul"
    )
    steps.tap(page.get_by_role("button", name="Continuar"))
    steps.tap(page.get_by_role("link", name="Agregar una llave de acceso"))
    page.wait_for_load_state()  # the button does nothing before its script is there
    steps.tap(page.get_by_role("button", name="Agregar una llave de acceso"))
    page.wait_for_url(lambda url: not url.endswith("/add/"))
    if page.get_by_role("link", name="Entrar").count():
        steps.tap(page.get_by_role("link", name="Entrar"))
    else:  # what allauth shows after a passkey is the list of them
        page.goto(console)
    steps.tap(page.get_by_role("button", name="Abrir el menú"))
    steps.tap(page.get_by_role("link", name="Personas"))
    steps.tap(page.get_by_role("link", name="Invitar personas"))
    picture(page, "invite-es-390-light")
    for n, (name, role) in enumerate(GUESTS):
        row = page.get_by_role("group", name=f"Persona {n + 1}")
        steps.fill(row.get_by_label("Nombre"), name)
        steps.fill(
            row.get_by_label("Correo electrónico"), f"{name.split()[0].lower()}@primer-dia.example"
        )
        steps.choose(row.get_by_label("Rol"), role)
    steps.tap(page.get_by_role("button", name="Invitar"))
    expect(page.get_by_text("3 invitaciones van en camino.")).to_be_visible()
    picture(page, "invited-es-390-light")

    assert steps.count <= MOST_STEPS
    for name, role in GUESTS:
        come_in(browser, console, name, role)
    page.reload()
    for name, _ in GUESTS:
        expect(page.get_by_role("listitem").filter(has_text=name)).not_to_contain_text(
            "aún no entra"
        )
    page.context.close()


def come_in(browser: Browser, console: str, name: str, role: str) -> None:
    """Follow the mail, choose a password, set an app up, and see what the role opens."""
    page = phone(browser)
    link = link_of(page, console, name)
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hola, {name}")
    expect(page.get_by_role("list").get_by_text(role, exact=True)).to_be_visible()
    picture(page, f"welcome-{name.split()[0].lower()}-es-390-light")
    page.get_by_label("Contraseña, al menos 15 caracteres").fill(
        "una frase larga que nadie adivina"
    )
    page.get_by_role("button", name="Continuar").click()
    page.get_by_role("link", name="Configurar una aplicación").click()
    secret = page.locator("#authenticator_secret").input_value()
    page.get_by_label("Código que la aplicación muestra ahora").fill(code_of(secret))
    page.get_by_role("button", name="Configurar").click()
    page.get_by_role("link", name="Entrar").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ya estás dentro")
    page.context.close()


def link_of(page: Page, console: str, name: str) -> str:
    """The link in the mail to somebody, once the worker has written it."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        page.goto(f"{console}/mailbox/")
        letter = page.get_by_role("article").filter(has_text=f"Hola, {name}:")
        if letter.count():
            picture(page, "mailbox-es-390-light")
            [link] = re.findall(r"http://\S+/welcome/\S+", letter.first.inner_text())
            return str(link)
        time.sleep(0.2)  # between two looks, until the deadline
    raise AssertionError(f"no mail for {name}")
