"""Who may come in: from which networks, at which hours, with which factor. Each is a guardrail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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

from portero.console import visits
from portero.console.answers import conflict, done
from portero.console.guardrails import Shown, kept_fields, shown_as
from portero.console.narrowing import MORE_THAN_FITS, Times, fits, of_conditions
from portero.console.saying import Names
from portero.domain.access import queries as access
from portero.domain.access import services
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import InvalidRule, NotFound, ShutsYouOut
from portero.domain.accounts import queries as accounts
from portero.engine import (
    ENTER_CONSOLE,
    ENTER_GATEWAY,
    Conditions,
    Guardrail,
    GuardrailKind,
    Scope,
)

_VALUES = {"days", "starts", "ends", "networks", "factor", "programs"}


@dataclass(frozen=True, slots=True)
class Sentence:
    """A rule on coming in as people choose it."""

    kind: GuardrailKind
    title: Promise
    hint: Promise
    fields: tuple[str, ...]


SENTENCES: Mapping[str, Sentence] = {
    one.kind: one
    for one in (
        Sentence(
            GuardrailKind.REQUIRE_PASSKEY,
            gettext_lazy("Only with a passkey"),
            gettext_lazy("An app's code can be asked for by a false page; a passkey cannot."),
            (),
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


class EntryForm(Times):
    """The values of one rule, and for whom it is."""

    instead_of = forms.UUIDField(required=False, widget=forms.HiddenInput)
    programs = forms.BooleanField(
        label=gettext_lazy("Programs too: whatever calls with a key"), required=False
    )
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("For whom"),
        help_text=gettext_lazy("Choose none for everybody, owners too."),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    reason = forms.CharField(
        label=gettext_lazy("Why? Whoever reads it in a year will be glad"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    back = forms.BooleanField(required=False)

    def __init__(self, *args: Any, sentence: Sentence, actor: Actor, **kwargs: Any) -> None:
        self.sentence = sentence
        super().__init__(*args, without=_VALUES.difference(sentence.fields), **kwargs)
        roles = self.fields["roles"]
        assert isinstance(roles, forms.ChoiceField)  # noqa: S101 - as declared above
        roles.choices = [
            (str(one.id), _(one.name) if one.builtin else one.name)
            for one in access.role_names(actor=actor)
        ]
        for name in _VALUES.intersection(sentence.fields) - {"programs"}:
            self.fields[name].required = True

    @override
    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("programs") and found.get("roles"):
            self.add_error(
                "programs", _("Roles are of people here: for programs, choose no role below.")
            )
        return found

    def rule(self) -> dict[str, Any]:
        """What the services take."""
        found = self.cleaned_data
        about = [ENTER_CONSOLE, *([ENTER_GATEWAY] if found.get("programs") else [])]
        return {
            "name": str(self.sentence.title),
            "kind": self.sentence.kind,
            "permissions": about,
            "principals": [UUID(one) for one in found["roles"]] or None,
            "networks": tuple(found["networks"]) if "networks" in self.fields else None,
            "hours": self.hours if "days" in self.fields else None,
            "reason": found["reason"],
        }

    def drawn(self) -> Guardrail:
        """The guardrail it would be, to be told of."""
        rule, instead = self.rule(), self.cleaned_data["instead_of"]
        roles = rule["principals"]
        return Guardrail(
            id=str(instead or ""),
            name=rule["name"],
            kind=rule["kind"],
            permissions=frozenset(rule["permissions"]),
            principals=frozenset(map(str, roles)) if roles else None,
            networks=rule["networks"],
            hours=rule["hours"],
        )


def rules(request: HttpRequest) -> HttpResponse:
    actor = visits.actor(request)
    names = Names.of(actor.workspace)
    shown: list[Shown] = [
        shown_as(one.rule, names, actor, one) for one in access.entry_rules(actor=actor)
    ]
    context = {
        "rules": shown,
        "sentences": SENTENCES.values(),
    }
    return render(request, "console/coming_in.html", context)


def new(request: HttpRequest, kind: str) -> HttpResponse:
    """The form; posted, whom it would keep outside. Nothing is changed by it."""
    actor, sentence = visits.actor(request), _sentence(kind)
    if request.method != "POST":
        return _show(request, EntryForm(sentence=sentence, actor=actor))
    form = EntryForm(request.POST, sentence=sentence, actor=actor)
    if not form.is_valid() or form.cleaned_data["back"]:
        return _show(request, form)
    drawn = form.drawn()
    context = {
        "form": form,
        "rule": shown_as(drawn, Names.of(actor.workspace), actor),
        "outside": accounts.kept_outside(actor=actor, rule=drawn),
        "by_passkey": drawn.kind is GuardrailKind.REQUIRE_PASSKEY,
        "fields": list(kept_fields(request)),
        "save": reverse("console:entry_save", args=[kind]),
        "again": reverse("console:entry_new", args=[kind]),
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
    when = Conditions(known.hours, known.networks, known.fresh_factor_s)
    roles = {str(one.id) for one in access.role_names(actor=actor)}
    is_ours = known.kind in SENTENCES and set(known.permissions) <= {ENTER_CONSOLE, ENTER_GATEWAY}
    if not is_ours or not fits(Scope(), when) or not roles.issuperset(known.principals or ()):
        return conflict(request, str(MORE_THAN_FITS))
    initial = {
        "instead_of": known.id,
        "programs": ENTER_GATEWAY in known.permissions,
        "roles": sorted(known.principals or ()),
        **of_conditions(when),
    }
    return _show(request, EntryForm(sentence=SENTENCES[known.kind], actor=actor, initial=initial))


def save(request: HttpRequest, kind: str) -> HttpResponse:
    actor = visits.actor(request)
    form = EntryForm(request.POST, sentence=_sentence(kind), actor=actor)
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
                    "You could not come in yourself under this rule, from where you are and as you"
                    " signed in. Nothing was saved: meet it first, or leave yourself room in it."
                ),
            )
        except InvalidRule:
            form.add_error(None, _("This rule cannot hold as it is."))
        else:
            return done(request, _("It holds from now on."), "console:coming_in")
    return _show(request, form)


def _save(actor: Actor, form: EntryForm) -> None:
    replaced = form.cleaned_data["instead_of"]
    if replaced is None:
        services.create_guardrail(actor=actor, **form.rule())
    else:
        services.replace_guardrail(actor=actor, guardrail=replaced, **form.rule())


def _sentence(kind: str) -> Sentence:
    if kind not in SENTENCES:
        raise Http404
    return SENTENCES[kind]


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
