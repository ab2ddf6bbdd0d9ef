"""Giving a role to somebody: where, when, until when; what that opens for whom; and ending it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from typing_extensions import override

from portero.console import saying, visits
from portero.console.answers import beyond_own_rights, done
from portero.console.forms import Form
from portero.console.membership import Reason
from portero.console.role_editing import told
from portero.console.saying import Names
from portero.domain.access import queries as access
from portero.domain.access import services
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import BeyondOwnRights, InvalidRule, NotFound
from portero.domain.access.models import Principal
from portero.domain.access.services.validation import is_country
from portero.domain.accounts import queries as accounts
from portero.domain.accounts.queries import Member
from portero.domain.audit.models import in_workspace
from portero.domain.workspaces.models import Number, TemplateSet, Waba, Workspace
from portero.engine import Binding, Conditions, Hours, Scope
from portero.engine.networks import parse_network

_SEVERAL: dict[str, Any] = {"required": False, "widget": forms.CheckboxSelectMultiple}
_DAYS = [
    ("0", gettext_lazy("Mon")), ("1", gettext_lazy("Tue")), ("2", gettext_lazy("Wed")),
    ("3", gettext_lazy("Thu")), ("4", gettext_lazy("Fri")), ("5", gettext_lazy("Sat")),
    ("6", gettext_lazy("Sun")),
]  # fmt: skip
_FACTORS = [
    ("", gettext_lazy("However long ago")),
    ("300", gettext_lazy("In the last 5 minutes")),
    ("1800", gettext_lazy("In the last 30 minutes")),
]
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
_CHOSEN = ("numbers", "wabas", "template_sets", "teams")


class Giving(Form):
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
    numbers = forms.MultipleChoiceField(label=gettext_lazy("On these numbers"), **_SEVERAL)
    wabas = forms.MultipleChoiceField(label=gettext_lazy("In these WhatsApp accounts"), **_SEVERAL)
    template_sets = forms.MultipleChoiceField(
        label=gettext_lazy("With these template sets"), **_SEVERAL
    )
    teams = forms.MultipleChoiceField(label=gettext_lazy("For these teams"), **_SEVERAL)
    countries = forms.CharField(
        label=gettext_lazy("To customers of these countries"),
        help_text=gettext_lazy("Two letters each: MX, ES. Empty: of every country."),
        max_length=400,
        required=False,
    )
    days = forms.MultipleChoiceField(label=gettext_lazy("On these days"), choices=_DAYS, **_SEVERAL)
    starts = forms.TimeField(
        label=gettext_lazy("From"), required=False, widget=forms.TimeInput(attrs={"type": "time"})
    )
    ends = forms.TimeField(
        label=gettext_lazy("To"), required=False, widget=forms.TimeInput(attrs={"type": "time"})
    )
    networks = forms.CharField(
        label=gettext_lazy("Only from these networks"),
        help_text=gettext_lazy("Such as 203.0.113.0/24. Empty: from anywhere."),
        max_length=400,
        required=False,
    )
    factor = forms.ChoiceField(
        label=gettext_lazy("Second factor shown"), choices=_FACTORS, required=False
    )
    lasts = forms.ChoiceField(
        label=gettext_lazy("How long"),
        choices=_ENDS,
        error_messages={"required": gettext_lazy("Choose how long it is to hold.")},
    )
    last_day = forms.DateField(
        label=gettext_lazy("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    reason = forms.CharField(
        label=gettext_lazy("Why? Whoever reads it in a year will be glad"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    instead_of = forms.UUIDField(required=False, widget=forms.HiddenInput)
    back = forms.BooleanField(required=False)

    def __init__(self, *args: Any, here: Here, **kwargs: Any) -> None:
        self._here = here
        super().__init__(*args, **kwargs)
        for name, choices in here.choices.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101 - as declared above
            field.choices = choices

    @override
    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        self._clean_where(found)
        self._clean_when(found)
        if found.get("lasts") == "date" and not found.get("last_day"):
            self.add_error("last_day", _("Choose a day."))
        if (at := self.until) is not None and at <= self._here.now:
            self.add_error("last_day", _("That day is over."))
        return found

    def _clean_where(self, found: dict[str, Any]) -> None:
        countries = _listed(found.get("countries", "").upper())
        if strange := [one for one in countries if not is_country(one)]:
            self.add_error(
                "countries", _("No country is called %(names)s.") % {"names": ", ".join(strange)}
            )
        narrows = countries or any(found.get(name) for name in _CHOSEN)
        if found.get("where") == _HERE and not narrows:
            self.add_error("where", _("Choose at least one place below, or everywhere."))
        if found.get("where") == _EVERYWHERE and narrows:
            self.add_error("where", _("You chose places below: take them out, or say only there."))

    def _clean_when(self, found: dict[str, Any]) -> None:
        parts = [found.get("days"), found.get("starts"), found.get("ends")]
        if any(part not in (None, []) for part in parts) and not all(
            part not in (None, []) for part in parts
        ):
            self.add_error("days", _("Hours need days, from when, and to when."))
        if strange := [
            one for one in _listed(found.get("networks", "")) if parse_network(one) is None
        ]:
            self.add_error(
                "networks", _("These are no networks: %(names)s.") % {"names": ", ".join(strange)}
            )

    @property
    def scope(self) -> Scope:
        found = self.cleaned_data
        chosen = {name: frozenset(found[name]) or None for name in _CHOSEN}
        return Scope(**chosen, countries=frozenset(_listed(found["countries"].upper())) or None)

    @property
    def conditions(self) -> Conditions:
        found = self.cleaned_data
        hours = None
        if found["days"]:
            start, end = (at.hour * 60 + at.minute for at in (found["starts"], found["ends"]))
            hours = (Hours(frozenset(map(int, found["days"])), start, end),)
        return Conditions(
            hours=hours,
            networks=tuple(_listed(found["networks"])) or None,
            fresh_factor_s=int(found["factor"]) if found["factor"] else None,
        )

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


def _listed(text: str) -> list[str]:
    return [one for one in text.replace(",", " ").replace(";", " ").split() if one]


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
                "numbers": list(Number.objects.order_by("name").values_list("meta_id", "name")),
                "wabas": list(Waba.objects.order_by("name").values_list("meta_id", "name")),
                "template_sets": [
                    (str(one), name)
                    for one, name in TemplateSet.objects.order_by("name").values_list("id", "name")
                ],
                "teams": [
                    (str(one), name)
                    for one, name in Principal.objects.filter(kind="team", active=True)
                    .order_by("name")
                    .values_list("id", "name")
                ],
            }


def give(request: HttpRequest, principal: UUID) -> HttpResponse:
    """The form; posted, what would come of it. Nothing is changed by it."""
    member, here = _member(request, principal), Here(request)
    if request.method == "POST":
        form = Giving(request.POST, here=here)
        if form.is_valid() and not form.cleaned_data["back"]:
            return _review(request, member, here, form)
        return _show(request, member, here, form)
    return _show(request, member, here, Giving(here=here, initial=_initial(request, here)))


def save(request: HttpRequest, principal: UUID) -> HttpResponse:
    member, here = _member(request, principal), Here(request)
    form = Giving(request.POST, here=here)
    if form.is_valid():
        try:
            _save(visits.actor(request), principal, form)
        except BeyondOwnRights as error:
            form.add_error(None, beyond_own_rights(error))
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


def _initial(request: HttpRequest, here: Here) -> dict[str, Any]:
    """Empty; or as a binding is that is to be replaced."""
    asked = request.GET.get("instead")
    if asked is None:
        return {"role": request.GET.get("role", "")}
    try:
        found = access.binding(actor=visits.actor(request), binding=UUID(asked))
    except (NotFound, ValueError):
        raise Http404 from None
    scope, conditions = found.scope, found.conditions
    hours = conditions.hours[0] if conditions.hours else None
    until = datetime.fromtimestamp(found.until, here.zone) if found.until else None
    return {
        "instead_of": found.id,
        "role": found.role,
        "where": _EVERYWHERE if scope == Scope() else _HERE,
        **{name: sorted(getattr(scope, name) or ()) for name in _CHOSEN},
        "countries": ", ".join(sorted(scope.countries or ())),
        "days": [str(day) for day in hours.days] if hours else [],
        "starts": f"{hours.start // 60:02}:{hours.start % 60:02}" if hours else None,
        "ends": f"{hours.end // 60 % 24:02}:{hours.end % 60:02}" if hours else None,
        "networks": ", ".join(conditions.networks or ()),
        "factor": str(conditions.fresh_factor_s or ""),
        "lasts": "date" if until else "open",
        "last_day": (until - timedelta(seconds=1)).date() if until else None,
    }


def _show(request: HttpRequest, member: Member, here: Here, form: Giving) -> HttpResponse:
    context = {
        "form": form,
        "member": member,
        "places": [form[name] for name in _CHOSEN if here.choices[name]],
        "is_narrow": any(form[name].value() for name in ("days", "networks", "factor")),
    }
    return render(request, "console/give.html", context, status=400 if form.errors else 200)


def _review(request: HttpRequest, member: Member, here: Here, form: Giving) -> HttpResponse:
    actor, found = visits.actor(request), form.cleaned_data
    names = Names.of(actor.workspace)
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
        "fields": [
            (name, value)
            for name, values in request.POST.lists()
            for value in values
            if name not in {"csrfmiddlewaretoken", "reason"}
        ],
        "save": reverse("console:give_save", args=[member.id]),
        "consequences": consequences,
        "told": told_of(consequences, names),
        "unnamed": consequences.concerned - len(consequences.named),
    }
    return render(request, "console/give_review.html", context)
