"""Giving a role to somebody: where, when, until when; what that opens for whom; and ending it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from typing_extensions import override

from portero.console import saying, visits
from portero.console.answers import beyond_own_rights, conflict, done
from portero.console.forms import sent_again
from portero.console.membership import Reason
from portero.console.narrowing import (
    CHOSEN,
    MORE_THAN_FITS,
    Places,
    Times,
    fits,
    idle_in,
    of_conditions,
    of_scope,
    places_here,
)
from portero.console.role_editing import differences, told
from portero.console.saying import Names
from portero.domain.access import queries as access
from portero.domain.access import services
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import BeyondOwnRights, InvalidRule, NotFound, StaleRole
from portero.domain.accounts import queries as accounts
from portero.domain.accounts.queries import Member
from portero.domain.audit.models import in_workspace
from portero.domain.workspaces.models import Workspace
from portero.engine import Binding, Scope

_ENDS = [
    ("", gettext_lazy("Choose how long")),
    ("day", gettext_lazy("For a day")),
    ("week", gettext_lazy("For a week")),
    ("month", gettext_lazy("For 30 days")),
    ("date", gettext_lazy("Until a date")),
    ("open", gettext_lazy("Without an end")),
]
_LASTS = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
_GONE = gettext_lazy(
    "What this was to replace has ended meanwhile. Nothing was changed; what you wrote is still here."
)
_EVERYWHERE, _HERE = "everywhere", "here"


class Giving(Places, Times):
    """A role, and everything that narrows it."""

    role = forms.ChoiceField(label=gettext_lazy("Role"))
    where = forms.ChoiceField(
        label=gettext_lazy("Where"),
        choices=[
            (_HERE, gettext_lazy("Only where I say")),
            (_EVERYWHERE, gettext_lazy("Everywhere in this workspace")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Say where it is to hold.")},
    )
    lasts = forms.ChoiceField(
        label=gettext_lazy("How long"),
        choices=_ENDS,
        error_messages={"required": gettext_lazy("Choose how long it is to hold.")},
    )
    last_day = forms.DateField(
        label=gettext_lazy("Last day"),
        required=False,
        validators=[MaxValueValidator(date(9000, 1, 1))],
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    reason = forms.CharField(
        label=gettext_lazy("Why? Whoever reads it in a year will be glad"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    instead_of = forms.UUIDField(required=False, widget=forms.HiddenInput)
    read_at = forms.IntegerField(required=False)
    """The policy version since which the role stands that was reviewed."""
    back = forms.BooleanField(required=False)

    def __init__(self, *args: Any, here: Here, **kwargs: Any) -> None:
        self._here = here
        super().__init__(*args, **kwargs)
        for name, choices in here.choices.items():
            self.offer(name, choices)

    @override
    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        self._clean_where(found)
        self.require_whole_hours()
        if found.get("lasts") == "date" and not found.get("last_day"):
            self.add_error("last_day", _("Choose a day."))
        if (at := self.until) is not None and at <= self._here.now:
            self.add_error("last_day", _("That day is over."))
        return found

    def _clean_where(self, found: dict[str, Any]) -> None:
        narrows = self.is_narrow or "countries" in self.errors
        if found.get("where") == _HERE and not narrows:
            self.add_error("where", _("Choose at least one place below, or everywhere."))
        if found.get("where") == _EVERYWHERE and narrows:
            self.add_error("where", _("You chose places below: take them out, or say only there."))

    @property
    def until(self) -> datetime | None:
        """When it ends; of a day, at its end by the workspace's clock."""
        found = self.cleaned_data
        if (span := _LASTS.get(found.get("lasts", ""))) is not None:
            return self._here.now + span
        if found.get("lasts") != "date" or not found.get("last_day"):
            return None
        day = found["last_day"] + timedelta(days=1)
        return datetime(day.year, day.month, day.day, tzinfo=self._here.zone)


class Here:
    """What there is to choose from in a workspace, and its clock."""

    def __init__(self, request: HttpRequest) -> None:
        actor = visits.actor(request)
        self.now = actor.at
        roles = access.roles(actor=actor)
        self.roles = {str(one.id): _(one.name) if one.builtin else one.name for one in roles}
        with in_workspace(actor.workspace):
            self.zone = ZoneInfo(Workspace.objects.get(id=actor.workspace).timezone)
            self.choices: dict[str, list[tuple[str, str]]] = {
                "role": [("", _("Choose a role")), *self.roles.items()],
                **places_here(),
            }


def give(request: HttpRequest, principal: UUID) -> HttpResponse:
    """The form; posted, what would come of it. Nothing is changed by it."""
    member, here = _member(request, principal), Here(request)
    if request.method == "POST":
        form = Giving(request.POST, here=here)
        if form.is_valid() and not form.cleaned_data["back"]:
            return _review(request, member, here, form)
        return _show(request, member, here, form)
    replaced = _replaced(request)
    if replaced is not None and not fits(replaced.scope, replaced.conditions):
        return conflict(request, str(MORE_THAN_FITS))
    return _show(
        request, member, here, Giving(here=here, initial=_initial(request, replaced, here))
    )


def save(request: HttpRequest, principal: UUID) -> HttpResponse:
    member, here = _member(request, principal), Here(request)
    form = Giving(request.POST, here=here)
    if form.is_valid():
        try:
            _save(visits.actor(request), principal, form)
        except BeyondOwnRights as error:
            form.add_error(None, beyond_own_rights(error))
        except StaleRole:
            return _review(request, member, here, form)
        except NotFound:
            form.add_error(None, _GONE)
        except InvalidRule:
            form.add_error(None, _("This names too many places at once: choose fewer."))
        else:
            told = _("%(name)s has the role from now on.") % {"name": member.name}
            return done(request, told, "console:person", principal)
    return _show(request, member, here, form)


def _save(actor: Actor, principal: UUID, form: Giving) -> None:
    """One service: another role, or one in place of another."""
    found = form.cleaned_data
    terms: dict[str, Any] = {
        "role": UUID(found["role"]),
        "scope": form.scope,
        "conditions": form.conditions,
        "until": form.until,
        "read_at": found["read_at"],
        "reason": found["reason"],
    }
    if found["instead_of"] is None:
        services.create_binding(actor=actor, principal=principal, **terms)
    elif _is_of(actor, found["instead_of"], principal):
        services.replace_binding(actor=actor, binding=found["instead_of"], **terms)
    else:
        raise NotFound(str(found["instead_of"]))


def _is_of(actor: Actor, binding: UUID, principal: UUID) -> bool:
    return access.binding(actor=actor, binding=binding).principal == str(principal)


def end(request: HttpRequest, binding: UUID) -> HttpResponse:
    """What would end with a binding; posted, it ends."""
    actor = visits.actor(request)
    try:
        found = access.binding(actor=actor, binding=binding)
    except NotFound:
        raise Http404 from None
    form = Reason(request.POST or None)
    if request.method == "POST" and form.is_valid():
        services.revoke_binding(actor=actor, binding=binding, reason=form.cleaned_data["reason"])
        return done(request, _("It has ended."), "console:person", found.principal)
    names, here = Names.of(actor.workspace), Here(request)
    consequences = access.if_ended(actor=actor, binding=binding)
    context = {
        "form": form,
        "member": accounts.member(actor.workspace, UUID(found.principal)),
        "role": here.roles.get(found.role, found.role),
        "lines": _lines(found, names),
        "consequences": consequences,
        "told": told_of(consequences, names),
        "unnamed": consequences.concerned - len(consequences.named),
    }
    return render(request, "console/binding_end.html", context)


def told_of(consequences: access.Consequences, names: Names) -> list[Any]:
    return list(told(consequences.named, names))


def _lines(found: Binding, names: Names) -> list[str]:
    return [*saying.where(found.scope, names), *saying.when(found.conditions)]


def _member(request: HttpRequest, principal: UUID) -> Member:
    member = accounts.member(visits.actor(request).workspace, principal)
    if member is None or not member.active:
        raise Http404
    return member


def _replaced(request: HttpRequest) -> Binding | None:
    """The binding that another is to come in place of, if one is."""
    asked = request.GET.get("instead")
    if asked is None:
        return None
    try:
        return access.binding(actor=visits.actor(request), binding=UUID(asked))
    except (NotFound, ValueError):
        raise Http404 from None


def _initial(request: HttpRequest, found: Binding | None, here: Here) -> dict[str, Any]:
    """Empty; or as the binding is that is to be replaced."""
    if found is None:
        return {"role": request.GET.get("role", "")}
    until = datetime.fromtimestamp(found.until, here.zone) if found.until else None
    return {
        "instead_of": found.id,
        "role": found.role,
        "where": _EVERYWHERE if found.scope == Scope() else _HERE,
        **of_scope(found.scope),
        **of_conditions(found.conditions),
        "lasts": "date" if until else "open",
        "last_day": (until - timedelta(seconds=1)).date() if until else None,
    }


def _show(request: HttpRequest, member: Member, here: Here, form: Giving) -> HttpResponse:
    context = {
        "form": form,
        "member": member,
        "places": [form[name] for name in CHOSEN if here.choices[name]],
        "is_narrow": any(form[name].value() for name in ("days", "networks", "factor")),
    }
    return render(request, "console/give.html", context, status=400 if form.errors else 200)


def _review(request: HttpRequest, member: Member, here: Here, form: Giving) -> HttpResponse:
    """What would come of it; said anew with 409 where the role is not any more what was reviewed."""
    actor, found = visits.actor(request), form.cleaned_data
    names = Names.of(actor.workspace)
    # Read before what follows from it: of a change between the two, saving finds out.
    editions = access.role_editions(actor=actor, role=UUID(found["role"]))
    read_at = found["read_at"]
    is_stale = read_at is not None and read_at != editions[0].version
    before = next((one.cells for one in editions if one.version == read_at), {})
    try:
        consequences = access.if_given(
            actor=actor,
            principal=member.id,
            role=UUID(found["role"]),
            scope=form.scope,
            conditions=form.conditions,
            until=form.until,
            instead_of=found["instead_of"],
        )
    except NotFound:
        form.add_error(None, _GONE)
        return _show(request, member, here, form)
    context = {
        "form": form,
        "member": member,
        "role": here.roles[found["role"]],
        "where": saying.where(form.scope, names) or [_("everywhere in this workspace")],
        "when": saying.when(form.conditions) or [_("always")],
        "until": form.until,
        "fields": sent_again(request, but={"read_at"}),
        "read_at": editions[0].version,
        "is_stale": is_stale,
        "differences": list(differences(before, editions[0].cells)) if is_stale else (),
        "save": reverse("console:give_save", args=[member.id]),
        "consequences": consequences,
        "told": told_of(consequences, names),
        "idle": idle_in(form.scope, editions[0].cells),
        "unnamed": consequences.concerned - len(consequences.named),
    }
    return render(request, "console/give_review.html", context, status=409 if is_stale else 200)
