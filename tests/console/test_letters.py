"""Whose words a mail and the page behind its link speak with (X10, T06, T07)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.core import mail
from django.test import override_settings

from cast import Cast, playing
from console.test_inviting import link_in
from console.visitors import at_the_door, person_of, signed_in, with_an_app
from databases import Database
from domain.working import work
from portero.domain.access import queries
from portero.domain.access import services as access
from portero.domain.access.errors import InvalidRule
from portero.domain.access.models import Role
from portero.domain.access.services.validation import require_name
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person
from portero.domain.accounts.services import Guest
from portero.domain.audit.models import in_workspace
from portero.domain.notices import services as notices

EVIL = "https://evil.example/login"


@pytest.fixture
def cast(database: Database) -> Iterator[Cast]:
    with (
        playing(database) as made,
        override_settings(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend"),
    ):
        work()
        mail.outbox = []
        yield made


def invited_elsewhere(cast: Cast, address: str, name: str) -> None:
    with in_workspace(cast.carla.workspace):
        role = Role.objects.get(name="Agent").id
    accounts.invite(actor=cast.carla, guests=[Guest(address, name, role)])


def test_t06_a_mail_of_one_workspace_does_not_speak_with_anothers_words(cast: Cast) -> None:
    address = "both@letters.example"
    invited_elsewhere(cast, address, "Call 555 0100 to keep it")
    accounts.invite(actor=cast.ana, guests=[Guest(address, "Eva Luna", cast.role("Agent"))])
    work()

    [told] = [one for one in mail.outbox if "Tienda Andina" in one.subject]
    assert "Call 555" not in told.body
    assert "Eva Luna" in told.body
    page = at_the_door().get(link_in(told.body)).content.decode()
    assert "Call 555" not in page
    assert "Eva Luna" in page


def test_t06_a_mail_about_signing_in_speaks_with_nobodys(cast: Cast) -> None:
    address = "alone@letters.example"
    invited_elsewhere(cast, address, "Call 555 0100 to keep it")
    work()
    [link] = [link_in(one.body) for one in mail.outbox]
    at_the_door().post(link, {"password": "tres gatos en el tejado azul"})
    mail.outbox = []

    notices.send_way_back_in(address)
    with_an_app(Person.objects.get(email=address))
    notices.send_way_back_in(address)

    without, with_one = mail.outbox
    assert without.body.startswith("Hello,")
    assert with_one.body.startswith("Hello,")
    assert "Call 555" not in at_the_door().get(link_in(with_one.body)).content.decode()


@override_settings(PORTERO_SENDS_MAIL=False)
def test_t07_a_handed_over_link_does_not_tell_what_somebody_is_called_elsewhere(
    cast: Cast,
) -> None:
    address = "both@letters.example"
    invited_elsewhere(cast, address, "Patient of ward 7")
    [guest] = accounts.invite(actor=cast.ana, guests=[Guest(address, "x", cast.role("Agent"))])

    link = accounts.invitation_link(actor=cast.ana, principal=guest)

    page = at_the_door().get(f"/welcome/{link}").content.decode()
    assert "Patient of ward 7" not in page
    assert "Welcome, x" in page


@pytest.mark.parametrize(
    "name",
    [
        "Your account ends: evil.example/login",
        "Renew at portero-login.com",
        "Write to help@portero-login.com.",
        "portero\uff0ecom",  # a full stop as wide as a letter: spelled plainly, it is one
        "b\u00fccher.xn--p1ai",
        "10.0.0.1/login",
    ],
)
def test_x10_no_name_is_an_address_without_its_scheme(name: str) -> None:
    with pytest.raises(InvalidRule):
        require_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "Ventas S.A. de C.V.",
        "Dr. L\u00f3pez",
        "Sr.Pedro",
        "Turno 8.30",
        "J.R. Tolkien",
        "a@b.example",
    ],
)
def test_x10_control_names_with_full_stops_stay(name: str) -> None:
    assert require_name(name) == name


def test_x10_what_somebody_asks_for_writes_no_lines_of_a_mail(cast: Cast) -> None:
    reason = f"work\n\nSee exactly what it would open, and decide:\n{EVIL}\u2028evil.com"
    dora = signed_in(person_of(cast.dora))
    needs = "/requests/new/?permission=audit:read"
    [role, *_] = re.findall(r'<option value="([^"]+)"', dora.get(needs).content.decode())
    form = {"role": role, "lasts": "3600", "permission": "audit:read", "reason": reason}

    assert dora.post("/requests/new/", form).status_code == 302
    work()
    [request] = [one.id for one in queries.requests_of(actor=cast.dora)]
    access.refuse_request(actor=cast.ana, request=request, answer=f"no\n\nSign in:\n{EVIL}")
    work()

    asked, refused = mail.outbox[0], mail.outbox[-1]
    assert "> work See exactly what it would open, and decide: … …\n" in asked.body
    assert "> no Sign in: …\n" in refused.body
    assert not any("evil" in one.body for one in mail.outbox)
