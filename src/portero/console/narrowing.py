"""What narrows a rule, as fields of a form: places, times, networks, a factor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portero.console.countries import named_in
from portero.console.forms import Form
from portero.domain.access.models import Principal
from portero.domain.workspaces.models import Number, TemplateSet, Waba
from portero.engine import PERMISSIONS, Conditions, Hours, PermissionSpec, Reach, Scope
from portero.engine.networks import parse_network

_SEVERAL: dict[str, Any] = {"required": False, "widget": forms.CheckboxSelectMultiple}
_DAYS = [
    ("0", gettext_lazy("Mon")), ("1", gettext_lazy("Tue")), ("2", gettext_lazy("Wed")),
    ("3", gettext_lazy("Thu")), ("4", gettext_lazy("Fri")), ("5", gettext_lazy("Sat")),
    ("6", gettext_lazy("Sun")),
]  # fmt: skip
FACTORS = [
    ("", gettext_lazy("However long ago")),
    ("300", gettext_lazy("In the last 5 minutes")),
    ("1800", gettext_lazy("In the last 30 minutes")),
]
CHOSEN = ("numbers", "wabas", "template_sets", "teams")
"""The places of which there are few enough to show all."""


def idle_in(scope: Scope, cells: Mapping[str, Reach]) -> list[PermissionSpec]:
    """What cells give that no request can ask for in a scope, in the catalogue's order."""
    return [
        spec
        for spec in PERMISSIONS.values()
        if cells.get(spec.key, Reach.NONE) > Reach.NONE and not spec.can_be_in(scope)
    ]


def places_here() -> dict[str, list[tuple[str, str]]]:
    """What there is to choose from, inside the workspace."""
    teams = Principal.objects.filter(kind="team", active=True).order_by("name")
    sets = TemplateSet.objects.order_by("name").values_list("id", "name")
    return {
        "numbers": list(Number.objects.order_by("name").values_list("meta_id", "name")),
        "wabas": list(Waba.objects.order_by("name").values_list("meta_id", "name")),
        "template_sets": [(str(one), name) for one, name in sets],
        "teams": [(str(one), name) for one, name in teams.values_list("id", "name")],
    }


class Places(Form):
    """Where a rule holds."""

    numbers = forms.MultipleChoiceField(label=gettext_lazy("On these numbers"), **_SEVERAL)
    wabas = forms.MultipleChoiceField(label=gettext_lazy("In these WhatsApp accounts"), **_SEVERAL)
    template_sets = forms.MultipleChoiceField(
        label=gettext_lazy("With these template sets"), **_SEVERAL
    )
    teams = forms.MultipleChoiceField(label=gettext_lazy("For these teams"), **_SEVERAL)
    countries = forms.CharField(
        label=gettext_lazy("To customers of these countries"),
        help_text=gettext_lazy(
            "By name or two letters, with commas between: Mexico, ES. Empty: of every country."
        ),
        max_length=400,
        required=False,
    )

    def clean_countries(self) -> list[str]:
        found = list(named_in(self.cleaned_data["countries"]))
        if strange := [said for said, code in found if code is None]:
            raise forms.ValidationError(
                _("No country is called %(names)s.") % {"names": ", ".join(strange)}
            )
        return [code for _said, code in found if code is not None]

    @property
    def is_narrow(self) -> bool:
        """Whether any place was chosen."""
        found = self.cleaned_data
        return any(found.get(name) for name in (*CHOSEN, "countries"))

    @property
    def scope(self) -> Scope:
        found = self.cleaned_data
        chosen = {name: frozenset(found.get(name, ())) or None for name in CHOSEN}
        return Scope(**chosen, countries=frozenset(found["countries"]) or None)


class Times(Form):
    """When, from where, and how freshly proved."""

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
        label=gettext_lazy("Second factor shown"), choices=FACTORS, required=False
    )

    def clean_networks(self) -> list[str]:
        networks = listed(self.cleaned_data["networks"])
        if strange := [one for one in networks if parse_network(one) is None]:
            raise forms.ValidationError(
                _("These are no networks: %(names)s.") % {"names": ", ".join(strange)}
            )
        return networks

    def require_whole_hours(self) -> None:
        """Hours are days, from when and to when; some of them alone say nothing."""
        given = [
            self.cleaned_data.get(name) not in (None, []) for name in ("days", "starts", "ends")
        ]
        if any(given) and not all(given):
            self.add_error("days", _("Hours need days, from when, and to when."))

    @property
    def hours(self) -> tuple[Hours, ...] | None:
        found = self.cleaned_data
        if not found["days"]:
            return None
        start, end = (at.hour * 60 + at.minute for at in (found["starts"], found["ends"]))
        return (Hours(frozenset(map(int, found["days"])), start, end),)

    @property
    def conditions(self) -> Conditions:
        found = self.cleaned_data
        return Conditions(
            hours=self.hours,
            networks=tuple(found["networks"]) or None,
            fresh_factor_s=int(found["factor"]) if found.get("factor") else None,
        )


def of_scope(scope: Scope) -> dict[str, Any]:
    """The fields of `Places` filled in as a scope is."""
    return {
        **{name: sorted(getattr(scope, name) or ()) for name in CHOSEN},
        "countries": ", ".join(sorted(scope.countries or ())),
    }


def of_conditions(conditions: Conditions) -> dict[str, Any]:
    """The fields of `Times` filled in as conditions are; of several windows, the first."""
    hours = conditions.hours[0] if conditions.hours else None
    return {
        "days": [str(day) for day in hours.days] if hours else [],
        "starts": f"{hours.start // 60:02}:{hours.start % 60:02}" if hours else None,
        "ends": f"{hours.end // 60 % 24:02}:{hours.end % 60:02}" if hours else None,
        "networks": ", ".join(conditions.networks or ()),
        "factor": str(conditions.fresh_factor_s or ""),
    }


def fits(scope: Scope, conditions: Conditions) -> bool:
    """Whether the fields hold all of it: what was made otherwise would lose a part by being saved."""
    return (
        scope.labels is scope.integrations is scope.bots is None
        and len(conditions.hours or ()) <= 1
        and str(conditions.fresh_factor_s or "") in dict(FACTORS)
    )


MORE_THAN_FITS = gettext_lazy(
    "This was made with more than the page can show. Make another one, and then take this away."
)


def listed(text: str) -> list[str]:
    return [one for one in text.replace(",", " ").replace(";", " ").split() if one]
