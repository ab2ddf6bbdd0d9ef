"""Every route, by every method, as everybody: what happens is what its door says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, path, reverse

from cast import Cast, playing
from console.visitors import at_the_door, half_signed_in, person_of, signed_in, with_an_app
from databases import Database
from portero.console import doors
from portero.console.doors import CLOSED, Door, Opens, declared, require_declarations
from portero.console.urls import urlpatterns
from portero.domain.access import services as access
from portero.domain.access.services.builtin_roles import BUILTIN_ROLES
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person
from portero.domain.audit.models import Record, in_workspace
from portero.engine import ENTER_CONSOLE, PERMISSIONS, GuardrailKind, HolderKind, Metric, Per, Reach

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ROLES = ("Administrator", "Agent", "Developer", "Analyst", "Support")
LOGIN = "/login/"
THINGS: dict[str, UUID] = {}
"""What the routes call a thing, and one of the first workspace."""
OTHERS: dict[str, dict[str, object]] = {
    "console:asset": {"digest": "a" * 16, "name": "console.css"},
    "console:welcome": {"token": "a"},
    "console:arrival": {"asked": "a"},
    "console:undo": {"token": "a"},
    "console:entry_new": {"kind": "networks"},
    "console:entry_save": {"kind": "networks"},
    "console:why_then": {"call": UUID(int=7)},
    "mfa_remove_webauthn": {"pk": 1},
    "mfa_edit_webauthn": {"pk": 1},
    "account_confirm_email": {"key": "a"},
    "account_reset_password_from_key": {"uidb36": "a", "key": "b"},
}


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        make_things(made)
        yield made


def make_things(cast: Cast) -> None:
    """One of each thing that a route is about, in the first workspace."""
    account = accounts.create_service_account(
        actor=cast.ana, name="Thing", accountable=cast.ana.principal
    )
    THINGS.update(
        principal=cast.dora.principal,
        role=access.create_role(actor=cast.ana, name="Thing", cells={"send:text": Reach.OWN}),
        team=access.create_team(actor=cast.ana, name="Thing"),
        account=account,
        request_id=access.request_access(
            actor=cast.dora,
            role=cast.role("Analyst"),
            lasts=timedelta(days=1),
            reason="Wants to see",
        ),
        binding=access.create_binding(
            actor=cast.ana, principal=cast.dora.principal, role=cast.role("Analyst")
        ),
        guardrail=access.create_guardrail(
            actor=cast.ana,
            name="Thing",
            kind=GuardrailKind.DENY,
            permissions=["call:place"],
            principals=[cast.dora.principal],
        ),
        entry=access.create_guardrail(
            actor=cast.ana,
            name="Thing",
            kind=GuardrailKind.NETWORKS,
            permissions=[ENTER_CONSOLE],
            principals=[cast.role("Analyst")],
            networks=["127.0.0.0/8"],
        ),
        api_key=accounts.create_key(actor=cast.ana, service_account=account, name="Thing").id,
        limit=access.create_limit(
            actor=cast.ana,
            holder_kind=HolderKind.WORKSPACE,
            metric=Metric.MESSAGES,
            per=Per.DAY,
            amount=5,
        ),
    )


@pytest.fixture(scope="module")
def people(cast: Cast) -> dict[str, Person]:
    """Somebody for each built-in role, the owner, and people who belong elsewhere."""
    found = {"owner": person_of(cast.ana), "other workspace": person_of(cast.carla)}
    for role in ROLES:
        address = f"{role.lower()}@doors.example"
        member = accounts.add_person(actor=cast.ana, email=address, name=role)
        access.create_binding(actor=cast.ana, principal=member, role=cast.role(role))
        found[role] = Person.objects.get_by_natural_key(address)
    accounts.register_person(email="stranger@doors.example", name="stranger")
    found["stranger"] = Person.objects.get_by_natural_key("stranger@doors.example")
    for person in found.values():
        with_an_app(person)
    return found


def address_of(name: str) -> str:
    """Where a route leads; one about a thing, to a thing of the first workspace."""
    for arguments in (things_of(name), {}, OTHERS.get(name, {})):
        try:
            return reverse(name, kwargs=arguments)
        except NoReverseMatch:
            continue
    raise AssertionError(f"{name}: say in OTHERS or THINGS what its address is made of")


def things_of(name: str) -> dict[str, UUID]:
    """The things that a route names, by what its pattern calls them."""
    return {one: THINGS[one] for one in parameters_of(name) if one in THINGS}


def parameters_of(name: str) -> set[str]:
    *spaces, last = name.split(":")
    found = get_resolver().reverse_dict if not spaces else None
    resolver = get_resolver()
    for space in spaces:
        _prefix, resolver = resolver.namespace_dict[space]
        found = resolver.reverse_dict
    assert found is not None
    return {one for possible, *_ in found.getlist(last) for _, names in possible for one in names}


def cases() -> list[tuple[str, str, Door | None]]:
    return [
        (name, method, found.get("GET" if method == "HEAD" else method))
        for name, found in sorted(declared().items())
        for method in METHODS
    ]


def ask(client: Client, name: str, method: str) -> tuple[int, str]:
    answer = client.generic(method, address_of(name))
    return answer.status_code, answer.headers.get("Location", "")


def test_b3_1_whoever_is_not_signed_in_gets_what_is_for_everybody_and_no_more(cast: Cast) -> None:
    wrong = []
    for name, method, door in cases():
        status, where = ask(at_the_door(), name, method)
        if door is None:
            is_right = status == 405
        elif door.opens is Opens.FOR_NOBODY:
            is_right = status == 404
        elif door.opens is Opens.FOR_EVERYBODY:
            is_right = not where.startswith(f"{LOGIN}?next=") or name == "mfa_authenticate"
        else:
            is_right = status == 302 and where.startswith(f"{LOGIN}?next=")
        if not is_right:
            wrong.append((name, method, status, where))

    assert wrong == []


def test_a07_without_the_second_factor_nothing_opens_but_the_way_to_it(
    people: dict[str, Person],
) -> None:
    half = half_signed_in(people["owner"])
    inside = [(n, m) for n, m, door in cases() if door and door.opens is Opens.FOR_MEMBERS]

    ways = {(*case, *ask(half, *case)) for case in inside}

    assert len(ways) >= 2
    assert {(status, where.partition("?")[0]) for _, _, status, where in ways} == {
        (302, "/factors/reauthenticate/")
    }


def let_in(_request: HttpRequest, **_things: object) -> HttpResponse:
    return HttpResponse(status=204)


def without_rooms(patterns: Iterable[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """The same routes, with nothing behind their doors: a knock changes nothing."""
    return [
        URLPattern(one.pattern, let_in, name=one.name)
        if isinstance(one, URLPattern)
        else URLResolver(
            one.pattern,
            without_rooms(one.url_patterns),
            app_name=one.app_name,
            namespace=one.namespace,
        )
        for one in patterns
    ]


class Doors:
    urlpatterns = without_rooms(urlpatterns)


@pytest.mark.parametrize("who", ["owner", "other workspace", "stranger", *ROLES])
def test_b3_1_r14_every_door_opens_for_those_it_says_and_for_nobody_else(
    cast: Cast, people: dict[str, Person], who: str
) -> None:
    client, wrong, refused = signed_in(people[who]), [], []
    workspace = cast.carla.workspace if who == "other workspace" else cast.workspace
    with in_workspace(workspace):
        before = set(Record.objects.values_list("call_id", flat=True))
    with override_settings(ROOT_URLCONF=Doors):
        for name, method, door in cases():
            if door is None or door.opens is not Opens.FOR_MEMBERS:
                continue
            status, _ = ask(client, name, method)
            if status != (204 if may(who, door) else 403):
                wrong.append((name, method, status))
            if status == 403 and who != "stranger":
                refused.append((door.event, "deny", [door.permission]))

    assert wrong == []
    # What was decided is what was recorded: each refusal once, and nothing else.
    with in_workspace(workspace):
        records = Record.objects.exclude(call_id__in=before).order_by("at", "call_id")
        assert [(r.event, r.effect, list(r.checks)) for r in records] == refused


def test_a_page_about_a_thing_of_another_workspace_is_not_there(
    cast: Cast, people: dict[str, Person]
) -> None:
    owner, elsewhere = (signed_in(people[who]) for who in ("owner", "other workspace"))
    about_things = [
        name
        for name, found in sorted(declared().items())
        if things_of(name) and found.get("GET", CLOSED).opens is Opens.FOR_MEMBERS
    ]

    assert len(about_things) >= 2
    for name in about_things:
        assert elsewhere.get(address_of(name)).status_code == 404, name
        # An act that does not fit, such as letting back who is here, leads to the page of the person.
        assert owner.get(address_of(name)).status_code in {200, 302}, name


def may(who: str, door: Door) -> bool:
    """By the rows of the roles themselves, not by asking the engine."""
    if who == "stranger":
        return False
    return (
        door.permission is None
        or who in {"owner", "other workspace"}
        or bool(BUILTIN_ROLES[who].get(door.permission))
    )


def test_a_refusal_at_a_door_is_on_record_with_its_reason(
    cast: Cast, people: dict[str, Person]
) -> None:
    with in_workspace(cast.workspace):
        before = Record.objects.filter(event="page.opened").count()

    answer = signed_in(people["Agent"]).get("/")

    assert answer.status_code == 403
    assert "audit:read" in answer.content.decode()
    assert "ana" in answer.content.decode()  # who can give it
    with in_workspace(cast.workspace):
        records = list(Record.objects.filter(event="page.opened"))
    assert len(records) == before + 1
    assert {(r.effect, r.reason) for r in records} == {("deny", "permission_missing")}


def test_a_refusal_shows_the_doors_that_are_open(cast: Cast) -> None:
    address = "reader@doors.example"
    reader = accounts.add_person(actor=cast.ana, email=address, name="Reader")
    role = access.create_role(actor=cast.ana, name="Reads people", cells={"member:read": Reach.ALL})
    access.create_binding(actor=cast.ana, principal=reader, role=role)
    person = Person.objects.get_by_natural_key(address)
    with_an_app(person)

    answer = signed_in(person).get("/")

    assert answer.status_code == 403
    assert 'href="/people/"' in answer.content.decode()
    assert 'href="/roles/"' not in answer.content.decode()


def test_every_permission_at_a_door_is_a_permission() -> None:
    asked = {door.permission for found in declared().values() for door in found.values()}
    assert asked - {None} <= set(PERMISSIONS)


def test_b3_1_r13_a_route_without_a_declaration_does_not_start() -> None:
    undeclared = path("undeclared/", lambda _: None, name="undeclared")  # type: ignore[arg-type, return-value]

    with pytest.raises(ImproperlyConfigured, match="undeclared"):
        require_declarations([*urlpatterns, undeclared])


def test_b3_1_r13_the_console_does_not_start_with_a_route_that_says_nothing() -> None:
    """What is asked is asked where it starts: every declaration is lost, and it does not."""
    code = (
        "import django_ready\n"
        "from portero.console import doors\n"
        "doors.adopt = lambda *_names, **_doors: None\n"
        "from portero.console import urls\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "ImproperlyConfigured: routes without a declaration" in done.stderr


def test_b3_1_control_without_the_doorkeeper_a_page_opens_for_everybody(
    cast: Cast, people: dict[str, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "_answer", lambda *_: None)

    assert signed_in(people["Agent"]).get("/-/health").status_code == 200
    with pytest.raises(AttributeError):  # the page asks who is there, and nobody was let in
        at_the_door().get("/")


MORE = "fields=id,email,password,totp&expand=person.sessions&include=secrets&owner=1&workspace_id=x"


def test_r11_what_nobody_declared_shows_no_more(cast: Cast, people: dict[str, Person]) -> None:
    """A parameter that a page does not know is no key to other fields of what it shows."""
    owner = signed_in(people["owner"])
    looked_at = 0
    for name, found in sorted(declared().items()):
        if found.get("GET", CLOSED).opens is not Opens.FOR_MEMBERS:
            continue
        plain, more = (owner.get(address_of(name) + asked) for asked in ("", f"?{MORE}"))
        assert more.status_code in {plain.status_code, 400}, name
        if more.status_code == 200:
            assert visible_text(more) == visible_text(plain), name
            looked_at += 1

    assert looked_at > 15


def visible_text(answer: Any) -> str:
    """What a page shows, without what is new on every page."""
    text = re.sub(r"<[^>]*>", " ", answer.content.decode())
    return " ".join(re.sub(r"\b\d{1,2}:\d{2}(:\d{2})?\b", "", text).split())
