"""Guardrails: made by choosing a sentence and filling in its values, seen before they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from typing_extensions import override

from portero.console import saying, visits
from portero.console.answers import conflict, done
from portero.console.membership import Reason
from portero.console.naming import principals_called
from portero.console.narrowing import (
    CHOSEN,
    FACTORS,
    MORE_THAN_FITS,
    Places,
    Times,
    fits,
    of_conditions,
    of_scope,
    places_here,
)
from portero.console.saying import Names
from portero.console.telling import guardrail_in_words
from portero.domain.access import queries as access
from portero.domain.access import services
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import InvalidRule, LocksItselfIn, NotFound, ShutsYouOut
from portero.domain.access.queries import Held, Standing
from portero.domain.audit.models import in_workspace
from portero.engine import PERMISSIONS, Conditions, Guardrail, GuardrailKind, spec_of

_EVERYBODY, _THESE = "everybody", "these"
_REQUIRED = frozenset({"days", "starts", "ends", "networks", "factor"})
_VALUES = _REQUIRED | {"threshold"}
"""What one sentence or another needs filled in."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A kind of guardrail as people choose it."""

    kind: GuardrailKind
    title: Promise
    hint: Promise
    fields: tuple[str, ...] = ()
    """What is to be filled in, besides what it is about, for whom and where."""


SENTENCES: Mapping[str, Sentence] = {
    one.kind: one
    for one in (
        Sentence(
            GuardrailKind.DENY,
            gettext_lazy("This never happens"),
            gettext_lazy("Whoever has the right does not have it where this holds."),
        ),
        Sentence(
            GuardrailKind.REQUIRE_FRESH_FACTOR,
            gettext_lazy("Only with a second factor shown a moment before"),
            gettext_lazy("For what would do harm in the hands of whoever finds an open screen."),
            ("factor",),
        ),
        Sentence(
            GuardrailKind.REQUIRE_PASSKEY,
            gettext_lazy("Only with a passkey"),
            gettext_lazy("An app's code can be asked for by a false page; a passkey cannot."),
        ),
        Sentence(
            GuardrailKind.HOURS,
            gettext_lazy("Only at these hours"),
            gettext_lazy("By the clock of this workspace."),
            ("days", "starts", "ends"),
        ),
        Sentence(
            GuardrailKind.NETWORKS,
            gettext_lazy("Only from these networks"),
            gettext_lazy("Such as those of the shop, or of the servers."),
            ("networks",),
        ),
        Sentence(
            GuardrailKind.TEMPLATES_ONLY,
            gettext_lazy("Only approved templates are sent"),
            gettext_lazy("Text, media and everything else that was not approved stays here."),
        ),
        Sentence(
            GuardrailKind.REQUIRE_SECOND_PERSON,
            gettext_lazy("A second person approves it"),
            gettext_lazy("A key cannot bring an approval: above the number it is refused."),
            ("threshold",),
        ),
        Sentence(
            GuardrailKind.REQUIRE_WINDOW,
            gettext_lazy("Only while the customer wrote in the last 24 hours"),
            gettext_lazy("Where it is not known when they wrote last, nothing is sent."),
        ),
        Sentence(
            GuardrailKind.REQUIRE_CONSENT,
            gettext_lazy("Only to customers who agreed to it"),
            gettext_lazy("Where no consent is on record, nothing is sent."),
        ),
    )
}


def grouped_permissions() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every permission as a choice, in the catalogue's groups."""
    return [
        (_(group), [(spec.key, _(spec.sentence)) for spec in specs])
        for group, specs in groupby(PERMISSIONS.values(), key=lambda spec: spec.group)
    ]


class GuardrailForm(Places, Times):
    """A sentence with its values; what the sentence does not need is not in it."""

    kind = forms.CharField(widget=forms.HiddenInput)
    instead_of = forms.UUIDField(required=False, widget=forms.HiddenInput)
    name = forms.CharField(
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("Whoever is stopped by it reads this."),
        max_length=200,
    )
    permissions = forms.MultipleChoiceField(
        label=gettext_lazy("What it is about"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one thing.")},
    )
    whom = forms.ChoiceField(
        label=gettext_lazy("For whom"),
        choices=[
            (_EVERYBODY, gettext_lazy("Everybody, owners too")),
            (_THESE, gettext_lazy("Only those whom I name")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Say whom it holds.")},
    )
    people = forms.CharField(
        label=gettext_lazy("People, teams and service accounts"),
        help_text=gettext_lazy("A name or an address on each line. A team stands for its members."),
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    threshold = forms.IntegerField(
        label=gettext_lazy("Above this many recipients"),
        help_text=gettext_lazy("Empty: always."),
        min_value=1,
        max_value=10_000_000,
        required=False,
    )
    reason = forms.CharField(
        label=gettext_lazy("Why? Whoever reads it in a year will be glad"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    back = forms.BooleanField(required=False)

    def __init__(self, *args: Any, sentence: Sentence, actor: Actor, **kwargs: Any) -> None:
        self._actor = actor
        super().__init__(*args, without=_VALUES.difference(sentence.fields), **kwargs)
        with in_workspace(actor.workspace):
            self.places = places_here()
        offered: dict[str, list[Any]] = {
            **self.places,
            "permissions": grouped_permissions(),
            "factor": FACTORS[1:],
        }
        for name in offered.keys() & self.fields.keys():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101 - as declared above
            field.choices = offered[name]
        for name in _REQUIRED.intersection(sentence.fields):
            self.fields[name].required = True
        self.fields["numbers"].label = _("From these numbers")
        self.fields["teams"].label = _("In conversations of these teams")

    @override
    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("whom") == _THESE and not found.get("people") and "people" not in self.errors:
            self.add_error("people", _("Name at least one."))
        if found.get("whom") == _EVERYBODY and found.get("people"):
            self.add_error("whom", _("You named somebody below: take them out, or say only those."))
        return found

    def clean_people(self) -> list[tuple[UUID, str]]:
        typed = self.cleaned_data["people"]
        found = principals_called(self._actor.workspace, typed)
        return [(one.principal, one.name) for one in found]

    def rule(self) -> dict[str, Any]:
        """What the services take."""
        found = self.cleaned_data
        when = Conditions(
            hours=self.hours if "days" in self.fields else None,
            networks=tuple(found["networks"]) if "networks" in self.fields else None,
            fresh_factor_s=int(found["factor"]) if "factor" in self.fields else None,
        )
        return {
            "name": found["name"],
            "kind": GuardrailKind(found["kind"]),
            "permissions": found["permissions"],
            "scope": self.scope,
            "principals": [one for one, _name in found["people"]] or None,
            "fresh_factor_s": when.fresh_factor_s,
            "networks": when.networks,
            "hours": when.hours,
            "threshold": found.get("threshold"),
            "reason": found["reason"],
        }

    def drawn(self) -> Guardrail:
        """The guardrail it would be, to be told of."""
        rule = self.rule()
        people = rule["principals"]
        return Guardrail(
            id="",
            name=rule["name"],
            kind=rule["kind"],
            permissions=frozenset(rule["permissions"]),
            scope=rule["scope"],
            principals=frozenset(map(str, people)) if people else None,
            fresh_factor_s=rule["fresh_factor_s"],
            networks=rule["networks"],
            hours=rule["hours"],
            threshold=rule["threshold"],
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """A guardrail as a card."""

    id: str
    name: str
    sentence: str
    about: list[str]
    whom: list[str] | None
    """None = everybody."""
    where: list[str]
    made: Standing[Guardrail] | None = None


def guardrails(request: HttpRequest) -> HttpResponse:
    actor = visits.actor(request)
    names = Names.of(actor.workspace)
    shown = [
        shown_as(one.rule, names, actor, one)
        for one in access.guardrails(actor=actor)
        if not access.is_about_entry(one.rule)
    ]
    return render(request, "console/guardrails.html", {"rules": shown})


def shown_as(
    rule: Guardrail, names: Names, actor: Actor, made: Standing[Guardrail] | None = None
) -> Shown:
    keys = access.permissions_of(rule.permissions)
    return Shown(
        id=rule.id,
        name=rule.name,
        sentence=guardrail_in_words(rule),
        about=[_(spec_of(key).sentence) for key in keys],
        whom=None
        if rule.principals is None
        else access.names_of(actor=actor, principals=rule.principals),
        where=saying.where(rule.scope, names),
        made=made,
    )


def new(request: HttpRequest) -> HttpResponse:
    """The sentences; then the form of one; posted, whom it would hold. Nothing is changed by it."""
    asked = request.POST.get("kind") or request.GET.get("kind")
    if asked is None:
        return render(
            request, "console/guardrail_sentences.html", {"sentences": SENTENCES.values()}
        )
    sentence = _sentence(asked)
    actor = visits.actor(request)
    if request.method == "POST":
        form = GuardrailForm(request.POST, sentence=sentence, actor=actor)
        if form.is_valid() and not form.cleaned_data["back"]:
            return _review(request, form)
        return _show(request, sentence, form)
    return _show(
        request,
        sentence,
        GuardrailForm(
            sentence=sentence, actor=actor, initial={"kind": sentence.kind, "whom": _EVERYBODY}
        ),
    )


def change(request: HttpRequest, guardrail: UUID) -> HttpResponse:
    """The form, as the guardrail is; it is posted to where new ones are."""
    actor = visits.actor(request)
    try:
        known = access.guardrail(actor=actor, guardrail=guardrail)
    except NotFound:
        raise Http404 from None
    if not fits(known.scope, _when(known)):
        return conflict(request, str(MORE_THAN_FITS))
    if known.kind not in SENTENCES or access.is_about_entry(known):
        raise Http404
    sentence = SENTENCES[known.kind]
    form = GuardrailForm(sentence=sentence, actor=actor, initial=_as_it_is(known, actor))
    return _show(request, sentence, form)


def save(request: HttpRequest) -> HttpResponse:
    actor = visits.actor(request)
    sentence = _sentence(request.POST.get("kind", ""))
    form = GuardrailForm(request.POST, sentence=sentence, actor=actor)
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
        except ShutsYouOut:
            form.add_error(
                None,
                _(
                    "You could not take this guardrail away again yourself, from where you are and as"
                    " you signed in. Nothing was saved: meet it first, or leave yourself room in it."
                ),
            )
        except LocksItselfIn:
            form.add_error(
                "permissions",
                _(
                    "Nobody could take this guardrail away again: leave “Create and change guardrails” out of it."
                ),
            )
        except InvalidRule:
            form.add_error(None, _("This names too many places at once: choose fewer."))
        else:
            return done(request, _("It holds from now on."), "console:guardrails")
    return _show(request, sentence, form)


def _save(actor: Actor, form: GuardrailForm) -> None:
    replaced = form.cleaned_data["instead_of"]
    if replaced is None:
        services.create_guardrail(actor=actor, **form.rule())
    else:
        services.replace_guardrail(actor=actor, guardrail=replaced, **form.rule())


def retire(request: HttpRequest, guardrail: UUID) -> HttpResponse:
    """Whom it holds until then; posted, it is taken away."""
    actor = visits.actor(request)
    try:
        known = access.guardrail(actor=actor, guardrail=guardrail)
    except NotFound:
        raise Http404 from None
    form = Reason(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        services.retire_guardrail(
            actor=actor, guardrail=guardrail, reason=form.cleaned_data["reason"]
        )
        page = "coming_in" if access.is_about_entry(known) else "guardrails"
        return done(request, _("It is taken away."), f"console:{page}")
    context = {
        "form": form,
        "rule": shown_as(known, Names.of(actor.workspace), actor),
        "held": _held(actor, known),
    }
    return render(request, "console/guardrail_retire.html", context)


def _sentence(kind: str) -> Sentence:
    if kind not in SENTENCES:
        raise Http404
    return SENTENCES[kind]


def _as_it_is(known: Guardrail, actor: Actor) -> dict[str, Any]:
    people = access.names_of(actor=actor, principals=known.principals or ())
    return {
        "kind": known.kind,
        "instead_of": known.id,
        "name": known.name,
        "permissions": access.permissions_of(known.permissions),
        "whom": _EVERYBODY if known.principals is None else _THESE,
        "people": "\n".join(people),
        "threshold": known.threshold,
        **of_scope(known.scope),
        **of_conditions(_when(known)),
    }


def _when(rule: Guardrail) -> Conditions:
    return Conditions(rule.hours, rule.networks, rule.fresh_factor_s)


def _show(request: HttpRequest, sentence: Sentence, form: GuardrailForm) -> HttpResponse:
    context = {
        "form": form,
        "sentence": sentence,
        "values": [form[name] for name in sentence.fields],
        "places": [form[name] for name in CHOSEN if form.places[name]],
        "is_placed": any(form[name].value() for name in (*CHOSEN, "countries")),
        "groups": picked(form["permissions"]),
    }
    return render(
        request, "console/guardrail_form.html", context, status=400 if form.errors else 200
    )


def picked(field: forms.BoundField) -> list[tuple[str, list[tuple[str, str, bool]], int]]:
    """Groups of permissions with what is chosen in each."""
    chosen = set(field.value() or ())
    groups = [
        (group, [(key, sentence, key in chosen) for key, sentence in some])
        for group, some in grouped_permissions()
    ]
    return [(group, some, sum(is_chosen for *_one, is_chosen in some)) for group, some in groups]


def _held(actor: Actor, rule: Guardrail) -> Held:
    keys = access.permissions_of(rule.permissions)
    return access.held_by(actor=actor, permissions=keys, principals=rule.principals)


def _review(request: HttpRequest, form: GuardrailForm) -> HttpResponse:
    actor, drawn = visits.actor(request), form.drawn()
    context = {
        "form": form,
        "rule": shown_as(drawn, Names.of(actor.workspace), actor),
        "held": _held(actor, drawn),
        "fields": list(kept_fields(request)),
        "save": reverse("console:guardrail_save"),
        "again": reverse("console:guardrail_new"),
        "leave": reverse("console:guardrails"),
    }
    return render(request, "console/guardrail_review.html", context)


def kept_fields(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """What was posted, to be posted once more by whoever has seen what it does."""
    for name, values in request.POST.lists():
        if name not in {"csrfmiddlewaretoken", "reason", "back"}:
            yield from ((name, str(value)) for value in values)
