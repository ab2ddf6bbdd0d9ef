"""Roles: a name, and versions of its cells."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from uuid import UUID

from django.conf import settings
from django.db.models import Value
from django.db.models.functions import Lower
from django.utils.translation import gettext, override

from portero.domain.access.authorize import Actor, Gift, gifts_of_key, teams_reached
from portero.domain.access.errors import NameTaken, NotFound, RoleIsBuiltIn, StaleRole
from portero.domain.access.models import Role, RoleVersion
from portero.domain.access.services.builtin_roles import BUILTIN_ROLES
from portero.domain.access.services.changes import Change, own_change, policy_change
from portero.domain.access.services.validation import require_cells, require_name
from portero.domain.audit.services import Touched
from portero.engine import Bindings, Reach
from portero.store.ids import uuid7

_LATIN = re.compile(r"LATIN (?:SMALL |CAPITAL )?LETTER (?:[A-Z]+ )*?([A-Z])(?: WITH .*)?")
_ALIKE = str.maketrans("i1|!0\u0251\u0269", "llll" + "oal")
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"})


def create_role(
    *,
    actor: Actor,
    name: str,
    cells: Mapping[str, Reach],
    reason: str = "",
    managed_by: str = "portero",
) -> UUID:
    """Make a role of what the actor holds. Raises AccessDenied, InvalidRule, NameTaken."""
    with policy_change(actor=actor, operation="create_role", event="role.created") as change:
        change.authorize("role:update")
        stored, called = require_cells(cells), require_name(name)
        # A role gives nothing before it is bound; where and how is looked at then.
        change.require_held_somewhere(cells)
        _require_free(called)
        role = Role.objects.create(id=uuid7(), name=called)
        _add_version(change, role.id, stored, reason=reason, managed_by=managed_by)
        change.note(Touched("role", role.id), name=called, cells=stored, reason=reason)
    return role.id


def update_role(
    *,
    actor: Actor,
    role: UUID,
    cells: Mapping[str, Reach],
    name: str | None = None,
    read_at: int | None = None,
    reason: str = "",
    managed_by: str = "portero",
) -> None:
    """Replace a role's cells for everyone who has it, and its name where one is given.

    `read_at` is the policy version since which the cells stood that the change was made from;
    without it, whatever stands is replaced. What is added or raised the actor must hold wherever
    the role is given. Raises AccessDenied, InvalidRule, NameTaken, NotFound, RoleIsBuiltIn,
    StaleRole.
    """
    with policy_change(actor=actor, operation="update_role", event="role.updated") as change:
        change.authorize("role:update")
        stored = require_cells(cells)
        found = Role.objects.filter(id=role).first()
        if found is None:
            raise NotFound(str(role))
        if found.builtin:
            raise RoleIsBuiltIn(found.name)
        standing = RoleVersion.objects.filter(role_id=role, valid_to=None)
        if read_at is not None:
            require_as_read(role, read_at)
        called = found.name if name is None else _renamed(found, name)
        before = _cells_now(change, role)
        raised = {p: r for p, r in cells.items() if r > before.get(p, Reach.NONE)}
        _require_held_wherever_given(change, role, raised)
        standing.update(valid_to=change.version)
        _add_version(change, role, stored, reason=reason, managed_by=managed_by)
        change.note(Touched("role", role), name=called, cells=stored, reason=reason)


def require_as_read(role: UUID, read_at: int) -> None:
    """Demand that a role stands since that version of the policy, as it was read. Raises StaleRole."""
    if not RoleVersion.objects.filter(role_id=role, valid_to=None, valid_from=read_at).exists():
        raise StaleRole(str(role))


def _renamed(role: Role, name: str) -> str:
    called = require_name(name)
    if called != role.name:
        _require_free(called, but=role.id)
        Role.objects.filter(id=role.id).update(name=called)
    return called


def _require_free(name: str, *, but: UUID | None = None) -> None:
    # As the database compares them: it knows no other spelling of ß, which Python folds.
    namesakes = Role.objects.alias(lower=Lower("name")).filter(lower=Lower(Value(name)))
    taken = any(one != but for one in namesakes.values_list("id", flat=True))
    if taken or _looks_built_in(name):
        raise NameTaken(f"there is a role called “{name}” already")


def _looks_built_in(name: str) -> bool:
    """Whether it is what the console calls a built-in role in some language, or is drawn like one."""
    drawn = _as_drawn(name)
    for language, _name in settings.LANGUAGES:
        with override(language):
            if drawn in {_as_drawn(gettext(one)) for one in BUILTIN_ROLES}:
                return True
    return any(_is_mixed(word) for word in re.split(r"\W+", name)) or _mixes_near_scripts(name)


def _as_drawn(name: str) -> str:
    """What a name looks like: equal for names that are easily taken for each other.

    It knows letters of the Latin script by their names in Unicode (a script g, small capitals, strokes
    and hooks), marks, and a few signs that are drawn alike. It is no copy of Unicode's table of
    confusables: other scripts are not compared, but refused within a word of Latin letters.
    """
    plain = unicodedata.normalize("NFKD", name)
    letters = (_letter_of(one) for one in plain if not unicodedata.category(one).startswith("M"))
    return "".join(letters).casefold().translate(_ALIKE).replace("rn", "m").replace("vv", "w")


def _letter_of(drawn: str) -> str:
    found = _LATIN.fullmatch(unicodedata.name(drawn, ""))
    return found[1] if found is not None else drawn


def _is_mixed(word: str) -> bool:
    """Whether a word has letters of several scripts, as only words of East Asia do."""
    scripts = _scripts(word)
    return len(scripts) > 1 and "LATIN" in scripts and not scripts & _EAST_ASIAN


def _mixes_near_scripts(name: str) -> bool:
    return len(_scripts(name) & {"LATIN", "CYRILLIC", "GREEK"}) > 1


def _scripts(text: str) -> set[str]:
    names = {unicodedata.name(one, "").partition(" ")[0] for one in text if one.isalpha()}
    return names - {"MODIFIER"}  # an apostrophe that is part of a word


def create_builtin_roles() -> None:
    """Give a new workspace the five roles nobody can change. They are in force from version 1."""
    for name, cells in BUILTIN_ROLES.items():
        role = Role.objects.create(id=uuid7(), name=name, builtin=True)
        RoleVersion.objects.create(
            id=uuid7(), role_id=role.id, cells=require_cells(cells), valid_from=1
        )


def renew_builtin_roles(workspace: UUID) -> None:
    """Bring the built-in roles to this release: an act of the installation, asked of nobody.

    A release that knows more permissions gives them to the roles that stand for them. Returns once
    every live gateway process has confirmed it. Raises NotConfirmed.
    """
    with own_change(
        workspace=workspace, operation="renew_builtin_roles", event="role.updated"
    ) as edit:
        stale = list(_stale_builtin_roles())
        for role, cells in stale:
            RoleVersion.objects.filter(role_id=role.id, valid_to=None).update(valid_to=edit.version)
            RoleVersion.objects.create(
                id=uuid7(),
                role_id=role.id,
                cells=cells,
                valid_from=edit.version,
                managed_by="portero",
            )
        edit.note(
            *(Touched("role", role.id) for role, _ in stale),
            names=[role.name for role, _ in stale],
        )


def _stale_builtin_roles() -> Iterator[tuple[Role, dict[str, str]]]:
    now = dict(RoleVersion.objects.filter(valid_to=None).values_list("role_id", "cells"))
    for role in Role.objects.filter(builtin=True):
        cells = dict(require_cells(BUILTIN_ROLES.get(role.name, {})))
        if role.name in BUILTIN_ROLES and cells != now.get(role.id):
            yield role, cells


def _add_version(
    change: Change, role: UUID, cells: Mapping[str, str], *, reason: str, managed_by: str
) -> None:
    RoleVersion.objects.create(
        id=uuid7(),
        role_id=role,
        cells=dict(cells),
        valid_from=change.version,
        reason=reason,
        author_id=change.actor.principal,
        managed_by=managed_by,
    )


def _cells_now(change: Change, role: UUID) -> Mapping[str, Reach]:
    return next(known.cells for known in change.state.policy.roles if known.id == str(role))


def _require_held_wherever_given(change: Change, role: UUID, raised: Mapping[str, Reach]) -> None:
    policy = change.state.policy
    given = list(Bindings.among(policy.bindings).to(str(role)))
    known = {one.id: one for one in policy.principals}
    for binding in given:
        teams = teams_reached(policy, known[binding.principal])
        change.require_held(Gift(raised, binding.scope, binding.conditions, binding.until, teams))
    roles = tuple(
        replace(one, cells={**one.cells, **raised}) if one.id == str(role) else one
        for one in policy.roles
    )
    after = replace(policy, roles=roles)
    keys = [key for key in policy.credentials if key.active and key.role == str(role)]
    for key in keys:
        for gift in gifts_of_key(after, key):
            more = {one: reach for one, reach in gift.cells.items() if one in raised}
            change.require_held(replace(gift, cells=more))
    if not given and not keys:
        change.require_held_somewhere(raised)
