"""Pages change under their readers' eyes: with what happens, and with what they may see."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, expect

from e2e.browsing import PHONE, visiting
from e2e.installations import Demo
from e2e.signing_in import Cookies, cookies_of

pytestmark = pytest.mark.e2e

LUCIA = "525512345678"
TEXT = {"type": "text", "text": {"body": "Hola"}}
AT_ONCE_MS = 3000


def person(shop: Demo, name: str) -> dict[str, str]:
    return next(one for one in shop.document["people"] if one["name"].startswith(name))


def test_what_happens_appears_without_a_click(browser: Browser, shop: Demo, ana: Cookies) -> None:
    with visiting(browser, shop.console, cookies=ana) as visit:
        lines = visit.page.locator(".log").first.locator("li")
        expect(lines.first).to_be_visible()
        before = lines.first.inner_text()
        visit.page.wait_for_timeout(500)
        shop.send("all", LUCIA, TEXT)

        expect(lines.first).not_to_have_text(before, timeout=AT_ONCE_MS)
        assert visit.complaints == []


def test_b2_3_who_loses_a_role_sees_it_go(browser: Browser, shop: Demo, ana: Cookies) -> None:
    """Elena reads the activity by a role that Ana gives and takes again, in another browser."""
    elena = cookies_of(browser, shop.console, person(shop, "Elena"), at="/requests/")
    with (
        visiting(browser, f"{shop.console}/requests/", cookies=elena) as hers,
        visiting(browser, f"{shop.console}/people/?q=Elena", cookies=ana) as anas,
    ):
        places = hers.page.get_by_role("navigation", name="Places")
        expect(places.get_by_role("link", name="Roles")).to_have_count(0)
        anas.page.get_by_role("link", name="Elena Vargas").click()
        anas.page.get_by_role("link", name="Give a role").click()
        anas.page.get_by_label("Role", exact=True).select_option(label="Reader")
        anas.page.get_by_label("Everywhere in this workspace").check()
        anas.page.get_by_label("How long").select_option(label="For a day")
        anas.page.get_by_role("button", name="See what it opens").click()
        anas.page.get_by_role("button", name="Give the role").click()
        expect(anas.page.get_by_text("has the role from now on")).to_be_visible()

        expect(places.get_by_role("link", name="Roles")).to_be_visible(timeout=AT_ONCE_MS)
        places.get_by_role("link", name="Roles").click()
        expect(hers.page.get_by_role("heading", level=1)).to_have_text("Roles")

        anas.page.get_by_role("link", name=re.compile("^End Reader")).click()
        anas.page.get_by_role("button", name="End it now").click()
        expect(hers.page.get_by_role("heading", level=1)).to_have_text(
            "This door is closed to you", timeout=AT_ONCE_MS
        )


def test_somebody_whose_sessions_are_ended_is_led_out(
    browser: Browser, shop: Demo, ana: Cookies
) -> None:
    diego = cookies_of(browser, shop.console, person(shop, "Diego"), at="/requests/")
    with (
        visiting(browser, f"{shop.console}/requests/", cookies=diego, size=PHONE) as his,
        visiting(browser, f"{shop.console}/people/?q=Diego", cookies=ana) as anas,
    ):
        expect(his.page.get_by_role("heading", level=1)).to_have_text("Requests")
        his.page.wait_for_timeout(500)
        anas.page.get_by_role("link", name="Diego Rojas").click()
        anas.page.get_by_text("Suspend, remove and more").click()
        anas.page.get_by_role("link", name="Sign Diego Rojas out in every browser").click()
        anas.page.get_by_role("button", name="Sign out now").click()

        expect(his.page).to_have_url(re.compile("/login/"), timeout=AT_ONCE_MS)


def test_a_form_that_is_being_filled_in_is_left_alone(
    browser: Browser, shop: Demo, ana: Cookies
) -> None:
    with (
        visiting(browser, f"{shop.console}/teams/new/", cookies=ana) as writing,
        visiting(browser, f"{shop.console}/teams/new/", cookies=ana) as other,
    ):
        writing.page.get_by_label("Name").fill("Half of a na")
        writing.page.wait_for_timeout(500)
        other.page.get_by_label("Name").fill(f"Quick {time.time()}")
        other.page.get_by_role("main").get_by_role("button").first.click()
        other.page.wait_for_url(re.compile("/teams/[0-9a-f-]+/|/people/"))
        writing.page.wait_for_timeout(1000)

        expect(writing.page.get_by_label("Name")).to_have_value("Half of a na")
