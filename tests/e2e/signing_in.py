"""Coming in as people do, and what a browser remembers of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from databases import Database
from portero.project.demo.codes import code_at

PASSWORD = "una frase larga que nadie adivina"
Cookies = list[dict[str, Any]]


def code_of(secret: str) -> str:
    """What an app with codes shows now, by other code than the console's."""
    return code_at(secret, time.time())


def cookies_of(browser: Browser, console: str, person: dict[str, str], *, at: str = "/") -> Cookies:
    """Sign somebody of the demo in, with password and code."""
    context = browser.new_context(locale="en")
    page = context.new_page()
    page.goto(f"{console}{at}")
    page.get_by_label("E-mail").fill(person["email"])
    page.get_by_label("Password").fill(person["password"])
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Code").fill(code_of(person["totp_secret"]))
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{console}{at}")
    cookies: Any = context.cookies()
    context.close()
    return cookies


def come_in_by_link(page: Page, link: str) -> None:
    """Choose a password and set an app with codes up; the page speaks English."""
    page.goto(link)
    page.get_by_label(re.compile("Password")).fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Set up an app").click()
    secret = page.locator("#authenticator_secret").input_value()
    page.get_by_label("Code that the app shows now").fill(code_of(secret))
    page.get_by_role("button", name="Set up").click()
    page.get_by_role("link", name="Go in").click()


def link_for(database: Database, email: str, console: str) -> str:
    """What `portero person link` says, for a console that a test has started."""
    settings = {
        "PORTERO_STATE": str(database.cluster.state),
        "PORTERO_DATABASE": database.name,
        "PORTERO_CONSOLE_LISTEN": console.removeprefix("http://").replace("localhost", "127.0.0.1"),
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("portero"), "person", "link", email],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
