"""Who may come in: from which networks, at which hours, with which factor. Each is a guardrail."""

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
from portero.console.narrowing import MORE_THAN_FITS, fits
from portero.console.saying import Names
from portero.domain.access import queries as access
from portero.domain.access.errors import NotFound
from portero.domain.accounts import queries as accounts
from portero.engine import ENTER_CONSOLE, ENTER_GATEWAY, GuardrailKind, Scope

SENTENCES: Sentences = {
    one.kind: one
    for one in (
        Sentence(
            GuardrailKind.REQUIRE_PASSKEY,
            gettext_lazy("Only with a passkey"),
            gettext_lazy("An app's code can be asked for by a false page; a passkey cannot."),
        ),
        Sentence(
            GuardrailKind.NETWORKS,
            gettext_lazy("Only from these networks"),
            gettext_lazy("Such as those of the shop, or of the servers."),
            ("networks", "programs"),
        ),
        Sentence(
            GuardrailKind.HOURS,
            gettext_lazy("Only at these hours"),
            gettext_lazy("By the clock of this workspace."),
            ("days", "starts", "ends", "programs"),
        ),
    )
}


class EntryForm(RuleForm):
    """The values of a sentence, for whom it is, and whether for programs."""

    values = frozenset({"days", "starts", "ends", "networks", "factor", "programs"})

    programs = forms.BooleanField(
        label=gettext_lazy("Programs too: whatever calls with a key"), required=False
    )

    @override
    def clean(self) -> dict[str, Any]:
        found = super().clean()
        if found.get("programs") and any(one.is_role for one in found.get("people", ())):
            self.add_error(
                "programs", _("Roles are of people here: for programs, name no role below.")
            )
        return found

    @override
    def rule(self) -> dict[str, Any]:
        programs = [ENTER_GATEWAY] if self.cleaned_data.get("programs") else []
        return {**super().rule(), "permissions": [ENTER_CONSOLE, *programs]}


def rules(request: HttpRequest) -> HttpResponse:
    actor = visits.actor(request)
    context = {
        "rules": drawing.cards(access.entry_rules(actor=actor), actor),
        "sentences": SENTENCES.values(),
    }
    return render(request, "console/coming_in.html", context)


def new(request: HttpRequest, kind: str) -> HttpResponse:
    """The form; posted, whom it would keep outside. Nothing is changed by it."""
    actor, sentence = visits.actor(request), drawing.chosen(SENTENCES, kind)
    if request.method != "POST":
        begun = {"whom": EVERYBODY}
        return _show(request, EntryForm(sentence=sentence, actor=actor, initial=begun))
    form = EntryForm(request.POST, sentence=sentence, actor=actor)
    if not form.is_valid() or form.cleaned_data["back"]:
        return _show(request, form)
    drawn = form.drawn()
    context = {
        "form": form,
        "rule": drawing.shown_as(drawn, Names.of(actor.workspace), actor),
        "outside": accounts.kept_outside(actor=actor, rule=drawn),
        "by_passkey": drawn.kind is GuardrailKind.REQUIRE_PASSKEY,
        "fields": sent_again(request),
        "save": reverse("console:entry_save", args=[kind]),
        "again": reverse("console:entry_new", args=[kind]),
        "leave": reverse("console:coming_in"),
        "place": _("Coming in"),
    }
    return render(request, "console/coming_in_review.html", context)


def change(request: HttpRequest, entry: UUID) -> HttpResponse:
    """The form, as the rule is; it is posted to where new ones are."""
    actor = visits.actor(request)
    try:
        known = access.guardrail(actor=actor, guardrail=entry)
    except NotFound:
        raise Http404 from None
    if not access.is_about_entry(known):
        raise Http404
    is_ours = known.kind in SENTENCES and known.permissions <= {ENTER_CONSOLE, ENTER_GATEWAY}
    if not is_ours or known.scope != Scope() or not fits(known.scope, drawing.when(known)):
        return conflict(request, str(MORE_THAN_FITS))
    initial = {
        "programs": ENTER_GATEWAY in known.permissions,
        **drawing.as_it_is(known, actor),
    }
    return _show(request, EntryForm(sentence=SENTENCES[known.kind], actor=actor, initial=initial))


def save(request: HttpRequest, kind: str) -> HttpResponse:
    actor = visits.actor(request)
    form = EntryForm(request.POST, sentence=drawing.chosen(SENTENCES, kind), actor=actor)
    shuts_out = _(
        "You could not come in yourself under this rule, from where you are and as you"
        " signed in. Nothing was saved: meet it first, or leave yourself room in it."
    )
    invalid = _("This rule cannot hold as it is.")
    if drawing.save(form, actor, shuts_out=shuts_out, locks_in=invalid, invalid=invalid):
        return done(request, _("It holds from now on."), "console:coming_in")
    return _show(request, form)


def _show(request: HttpRequest, form: EntryForm) -> HttpResponse:
    sentence = form.sentence
    context = {
        "form": form,
        "sentence": sentence,
        "values": [form[name] for name in sentence.fields if name != "programs"],
        "programs": form["programs"] if "programs" in sentence.fields else None,
        "address": request.META["REMOTE_ADDR"],
        "review": reverse("console:entry_new", args=[sentence.kind]),
    }
    status = 400 if form.errors else 200
    return render(request, "console/coming_in_form.html", context, status=status)
