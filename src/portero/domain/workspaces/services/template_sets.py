"""Sets of templates, for scopes to name. Widening a set widens every binding that names it."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from portero.domain.access.authorize import Actor, gifts_by_template_set
from portero.domain.access.errors import NotFound
from portero.domain.access.services import policy_change
from portero.domain.access.services.validation import require_name
from portero.domain.audit.services import Touched
from portero.domain.workspaces.models import TemplateSet, TemplateSetMember
from portero.engine import Policy
from portero.store.ids import uuid7


def create_template_set(*, actor: Actor, name: str, templates: Iterable[str] = ()) -> UUID:
    """Name some templates together. Raises AccessDenied, InvalidRule."""
    wanted = set(templates)
    with policy_change(
        actor=actor, operation="create_template_set", event="template_set.created"
    ) as change:
        change.authorize("role:assign")
        made = TemplateSet.objects.create(id=uuid7(), name=require_name(name))
        _add(made.id, wanted)
        change.note(Touched("template_set", made.id), name=made.name, templates=sorted(wanted))
    return made.id


def set_template_set_members(*, actor: Actor, template_set: UUID, templates: Iterable[str]) -> None:
    """Replace the templates of a set.

    Whoever may use the set may use what is put in, so the actor must hold as much for every
    template. What is taken out leaves the guardrails on the set, which is for those who set them.
    Raises AccessDenied (BeyondOwnRights), NotFound.
    """
    wanted = set(templates)
    with policy_change(
        actor=actor, operation="set_template_set_members", event="template_set.changed"
    ) as change:
        change.authorize("role:assign")
        if not TemplateSet.objects.filter(id=template_set).exists():
            raise NotFound(str(template_set))
        members = TemplateSetMember.objects.filter(set_id=template_set)
        current = set(members.values_list("template_name", flat=True))
        policy = change.state.policy
        if wanted - current:
            for gift in gifts_by_template_set(policy, str(template_set)):
                change.require_held(gift)
        if current - wanted and _guarded(policy, str(template_set)):
            change.authorize("guardrail:update")
        members.filter(template_name__in=current - wanted).delete()
        _add(template_set, wanted - current)
        change.note(Touched("template_set", template_set), templates=sorted(wanted))


def _guarded(policy: Policy, template_set: str) -> bool:
    return any(template_set in (g.scope.template_sets or ()) for g in policy.guardrails)


def _add(template_set: UUID, templates: set[str]) -> None:
    for name in sorted(templates):
        TemplateSetMember.objects.create(set_id=template_set, template_name=name)
