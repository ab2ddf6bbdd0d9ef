"""Limits: how many of what, in which time, for whom together; and how much of it is used."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
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
from portero.console.answers import done
from portero.console.forms import Form, WholeNumber, sent_again
from portero.console.membership import Reason
from portero.console.naming import called
from portero.console.picking import grouped_permissions, picked
from portero.domain.access import queries as access
from portero.domain.access import services
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import InvalidRule, NotFound
from portero.domain.access.queries import Held
from portero.domain.accounts import queries as accounts
from portero.domain.accounts.models import ApiKey
from portero.domain.audit.models import in_workspace
from portero.domain.messaging.models import LimitUse
from portero.domain.workspaces.models import Workspace
from portero.engine import PERMISSIONS, HolderKind, Limit, Metric, Per
from portero.store.limits import window_start

_WORKSPACE, _ONE, _BINDING = "workspace", "one", "binding"


class LimitForm(Form):
    """At most so many, of what, in which time, for whom together."""

    instead_of = forms.UUIDField(required=False, widget=forms.HiddenInput)
    binding = forms.UUIDField(required=False, widget=forms.HiddenInput)
    back = forms.BooleanField(required=False)
    amount = WholeNumber(
        label=gettext_lazy("At most"),
        min_value=0,
        max_value=1_000_000_000,
        help_text=gettext_lazy("Nought stops it."),
    )
    metric = forms.ChoiceField(
        label=gettext_lazy("Of what"),
        choices=[
            (Metric.MESSAGES, gettext_lazy("messages")),
            (Metric.RECIPIENTS, gettext_lazy("different recipients")),
            (Metric.REQUESTS, gettext_lazy("requests")),
        ],
    )
    per = forms.ChoiceField(
        label=gettext_lazy("Over what time"),
        choices=[
            (Per.DAY, gettext_lazy("a day")),
            (Per.HOUR, gettext_lazy("an hour")),
            (Per.SECOND, gettext_lazy("a second")),
        ],
    )
    whose = forms.ChoiceField(
        label=gettext_lazy("For whom together"),
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Say whose it is.")},
    )
    one = forms.CharField(
        label=gettext_lazy("Person, team, service account or key"),
        help_text=gettext_lazy("By name or address. Each member of a team counts on their own."),
        max_length=200,
        required=False,
    )
    permissions = forms.MultipleChoiceField(
        label=gettext_lazy("Only for this"),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    reason = forms.CharField(
        label=gettext_lazy("Why? Whoever reads it in a year will be glad"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        self._actor = actor
        self.holder: tuple[HolderKind, UUID | None] = (HolderKind.WORKSPACE, None)
        super().__init__(*args, **kwargs)
        self.offer("permissions", grouped_permissions())
        whose = [(_WORKSPACE, _("The whole workspace")), (_ONE, _("Only one"))]
        if self["binding"].value():
            whose.append((_BINDING, _("One role that was given")))
        self.offer("whose", whose)

    @override
    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("metric") == Metric.RECIPIENTS and found.get("per") == Per.SECOND:
            self.add_error("per", _("Recipients are counted by the hour or by the day."))
        match found.get("whose"):
            case str(whose) if whose == _ONE:
                self._find(found.get("one", ""))
            case str(whose) if whose == _BINDING:
                self.holder = (HolderKind.BINDING, found.get("binding"))
        return found

    def _find(self, text: str) -> None:
        if not text:
            self.add_error("one", _("Name whose it is."))
            return
        try:
            one = called(self._actor, text)
        except forms.ValidationError as error:
            self.add_error("one", error)
            return
        is_key = one.key is not None
        self.holder = (HolderKind.KEY, one.key) if is_key else (HolderKind.PRINCIPAL, one.principal)

    def rule(self) -> dict[str, Any]:
        """What the services take."""
        found, (kind, holder) = self.cleaned_data, self.holder
        return {
            "holder_kind": kind,
            "holder": holder,
            "metric": Metric(found["metric"]),
            "per": Per(found["per"]),
            "amount": found["amount"],
            "permissions": found["permissions"] or None,
            "reason": found["reason"],
        }

    def drawn(self) -> Limit:
        """The limit it would be, to be told of."""
        found, (kind, holder) = self.cleaned_data, self.holder
        return Limit(
            id=str(found["instead_of"] or ""),
            holder_kind=kind,
            holder=str(holder or ""),
            metric=Metric(found["metric"]),
            per=Per(found["per"]),
            amount=found["amount"],
            permissions=frozenset(found["permissions"]) or None,
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """A limit as a line."""

    id: str
    sentence: str
    about: list[str]
    """Empty = whatever is asked."""
    amount: int
    used: int | None
    """Since the hour or day began; None where it is not kept for people to read."""

    @property
    def is_used_up(self) -> bool:
        return self.used is not None and self.used >= self.amount


def limits(request: HttpRequest) -> HttpResponse:
    return render(request, "console/limits.html", {"limits": _all(visits.actor(request))})


def new(request: HttpRequest) -> HttpResponse:
    """The form; posted, whom it would hold. Nothing is changed by it."""
    actor = visits.actor(request)
    if request.method == "POST":
        posted = LimitForm(request.POST, actor=actor)
        if not posted.is_valid() or posted.cleaned_data["back"]:
            return _show(request, posted)
        return _review(request, posted)
    asked = request.GET.get("binding")
    initial = {
        "metric": Metric.MESSAGES,
        "per": Per.DAY,
        "whose": _BINDING if asked else _WORKSPACE,
    }
    if asked:
        _require_binding(actor, asked)
        initial["binding"] = asked
    return _show(request, LimitForm(actor=actor, initial=initial))


def change(request: HttpRequest, limit: UUID) -> HttpResponse:
    """The form, as the limit is; it is posted to where new ones are."""
    actor = visits.actor(request)
    return _show(request, LimitForm(actor=actor, initial=_as_it_is(_known(actor, limit), actor)))


def save(request: HttpRequest) -> HttpResponse:
    actor = visits.actor(request)
    form = LimitForm(request.POST, actor=actor)
    if form.is_valid():
        try:
            _save(actor, form)
        except NotFound:
            form.add_error(
                None,
                _(
                    "It was taken away or changed meanwhile. Nothing was saved; what you wrote is still here."
                ),
            )
        except InvalidRule:
            form.add_error(None, _("These values do not go together."))
        else:
            return done(request, _("It holds from now on."), "console:limits")
    return _show(request, form)


def _save(actor: Actor, form: LimitForm) -> None:
    replaced: UUID | None = form.cleaned_data["instead_of"]
    if replaced is None:
        services.create_limit(actor=actor, **form.rule())
    else:
        services.replace_limit(actor=actor, limit=replaced, **form.rule())


def retire(request: HttpRequest, limit: UUID) -> HttpResponse:
    actor = visits.actor(request)
    known = _known(actor, limit)
    form = Reason(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        services.retire_limit(actor=actor, limit=limit, reason=form.cleaned_data["reason"])
        return done(request, _("It is taken away."), "console:limits")
    [shown] = [one for one in _all(actor) if one.id == known.id]
    return render(request, "console/limit_retire.html", {"form": form, "limit": shown})


def _show(request: HttpRequest, form: LimitForm) -> HttpResponse:
    context = {"form": form, "groups": picked(form["permissions"])}
    return render(request, "console/limit_form.html", context, status=400 if form.errors else 200)


def _review(request: HttpRequest, form: LimitForm) -> HttpResponse:
    actor = visits.actor(request)
    limit, typed = form.drawn(), form.cleaned_data["one"]
    # As it was typed: whoever may not see people learns no name by an address.
    is_one = form.cleaned_data["whose"] == _ONE
    names = {limit.holder: typed} if is_one else _names(actor, [limit])
    [shown] = _shown([limit], names, actor)
    context = {
        "form": form,
        "limit": shown,
        "coming": _coming(actor, limit),
        "fields": sent_again(request),
        "save": reverse("console:limit_save"),
        "again": reverse("console:limit_new"),
        "leave": reverse("console:limits"),
        "place": _("Limits"),
    }
    return render(request, "console/limit_review.html", context)


@dataclass(frozen=True, slots=True)
class Coming:
    """What a limit would do, before it holds."""

    held: Held | None
    """None = a key alone."""
    keys: int
    """How many living keys come under it."""
    used: int | None
    """Of a limit like it, since the hour or day began; None where there is none."""
    amount: int

    @property
    def is_over(self) -> bool:
        return self.used is not None and self.used > self.amount


def _coming(actor: Actor, limit: Limit) -> Coming:
    whom: Collection[str] | None = {limit.holder} if limit.holder else None
    if limit.holder_kind is HolderKind.BINDING:
        whom = {access.binding(actor=actor, binding=UUID(limit.holder)).principal}
    is_key = limit.holder_kind is HolderKind.KEY
    permissions = access.permissions_of(limit.permissions or PERMISSIONS)
    return Coming(
        held=None
        if is_key
        else access.held_by(actor=actor, permissions=permissions, principals=whom),
        keys=1 if is_key else accounts.living_keys(actor.workspace, of=whom, at=actor.at),
        used=_used_of_its_like(actor, limit),
        amount=limit.amount,
    )


def _used_of_its_like(actor: Actor, limit: Limit) -> int | None:
    """How much is used of a limit that counts the same for the same: counting records is not cheap."""
    like = [one.rule for one in access.limits(actor=actor) if _counts(one.rule) == _counts(limit)]
    return max(_used(actor, like).values(), default=None)


def _counts(limit: Limit) -> tuple[object, ...]:
    """What two limits have in common that differ in nothing but how much."""
    about = frozenset(access.permissions_of(limit.permissions or ()))
    return limit.holder_kind, limit.holder, limit.metric, limit.per, about


def _known(actor: Actor, limit: UUID) -> Limit:
    try:
        return access.limit(actor=actor, limit=limit)
    except NotFound:
        raise Http404 from None


def _require_binding(actor: Actor, asked: str) -> None:
    try:
        access.binding(actor=actor, binding=UUID(asked))
    except (NotFound, ValueError):
        raise Http404 from None


def _as_it_is(known: Limit, actor: Actor) -> dict[str, Any]:
    is_binding = known.holder_kind is HolderKind.BINDING
    whose = _WORKSPACE if not known.holder else _BINDING if is_binding else _ONE
    return {
        "instead_of": known.id,
        "binding": known.holder if is_binding else None,
        "amount": known.amount,
        "metric": known.metric,
        "per": known.per,
        "whose": whose,
        "one": _names(actor, [known]).get(known.holder, "") if whose == _ONE else "",
        "permissions": access.permissions_of(known.permissions or ()),
    }


def _all(actor: Actor) -> list[Shown]:
    found = [one.rule for one in access.limits(actor=actor)]
    return _shown(found, _names(actor, found), actor)


def _shown(limits: list[Limit], names: Mapping[str, str], actor: Actor) -> list[Shown]:
    used = _used(actor, limits)
    return [
        Shown(
            id=one.id,
            sentence=saying.limit_in_words(one, holder=names.get(one.holder, "")),
            about=[
                _(PERMISSIONS[key].sentence) for key in access.permissions_of(one.permissions or ())
            ],
            amount=one.amount,
            used=used.get(one.id),
        )
        for one in limits
    ]


def _names(actor: Actor, limits: list[Limit]) -> Mapping[str, str]:
    keys = [one.holder for one in limits if one.holder_kind is HolderKind.KEY]
    with in_workspace(actor.workspace):
        named = ApiKey.objects.filter(id__in=keys).values_list("id", "name")
        of_keys = {str(key): name for key, name in named}
    return {**access.names_of_holders(actor=actor, limits=limits), **of_keys}


def _used(actor: Actor, limits: list[Limit]) -> Mapping[str, int]:
    """How much of each is used in the hour or day that is running; of seconds nothing is told."""
    with in_workspace(actor.workspace):
        zone = ZoneInfo(Workspace.objects.get(id=actor.workspace).timezone)
        begun = {per: window_start(per, actor.at, zone) for per in (Per.HOUR, Per.DAY)}
        rows = LimitUse.objects.filter(starts__in=begun.values()).values_list(
            "limit_id", "starts", "used"
        )
        counted = {(str(limit), starts): used for limit, starts, used in rows}
    return {one.id: counted.get((one.id, begun[one.per]), 0) for one in limits if one.per in begun}
