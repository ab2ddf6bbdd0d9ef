"""Roles: built-in ones nobody changes, others by those who hold what they put in."""

from __future__ import annotations

from uuid import UUID

import pytest

from cast import NOW, Cast
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import (
    AccessDenied,
    BeyondOwnRights,
    InvalidRule,
    NameTaken,
    NotFound,
    RoleIsBuiltIn,
)
from portero.domain.access.models import PolicyHead, Role, RoleVersion
from portero.domain.access.services.builtin_roles import BUILTIN_ROLES
from portero.domain.accounts import services as accounts
from portero.domain.audit.models import in_workspace
from portero.engine import PERMISSIONS, Reach, Scope
from portero.store.ids import uuid7


def cells_in_force(cast: Cast, role: UUID) -> dict[str, str]:
    with in_workspace(cast.workspace):
        found: dict[str, str] = RoleVersion.objects.get(role_id=role, valid_to=None).cells
    return found


@pytest.fixture
def editor(cast: Cast) -> Actor:
    """Edits roles and sends text, nothing more."""
    cells = {"role:update": Reach.ALL, "send:text": Reach.ALL}
    role = access.create_role(actor=cast.ana, name="Editor", cells=cells)
    principal = accounts.add_person(actor=cast.ana, email="edu@example.com", name="Edu")
    access.create_binding(actor=cast.ana, principal=principal, role=role)
    return Actor(cast.workspace, principal, NOW)


def test_a_workspace_begins_with_the_five_built_in_roles(cast: Cast) -> None:
    with in_workspace(cast.workspace):
        names = set(Role.objects.filter(builtin=True).values_list("name", flat=True))

    assert names == {"Administrator", "Agent", "Developer", "Analyst", "Support"}


def test_the_administrator_has_every_permission_and_the_others_less() -> None:
    assert set(BUILTIN_ROLES["Administrator"]) == set(PERMISSIONS)
    for name, forbidden in {
        "Agent": ("role:assign", "api_key:create", "template:use_marketing", "guardrail:update"),
        "Developer": ("message:read_history", "media:read", "role:assign", "credential:update"),
        "Analyst": ("message:read_history", "media:read", "send:text", "api_key:create"),
        "Support": ("send:text", "send:image", "api_key:create", "role:assign"),
    }.items():
        assert BUILTIN_ROLES[name].keys().isdisjoint(forbidden), name


def test_roles_that_answer_customers_reach_no_further_than_their_queue() -> None:
    for name in ("Agent", "Support"):
        for permission, reach in BUILTIN_ROLES[name].items():
            if PERMISSIONS[permission].ownable:
                assert reach is Reach.QUEUE, (name, permission)


@pytest.mark.parametrize(
    "name",
    [
        "Administrator\u1160",  # a filler of Hangul: a letter that is not drawn
        "Administrator\ufe0f",  # a variation selector: likewise
        "Administrator\u034f",
        "\u2800Administrator",
    ],
)
def test_r03_no_name_has_letters_that_are_not_drawn(cast: Cast, name: str) -> None:
    with pytest.raises(InvalidRule):
        access.create_role(actor=cast.ana, name=name, cells={})


@pytest.mark.parametrize(
    "name",
    [
        "A\u0261ent",  # a Latin g drawn as the g of most faces
        "\u1d00dministrator",  # a small capital
        "A\u0111ministrator",  # a stroke
        "Adm1n1strat0r",
        "Adrninistrator",
        "Admin\u0332istrator",  # a mark below
        "A\u0581ent",  # an Armenian letter among Latin ones
        "Administrac\u0131\u00f3n",
    ],
)
def test_r03_no_role_is_drawn_like_a_built_in_one(cast: Cast, name: str) -> None:
    with pytest.raises(NameTaken):
        access.create_role(actor=cast.ana, name=name, cells={})


@pytest.mark.parametrize(
    "name",
    [
        "Agentes del \u00d1and\u00fa",
        "Turno 10",
        "\u5e97\u9577A\u73ed",  # CJK with a Latin letter
        "Ventas \u0645\u0628\u064a\u0639\u0627\u062a",
        "Administrators of stock",
        "Ka\u02bbahumanu",
    ],
)
def test_r03_control_a_name_of_its_own_is_free(cast: Cast, name: str) -> None:
    access.create_role(actor=cast.ana, name=name, cells={})


def test_r03_a_built_in_role_is_immutable_and_its_name_is_taken(cast: Cast) -> None:
    with pytest.raises(RoleIsBuiltIn):
        access.update_role(actor=cast.ana, role=cast.role("Agent"), cells={})
    for name in ("Administrator", " administrator ", "ADMINISTRATOR"):
        with pytest.raises(NameTaken):
            access.create_role(actor=cast.ana, name=name, cells={})


def test_an_update_keeps_what_was_in_force_before(cast: Cast) -> None:
    role = access.create_role(actor=cast.ana, name="R", cells={"send:text": Reach.OWN})

    access.update_role(actor=cast.ana, role=role, cells={"send:text": Reach.ALL}, reason="wider")

    with in_workspace(cast.workspace):
        head = PolicyHead.objects.get().version
        versions = list(
            RoleVersion.objects.filter(role_id=role)
            .order_by("valid_from")
            .values_list("cells", "valid_from", "valid_to", "reason")
        )
    assert versions == [
        ({"send:text": "own"}, head - 1, head, ""),
        ({"send:text": "all"}, head, None, "wider"),
    ]


def test_cells_without_reach_are_not_kept(cast: Cast) -> None:
    cells = {"send:text": Reach.NONE, "send:image": Reach.ALL}

    role = access.create_role(actor=cast.ana, name="R", cells=cells)

    assert cells_in_force(cast, role) == {"send:image": "all"}


def test_r01_an_editor_puts_in_only_what_they_hold(cast: Cast, editor: Actor) -> None:
    access.create_role(actor=editor, name="Texts", cells={"send:text": Reach.OWN})

    with pytest.raises(BeyondOwnRights) as refusal:
        access.create_role(
            actor=editor, name="More", cells={"send:text": Reach.ALL, "send:image": Reach.OWN}
        )
    assert refusal.value.permissions == ("send:image",)


def test_r01_an_editor_raises_nobody_above_themselves(cast: Cast, editor: Actor) -> None:
    """Taking away is free, and what was there may stay; only what is added must be held."""
    cells = {"send:text": Reach.OWN, "send:image": Reach.OWN, "send:video": Reach.OWN}
    role = access.create_role(actor=cast.ana, name="R", cells=cells)
    access.create_binding(
        actor=cast.ana, principal=cast.dora.principal, role=role,
        scope=Scope(numbers=frozenset({"1"})),
    )  # fmt: skip

    with pytest.raises(BeyondOwnRights):
        access.update_role(actor=editor, role=role, cells={**cells, "send:image": Reach.TEAM})
    access.update_role(
        actor=editor, role=role, cells={"send:text": Reach.ALL, "send:image": Reach.OWN}
    )

    assert cells_in_force(cast, role) == {"send:text": "all", "send:image": "own"}


def test_r01_a_role_is_not_raised_where_the_editor_holds_less(cast: Cast) -> None:
    """The role is given in the whole workspace; the editor sends on one number only."""
    given = access.create_role(actor=cast.ana, name="Given", cells={"send:text": Reach.OWN})
    access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=given)
    edits = access.create_role(actor=cast.ana, name="Edits", cells={"role:update": Reach.ALL})
    sends = access.create_role(actor=cast.ana, name="Sends", cells={"send:text": Reach.ALL})
    principal = accounts.add_person(actor=cast.ana, email="eva@example.com", name="Eva")
    access.create_binding(actor=cast.ana, principal=principal, role=edits)
    access.create_binding(
        actor=cast.ana, principal=principal, role=sends, scope=Scope(numbers=frozenset({"1"}))
    )
    eva = Actor(cast.workspace, principal, NOW)

    with pytest.raises(BeyondOwnRights):
        access.update_role(actor=eva, role=given, cells={"send:text": Reach.ALL})


@pytest.mark.parametrize(
    "cells", [{"send:fax": Reach.ALL}, {"role:assign": Reach.OWN}, {"send:*": Reach.ALL}]
)
def test_cells_that_mean_nothing_are_refused(cast: Cast, cells: dict[str, Reach]) -> None:
    with pytest.raises(InvalidRule):
        access.create_role(actor=cast.ana, name="R", cells=cells)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201, "admin\u202e"])
def test_names_nobody_can_read_are_refused(cast: Cast, name: str) -> None:
    with pytest.raises(InvalidRule):
        access.create_role(actor=cast.ana, name=name, cells={})


def test_who_may_not_edit_roles_is_refused(cast: Cast) -> None:
    with pytest.raises(AccessDenied):
        access.create_role(actor=cast.dora, name="R", cells={})
    with pytest.raises(AccessDenied):
        access.update_role(actor=cast.dora, role=cast.role("Agent"), cells={})


def test_t01_a_role_of_another_workspace_is_not_there(cast: Cast) -> None:
    role = access.create_role(actor=cast.ana, name="R", cells={})

    for foreign in (role, uuid7()):
        with pytest.raises(NotFound):
            access.update_role(actor=cast.carla, role=foreign, cells={})


def test_t07_the_same_name_in_another_workspace_is_free(cast: Cast) -> None:
    access.create_role(actor=cast.ana, name="Night shift", cells={})

    access.create_role(actor=cast.carla, name="Night shift", cells={})
