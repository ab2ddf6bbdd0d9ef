"""Keys in the console: made from nothing, seen before they are made, shown once, rolled and revoked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import pytest
from django.test import Client

from cast import Cast, playing
from console.visitors import person_of, signed_in, with_an_app
from databases import Database
from portero.console.keys import JOBS
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.models import Principal, Role
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import ApiKey
from portero.domain.audit.models import RecordOpen, in_workspace
from portero.engine import PERMISSIONS, Reach
from portero.store import keys as secrets
from portero.store.ids import uuid7

_numbers = count()


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


@pytest.fixture
def ana(cast: Cast) -> Client:
    return signed_in(person_of(cast.ana))


@pytest.fixture
def named() -> str:
    return f"orders {next(_numbers)}"


def typed(name: str, **more: object) -> dict[str, object]:
    """The form as somebody fills it in for a new account."""
    return {
        "name": name,
        "account": "new",
        "account_name": f"system of {name}",
        "permissions": ["send:template", "template:use_utility"],
        "countries": "MX",
        "lasts": "30",
        **more,
    }


def plain(page: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.decode())).replace("&#x27;", "'")


def secret_in(page: bytes) -> str:
    return re.findall(r">(ptr_svc_[^<]+)</textarea>", page.decode())[0]


def key_called(cast: Cast, name: str) -> ApiKey:
    with in_workspace(cast.workspace):
        return ApiKey.objects.get(name=name)


def test_the_common_jobs_are_made_of_permissions_there_are() -> None:
    for _title, permissions in JOBS.values():
        assert permissions <= PERMISSIONS.keys()


def test_a_job_fills_in_what_it_needs_and_nothing_else(ana: Client) -> None:
    page = ana.get("/keys/new/?job=orders").content.decode()

    ticked = set(re.findall(r'name="permissions" value="([^"]+)" checked', page))
    assert ticked == set(JOBS["orders"][1])
    assert "checked" not in ana.get("/keys/new/").content.decode()


def test_before_it_is_made_one_reads_what_it_could_do(cast: Cast, ana: Client, named: str) -> None:
    told = plain(ana.post("/keys/new/", typed(named)).content)

    assert "Send approved templates" in told
    assert "countries: MX" in told
    assert "It is not made yet." in told
    with in_workspace(cast.workspace):
        assert not ApiKey.objects.filter(name=named).exists()
        assert not Principal.objects.filter(name=f"system of {named}").exists()


def test_what_a_key_can_never_do_at_its_places_is_told_apart(ana: Client, named: str) -> None:
    """A list of templates goes to no country; what only sends does."""
    asked = typed(named, permissions=["send:template", "template:read"])

    told = plain(ana.post("/keys/new/", asked).content)

    may, idle = told.split("At such a place these do nothing")
    assert "Send approved templates" in may
    assert "See message templates" not in may
    assert "See message templates" in idle
    only = plain(ana.post("/keys/new/", typed(named, permissions=["template:read"])).content)
    assert "Nothing. Every call would be refused." in only


def test_a_new_account_gets_a_role_and_a_key_that_may_just_this(
    cast: Cast, ana: Client, named: str
) -> None:
    answer = ana.post("/keys/save/", typed(named))

    text = secret_in(answer.content)
    row = key_called(cast, named)
    parsed = secrets.read(text)
    assert parsed is not None
    assert parsed.public_id == row.public_id
    assert row.permissions == ["send:template", "template:use_utility"]
    assert row.scope == {"countries": ["MX"]}
    assert row.expires_at - row.created_at > timedelta(days=29)
    with in_workspace(cast.workspace):
        account = Principal.objects.get(id=row.principal_id)
        assert Role.objects.filter(name=account.name).exists()
    assert (account.name, account.accountable_id) == (f"system of {named}", cast.ana.principal)
    told = plain(ana.get(f"/keys/{row.id}/").content)
    assert "Send approved templates" in told
    assert "Send messages with" not in told


def test_b5_2_the_secret_is_shown_once_and_is_nowhere_else(
    cast: Cast, ana: Client, named: str
) -> None:
    answer = ana.post("/keys/save/", typed(named))

    secret = secret_in(answer.content).split("_")[3]
    assert answer.headers["Cache-Control"] == "no-store"
    row = key_called(cast, named)
    for address in ("/keys/", f"/keys/{row.id}/", "/"):
        assert secret not in ana.get(address).content.decode()
    with in_workspace(cast.workspace):
        assert not any(secret in str(body) for body in RecordOpen.objects.values_list("body"))


def test_every_page_with_a_form_keeps_its_menu(ana: Client) -> None:
    for address in ("/keys/new/", "/guardrails/new/?kind=deny", "/keys/"):
        assert 'href="/people/"' in ana.get(address).content.decode(), address


def test_the_lines_to_paste_name_the_gateway_and_the_key(ana: Client, named: str) -> None:
    page = ana.post("/keys/save/", typed(named)).content
    secret = secret_in(page)

    told = page.decode()
    assert f"Authorization: Bearer {secret}" in told
    assert f"token=&quot;{secret}&quot;" in told or f'token="{secret}"' in told
    assert told.count("https://meta.example/v23.0") == 3


def test_a_form_sent_twice_makes_one_key(cast: Cast, ana: Client, named: str) -> None:
    ana.post("/keys/save/", typed(named))

    again = ana.post("/keys/save/", typed(named), follow=True)

    assert "It is made already." in plain(again.content)
    assert again.redirect_chain == [(f"/keys/{key_called(cast, named).id}/", 302)]


def test_a_name_that_is_taken_is_said_so(cast: Cast, ana: Client, named: str) -> None:
    ana.post("/keys/save/", typed(named))
    with in_workspace(cast.workspace):
        ApiKey.objects.filter(name=named).update(name=f"other {named}")

    again = ana.post("/keys/save/", typed(named))

    assert again.status_code == 400
    assert "of that name exists" in plain(again.content)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": ""}, "This field is required."),
        ({"account": ""}, "Say which program it is for."),
        ({"account_name": ""}, "Give the new account a name."),
        ({"permissions": []}, "Choose what it may do: at least one thing."),
        ({"countries": "Mexiko"}, "No country is called"),
        ({"networks": "everywhere"}, "These are no networks"),
    ],
)
def test_what_is_missing_is_said_and_nothing_typed_is_lost(
    ana: Client, named: str, wrong: dict[str, object], says: str
) -> None:
    answer = ana.post("/keys/new/", {**typed(named), **wrong})

    assert answer.status_code == 400
    assert says in plain(answer.content)
    kept = answer.content.decode()
    assert f'value="system of {named}"' in kept or "account_name" in wrong
    assert 'value="30" selected' in kept


def test_b5_3_a_developer_makes_a_narrower_key_and_no_wider_one(
    cast: Cast, ana: Client, named: str
) -> None:
    role = access.create_role(
        actor=cast.ana,
        name=f"Developer {named}",
        cells={"api_key:create": Reach.ALL, "api_key:read": Reach.ALL, "send:text": Reach.ALL},
    )
    developer = accounts.add_person(
        actor=cast.ana, email=f"dev{next(_numbers)}@keys.example", name="Dev"
    )
    access.create_binding(actor=cast.ana, principal=developer, role=role)
    dev = Actor(cast.workspace, developer, cast.ana.at)
    with_an_app(person_of(dev))
    wide = access.create_role(
        actor=cast.ana,
        name=f"Wide {named}",
        cells={"send:text": Reach.ALL, "send:image": Reach.ALL},
    )
    bot = accounts.create_service_account(
        actor=cast.ana, name=f"bot {named}", accountable=cast.ana.principal
    )
    access.create_binding(actor=cast.ana, principal=bot, role=wide)
    browser = signed_in(person_of(dev))
    form = {"name": named, "account": str(bot), "lasts": "30", "countries": ""}

    seen = plain(browser.post("/keys/new/", form).content)
    refused = browser.post("/keys/save/", form)
    narrower = browser.post("/keys/save/", {**form, "permissions": ["send:text"]})

    assert "You cannot make it as it is" in seen
    assert "Send images" in seen
    assert "Make the key" not in seen
    assert "You do not have this yourself" in plain(refused.content)
    assert narrower.status_code == 200
    assert key_called(cast, named).permissions == ["send:text"]
    assert "A new account" not in plain(browser.get("/keys/new/").content)
    assert "Select a valid choice" in plain(browser.post("/keys/save/", typed(named)).content)


def test_k06_rolling_shows_the_new_key_and_until_when_the_old_one_works(
    cast: Cast, ana: Client, named: str
) -> None:
    first = secret_in(ana.post("/keys/save/", typed(named)).content)
    old = key_called(cast, named)

    answer = ana.post(f"/keys/{old.id}/roll/", {"overlap": "24", "lasts": "90"})

    second = secret_in(answer.content)
    assert first != second
    assert "The old key works until" in plain(answer.content)
    new = key_called(cast, named)
    assert new.id != old.id
    assert new.permissions == old.permissions


def test_i5_a_key_is_revoked_from_its_page(cast: Cast, ana: Client, named: str) -> None:
    ana.post("/keys/save/", typed(named))
    row = key_called(cast, named)

    answer = ana.post(f"/keys/{row.id}/revoke/", {"reason": "Seen in a log"}, follow=True)

    assert f"{named} is revoked" in plain(answer.content)
    assert "Revoked" in plain(answer.content)
    assert key_called(cast, named).revoked_at is not None
    for again in (
        ana.get(f"/keys/{row.id}/roll/"),
        ana.post(f"/keys/{row.id}/roll/", {"overlap": "24", "lasts": "90"}),
    ):
        assert again.status_code == 409
        assert f"{named} is revoked or has ended" in plain(again.content)


def test_t01_a_key_of_another_workspace_is_none(cast: Cast, ana: Client) -> None:
    bot = accounts.create_service_account(
        actor=cast.carla, name="theirs", accountable=cast.carla.principal
    )
    theirs = accounts.create_key(actor=cast.carla, service_account=bot, name="theirs")

    for key in (theirs.id, uuid7()):
        assert ana.get(f"/keys/{key}/").status_code == 404
        assert ana.post(f"/keys/{key}/revoke/", {"reason": ""}).status_code == 404
        assert ana.get(f"/keys/?account={key}").status_code == 404
    assert "theirs" not in ana.get("/keys/").content.decode()


def test_keys_are_listed_newest_first_and_page_by_page(cast: Cast, ana: Client, named: str) -> None:
    bot = accounts.create_service_account(
        actor=cast.ana, name=f"many {named}", accountable=cast.ana.principal
    )
    for n in range(52):
        accounts.create_key(actor=cast.ana, service_account=bot, name=f"{named} no {n:02}")

    first = ana.get(f"/keys/?account={bot}").content.decode()
    after = re.findall(r'href="\?([^"]*behind=[^"]+)"', first)[0].replace("&amp;", "&")
    second = ana.get(f"/keys/?{after}").content.decode()

    names = [re.findall(rf"{named} no (\d\d)", page) for page in (first, second)]
    assert names == [[f"{n:02}" for n in range(51, 1, -1)], ["01", "00"]]
    assert "behind=" not in second
