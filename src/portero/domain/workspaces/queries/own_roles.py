"""What somebody was given, and where, in names they can read before they see anything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from portero.domain.access.models import Binding, Principal, Role
from portero.domain.workspaces.models import Number, TemplateSet, Waba
from portero.engine import PrincipalKind


@dataclass(frozen=True, slots=True, order=True)
class OwnRole:
    """A role that somebody has of their own."""

    name: str
    where: str
    """Names of what it is narrowed to, "Ventas, Soporte · MX"; empty where it holds everywhere."""


def own_roles(principal: UUID) -> list[OwnRole]:
    """The roles somebody has of their own, in the current workspace, by name."""
    given = Binding.objects.filter(principal_id=principal, valid_to=None)
    rows = list(given.values_list("role_id", "scope"))
    called = dict(Role.objects.filter(id__in=[role for role, _ in rows]).values_list("id", "name"))
    names = names_of_things() if any(scope for _, scope in rows) else {}
    return sorted({OwnRole(called[role], _where(scope, names)) for role, scope in rows})


def names_of_things() -> Mapping[str, str]:
    """What people call the things that a rule can be narrowed to, by id, in the current workspace."""
    teams = Principal.objects.filter(kind=PrincipalKind.TEAM)
    return {
        **dict(Number.objects.values_list("meta_id", "name")),
        **dict(Waba.objects.values_list("meta_id", "name")),
        **{str(one): name for one, name in TemplateSet.objects.values_list("id", "name")},
        **{str(one): name for one, name in teams.values_list("id", "name")},
    }


def _where(scope: Mapping[str, list[str]], names: Mapping[str, str]) -> str:
    return " · ".join(
        ", ".join(sorted(names.get(one, one) for one in values)) or "—" for values in scope.values()
    )
