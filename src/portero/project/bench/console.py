"""`portero bench console`: the pages of a workspace of 100,000 people, 1,000 roles and a million bindings.

A real console process answers real requests of its owner, one after the other, over the loopback address;
what is measured is what a browser waits for the server. Pages take turns, so that all share the machine's
noise. No rival is compared: nobody offers these pages.
"""

from __future__ import annotations

import html
import http.client
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psycopg

from portero.project.bench.machine import machine
from portero.project.bench.measuring import Contestant, take_turns
from portero.project.bench.report import Report
from portero.project.bench.seeding import PEOPLE, ROLES, Seeded
from portero.project.bench.stand import child, environment, free_port, run_module, wait_for
from portero.project.configuration import SETTINGS
from portero.project.listening import answers
from portero.project.postgres import Cluster
from portero.project.programs import CONSOLE_HEALTH

MEDIAN, P95 = "median ms", "p95 ms"
AFTER = "ms after a change of policy"
_ASKED = 20
"""Times each page is asked for in a round; p95 is of all rounds' requests of a page together."""
_CHANGES = 3
_QUICK = (2_000, 50)


@dataclass
class Browser:
    """The owner's, signed in."""

    host: str
    port: int
    cookies: dict[str, str]
    _connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    def ask(self, path: str, form: Mapping[str, str] | None = None) -> tuple[float, str]:
        """How long a page takes, in seconds, and its text. Raises RuntimeError for another status than 200."""
        headers = {
            "Host": f"localhost:{self.port}",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        body = None
        if form is not None:
            body = urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = self._connection or http.client.HTTPConnection(
            self.host, self.port, timeout=120
        )
        self._connection = connection
        began = time.perf_counter()
        connection.request("GET" if form is None else "POST", path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        took = time.perf_counter() - began
        for header in answer.headers.get_all("Set-Cookie") or ():
            name, _, rest = header.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
        return took, text

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


@dataclass(frozen=True)
class Page:
    """A page with its bars: the median and the 95th of a hundred, in milliseconds."""

    name: str
    path: str
    form: Callable[[Browser], Mapping[str, str]] | None = None
    median_ms: float = 150
    p95_ms: float = 400


def run(*, rounds: int, quick: bool, progress: Callable[[str], None]) -> Report:
    """Measure every page at its size."""
    people, roles = _QUICK if quick else (PEOPLE, ROLES)
    with _installed(people, roles, progress) as (seeded, cluster, browser):
        progress(f"made in {seeded['seconds']:.0f} s")
        return measure(seeded, cluster, browser, rounds=rounds, progress=progress)


def measure(
    seeded: Seeded,
    cluster: Cluster,
    browser: Browser,
    *,
    rounds: int,
    progress: Callable[[str], None],
) -> Report:
    pages = pages_of(seeded)
    asked: dict[str, list[float]] = {page.name: [] for page in pages}
    contestants = [
        Contestant(page.name, partial(_round, page, browser, asked[page.name])) for page in pages
    ]
    for page in pages:  # what is compiled once for a process is not what is measured
        _ask(page, browser)
    results = take_turns(contestants, rounds=rounds, progress=progress)
    report = Report("console", machine())
    said = f"{seeded['people']:,} people, {seeded['bindings']:,} bindings"
    report.sections.append((f"Pages for an owner: {said}", results))
    progress("after changes of policy")
    changes = [_after_a_change(seeded, cluster, browser, pages[0]) for _ in range(_CHANGES)]
    for page in pages:
        median = statistics.median(asked[page.name]) * 1000
        p95 = statistics.quantiles(asked[page.name], n=20)[-1] * 1000
        report.claim(f"{page.name}: median, ms", partial(float, median), "≤", page.median_ms)
        report.claim(f"{page.name}: p95, ms", partial(float, p95), "≤", page.p95_ms)
    after = statistics.median(changes) * 1000
    report.claim("the first page after a change of policy, ms", lambda: after, "≤", 400)
    report.claim("s to make the workspace", lambda: seeded["seconds"], "≤", 300)
    return report


def pages_of(seeded: Seeded) -> list[Page]:
    """What is measured; `deep` begins where the first page's reader would be after many more."""
    person, role, everybody = seeded["person"], seeded["role"], seeded["everybody"]
    deep = urlencode({"q": "", "name": "m", "behind": "00000000-0000-0000-0000-000000000000"})
    give = {"role": role, "where": "everywhere", "lasts": "open"}
    return [
        Page("people", "/people/"),
        Page("people, in the middle", f"/people/?{deep}"),
        Page("people, a search", "/people/?q=Quispe+4"),
        Page("the palette", "/search/?q=Quispe+77"),
        Page("a person", f"/people/{person}/"),
        Page("a team", f"/teams/{seeded['team']}/"),
        Page("roles", "/roles/"),
        Page("a role", f"/roles/{role}/"),
        Page("a role of everybody's", f"/roles/{everybody}/"),
        Page("a role's editor", f"/roles/{role}/edit/"),
        Page(
            "consequences of a role's change",
            f"/roles/{role}/edit/",
            partial(_changed, role),
            2000,
            2000,
        ),
        Page(
            "consequences for everybody",
            f"/roles/{everybody}/edit/",
            partial(_changed, everybody),
            2000,
            2000,
        ),
        Page(
            "consequences of giving a role",
            f"/people/{person}/give/",
            partial(_with_token, f"/people/{person}/give/", give),
            2000,
            2000,
        ),
        Page("why", f"/why/?who={person}&what=send:text"),
        Page("who can", "/who/?what=send:text"),
        Page("guardrails", "/guardrails/"),
        Page("limits", "/limits/"),
        Page("requests", "/requests/"),
        Page("activity", "/"),
    ]


def _ask(page: Page, browser: Browser) -> float:
    form = page.form(browser) if page.form is not None else None
    return browser.ask(page.path, form)[0]


def _round(page: Page, browser: Browser, asked: list[float]) -> Mapping[str, float]:
    form = page.form(browser) if page.form is not None else None
    took = [browser.ask(page.path, form)[0] for _ in range(_ASKED if form is None else 3)]
    asked += took
    slowest = statistics.quantiles(took, n=20)[-1] if len(took) > 3 else max(took)
    return {MEDIAN: statistics.median(took) * 1000, P95: slowest * 1000}


def _changed(role: str, browser: Browser) -> Mapping[str, str]:
    """The editor's form as it comes, with one cell turned."""
    _took, page = browser.ask(f"/roles/{role}/edit/")
    form = dict(_fields(page))
    now = form["send:image"]
    form["send:image"] = "all" if now != "all" else "none"
    return form


def _with_token(path: str, form: Mapping[str, str], browser: Browser) -> Mapping[str, str]:
    _took, page = browser.ask(path)
    return {**form, "csrfmiddlewaretoken": dict(_fields(page))["csrfmiddlewaretoken"]}


_INPUT = re.compile(r"<input ([^>]*)>")
_ATTRIBUTE = re.compile(r'([\w-]+)(?:="([^"]*)")?')


def _fields(page: str) -> Iterator[tuple[str, str]]:
    """Names and values that the last form of a page would send."""
    form = page[
        page.index('class="matrix-form"')
        if 'class="matrix-form"' in page
        else page.rindex("<form") :
    ]
    for tag in _INPUT.findall(form):
        found = {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(tag)}
        if "name" in found and (
            found.get("type") not in {"radio", "checkbox"} or "checked" in found
        ):
            yield found["name"], found.get("value", "")


def _after_a_change(seeded: Seeded, cluster: Cluster, browser: Browser, page: Page) -> float:
    """How long a page takes when somebody has just changed a binding elsewhere."""
    with psycopg.connect(cluster.dsn("superuser", SETTINGS["PORTERO_DATABASE"])) as connection:
        row = connection.execute(
            "UPDATE policy_head SET version = version + 1, xid = pg_current_xact_id()"
            " WHERE workspace_id = %s RETURNING version",
            [seeded["workspace"]],
        ).fetchone()
        assert row is not None  # noqa: S101 - the workspace was made
        connection.execute(
            "UPDATE binding SET valid_to = %s WHERE workspace_id = %s AND valid_to IS NULL AND id ="
            " (SELECT id FROM binding WHERE workspace_id = %s AND valid_to IS NULL LIMIT 1)",
            [row[0], seeded["workspace"], seeded["workspace"]],
        )
    return browser.ask(page.path)[0]


@contextmanager
def _installed(
    people: int, roles: int, progress: Callable[[str], None]
) -> Iterator[tuple[Seeded, Cluster, Browser]]:
    state = Path(tempfile.mkdtemp(prefix="portero-bench-"))
    state.chmod(0o755)  # the server's own account passes through
    environ = environment(state, "http://127.0.0.1:9")
    cluster = Cluster(state, environ)
    try:
        cluster.start()
        progress(f"making {people:,} people and {roles:,} roles")
        made = state / "seeded.json"
        run_module("portero.project.bench.seeding", environ, str(made), str(people), str(roles))
        seeded: Seeded = json.loads(made.read_text())
        with serving(environ) as url:
            browser = browser_of(seeded, url)
            yield seeded, cluster, browser
            browser.close()
    finally:
        cluster.stop()
        shutil.rmtree(state, ignore_errors=True)


@contextmanager
def serving(environ: Mapping[str, str]) -> Iterator[str]:
    """A console as `portero serve console` starts it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-P", "-m", "portero.project.child", str(os.getpid()), "console"]
    with child(command, environ={**environ, "PORTERO_CONSOLE_LISTEN": f"127.0.0.1:{port}"}):
        wait_for(lambda: answers(url + CONSOLE_HEALTH))
        yield url


def browser_of(seeded: Seeded, url: str) -> Browser:
    parts = urlsplit(url)
    assert parts.hostname is not None  # noqa: S101 - our own address
    assert parts.port is not None  # noqa: S101 - likewise
    return Browser(parts.hostname, parts.port, {"portero_session": seeded["session"]})
