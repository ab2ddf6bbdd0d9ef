"""One browser and one demo for a module of tests that look.

Playwright keeps an event loop running in this thread, where Django then refuses to work. So the
database's template, made by Django, comes before the browser, and the browser goes with its module.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from databases import Database
from e2e.browsing import chromium
from e2e.installations import Demo, console_alone, demo, keys_of
from e2e.signing_in import Cookies, come_in_by_link, cookies_of, link_for
from gateway.house import Workspace


@pytest.fixture(scope="module")
def browser(template: str) -> Iterator[Browser]:
    with sync_playwright() as playwright, chromium(playwright) as opened:
        yield opened


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder: Path = tmp_path_factory.mktemp("shop")
    with demo(folder) as running:
        yield running


@pytest.fixture(scope="module")
def ana(browser: Browser, shop: Demo) -> Cookies:
    """What the browser of the shop's owner remembers, once she has signed in."""
    return cookies_of(browser, shop.console, shop.document["people"][0])


@pytest.fixture(scope="module")
def unused(browser: Browser, shared_database: Database) -> Iterator[tuple[str, Cookies]]:
    """The console of a workspace in which nobody asked for anything, and where nothing else runs.

    With what its owner's browser remembers.
    """
    email = Workspace(shared_database, *keys_of(shared_database)).create().email
    with console_alone(shared_database) as url:
        context = browser.new_context(locale="en")
        come_in_by_link(context.new_page(), link_for(shared_database, email, url))
        yield url, context.cookies()  # type: ignore[misc]  # Playwright's own type of cookies
        context.close()
