"""See as: the console with other eyes, which look and can do nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import Client
from psycopg import sql

from cast import Cast, playing
from console.test_doors import METHODS, address_of, make_things
from console.visitors import has_shown, person_of, signed_in, with_an_app
from databases import Database
from portero.console import doors, keeping, lens, seeing_as
from portero.console.doors import Opens, declared
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor, Lens
from portero.domain.access.errors import AccessDenied, NotFound, NotOneself, OwnerNeeded
from portero.domain.access.models import Principal
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person
from portero.domain.audit.models import Record, RecordOpen, in_workspace
from portero.engine import Reach
from portero.store.sittings import SEEN_STEP_S

GROWS = re.compile(r"session|record(_.*)?|outbox")
"""What looking leaves behind: when the session was last used, and the log."""


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        for actor in (made.ana, made.beto, made.dora):
            with_an_app(person_of(actor))
        make_things(made)
        yield made


def signed_in_as(actor: Actor) -> Client:
    return signed_in(person_of(actor))


def looks(client: Client, **at: object) -> Client:
    """The same browser, with a lens on: `person` or `role`."""
    answer = client.post("/see-as/", {name: str(value) for name, value in at.items()})
    assert answer.status_code == 302, answer.content.decode()
    assert lens.held_by(client.session) is not None
    return client


@pytest.fixture
def looking(cast: Cast) -> Client:
    """Ana, the owner, with Beto's eyes: he administers, so nearly every door is open to both."""
    return looks(signed_in_as(cast.ana), person=cast.beto.principal)


def test_whoever_puts_on_a_lens_lands_on_a_page_that_opens_for_both(looking: Client) -> None:
    landed = looking.get("/home/", follow=True)

    assert landed.status_code == 200
    assert landed.redirect_chain


def text_of(client: Client, url: str, status: int = 200) -> str:
    answer = client.get(url)
    assert answer.status_code == status, (url, answer.status_code)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


# Nothing is written.


def rows(database: Database) -> Mapping[str, tuple[int, str]]:
    """Of every table but the log and the sessions: how many rows, and a digest of all of them."""
    found: dict[str, tuple[int, str]] = {}
    with psycopg.connect(database.dsn()) as reading:
        tables = reading.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        )
        for (table,) in tables.fetchall():
            if GROWS.fullmatch(table):
                continue
            digest = sql.SQL(
                "SELECT count(*), coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '')"
                " FROM {} t"
            ).format(sql.Identifier(table))
            row = reading.execute(digest).fetchone()
            assert row is not None
            found[table] = (row[0], row[1])
    return found


class _Forms(HTMLParser):
    """The forms of a page, filled in as the page fills them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "form" and (said.get("method") or "get").lower() == "post":
            self.found.append((said.get("action") or "", {}))
        if tag in ("input", "select", "textarea", "button") and self.found and said.get("name"):
            self.found[-1][1].setdefault(str(said["name"]), said.get("value") or "x")


def forms_of(client: Client) -> Iterator[tuple[str, dict[str, str]]]:
    for name, found in sorted(declared().items()):
        if "GET" not in found or name in ("account_logout", "console:asset"):
            continue
        answer = client.get(address_of(name))
        if answer.status_code == 200:
            reader = _Forms()
            reader.feed(answer.content.decode())
            for action, filled in reader.found:
                yield action or address_of(name), filled


def everything_sent(client: Client, forms: list[tuple[str, dict[str, str]]]) -> int:
    """Send every method to every route, and every form of every page; how many went out."""
    client.raise_request_exception = False
    ends = {address_of(name) for name in seeing_as.ENDS_IT}
    for name in sorted(declared().keys() - seeing_as.ENDS_IT):
        for method in (*METHODS, "OPTIONS"):
            client.generic(method, address_of(name))
    for url, filled in forms:
        if url not in ends:
            client.post(url, filled)
    return (len(METHODS) + 1) * len(declared()) + len(forms)


def test_r25_with_other_eyes_nothing_is_changed_by_any_method_of_any_route(
    cast: Cast, looking: Client, shared_database: Database
) -> None:
    forms = list(forms_of(signed_in_as(cast.ana)))
    before = rows(shared_database)

    sent = everything_sent(looking, forms)

    assert sent > 250
    assert rows(shared_database) == before
    assert lens.held_by(looking.session) is not None  # it looked through it all the time


def burn_the_codes(client: Client) -> HttpResponse:
    """Something that would be done: new recovery codes, of which the page of factors has a form."""
    client.raise_request_exception = False
    answer = client.post("/factors/recovery-codes/generate/", {})
    assert isinstance(answer, HttpResponse)
    return answer


def without_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeing_as, "would_act", lambda *_: False)


def without_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors.Door, "opens_through_a_lens", lambda _: True)


def without_the_third(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        lens,
        "only_reads",
        lambda execute, sql, params, many, context: execute(sql, params, many, context),
    )


WALLS: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    without_the_first,
    without_the_second,
    without_the_third,
)


@pytest.mark.parametrize("standing", range(3), ids=["the method", "the door", "the statement"])
def test_r25_each_of_the_three_walls_holds_alone(
    cast: Cast,
    looking: Client,
    shared_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    standing: int,
) -> None:
    before = rows(shared_database)
    for n, without in enumerate(WALLS):
        if n != standing:
            without(monkeypatch)

    answer = burn_the_codes(looking)

    assert answer.status_code in (403, 500)
    assert rows(shared_database) == before


def test_r25_control_with_all_walls_down_rows_are_seen_to_change(
    cast: Cast, looking: Client, shared_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(shared_database)
    for without in WALLS:
        without(monkeypatch)

    burn_the_codes(looking)

    after = rows(shared_database)
    changed = {table for table in after if after[table] != before[table]}
    assert "mfa_authenticator" in changed


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE role SET name = 'x'",
        "  delete from role",
        "INSERT INTO principal (id) VALUES (1)",
        "INSERT INTO recorded (id) VALUES (1)",
        "WITH gone AS (DELETE FROM role RETURNING id) SELECT * FROM gone",
        "TRUNCATE role",
        "MERGE INTO role USING role r ON true WHEN MATCHED THEN DELETE",
        "DROP TABLE role",
        "/* SELECT */ DELETE FROM role",
        "COPY role FROM stdin",
        "CALL something()",
        "DO $$ BEGIN END $$",
    ],
)
def test_r25_a_statement_that_writes_is_not_sent(cast: Cast, statement: str) -> None:
    with (
        connection.execute_wrapper(lens.only_reads),
        pytest.raises(lens.WouldWrite),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


# What is seen.


def test_r24_a_page_opens_when_it_opens_to_both(cast: Cast) -> None:
    as_dora = looks(signed_in_as(cast.ana), person=cast.dora.principal)
    as_developer = looks(signed_in_as(cast.ana), role=cast.role("Developer"))

    for client in (as_dora, as_developer):
        said = text_of(client, "/people/", status=403)
        assert "this does not open: either they may not see it, or you may not" in said
        assert "None of your roles" not in said


@pytest.fixture
def helper(cast: Cast) -> Client:
    """Somebody who may see as others, and people and roles; not the activity."""
    cells = dict.fromkeys(("member:view_as", "member:read", "role:read"), Reach.ALL)
    name = f"Helper {time.monotonic_ns()}"
    role = access.create_role(actor=cast.ana, name=name, cells=cells)
    email = f"h{time.monotonic_ns()}@example.com"
    one = accounts.add_person(actor=cast.ana, email=email, name=name)
    access.create_binding(actor=cast.ana, principal=one, role=role)
    person = Person.objects.get_by_natural_key(email)
    with_an_app(person)
    return signed_in(person)


def test_r24_nobody_gains_sight_by_other_eyes(cast: Cast, helper: Client) -> None:
    as_beto = looks(helper, person=cast.beto.principal)

    text_of(as_beto, "/people/")
    text_of(as_beto, "/", status=403)  # Beto reads the activity, and they do not
    assert 'href="/"' not in as_beto.get("/people/").content.decode().partition("<main")[0]
    as_administrator = looks(_again(as_beto), role=cast.role("Administrator"))
    text_of(as_administrator, "/", status=403)


def test_r24_control_without_the_viewer_s_own_decision_more_is_seen(
    cast: Cast, helper: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portero.domain.access.authorize import deciding

    as_beto = looks(helper, person=cast.beto.principal)
    real = deciding.decide

    def of_the_target_alone(*, actor: Actor, **rest: Any) -> Any:
        if actor.lens is not None:
            actor = replace(actor, principal=actor.lens.of, lens=None)
        return real(actor=actor, **rest)

    monkeypatch.setattr(deciding, "decide", of_the_target_alone)

    text_of(as_beto, "/")


def _again(client: Client) -> Client:
    assert client.post("/see-as/end/").status_code == 302
    return client


def test_what_is_about_oneself_stays_closed(looking: Client) -> None:
    about_oneself = [
        name
        for name, found in declared().items()
        if "GET" in found
        and found["GET"].permission is None
        and found["GET"].opens is not Opens.FOR_NOBODY
        and not found["GET"].is_for_lens
    ]

    assert {"mfa_index", "mfa_view_recovery_codes", "console:kept", "account_login"} <= set(
        about_oneself
    )
    for name in about_oneself:
        assert looking.get(address_of(name)).status_code == 403, name


def test_the_bar_is_on_every_page_and_says_whose_eyes_and_until_when(
    cast: Cast, looking: Client
) -> None:
    for url in ("/", "/people/", f"/people/{cast.dora.principal}/", "/roles/", "/factors/"):
        page = looking.get(url).content.decode()
        assert "You see what beto sees" in page, url
        assert 'action="/see-as/end/"' in page
    assert (
        "You see what beto sees"
        in looking.get("/people/00000000-0000-7000-8000-000000000000/").content.decode()
    )
    assert re.search(r"It ends at \d\d:\d\d\.", text_of(looking, "/people/"))
    assert "You see what" not in looking.get("/-/health").content.decode()
    assert looking.get("/factors/").status_code == 403


def test_after_a_minute_the_pages_open_still_and_nobody_was_seen_here(
    cast: Cast, looking: Client
) -> None:
    session = looking.session
    ago = time.time() - 2 * SEEN_STEP_S
    session.update({"seen": ago, "seen here": ago})
    session.save()
    before = seen_at(cast.ana), seen_at(cast.beto)

    for url in ("/people/", f"/people/{cast.dora.principal}/", "/roles/"):
        assert looking.get(url).status_code == 200, url

    assert (seen_at(cast.ana), seen_at(cast.beto)) == before


def seen_at(actor: Actor) -> datetime | None:
    with in_workspace(actor.workspace):
        return Principal.objects.get(id=actor.principal).seen_at


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("ours"), 500), (OperationalError("away"), 503)]
)
def test_the_way_back_is_also_on_a_page_that_failed(
    looking: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fails(*_a: object, **_k: object) -> None:
        raise error

    monkeypatch.setattr(doors.access, "require", fails)
    looking.raise_request_exception = False

    answer = looking.get("/people/")

    assert answer.status_code == status
    page = answer.content.decode()
    assert "You see what beto sees" in page
    assert re.search(
        r'action="/see-as/end/"[^>]*><input type="hidden" name="csrfmiddlewaretoken" value="\w+"',
        page,
    )


def test_personal_data_is_masked_whatever_a_page_shows(
    cast: Cast, looking: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "dora@example.com" in signed_in_as(cast.ana).get("/people/").content.decode()

    page = looking.get("/people/").content.decode()

    assert "@example.com" not in page
    assert "d···@···" in page


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("<p>rosa.h+x@tienda.example.com</p>", "<p>r···@···</p>"),
        ("<p>o&#x27;neill!x/y@tienda.example</p>", "<p>o···@···</p>"),
        ("<p>{rosa}&amp;co|=~@tienda.example</p>", "<p>{···@···</p>"),
        ("<p>&quot;rosa maria&quot;@tienda.example</p>", "<p>&quot;···@···</p>"),
        ("<p>rosa@localhost, iker@[10.0.0.1]</p>", "<p>r···@···, i···@···</p>"),
        ('<a href="?who=rosa%2Bx%40tienda.example">', '<a href="?···@···">'),
        ('<a href="mailto:rosa@tienda.example">', '<a href="mailto:r···@···">'),
        ("<p>@ 5 pm, a@b, &#x27;quoted&#x27;</p>", None),
        ("<td>+52 55 1234 5678</td>", "<td>···78</td>"),
        ("<td>525512345678</td>", "<td>···78</td>"),
        ('<a title="+34 600-111-222">', '<a title="···22">'),
        ("<time>2026-11-26T10:00:00</time>", "<time>2026-11-26T10:00:00</time>"),
        ('<a href="/people/0197a3a0-0000-7000-8000-123456789012/">', None),
        ('<option value="106540352242922">Ventas</option>', None),
        ('<path d="M2 34V16a14 14 0 0 1 28 0v18z"/>', None),
        ("<p>184219 entries in 2026</p>", None),
    ],
)
def test_masks(said: str, shown: str | None) -> None:
    assert lens.mask(said) == (said if shown is None else shown)


def test_masking_a_page_without_an_address_takes_no_time() -> None:
    began = time.monotonic()

    lens.mask("a/b+c=" * 40_000 + "&#x27;" * 40_000)

    assert time.monotonic() - began < 2


def test_a_file_is_not_for_looking() -> None:
    answer = HttpResponse("a,b\n1,2", content_type="text/csv")

    assert lens.masked(answer).status_code == 403


# Who may, as whom, and for how long.


def test_r22_a_lens_is_put_on_with_a_fresh_factor_only(cast: Cast) -> None:
    client = signed_in_as(cast.ana)
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] = time.time() - 301
    session.save()

    answer = client.post("/see-as/", {"person": str(cast.dora.principal)})

    assert answer.headers["Location"].startswith("/factors/reauthenticate/")
    assert lens.held_by(client.session) is None
    has_shown(client, person_of(cast.ana), method="mfa", type="totp")
    assert f'value="{cast.dora.principal}"' in client.get("/kept/").content.decode()


def test_r22_control_without_the_demand_an_old_factor_puts_it_on(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in_as(cast.ana)
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] = time.time() - 301
    session.save()
    monkeypatch.setattr(keeping, "FACTOR_AGE", timedelta(days=1))

    looks(client, person=cast.dora.principal)


@pytest.mark.parametrize("what", ["workspace", "viewer"])
def test_r22_a_lens_of_one_session_is_none_of_another(
    cast: Cast, looking: Client, what: str
) -> None:
    other = signed_in_as(cast.carla if what == "workspace" else cast.beto)
    session = other.session
    session["lens"] = looking.session["lens"]
    session.save()

    other.get("/people/")

    assert lens.held_by(other.session) is None
    assert "You see what" not in other.get("/people/").content.decode()


def test_it_ends_by_itself_and_a_form_from_before_its_end_does_nothing(
    cast: Cast, looking: Client
) -> None:
    token = re.findall(
        r'name="csrfmiddlewaretoken" value="(\w+)"', looking.get("/people/").content.decode()
    )[0]
    session = looking.session
    session["lens"] = {**session["lens"], "until": time.time() - 1}
    session.save()

    assert looking.post("/factors/recovery-codes/generate/").status_code == 403
    page = text_of(looking, "/people/")
    assert "You see the console with your own eyes again: the time was over." in page
    assert "You see what" not in page
    strict = Client(
        enforce_csrf_checks=True, REMOTE_ADDR="127.0.0.1", headers={"host": "localhost"}
    )
    strict.cookies = looking.cookies
    stale = strict.post("/see-as/", {"csrfmiddlewaretoken": token, "role": ""})
    assert "This form is too old" in stale.content.decode()


def test_it_lasts_a_quarter_of_an_hour(looking: Client) -> None:
    held = lens.held_by(looking.session)
    assert held is not None
    assert 890 < held.until - time.time() <= 900


def test_it_is_withdrawn_with_the_right_to_it_and_with_who_is_seen(cast: Cast) -> None:
    eva = accounts.add_person(actor=cast.ana, email="eva.l@example.com", name="Eva")
    looking = looks(signed_in_as(cast.ana), person=eva)

    access.disable_principal(actor=cast.ana, principal=eva)

    assert looking.get("/people/").headers["Location"] == "/people/"
    assert "this is not yours to see" in text_of(looking, "/people/")
    assert lens.held_by(looking.session) is None


def test_leaving_ends_it_and_everything(cast: Cast, looking: Client) -> None:
    assert looking.post("/logout/").status_code == 302

    assert looking.get("/people/").headers["Location"].startswith("/login/")
    with in_workspace(cast.workspace):
        last = Record.objects.filter(event="lens.closed").latest("at")
        body = RecordOpen.objects.get(call_id=last.call_id).body
    assert (last.actor, last.on_behalf, body["why"]) == (cast.ana.id, cast.beto.id, "signed_out")


def test_as_whom_one_may_not_look(cast: Cast, helper: Client) -> None:
    nobody = UUID(int=9)
    viewer = replace(cast.beto, factor_at=cast.beto.at)
    for of, error in (
        (cast.ana.principal, OwnerNeeded),
        (cast.beto.principal, NotOneself),
        (cast.carla.principal, NotFound),
        (nobody, NotFound),
    ):
        with pytest.raises(error):
            access.open_lens(actor=viewer, lens=Lens("person", of))
    with pytest.raises(NotFound):
        access.open_lens(actor=viewer, lens=Lens("role", nobody))
    with pytest.raises(AccessDenied):
        access.open_lens(actor=cast.dora, lens=Lens("person", cast.beto.principal))
    with in_workspace(cast.workspace):
        refused = Record.objects.filter(event="lens.opened", effect="deny")
        assert {(r.actor, r.on_behalf, r.reason) for r in refused} >= {
            (cast.beto.id, cast.ana.id, "owner_needed"),
            (cast.dora.id, cast.beto.id, "permission_missing"),
        }


def test_the_form_says_what_is_wrong_and_keeps_what_was_written(cast: Cast) -> None:
    client = signed_in_as(cast.ana)

    for filled, error in (
        ({"person": "", "role": ""}, "Choose one: a person or a role."),
        ({"person": "nadie de aquí", "role": ""}, "Nobody here is called that."),
        ({"person": "ana@example.com", "role": ""}, "This is you"),
    ):
        page = client.post("/see-as/", filled).content.decode()
        assert error in page
        assert filled["person"] in page


def test_each_page_is_on_record_under_both_names_before_it_is_shown(
    cast: Cast, looking: Client
) -> None:
    text_of(looking, "/roles/")
    looking.post("/factors/recovery-codes/generate/")

    with in_workspace(cast.workspace):
        mine = list(Record.objects.filter(actor=cast.ana.id, on_behalf=cast.beto.id).order_by("at"))
        bodies = {
            one.call_id: RecordOpen.objects.get(call_id=one.call_id).body for one in mine[-2:]
        }
    opened, looked, tried = mine[-3:]
    assert (opened.event, opened.effect) == ("lens.opened", "allow")
    assert list(opened.checks) == ["member:view_as", "member:read"]
    assert (looked.event, looked.effect, list(looked.checks)) == (
        "page.opened",
        "allow",
        ["role:read"],
    )
    assert bodies[looked.call_id]["page"] == "console:roles"
    assert (tried.effect, tried.reason) == ("deny", "only_looking")
