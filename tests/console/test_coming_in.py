"""Who may come in: a rule on it holds at every door, for keys too, and shuts nobody's author out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.test import Client

from cast import Cast, playing
from console.visitors import has_shown, person_of, signed_in, with_an_app
from databases import Database
from portero.console.doors import declared
from portero.domain.access import queries
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor, decide
from portero.domain.access.errors import LocksItselfIn, OwnAccess, ShutsYouOut
from portero.domain.access.snapshot import state_now
from portero.domain.accounts import services as accounts
from portero.domain.audit.models import Record, in_workspace
from portero.engine import (
    ENTER_CONSOLE,
    ENTER_GATEWAY,
    Check,
    Context,
    GuardrailKind,
    Hours,
    Reach,
    Resource,
    Scope,
)

HERE = ["127.0.0.0/8"]
ELSEWHERE = ["203.0.113.0/24"]


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_stands(cast: Cast) -> Iterator[None]:
    yield
    for one in queries.guardrails(actor=cast.ana):
        access.retire_guardrail(actor=here(cast.ana, passkey=True), guardrail=UUID(one.rule.id))


@pytest.fixture
def owner(cast: Cast) -> Client:
    return signed_in(person_of(cast.ana))


def here(actor: Actor, *, passkey: bool = False) -> Actor:
    """Somebody at this machine, with or without a passkey."""
    now = datetime.now(UTC)
    return Actor(
        actor.workspace,
        actor.principal,
        now,
        "127.0.0.1",
        factor_at=now,
        passkey_at=now if passkey else None,
    )


def rule(actor: Actor, kind: GuardrailKind, **values: object) -> UUID:
    made: dict[str, object] = {"permissions": [ENTER_CONSOLE], **values}
    return access.create_guardrail(actor=actor, name=f"Rule of {kind}", kind=kind, **made)


def test_a20_who_comes_from_elsewhere_finds_every_door_shut(cast: Cast) -> None:
    rule(cast.ana, GuardrailKind.NETWORKS, networks=ELSEWHERE, principals=[cast.dora.principal])
    visitor = signed_in(person_of(cast.dora))

    for page in ("/", "/people/", "/requests/", "/sessions/", "/search/?q=a", "/why/me/"):
        answer = visitor.get(page)
        assert answer.status_code == 403, page
        assert "Rule of networks" not in answer.content.decode()
        assert "127.0.0.1" in answer.content.decode(), page


def test_a20_control_without_the_rule_the_same_doors_open(cast: Cast) -> None:
    visitor = signed_in(person_of(cast.dora))

    assert visitor.get("/requests/").status_code == 200
    assert visitor.get("/why/me/").status_code == 200


def test_a20_a_refused_entry_is_on_record(cast: Cast) -> None:
    made = rule(
        cast.ana, GuardrailKind.NETWORKS, networks=ELSEWHERE, principals=[cast.dora.principal]
    )
    signed_in(person_of(cast.dora)).get("/requests/")

    with in_workspace(cast.ana.workspace):
        latest = Record.objects.filter(actor=str(cast.dora.principal)).order_by("-at").first()
    assert latest is not None
    assert latest.effect == "deny"
    assert latest.checks == [ENTER_CONSOLE]
    assert latest.because == [str(made)]


def test_who_is_kept_out_of_one_workspace_goes_over_to_another(cast: Cast) -> None:
    rule(cast.ana, GuardrailKind.NETWORKS, networks=ELSEWHERE, principals=[cast.dora.principal])
    visitor = signed_in(person_of(cast.dora))

    assert visitor.get("/workspaces/").status_code == 200
    assert visitor.get("/preferences/").status_code == 403


@pytest.mark.parametrize("programs", [True, False])
def test_a20_one_rule_holds_for_sessions_and_for_keys(cast: Cast, *, programs: bool) -> None:
    """What a network rule says of programs, the gateway's own decision says."""
    account = accounts.create_service_account(
        actor=cast.ana, name=f"bot {programs}", accountable=cast.ana.principal
    )
    access.create_binding(actor=cast.ana, principal=account, role=cast.role("Agent"))
    about = [ENTER_CONSOLE, *([ENTER_GATEWAY] if programs else [])]
    rule(here(cast.ana), GuardrailKind.NETWORKS, networks=HERE, permissions=about)

    def allowed(principal: UUID, address: str) -> bool:
        context = Context(time.time(), 0, 600, address)
        check = Check("media:upload", Resource("media"))
        snapshot = state_now(cast.ana.workspace).snapshot
        return snapshot.decide(str(principal), [check], context).allowed

    assert allowed(cast.ana.principal, "127.0.0.1")
    assert not allowed(cast.ana.principal, "198.51.100.7")
    assert allowed(account, "127.0.0.1")
    assert allowed(account, "198.51.100.7") is not programs


def test_a_passkey_is_asked_for_and_shown(cast: Cast) -> None:
    member = accounts.add_person(actor=cast.ana, email="pass@key.example", name="Paz")
    rule(cast.ana, GuardrailKind.REQUIRE_PASSKEY, principals=[member])
    person = person_of(Actor(cast.ana.workspace, member, datetime.now(UTC)))
    with_an_app(person)
    visitor = signed_in(person)

    shut = visitor.get("/requests/")
    assert shut.status_code == 403
    assert "/webauthn/add/" in shut.content.decode()

    has_shown(visitor, person, method="mfa", type="webauthn")
    assert visitor.get("/requests/").status_code == 200


def test_a_rule_for_a_role_holds_whoever_has_it(cast: Cast) -> None:
    role = access.create_role(actor=cast.ana, name="Till", cells={"send:text": Reach.OWN})
    member = accounts.add_person(actor=cast.ana, email="till@rule.example", name="Till")
    binding = access.create_binding(actor=cast.ana, principal=member, role=role)
    rule(cast.ana, GuardrailKind.NETWORKS, networks=ELSEWHERE, principals=[role])
    person = person_of(Actor(cast.ana.workspace, member, datetime.now(UTC)))
    visitor = signed_in(person)

    assert visitor.get("/requests/").status_code == 403
    assert signed_in(person_of(cast.dora)).get("/requests/").status_code == 200

    access.revoke_binding(actor=cast.ana, binding=binding)
    assert visitor.get("/requests/").status_code == 200


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (GuardrailKind.NETWORKS, {"networks": ELSEWHERE}),
        (GuardrailKind.REQUIRE_PASSKEY, {}),
        (GuardrailKind.HOURS, {"hours": [Hours(frozenset({0}), 0, 1)]}),
    ],
)
def test_b3_5_nobody_makes_a_rule_that_shuts_them_out(
    cast: Cast, kind: GuardrailKind, values: dict[str, object]
) -> None:
    with pytest.raises(ShutsYouOut):
        rule(here(cast.ana), kind, **values)

    assert queries.guardrails(actor=cast.ana) == []


def test_b3_5_control_who_meets_the_rule_makes_it(cast: Cast) -> None:
    rule(here(cast.ana, passkey=True), GuardrailKind.REQUIRE_PASSKEY)
    rule(here(cast.ana, passkey=True), GuardrailKind.NETWORKS, networks=HERE)

    assert len(queries.entry_rules(actor=cast.ana)) == 2
    for one in queries.entry_rules(actor=cast.ana):
        access.retire_guardrail(actor=here(cast.ana, passkey=True), guardrail=UUID(one.rule.id))


def test_b3_5_nobody_forbids_everybody_to_come_in(cast: Cast) -> None:
    with pytest.raises(LocksItselfIn):
        rule(cast.ana, GuardrailKind.DENY)


@pytest.mark.parametrize("by_team", [False, True])
@pytest.mark.parametrize("permission", [ENTER_CONSOLE, "guardrail:update"])
def test_b3_5_nobody_shuts_all_owners_out_by_a_role_they_have(
    cast: Cast, permission: str, *, by_team: bool
) -> None:
    owners = cast.ana.principal
    if by_team:
        owners = access.create_team(actor=cast.ana, name=f"Owners {permission}")
        access.set_team_members(actor=cast.ana, team=owners, members=[cast.ana.principal])
    role = access.create_role(
        actor=cast.ana, name=f"Of owners {permission} {by_team}", cells={"send:text": Reach.ALL}
    )
    binding = access.create_binding(actor=cast.ana, principal=owners, role=role)

    with pytest.raises(LocksItselfIn):
        rule(cast.ana, GuardrailKind.DENY, permissions=[permission], principals=[role])

    access.revoke_binding(actor=cast.ana, binding=binding)
    rule(cast.ana, GuardrailKind.DENY, permissions=[permission], principals=[role])


def test_b3_3_nobody_lifts_a_rule_on_a_role_of_theirs(cast: Cast) -> None:
    role = access.create_role(actor=cast.ana, name="Keeper", cells={"guardrail:update": Reach.ALL})
    member = accounts.add_person(actor=cast.ana, email="keeper@rule.example", name="Kai")
    access.create_binding(actor=cast.ana, principal=member, role=role)
    made = rule(cast.ana, GuardrailKind.NETWORKS, networks=HERE, principals=[role])

    with pytest.raises(OwnAccess):
        access.retire_guardrail(
            actor=here(Actor(cast.ana.workspace, member, datetime.now(UTC))), guardrail=made
        )


def test_the_form_shows_whom_a_rule_keeps_outside_before_it_holds(
    cast: Cast, owner: Client
) -> None:
    fields = {"networks": "127.0.0.0/8", "whom": "everybody", "reason": ""}

    review = owner.post("/coming-in/networks/", fields)
    assert review.status_code == 200
    assert queries.guardrails(actor=cast.ana) == []
    assert "It keeps nobody outside as things are" in review.content.decode()

    saved = owner.post("/coming-in/networks/save/", fields)
    assert saved.status_code == 302
    [made] = queries.entry_rules(actor=cast.ana)
    assert made.rule.permissions == {ENTER_CONSOLE}
    assert made.rule.networks == ("127.0.0.0/8",)
    assert made.rule.name in owner.get("/coming-in/").content.decode()
    assert made.rule.name not in owner.get("/guardrails/").content.decode()


def test_who_has_no_passkey_is_named_before_one_is_asked_for(cast: Cast, owner: Client) -> None:
    review = owner.post("/coming-in/require_passkey/", {"whom": "everybody", "reason": ""})

    assert "dora" in review.content.decode()
    refused = owner.post(
        "/coming-in/require_passkey/save/", {"whom": "everybody", "reason": "Why not"}
    )
    assert refused.status_code == 400
    assert "You could not come in yourself" in refused.content.decode()
    assert "Why not" in refused.content.decode()


def test_a_rule_names_roles_and_people_however_many_there_are(cast: Cast, owner: Client) -> None:
    role = access.create_role(actor=cast.ana, name="Counter", cells={"send:text": Reach.OWN})
    page = owner.get("/coming-in/networks/").content.decode()
    fields = {"networks": "127.0.0.0/8", "whom": "these", "people": "counter\nbeto@example.com"}

    assert str(role) not in page
    assert owner.post("/coming-in/networks/save/", fields).status_code == 302
    [made] = queries.entry_rules(actor=cast.ana)
    assert made.rule.principals == {str(role), str(cast.beto.principal)}
    again = owner.get(f"/coming-in/{made.rule.id}/change/").content.decode()
    assert "Counter" in again
    assert "beto" in again


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"whom": "these", "people": "Agent", "programs": "on"}, "Roles are of people here"),
        ({"whom": "these", "people": "Twice"}, "Several here are called “Twice”"),
        ({"whom": "these", "people": "No such role"}, "Nobody and no key here is called"),
        ({"whom": "these"}, "Name at least one."),
        ({}, "Say whom it holds."),
    ],
)
def test_whom_a_rule_would_mean_is_asked_until_it_is_clear(
    cast: Cast, owner: Client, fields: dict[str, str], told: str
) -> None:
    if "Twice" in told:
        access.create_role(actor=cast.ana, name="Twice", cells={"send:text": Reach.OWN})
        accounts.add_person(actor=cast.ana, email="twice@rule.example", name="Twice")

    answer = owner.post("/coming-in/networks/", {"networks": "127.0.0.0/8", **fields})

    assert answer.status_code == 400
    assert told in answer.content.decode()


def test_what_the_form_does_not_hold_is_not_lost_by_saving_it(cast: Cast, owner: Client) -> None:
    narrow = rule(
        here(cast.ana),
        GuardrailKind.NETWORKS,
        networks=HERE,
        scope=Scope(countries=frozenset({"MX"})),
    )

    assert owner.get(f"/coming-in/{narrow}/change/").status_code == 409


def test_a_rule_is_changed_as_it_is(cast: Cast, owner: Client) -> None:
    made = rule(
        here(cast.ana),
        GuardrailKind.NETWORKS,
        networks=HERE,
        permissions=[ENTER_CONSOLE, ENTER_GATEWAY],
    )
    page = owner.get(f"/coming-in/{made}/change/").content.decode()

    assert "127.0.0.0/8" in page
    assert "checked" in page
    assert owner.get(f"/guardrails/{made}/change/").status_code == 404


def test_the_server_lets_everybody_in_again_and_says_so_on_record(cast: Cast) -> None:
    rule(here(cast.ana), GuardrailKind.NETWORKS, networks=HERE)
    rule(here(cast.ana, passkey=True), GuardrailKind.REQUIRE_PASSKEY)
    rule(here(cast.ana, passkey=True), GuardrailKind.DENY, permissions=["call:place"])

    # With no address and no factor: from the command line.
    assert access.lift_entry_rules(actor=cast.ana, reason="The shop moved") == 2

    [left] = queries.guardrails(actor=cast.ana)
    assert left.rule.permissions == {"call:place"}
    with in_workspace(cast.ana.workspace):
        latest = Record.objects.filter(event="guardrail.retired").order_by("-at").first()
    assert latest is not None
    assert latest.operation == "lift_entry_rules"


def test_every_door_for_members_asks_for_entry() -> None:
    """But the one by which somebody goes elsewhere."""
    outside = {
        (name, method)
        for name, doors in declared().items()
        for method, door in doors.items()
        if door.is_outside
    }
    assert outside == {("console:workspaces", "GET"), ("console:workspaces", "POST")}


def test_a_person_does_not_come_in_as_a_program_nor_a_program_as_a_person(cast: Cast) -> None:
    state = state_now(cast.ana.workspace)
    checks = {one: Check(one, Resource("x")) for one in (ENTER_CONSOLE, ENTER_GATEWAY)}

    assert decide(actor=here(cast.ana), state=state, checks=[checks[ENTER_CONSOLE]]).allowed
    assert not decide(actor=cast.ana, state=state, checks=[checks[ENTER_GATEWAY]]).allowed


def test_who_must_show_a_factor_again_is_led_to_it(cast: Cast) -> None:
    member = accounts.add_person(actor=cast.ana, email="fresh@rule.example", name="Fe")
    rule(cast.ana, GuardrailKind.REQUIRE_FRESH_FACTOR, principals=[member], fresh_factor_s=60)
    person = person_of(Actor(cast.ana.workspace, member, datetime.now(UTC)))
    with_an_app(person)
    visitor = signed_in(person)
    session = visitor.session
    for record in session["account_authentication_methods"]:
        record["at"] = time.time() - 61
    session.save()

    shut = visitor.get("/requests/")

    assert shut.status_code == 403
    assert "/factors/reauthenticate/?next=%2Frequests%2F" in shut.content.decode()
