"""What a question is about, by the names people use, as the engine knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Q

from portero.domain.access.authorize import Actor, decide
from portero.domain.access.models import Principal
from portero.domain.access.snapshot import State, current_state, lock_policy
from portero.domain.audit.models import in_workspace
from portero.domain.workspaces.errors import UnknownNumber, UnknownTemplate
from portero.domain.workspaces.models import Number, Resource, TemplateSetMember, Waba
from portero.engine import Check, PrincipalKind, spec_of
from portero.engine import Resource as Attributes
from portero.graphapi.kinds import Kind
from portero.graphapi.operations import category_permissions

SEND_TEMPLATE = "send:template"
SOMEBODY_ELSE = "somebody else"
"""An owner that is nobody's id: whoever asks, it is not them."""
_CHOICES_MAX = 200


class Whose(StrEnum):
    """To whom a thing with an owner is assigned."""

    NOBODY = "nobody"
    THEIRS = "theirs"
    ELSE = "else"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What something is done to; None = not said, or it has none."""

    number: str | None = None
    """Meta's id."""
    template: str | None = None
    """By name."""
    country: str | None = None
    team: str | None = None
    whose: Whose = Whose.NOBODY


@dataclass(frozen=True, slots=True)
class Choices:
    """What somebody may name in a question."""

    numbers: tuple[tuple[str, str], ...]
    """Meta's id and name."""
    templates: tuple[str, ...]
    teams: tuple[tuple[str, str], ...]
    timezone: str


def choices(*, actor: Actor) -> Choices:
    """The things that the actor may see, and their own teams or all; few hundred at most."""
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        state = current_state()
        return Choices(
            numbers=tuple(_numbers(actor, state)),
            templates=tuple(_templates(actor, state)),
            teams=tuple(_teams(actor, state)),
            timezone=state.zone.key,
        )


@dataclass(frozen=True, slots=True)
class SeenNumber:
    """A business phone number that somebody may see."""

    meta_id: str
    name: str
    display: str


def numbers_called(text: str, *, actor: Actor) -> list[SeenNumber]:
    """The numbers that the actor may see and that have the text in their name or digits."""
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        called = Q(name__icontains=text) | Q(display__icontains=text)
        return _seen(actor, current_state(), called)


def _seen(actor: Actor, state: State, called: Q) -> list[SeenNumber]:
    wabas = dict(Waba.objects.values_list("id", "meta_id"))
    return [
        SeenNumber(number.meta_id, number.name, number.display)
        for number in Number.objects.filter(called).order_by("name", "meta_id")[:_CHOICES_MAX]
        if _may_see(
            actor,
            state,
            "number:read",
            Attributes("number", number=number.meta_id, waba=wabas.get(number.waba_id)),
        )
    ]


def _numbers(actor: Actor, state: State) -> list[tuple[str, str]]:
    return [(number.meta_id, number.name) for number in _seen(actor, state, Q())]


def _templates(actor: Actor, state: State) -> list[str]:
    names = (
        Resource.objects.filter(kind=Kind.TEMPLATE)
        .order_by("attributes__name")
        .values_list("attributes__name", "parent")
        .distinct()[:_CHOICES_MAX]
    )
    seen = {
        name
        for name, waba in names
        if name
        and _may_see(
            actor,
            state,
            "template:read",
            Attributes("template", waba=waba, template_sets=_sets_of(name)),
        )
    }
    return sorted(seen)


def _teams(actor: Actor, state: State) -> list[tuple[str, str]]:
    teams = Principal.objects.filter(kind=PrincipalKind.TEAM, active=True)
    if not _may_see(actor, state, "member:read", Attributes("member")):
        me = state.snapshot.principals.get(actor.id)
        teams = teams.filter(id__in=me.teams if me is not None else ())
    shown = teams.order_by("sort_name").values_list("id", "name")[:_CHOICES_MAX]
    return [(str(team), name) for team, name in shown]


def _may_see(actor: Actor, state: State, permission: str, thing: Attributes) -> bool:
    return decide(actor=actor, state=state, checks=[Check(permission, thing)]).allowed


def checks_of(permissions: Sequence[str], thing: Thing, principal: str) -> tuple[Check, ...]:
    """What a door would ask for somebody's doing this to that, in the current workspace.

    Sending a template needs its category's permission, too. Raises UnknownNumber, UnknownTemplate.
    """
    wanted = list(permissions)
    if thing.template is not None and SEND_TEMPLATE in wanted:
        wanted += _category_permissions(thing.template)
    return tuple(
        Check(permission, _attributes(permission, thing, principal))
        for permission in dict.fromkeys(wanted)
    )


def _attributes(permission: str, thing: Thing, principal: str) -> Attributes:
    """Only what a request for the permission can have: no door asks for a key of a number."""
    places, waba = spec_of(permission).places, _waba(thing.number)
    sets = None if thing.template is None else _sets_of(thing.template)
    return Attributes(
        kind=permission.partition(":")[0],
        number=thing.number if "numbers" in places else None,
        waba=waba if "wabas" in places else None,
        country=thing.country if "countries" in places else None,
        team=thing.team if "teams" in places else None,
        template_sets=sets if "template_sets" in places else None,
        owner=_owner(thing.whose, principal),
        contents=_contents(permission),
    )


def _owner(whose: Whose, principal: str) -> str | None:
    match whose:
        case Whose.THEIRS:
            return principal
        case Whose.ELSE:
            return SOMEBODY_ELSE
        case Whose.NOBODY:
            return None


def _waba(number: str | None) -> str | None:
    """Meta id of the number's account; of the only account where no number is named."""
    wabas = dict(Waba.objects.values_list("id", "meta_id"))
    if number is None:
        return next(iter(wabas.values())) if len(wabas) == 1 else None
    found = Number.objects.filter(meta_id=number).first()
    if found is None:
        raise UnknownNumber(number)
    return wabas[found.waba_id]


def _sets_of(template: str) -> frozenset[str]:
    sets = TemplateSetMember.objects.filter(template_name=template)
    return frozenset(str(one) for one in sets.values_list("set_id", flat=True))


def _category_permissions(template: str) -> tuple[str, ...]:
    """What the gateway asks for besides, for all of the template's languages together."""
    known = Resource.objects.filter(kind=Kind.TEMPLATE, attributes__name=template)
    found = list(known.values_list("attributes__category", flat=True))
    if not found:
        raise UnknownTemplate(template)
    return category_permissions(category or "" for category in found)


def _contents(permission: str) -> str | None:
    if not permission.startswith("send:"):
        return None
    return "template" if permission == SEND_TEMPLATE else "free_form"
