"""Workspaces are founded; accounts, numbers, templates and secrets are put into them."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from psycopg.rows import dict_row

from cast import Cast, found
from databases import Database
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import AccessDenied, BeyondOwnRights, InvalidRule, NotFound
from portero.domain.accounts import services as accounts
from portero.domain.audit.models import RecordOpen, in_workspace
from portero.domain.workspaces import services as workspaces
from portero.domain.workspaces.errors import (
    AlreadyRegistered,
    EmptySecret,
    InvalidMetaId,
    InvalidTimezone,
)
from portero.domain.workspaces.models import (
    Number,
    Resource,
    TemplateSet,
    TemplateSetMember,
    Workspace,
)
from portero.engine import GuardrailKind, Reach, Scope
from portero.store.ids import uuid7
from portero.store.sealing import Secret
from portero.store.workspace_keys import WorkspaceKeys

NUMBER: dict[str, Any] = {
    "meta_id": "106540352242922",
    "display": "+52 55 1234 5678",
    "name": "Ventas",
    "country": "MX",
}
TEMPLATE = {
    "meta_id": "564750795574598",
    "name": "order_update",
    "language": "es_MX",
    "category": "utility",
    "status": "approved",
}


@pytest.fixture
def waba(cast: Cast) -> UUID:
    return workspaces.add_waba(actor=cast.ana, meta_id="102290129340398", name="Tienda Andina")


def rows(app: Database, workspace: UUID, query: str) -> list[dict[str, Any]]:
    """What the gateway reads."""
    with psycopg.connect(app.dsn("gateway"), row_factory=dict_row) as connection:
        connection.execute("SELECT set_config('portero.workspaces', %s, true)", (str(workspace),))
        return connection.execute(query).fetchall()  # type: ignore[arg-type]  # fixed texts below


def keys_of(app: Database, workspace: UUID) -> WorkspaceKeys:
    wrapped = rows(app, workspace, "SELECT id, purpose, version, wrapped FROM workspace_key")
    return WorkspaceKeys.unwrap(settings.PORTERO_KEK, workspace, wrapped)


def test_a_founded_workspace_has_an_owner_keys_roles_and_a_first_version(
    cast: Cast, app: Database
) -> None:
    with in_workspace(cast.carla.workspace):
        workspace = Workspace.objects.get()
    assert (workspace.id, workspace.timezone) == (cast.carla.workspace, "America/Buenos_Aires")

    keys = keys_of(app, cast.carla.workspace)
    assert len({keys.contact.text(), keys.record.text(), keys.data.text()}) == 3
    assert keys.contact.text() != keys_of(app, cast.workspace).contact.text()


def test_the_record_calls_a_workspace_what_its_row_does(cast: Cast) -> None:
    owner = accounts.register_person(email="olga@example.com", name="Olga")

    new = workspaces.found_workspace(
        name=" Norte ", timezone="America/Lima", owner=owner, owner_name="Olga"
    )

    with in_workspace(new.id):
        assert Workspace.objects.get().name == "Norte"
        assert RecordOpen.objects.get().body == {"name": "Norte"}


@pytest.mark.parametrize(
    "timezone", ["", "Mars/Olympus", "../etc/passwd", "/etc/passwd", "America"]
)
def test_a_workspace_needs_a_time_zone_of_the_database(app: Database, timezone: str) -> None:
    with pytest.raises(InvalidTimezone):
        found("ana", "Tienda", timezone)


def test_a_number_and_its_account_may_be_named_in_requests_from_then_on(
    cast: Cast, waba: UUID
) -> None:
    number = workspaces.add_number(actor=cast.ana, waba=waba, **NUMBER)

    with in_workspace(cast.workspace):
        assert Number.objects.get(id=number).country == "MX"
        registered = set(Resource.objects.values_list("kind", "meta_id", "parent", "number"))
    assert registered == {
        ("waba", "102290129340398", None, None),
        ("number", "106540352242922", "102290129340398", "106540352242922"),
    }


def test_a_template_is_registered_as_metas_own_list_would(cast: Cast, waba: UUID) -> None:
    workspaces.register_template(actor=cast.ana, waba=waba, **TEMPLATE)

    with in_workspace(cast.workspace):
        row = Resource.objects.get(kind="template")
    assert row.parent == "102290129340398"
    assert row.attributes == {
        "name": "order_update",
        "language": "es_MX",
        "category": "UTILITY",
        "status": "APPROVED",
    }


def test_what_is_registered_cannot_be_registered_again(cast: Cast, waba: UUID) -> None:
    workspaces.add_number(actor=cast.ana, waba=waba, **NUMBER)

    with pytest.raises(AlreadyRegistered):
        workspaces.add_number(actor=cast.ana, waba=waba, **NUMBER)
    with pytest.raises(AlreadyRegistered):
        workspaces.add_waba(actor=cast.ana, meta_id="102290129340398", name="again")


def test_t07_two_workspaces_may_name_the_same_account(cast: Cast, waba: UUID) -> None:
    workspaces.add_waba(actor=cast.carla, meta_id="102290129340398", name="shared")


@pytest.mark.parametrize("meta_id", ["", "12a", "\uff11\uff12", "1" * 21, "../1", "1\n"])
def test_b4_3_an_id_is_ascii_digits_and_nothing_else(cast: Cast, waba: UUID, meta_id: str) -> None:
    with pytest.raises(InvalidMetaId):
        workspaces.add_waba(actor=cast.ana, meta_id=meta_id, name="x")
    with pytest.raises(InvalidMetaId):
        workspaces.add_number(actor=cast.ana, waba=waba, **{**NUMBER, "meta_id": meta_id})


@pytest.mark.parametrize("country", ["", "mx", "MEX", "\u041cX"])
def test_a_country_is_two_capital_letters(cast: Cast, waba: UUID, country: str) -> None:
    with pytest.raises(InvalidRule):
        workspaces.add_number(actor=cast.ana, waba=waba, **{**NUMBER, "country": country})


def test_a_token_is_sealed_for_its_row_and_opens_for_the_gateway(
    cast: Cast, app: Database, waba: UUID
) -> None:
    workspaces.store_credential(actor=cast.ana, waba=waba, token=Secret(b"EAAtoken"))

    (row,) = rows(app, cast.workspace, "SELECT * FROM credential")
    assert b"EAAtoken" not in row["sealed"]
    keys = keys_of(app, cast.workspace)
    assert keys.open("credential", "sealed", row["id"], row["sealed"]) == b"EAAtoken"
    assert (row["waba"], row["kind"]) == ("102290129340398", "system_user_token")


def test_the_app_of_meta_is_kept_sealed_and_its_verify_token_as_a_digest(
    cast: Cast, app: Database
) -> None:
    workspaces.set_meta_app(
        actor=cast.ana, app_id="77", app_secret=Secret(b"shh"), verify_token=Secret(b"verify")
    )

    (row,) = rows(app, cast.workspace, "SELECT * FROM meta_app")
    keys = keys_of(app, cast.workspace)
    assert keys.open("meta_app", "app_secret", row["id"], row["app_secret"]) == b"shh"
    assert row["verify_token_digest"] == hashlib.sha256(b"verify").digest()


def test_an_empty_secret_is_refused(cast: Cast, waba: UUID) -> None:
    with pytest.raises(EmptySecret):
        workspaces.store_credential(actor=cast.ana, waba=waba, token=Secret(b""))


def test_a_template_set_holds_what_it_was_given(cast: Cast) -> None:
    made = workspaces.create_template_set(actor=cast.ana, name="Orders", templates=["a", "b"])
    workspaces.set_template_set_members(actor=cast.ana, template_set=made, templates=["b", "c"])

    with in_workspace(cast.workspace):
        names = set(TemplateSetMember.objects.values_list("template_name", flat=True))
    assert names == {"b", "c"}


@pytest.fixture
def assigner(cast: Cast) -> Actor:
    """Assigns roles in the whole workspace, and sends one set of templates."""
    narrow = workspaces.create_template_set(actor=cast.ana, name="Hers", templates=["hello"])
    assigns = access.create_role(actor=cast.ana, name="A", cells={"role:assign": Reach.ALL})
    sends = access.create_role(actor=cast.ana, name="S", cells={"send:template": Reach.ALL})
    access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=assigns)
    access.create_binding(
        actor=cast.ana,
        principal=cast.dora.principal,
        role=sends,
        scope=Scope(template_sets=frozenset({str(narrow)})),
    )
    return cast.dora


def set_named(actor: Actor, name: str) -> UUID:
    with in_workspace(actor.workspace):
        found: UUID = TemplateSet.objects.get(name=name).id
    return found


def test_r01_b3_3_nobody_widens_their_own_set_of_templates(cast: Cast, assigner: Actor) -> None:
    with pytest.raises(BeyondOwnRights) as refusal:
        workspaces.set_template_set_members(
            actor=assigner, template_set=set_named(assigner, "Hers"), templates=["hello", "promo"]
        )

    assert refusal.value.permissions == ("send:template",)


def test_r01_b3_3_nobody_widens_what_a_key_may_send_beyond_themselves(
    cast: Cast, assigner: Actor
) -> None:
    account = accounts.create_service_account(
        actor=cast.ana, name="bot", accountable=cast.ana.principal
    )
    sends = access.create_role(actor=cast.ana, name="All", cells={"send:template": Reach.ALL})
    access.create_binding(actor=cast.ana, principal=account, role=sends)
    made = workspaces.create_template_set(actor=cast.ana, name="Of the bot", templates=["hello"])
    accounts.create_key(
        actor=cast.ana,
        service_account=account,
        name="k",
        scope=Scope(template_sets=frozenset({str(made)})),
    )

    with pytest.raises(BeyondOwnRights):
        workspaces.set_template_set_members(
            actor=assigner, template_set=made, templates=["hello", "promo"]
        )
    workspaces.set_template_set_members(actor=assigner, template_set=made, templates=[])
    workspaces.set_template_set_members(actor=cast.ana, template_set=made, templates=["promo"])


def test_a_template_is_taken_out_of_a_guarded_set_by_those_who_set_guardrails(
    cast: Cast, assigner: Actor
) -> None:
    made = workspaces.create_template_set(actor=cast.ana, name="Offers", templates=["promo"])
    access.create_guardrail(
        actor=cast.ana,
        name="No offers",
        kind=GuardrailKind.DENY,
        permissions=["send:template"],
        scope=Scope(template_sets=frozenset({str(made)})),
    )

    with pytest.raises(AccessDenied) as refusal:
        workspaces.set_template_set_members(actor=assigner, template_set=made, templates=[])
    assert refusal.value.checks == ("guardrail:update",)


def test_t01_what_belongs_to_another_workspace_is_not_there(cast: Cast, waba: UUID) -> None:
    made = workspaces.create_template_set(actor=cast.ana, name="Orders")

    for foreign in (waba, uuid7()):
        with pytest.raises(NotFound):
            workspaces.add_number(actor=cast.carla, waba=foreign, **NUMBER)
        with pytest.raises(NotFound):
            workspaces.store_credential(actor=cast.carla, waba=foreign, token=Secret(b"x"))
        with pytest.raises(NotFound):
            workspaces.register_template(actor=cast.carla, waba=foreign, **TEMPLATE)
    for foreign in (made, uuid7()):
        with pytest.raises(NotFound):
            workspaces.set_template_set_members(
                actor=cast.carla, template_set=foreign, templates=[]
            )


def test_who_may_not_configure_is_refused(cast: Cast, waba: UUID) -> None:
    with pytest.raises(AccessDenied):
        workspaces.add_waba(actor=cast.dora, meta_id="1", name="x")
    with pytest.raises(AccessDenied):
        workspaces.add_number(actor=cast.dora, waba=waba, **NUMBER)
    with pytest.raises(AccessDenied):
        workspaces.store_credential(actor=cast.dora, waba=waba, token=Secret(b"x"))
    with pytest.raises(AccessDenied):
        workspaces.set_meta_app(
            actor=cast.dora, app_id="1", app_secret=Secret(b"x"), verify_token=Secret(b"y")
        )
    with pytest.raises(AccessDenied):
        workspaces.create_template_set(actor=cast.dora, name="x")
    with pytest.raises(AccessDenied):
        workspaces.register_template(actor=cast.dora, waba=waba, **TEMPLATE)


def test_an_owner_of_two_workspaces_is_one_person(app: Database) -> None:
    first, second = found("ana", "One", "UTC"), found("ana", "Two", "UTC")

    assert first.workspace != second.workspace
    assert accounts.register_person(email="ana@example.com", name="ana") is not None
