"""Guardrails: made by choosing a sentence and filling in its values, seen before they hold."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from typing_extensions import override

from portero.console import drawing, visits
from portero.console.answers import conflict, done
from portero.console.drawing import EVERYBODY, RuleForm, Sentence, Sentences
from portero.console.forms import sent_again
from portero.console.membership import Reason
from portero.console.narrowing import (
    CHOSEN,
    FACTORS,
    MORE_THAN_FITS,
    Places,
    fits,
    of_scope,
    places_here,
)
from portero.console.picking import grouped_permissions, picked
from portero.console.saying import Names
from portero.domain.access import queries as access
from portero.domain.access import services
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import NotFound
from portero.domain.access.queries import Held
from portero.domain.audit.models import in_workspace
from portero.engine import Guardrail, GuardrailKind

SENTENCES: Sentences = {
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


class GuardrailForm(Places, RuleForm):
    """A sentence with its values, what it is about, for whom and where."""

    values = frozenset({"days", "starts", "ends", "networks", "factor", "threshold"})

    kind = forms.CharField(widget=forms.HiddenInput)
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
    threshold = forms.IntegerField(
        label=gettext_lazy("Above this many recipients"),
        help_text=gettext_lazy("Empty: always."),
        min_value=1,
        max_value=10_000_000,
        required=False,
    )

    def __init__(self, *args: Any, sentence: Sentence, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, sentence=sentence, actor=actor, **kwargs)
        with in_workspace(actor.workspace):
            self.places = places_here()
        offered: dict[str, list[Any]] = {
            **self.places,
            "permissions": grouped_permissions(),
            "factor": FACTORS[1:],
        }
        for name in offered.keys() & self.fields.keys():
            self.offer(name, offered[name])
        self.fields["numbers"].label = _("From these numbers")
        self.fields["teams"].label = _("In conversations of these teams")

    @override
    def rule(self) -> dict[str, Any]:
        found = self.cleaned_data
        return {
            **super().rule(),
            "name": found["name"],
            "permissions": found["permissions"],
            "scope": self.scope,
            "threshold": found.get("threshold"),
        }


def guardrails(request: HttpRequest) -> HttpResponse:
    actor = visits.actor(request)
    others = [one for one in access.guardrails(actor=actor) if not access.is_about_entry(one.rule)]
    return render(request, "console/guardrails.html", {"rules": drawing.cards(others, actor)})


def new(request: HttpRequest) -> HttpResponse:
    """The sentences; then the form of one; posted, whom it would hold. Nothing is changed by it."""
    asked = request.POST.get("kind") or request.GET.get("kind")
    if asked is None:
        return render(
            request, "console/guardrail_sentences.html", {"sentences": SENTENCES.values()}
        )
    sentence, actor = drawing.chosen(SENTENCES, asked), visits.actor(request)
    if request.method != "POST":
        begun = {"kind": sentence.kind, "whom": EVERYBODY}
        return _show(request, GuardrailForm(sentence=sentence, actor=actor, initial=begun))
    form = GuardrailForm(request.POST, sentence=sentence, actor=actor)
    if not form.is_valid() or form.cleaned_data["back"]:
        return _show(request, form)
    return _review(request, form)


def change(request: HttpRequest, guardrail: UUID) -> HttpResponse:
    """The form, as the guardrail is; it is posted to where new ones are."""
    actor = visits.actor(request)
    known = _standing(actor, guardrail)
    if not fits(known.scope, drawing.when(known)):
        return conflict(request, str(MORE_THAN_FITS))
    if known.kind not in SENTENCES or access.is_about_entry(known):
        raise Http404
    initial = {
        "kind": known.kind,
        "name": known.name,
        "permissions": access.permissions_of(known.permissions),
        "threshold": known.threshold,
        **of_scope(known.scope),
        **drawing.as_it_is(known, actor),
    }
    return _show(
        request, GuardrailForm(sentence=SENTENCES[known.kind], actor=actor, initial=initial)
    )


def save(request: HttpRequest) -> HttpResponse:
    actor = visits.actor(request)
    sentence = drawing.chosen(SENTENCES, request.POST.get("kind", ""))
    form = GuardrailForm(request.POST, sentence=sentence, actor=actor)
    shuts_out = _(
        "You could not take this guardrail away again yourself, from where you are and as"
        " you signed in. Nothing was saved: meet it first, or leave yourself room in it."
    )
    locks_in = _(
        "Nobody could take this guardrail away again: leave “Create and change guardrails” out of it."
    )
    invalid = _("This names too many places at once: choose fewer.")
    if drawing.save(form, actor, shuts_out=shuts_out, locks_in=locks_in, invalid=invalid):
        return done(request, _("It holds from now on."), "console:guardrails")
    return _show(request, form)


def retire(request: HttpRequest, guardrail: UUID) -> HttpResponse:
    """Whom it holds until then; posted, it is taken away."""
    actor = visits.actor(request)
    known = _standing(actor, guardrail)
    is_about_entry = access.is_about_entry(known)
    page = "console:coming_in" if is_about_entry else "console:guardrails"
    form = Reason(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        services.retire_guardrail(
            actor=actor, guardrail=guardrail, reason=form.cleaned_data["reason"]
        )
        return done(request, _("It is taken away."), page)
    context = {
        "form": form,
        "rule": drawing.shown_as(known, Names.of(actor.workspace), actor),
        "held": _held(actor, known),
        "leave": reverse(page),
        "place": _("Coming in") if is_about_entry else _("Guardrails"),
    }
    return render(request, "console/guardrail_retire.html", context)


def _standing(actor: Actor, guardrail: UUID) -> Guardrail:
    try:
        return access.guardrail(actor=actor, guardrail=guardrail)
    except NotFound:
        raise Http404 from None


def _show(request: HttpRequest, form: GuardrailForm) -> HttpResponse:
    context = {
        "form": form,
        "sentence": form.sentence,
        "values": [form[name] for name in form.sentence.fields],
        "places": [form[name] for name in CHOSEN if form.places[name]],
        "is_placed": any(form[name].value() for name in (*CHOSEN, "countries")),
        "groups": picked(form["permissions"]),
    }
    return render(
        request, "console/guardrail_form.html", context, status=400 if form.errors else 200
    )


def _held(actor: Actor, rule: Guardrail) -> Held:
    keys = access.permissions_of(rule.permissions)
    return access.held_by(actor=actor, permissions=keys, principals=rule.principals)


def _review(request: HttpRequest, form: GuardrailForm) -> HttpResponse:
    actor, drawn = visits.actor(request), form.drawn()
    context = {
        "form": form,
        "rule": drawing.shown_as(drawn, Names.of(actor.workspace), actor),
        "held": _held(actor, drawn),
        "fields": sent_again(request),
        "save": reverse("console:guardrail_save"),
        "again": reverse("console:guardrail_new"),
        "leave": reverse("console:guardrails"),
        "place": _("Guardrails"),
    }
    return render(request, "console/guardrail_review.html", context)
