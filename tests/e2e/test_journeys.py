"""What people do in the console, from end to end, with a passkey: on a desk and on a phone."""

from __future__ import annotations

import gettext
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect
from pywa.errors import WhatsAppError

import portero.console
from e2e.browsing import PHONE, WIDE, Scheme, Visit, picture, visiting
from e2e.installations import Demo
from e2e.passkeys import with_passkeys
from e2e.signing_in import Cookies, cookies_of
from e2e.steps import Steps

pytestmark = pytest.mark.e2e

LOCALE = Path(portero.console.__file__).parent / "locale"
LEAST_CONTRAST = 4.5  # WCAG 1.4.3
CUSTOMER = "525512345678"


@dataclass(frozen=True)
class Way:
    """A language, a window and a theme."""

    language: str
    size: tuple[int, int]
    scheme: Scheme

    @property
    def name(self) -> str:
        return f"{self.language}-{self.size[0]}-{self.scheme}"


WAYS = (Way("es", PHONE, "light"), Way("pt-br", WIDE, "dark"))


class Walk:
    """Somebody at a page, who reads and taps in a language."""

    def __init__(self, visit: Visit, way: Way, console: str) -> None:
        self.visit, self.way, self.console = visit, way, console
        self.page: Page = visit.page
        folder = "pt_BR" if way.language == "pt-br" else way.language
        with (LOCALE / folder / "LC_MESSAGES" / "django.mo").open("rb") as catalogue:
            self._said = gettext.GNUTranslations(catalogue)

    def say(self, text: str, **values: object) -> str:
        """What the console calls it in this language."""
        said = self._said.gettext(text)
        assert said != text or text in {"Normal"}, f"not translated: {text}"
        return said % values if values else said

    def go(self, path: str) -> None:
        self.page.goto(f"{self.console}{path}")

    def tap(self, text: str, **values: object) -> None:
        self.button(text, **values).first.click()

    def button(self, text: str, **values: object) -> Locator:
        name = self.say(text, **values)
        start = re.compile("^" + re.escape(name))
        return self.page.get_by_role("button", name=start).or_(
            self.page.get_by_role("link", name=start)
        )

    def field(self, text: str) -> Locator:
        return self.page.get_by_label(self.say(text), exact=True).first

    def sees(self, text: str, **values: object) -> None:
        expect(self.page.get_by_text(self.say(text, **values)).first).to_be_visible()

    def heads(self, text: str, **values: object) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_have_text(self.say(text, **values))

    def looks_well(self, name: str) -> None:
        """Nothing sticks out or lies over another thing, axe finds nothing, every text can be read; and a picture to look at."""
        picture(self.page, f"{name}-{self.way.name}")
        assert not self.visit.overflows(), name
        assert self.visit.overlaps() == [], name
        pale = {n: c for n, c in self.visit.contrasts().items() if c < LEAST_CONTRAST}
        assert pale == {}, name
        found = Axe().run(self.page, options={"resultTypes": ["violations"]}).response
        told = [f"{one['id']}: {one['nodes'][0]['target']}" for one in found["violations"]]
        assert told == [], name

    def finishes_well(self) -> None:
        assert self.visit.complaints == []


@pytest.fixture(scope="module")
def keyed(browser: Browser, shop: Demo, ana: Cookies) -> tuple[Cookies, dict[str, Any]]:
    """The owner's browser after she has made a passkey, and the passkey."""
    with visiting(browser, f"{shop.console}/factors/webauthn/add/", cookies=ana) as visit:
        devices, authenticator = with_passkeys(visit.page)
        visit.page.wait_for_load_state()
        visit.page.get_by_role("button", name="Add a passkey").click()
        visit.page.wait_for_url(lambda url: not url.endswith("/add/"))
        found = devices.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})
        [credential] = found["credentials"]
        return visit.context.cookies(), credential  # type: ignore[return-value]


@pytest.fixture(scope="module")
def gabriela(browser: Browser, shop: Demo) -> Cookies:
    """What the analyst's browser remembers; an app's code is good once, so she signs in once."""
    [person] = [one for one in shop.document["people"] if one["name"].startswith("Gabriela")]
    return cookies_of(browser, shop.console, person, at="/requests/")


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def owner(
    request: pytest.FixtureRequest,
    browser: Browser,
    shop: Demo,
    keyed: tuple[Cookies, dict[str, Any]],
) -> Iterator[Walk]:
    """The owner, who came in by her passkey alone."""
    way: Way = request.param
    _, credential = keyed
    with visiting(
        browser,
        f"{shop.console}/login/",
        language=way.language,
        size=way.size,
        scheme=way.scheme,
    ) as visit:
        devices, authenticator = with_passkeys(visit.page)
        devices.send(
            "WebAuthn.addCredential",
            {"authenticatorId": authenticator, "credential": {**credential, "signCount": _next()}},
        )
        walk = Walk(visit, way, shop.console)
        visit.page.wait_for_load_state()
        walk.looks_well("login")
        walk.tap("Sign in with a passkey")
        expect(visit.page).to_have_url(f"{shop.console}/")
        yield walk
        walk.finishes_well()


_counted = [100]


def _next() -> int:
    """Passkeys count how often they were used, and a smaller number than before looks stolen."""
    _counted[0] += 100
    return _counted[0]


def test_a_role_is_made_changed_seen_before_it_holds_and_brought_back(owner: Walk) -> None:
    name = f"Mostrador {owner.way.name}"
    owner.go("/roles/")
    owner.tap("New role")
    owner.looks_well("role-new")
    owner.field("Name").fill(name)
    cell = owner.page.locator("[name='send:image']")
    _choose(cell, "own")
    owner.looks_well("role-matrix")
    owner.page.locator("main form button.primary").click()
    owner.sees("The role is made. It gives nothing yet.")

    owner.tap("Change")
    _choose(owner.page.locator("[name='send:image']"), "team")
    owner.page.locator("main form button.primary").click()
    owner.sees("Nothing is saved yet.")
    owner.looks_well("role-review")
    owner.tap("Save for everybody who has it")
    expect(owner.page.get_by_role("heading", level=1)).to_have_text(name)

    owner.tap("What it was before")
    owner.looks_well("role-versions")
    expect(owner.page.get_by_role("region")).to_have_count(2)
    owner.tap("Bring this one back")
    owner.page.locator("main form button.primary").click()
    owner.tap("Save for everybody who has it")
    expect(owner.page.get_by_role("heading", level=1)).to_have_text(name)


def test_who_gains_one_thing_and_loses_another_is_told_line_by_line(owner: Walk) -> None:
    owner.go("/roles/")
    owner.page.get_by_role("link", name="Campaign manager").click()
    owner.tap("Change")
    _choose(owner.page.locator("[name='send:text']"), "all")
    _choose(owner.page.locator("[name='number:read']"), "none")
    owner.page.locator("main form button.primary").click()
    expect(owner.page.locator(".ways > .turn")).to_have_count(2)
    owner.looks_well("role-turns")


def test_a_role_is_laid_beside_another_with_both_names_in_sight(owner: Walk) -> None:
    owner.go("/roles/")
    owner.page.get_by_role("link", name="Campaign manager").click()
    owner.page.locator("#beside").select_option(label="Reader")
    owner.tap("Compare")
    for name in ("Campaign manager", "Reader"):
        heading = owner.page.get_by_role("columnheader", name=name).first
        expect(heading).to_be_in_viewport()
    owner.looks_well("role-beside")


def test_whom_a_limit_holds_is_told_on_a_page_of_its_own(owner: Walk) -> None:
    owner.go("/limits/new/")
    owner.field("At most").fill("3")
    owner.page.locator("[name='whose'][value='one']").check()
    owner.field("Person, team, service account or key").fill("orders-bot")
    owner.tap("See whom it holds")
    expect(owner.page.get_by_role("heading", level=1)).to_contain_text("orders-bot")
    expect(owner.page.locator("#held")).to_be_in_viewport()
    owner.looks_well("limit-review")

    owner.tap("Change it again")
    expect(owner.field("At most")).to_have_value("3")


def _choose(cell: Locator, reach: str) -> None:
    """By the keyboard, as somebody does who has many to go through: the control itself is drawn."""
    cell.locator(f"xpath=self::*[@value='{reach}']").first.check(force=True)


def test_a_role_is_given_at_a_place_for_a_time_and_taken_again(owner: Walk) -> None:
    owner.go("/people/?q=Gabriela")
    owner.page.get_by_role("link", name="Gabriela Silva").click()
    owner.tap("Give a role")
    owner.page.get_by_label(owner.say("Role"), exact=True).select_option(label="Reader")
    owner.page.get_by_label(owner.say("Everywhere in this workspace")).check()
    owner.field("How long").select_option(label=owner.say("For a week"))
    owner.looks_well("give")
    owner.tap("See what it opens")
    owner.sees("Nothing is saved yet.")
    owner.looks_well("give-review")
    owner.tap("Give the role")
    given = owner.page.get_by_role("listitem").filter(has_text="Reader").first
    expect(given).to_be_visible()

    given.locator("a[href$='/end/']").click()
    owner.looks_well("end")
    owner.tap("End it now")
    expect(owner.page.locator(".bound").filter(has_text="Reader")).to_have_count(0)


def test_a_guardrail_is_a_sentence_that_is_filled_in(owner: Walk) -> None:
    name = f"De día {owner.way.name}"
    owner.go("/guardrails/")
    owner.tap("New guardrail")
    owner.looks_well("guardrail-sentences")
    owner.tap("Only at these hours")
    owner.field("Name").fill(name)
    for day in ("Mon", "Tue"):
        owner.page.get_by_label(owner.say(day), exact=True).check()
    owner.field("From").fill("09:00")
    owner.field("To").fill("18:00")
    owner.page.locator("details summary").first.click()
    owner.page.locator("[name=permissions][value='call:place']").evaluate("e => e.click()")
    owner.tap("See whom it holds")
    owner.looks_well("guardrail-review")
    owner.tap("Let it hold")
    owner.sees("It holds from now on.")

    owner.page.get_by_role("link", name=f"{owner.say('Take away')} {name}").click()
    owner.page.locator("main form button.danger, main form button.primary").first.click()
    owner.sees("It is taken away.")


def test_a_limit_is_made_and_taken_away(owner: Walk) -> None:
    owner.go("/limits/")
    owner.tap("New limit")
    owner.page.locator("[name=amount]").fill("777")
    owner.page.get_by_label(owner.say("The whole workspace")).check()
    owner.looks_well("limit")
    owner.tap("See whom it holds")
    owner.looks_well("limit-held")
    owner.tap("Let it hold")
    line = owner.page.locator("li.limit").filter(has_text="777")
    expect(line).to_be_visible()
    owner.looks_well("limits")
    line.get_by_role("link", name=re.compile("^" + owner.say("Take away"))).click()
    owner.page.locator("main form button.danger, main form button.primary").first.click()
    expect(owner.page.locator("li.limit").filter(has_text="777")).to_have_count(0)


def test_who_may_come_in_is_said_and_seen_before_it_holds(owner: Walk) -> None:
    owner.go("/coming-in/")
    owner.looks_well("coming-in")
    owner.tap("Only with a passkey")
    owner.page.get_by_label(owner.say("Only those whom I name")).check()
    owner.page.locator("[name=people]").fill("Campaign manager")
    owner.tap("See whom it keeps outside")
    owner.looks_well("coming-in-review")
    owner.tap("Let it hold")
    owner.sees("It holds from now on.")
    owner.looks_well("coming-in-rules")
    name = owner.say("Only with a passkey")
    owner.page.get_by_role("link", name=f"{owner.say('Take away')} {name}").click()
    owner.page.locator("main form button.danger, main form button.primary").first.click()
    owner.sees("It is taken away.")


def test_somebody_is_suspended_and_let_back(owner: Walk) -> None:
    owner.go("/people/?q=Elena")
    owner.page.get_by_role("link", name=re.compile("^Elena")).first.click()
    owner.page.locator("details summary").last.click()
    owner.looks_well("person")
    owner.page.locator("a[href$='/suspend/']").click()
    owner.looks_well("suspend")
    owner.page.locator("main form button").first.click()
    owner.sees("Disabled: nothing of this can be used.")
    owner.page.locator("a[href$='/let-back/']").click()
    owner.page.locator("main form button").first.click()
    expect(
        owner.page.get_by_text(owner.say("Disabled: nothing of this can be used."))
    ).to_have_count(0)


def test_why_and_who_can(owner: Walk) -> None:
    owner.go("/why/?who=Beto&what=send:template")
    owner.page.get_by_role("link", name="Beto Salas").or_(
        owner.page.locator(".verdict")
    ).first.wait_for()
    owner.go("/who/?what=send:template")
    expect(
        owner.page.locator("main").get_by_role("link", name="Ana Quispe", exact=True)
    ).to_be_visible()
    owner.looks_well("who")
    owner.tap("Why?")
    owner.page.wait_for_load_state()
    owner.looks_well("why")


def test_seen_with_other_eyes_nothing_can_be_changed(owner: Walk) -> None:
    owner.go("/people/?q=Beto")
    owner.page.get_by_role("link", name="Beto Salas").click()
    owner.tap("See the console with their eyes")
    owner.looks_well("see-as")
    owner.tap("Look")
    owner.page.wait_for_load_state()
    expect(owner.page.locator("aside.lens")).to_contain_text("Beto Salas")
    owner.looks_well("lens")
    owner.go("/guardrails/new/")
    expect(owner.page.get_by_role("heading", level=1)).not_to_have_text(owner.say("New guardrail"))
    owner.visit.complaints.clear()  # that the browser tells of the refusal
    owner.tap("Back to your own eyes")
    expect(owner.page.locator("aside.lens")).to_have_count(0)


def test_another_kind_of_act_asks_once_more_and_goes_on_with_what_was_sent(owner: Walk) -> None:
    owner.go("/people/?q=Beto")
    owner.page.get_by_role("link", name="Beto Salas").click()
    owner.page.locator("details summary").last.click()
    owner.page.locator("a[href$='/end-sessions/']").click()
    owner.page.locator("main form button").first.click()
    owner.sees("%(name)s is signed out in every browser.", name="Beto Salas")
    owner.tap("See the console with their eyes")
    owner.tap("Look")

    owner.heads("Is it still you?")
    owner.page.wait_for_load_state()  # the button is a script's
    owner.tap("Use my passkey or security key")
    owner.heads("It is you")
    owner.looks_well("kept")
    owner.tap("Go on")

    expect(owner.page.locator("aside.lens")).to_contain_text("Beto Salas")
    owner.tap("Back to your own eyes")


def test_language_and_appearance_are_ones_own(owner: Walk) -> None:
    owner.go("/preferences/")
    owner.looks_well("preferences")
    expect(owner.page.locator("html")).to_have_attribute("lang", re.compile("^(es|pt)"))


def test_what_is_closed_says_why_and_leads_to_a_request_that_the_owner_decides(
    owner: Walk, browser: Browser, shop: Demo, gabriela: Cookies
) -> None:
    owner.go("/people/?q=Gabriela")
    owner.page.get_by_role("link", name="Gabriela Silva").click()
    owner.tap("Give a role")
    owner.page.get_by_label(owner.say("Role"), exact=True).select_option(label="Reader")
    owner.page.get_by_label(owner.say("Everywhere in this workspace")).check()
    owner.field("How long").select_option(label=owner.say("For a day"))
    owner.tap("See what it opens")
    owner.tap("Give the role")

    reason = f"Inventario {owner.way.name}"
    way = owner.way
    with visiting(
        browser,
        f"{shop.console}/requests/",
        language=way.language,
        size=way.size,
        scheme=way.scheme,
        cookies=gabriela,
    ) as visit:
        analyst = Walk(visit, way, shop.console)
        analyst.go("/roles/")
        analyst.tap("New role")
        analyst.sees("This is closed to you")
        assert visit.page.url.endswith("/roles/"), "the page is still there"
        analyst.looks_well("closed")
        visit.page.locator("#shut").get_by_role("link", name=analyst.say("Ask for access")).click()
        analyst.field("What for").fill(reason)
        analyst.looks_well("ask")
        analyst.tap("Ask for it")
        expect(visit.page.get_by_text(reason).first).to_be_visible()

        owner.go("/requests/")
        owner.looks_well("requests")
        owner.page.get_by_role("listitem").filter(has_text=reason).get_by_role("link").click()
        owner.looks_well("request")
        owner.page.locator("main form button.primary").last.click()
        owner.page.wait_for_load_state()

        analyst.go("/roles/")
        expect(visit.page.locator("a.closed")).to_have_count(0)
        analyst.finishes_well()

    given = owner.page.locator(".bound").filter(has_not_text=owner.say("Analyst"))
    while True:
        owner.go("/people/?q=Gabriela")
        owner.page.get_by_role("link", name="Gabriela Silva").click()
        owner.page.wait_for_load_state()
        if given.count() == 0:
            break
        given.first.locator("a[href$='/end/']").click()
        owner.tap("End it now")


def test_from_a_new_key_to_the_first_call_of_a_client_that_knows_nothing_of_us(
    owner: Walk,
) -> None:
    name, account = {
        "es": ("Pedidos de la tienda", "Sistema de pedidos"),
        "pt-br": ("Pedidos da loja", "Sistema da loja"),
    }[owner.way.language]
    began, steps, page = time.monotonic(), Steps(owner.page), owner.page
    owner.go("/keys/")
    owner.looks_well("keys")
    steps.tap(owner.button("New key").first)
    owner.looks_well("key-new")
    steps.tap(owner.button("Order messages").first)
    steps.fill(owner.field("What is the key for?"), name)
    steps.choose(owner.field("Service account"), owner.say("A new account"))
    steps.fill(owner.field("Name of the new account"), account)
    steps.tap(page.get_by_role("checkbox", name="Ventas"))
    steps.tap(owner.button("See what it could do").first)
    owner.sees("This key could do exactly this. It is not made yet.")
    owner.looks_well("key-review")
    steps.tap(owner.button("Make the key").first)
    owner.heads("Copy the key now")
    owner.looks_well("key-made")
    key = page.get_by_label(name, exact=True)
    fits = "field => field.scrollWidth <= field.clientWidth && field.scrollHeight <= field.clientHeight"
    assert key.evaluate(fits), "the whole key can be read"
    owner.visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    owner.page.get_by_role("button", name=owner.say("Copy"), exact=True).click()
    owner.sees("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == key.input_value()

    pasted = page.get_by_label("pywa", exact=True).locator("pre").inner_text()
    made: dict[str, Any] = {}
    exec(compile(pasted, "what the page gives to paste", "exec"), made)  # noqa: S102
    with closing(made["session"]):
        assert made["sent"].id.startswith("wamid.")
        with pytest.raises(WhatsAppError):
            made["wa"].send_message(to=CUSTOMER, text="what it may not")
    assert steps.count <= 25
    assert time.monotonic() - began <= 120

    steps.tap(owner.button("I have copied it").first)
    owner.looks_well("key")
    owner.tap("Roll it")
    owner.looks_well("key-roll")
    owner.tap("Make the new key")
    owner.heads("Copy the key now")
    owner.tap("I have copied it")
    owner.tap("Revoke it")
    owner.looks_well("key-revoke")
    owner.tap("Revoke it now")
    owner.sees("Revoked")


def test_one_person_goes_from_workspace_to_workspace(owner: Walk, shop: Demo) -> None:
    name = f"Tienda Norte {owner.way.name}"
    founded = subprocess.run(
        [
            Path(sys.executable).with_name("portero"),
            *("--state", shop.folder, "workspace", "create", name),
            *("--owner", "ana@tienda-andina.example", "--timezone", "America/Lima"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert founded.returncode == 0, founded.stderr

    owner.go("/workspaces/")
    owner.looks_well("workspaces")
    owner.button("Go to %(name)s", name=name).click()
    expect(owner.page.locator(".brand, .place-name").filter(has_text=name).first).to_be_attached()
    owner.go("/people/")
    expect(owner.page.get_by_role("listitem").filter(has_text="Beto Salas")).to_have_count(0)
    owner.looks_well("people-of-another")

    owner.go("/workspaces/")
    owner.button("Go to %(name)s", name="Tienda Andina").click()
    owner.go("/people/")
    expect(owner.page.get_by_role("listitem").filter(has_text="Beto Salas")).to_have_count(1)
