"""Drawing a guardrail, on entries or on anything else: a sentence, its values, for whom, and saving."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from typing_extensions import override

from portero.console import saying
from portero.console.naming import Named, named_in_a_rule
from portero.console.narrowing import Times, of_conditions
from portero.console.saying import Names
from portero.domain.access import queries as access
from portero.domain.access import services
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import InvalidRule, LocksItselfIn, NotFound, ShutsYouOut
from portero.domain.access.queries import Addressee, Standing
from portero.engine import Conditions, Guardrail, GuardrailKind, spec_of

EVERYBODY, _THESE = "everybody", "these"
_REQUIRED = frozenset({"days", "starts", "ends", "networks", "factor"})


@dataclass(frozen=True, slots=True)
class Sentence:
    """A kind of guardrail as people choose it."""

    kind: GuardrailKind
    title: Promise
    hint: Promise
    fields: tuple[str, ...] = ()
    """What is to be filled in, besides what it is about, for whom and where."""


Sentences = Mapping[str, Sentence]


def chosen(sentences: Sentences, kind: str) -> Sentence:
    """The sentence of a kind. Raises Http404."""
    if kind not in sentences:
        raise Http404
    return sentences[kind]


class RuleForm(Times):
    """The values of a sentence, and for whom it is; what the sentence does not need is not in it."""

    values: frozenset[str]
    """What one sentence or another of the form needs filled in."""

    instead_of = forms.UUIDField(required=False, widget=forms.HiddenInput)
    whom = forms.ChoiceField(
        label=gettext_lazy("For whom"),
        choices=[
            (EVERYBODY, gettext_lazy("Everybody, owners too")),
            (_THESE, gettext_lazy("Only those whom I name")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Say whom it holds.")},
    )
    people = forms.CharField(
        label=gettext_lazy("Roles, people, teams and service accounts"),
        help_text=gettext_lazy(
            "A name or an address on each line. A role stands for whoever has it, a team for its members."
        ),
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    reason = forms.CharField(
        label=gettext_lazy("Why? Whoever reads it in a year will be glad"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    back = forms.BooleanField(required=False)

    def __init__(self, *args: Any, sentence: Sentence, actor: Actor, **kwargs: Any) -> None:
        self.sentence, self._actor = sentence, actor
        super().__init__(*args, without=self.values.difference(sentence.fields), **kwargs)
        for name in _REQUIRED.intersection(sentence.fields):
            self.fields[name].required = True

    @override
    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("whom") == _THESE and not found.get("people") and "people" not in self.errors:
            self.add_error("people", _("Name at least one."))
        if found.get("whom") == EVERYBODY and found.get("people"):
            self.add_error("whom", _("You named somebody below: take them out, or say only those."))
        return found

    def clean_people(self) -> list[Named]:
        standing = _lines(self._actor, _replaced(self._actor, self.cleaned_data.get("instead_of")))
        return list(named_in_a_rule(self._actor, self.cleaned_data["people"], standing))

    def rule(self) -> dict[str, Any]:
        """What the services take. Each form adds what the rule is about."""
        found = self.cleaned_data
        return {
            "name": str(self.sentence.title),
            "kind": self.sentence.kind,
            "principals": [one.id for one in found["people"]] or None,
            "fresh_factor_s": int(found["factor"]) if "factor" in self.fields else None,
            "networks": tuple(found["networks"]) if "networks" in self.fields else None,
            "hours": self.hours if "days" in self.fields else None,
            "reason": found["reason"],
        }

    def drawn(self) -> Guardrail:
        """The guardrail it would be, to be told of."""
        rule = self.rule()
        del rule["reason"]
        rule["permissions"] = frozenset(rule["permissions"])
        if rule["principals"] is not None:
            rule["principals"] = frozenset(map(str, rule["principals"]))
        return Guardrail(id=str(self.cleaned_data["instead_of"] or ""), **rule)


def when(rule: Guardrail) -> Conditions:
    return Conditions(rule.hours, rule.networks, rule.fresh_factor_s)


def as_it_is(known: Guardrail, actor: Actor) -> dict[str, Any]:
    """The fields of `RuleForm` filled in as a guardrail is."""
    people = sorted(_lines(actor, known), key=str.casefold)
    return {
        "instead_of": known.id,
        "whom": EVERYBODY if known.principals is None else _THESE,
        "people": "\n".join(people),
        **of_conditions(when(known)),
    }


def _replaced(actor: Actor, guardrail: UUID | None) -> Guardrail | None:
    """The guardrail that another is to come in place of; None also if it was taken away meanwhile."""
    if guardrail is None:
        return None
    try:
        return access.guardrail(actor=actor, guardrail=guardrail)
    except NotFound:
        return None


def _lines(actor: Actor, known: Guardrail | None) -> dict[str, UUID]:
    """Whom a guardrail names, by the line that stands for each in the form.

    That is a name, or an id where two whom it names have one.
    """
    principals = known.principals if known is not None else None
    found = access.addressees(actor=actor, principals=principals or ())
    counts = Counter(one.name.casefold() for one in found)
    return {one.name if counts[one.name.casefold()] == 1 else one.id: UUID(one.id) for one in found}


def save(form: RuleForm, actor: Actor, *, shuts_out: str, locks_in: str, invalid: str) -> bool:
    """Draw it, or put it in the place of another; whether it holds. If not, the form says why.

    `shuts_out` is said to who could not take it back, `locks_in` of what nobody could, and `invalid`
    of what else cannot be a rule.
    """
    if not form.is_valid():
        return False
    replaced: UUID | None = form.cleaned_data["instead_of"]
    try:
        if replaced is None:
            services.create_guardrail(actor=actor, **form.rule())
        else:
            services.replace_guardrail(actor=actor, guardrail=replaced, **form.rule())
    except NotFound:
        form.add_error(
            None,
            _(
                "It was taken away or changed meanwhile. Nothing was saved; what you wrote is still here."
            ),
        )
    except ShutsYouOut:
        form.add_error(None, shuts_out)
    except LocksItselfIn:
        form.add_error("permissions" if "permissions" in form.fields else None, locks_in)
    except InvalidRule:
        form.add_error(None, invalid)
    return form.is_valid()


@dataclass(frozen=True, slots=True)
class Shown:
    """A guardrail as a card."""

    id: str
    name: str
    sentence: str
    about: list[str]
    whom: list[Addressee] | None
    """None = everybody."""
    where: list[str]
    made: Standing[Guardrail] | None = None


def shown_as(
    rule: Guardrail, names: Names, actor: Actor, made: Standing[Guardrail] | None = None
) -> Shown:
    keys = access.permissions_of(rule.permissions)
    return Shown(
        id=rule.id,
        name=rule.name,
        sentence=saying.guardrail_in_words(rule),
        about=[_(spec_of(key).sentence) for key in keys],
        whom=None
        if rule.principals is None
        else access.addressees(actor=actor, principals=rule.principals),
        where=saying.where(rule.scope, names),
        made=made,
    )


def cards(rules: Collection[Standing[Guardrail]], actor: Actor) -> list[Shown]:
    names = Names.of(actor.workspace)
    return [shown_as(one.rule, names, actor, one) for one in rules]
