"""The forms in which a question about access is asked: who, what, to which thing, when, from where."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from typing_extensions import override

from portero.console.countries import code_of
from portero.console.forms import Form
from portero.domain.workspaces.errors import UnknownNumber, UnknownTemplate
from portero.domain.workspaces.queries import Choices, Circumstances, Thing, Whose
from portero.engine import PERMISSIONS
from portero.graphapi.operations import OPERATIONS

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

_CALL = "call:"
_NOT_SAID = ("", "—")
MORE = ("number", "template", "country", "team", "whose", "at", "network", "factor")
"""Fields that a question can do without."""
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


# By operation that needs several permissions: what is done where all of them are needed.
_SENTENCES: Mapping[str, StrPromise] = {
    "upsert_templates": gettext_lazy("Create message templates, or overwrite those there are"),
    "read_template_analytics": gettext_lazy("See how templates perform, and what they cost"),
    "read_template_group_analytics": gettext_lazy(
        "See how groups of templates perform, and what they cost"
    ),
    "create_flow": gettext_lazy("Copy a flow and publish the copy"),
    "create_flow_with_endpoint": gettext_lazy(
        "Copy a flow and publish the copy, with a server of yours that receives what is filled in"
    ),
    "read_call_analytics": gettext_lazy("See figures on calls, and what they cost"),
    "read_group_analytics": gettext_lazy("See figures on groups, and what they cost"),
}


def _calls() -> dict[str, tuple[StrPromise, tuple[str, ...]]]:
    """Calls of the gateway's table that need several permissions: by key, what and which."""
    found: dict[str, tuple[StrPromise, tuple[str, ...]]] = {}
    for operation in OPERATIONS:
        needed = tuple(dict.fromkeys((*operation.permissions, *operation.adds.values())))
        if len(needed) > 1 and operation.risk != "never":
            found[f"{_CALL}{operation.name}"] = (_SENTENCES[operation.name], needed)
    return found


CALLS = _calls()


def permissions_of(what: str) -> tuple[str, ...]:
    """What an action of the form needs."""
    return CALLS[what][1] if what in CALLS else (what,)


def _actions() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for group, specs in groupby(PERMISSIONS.values(), key=lambda spec: spec.group):
        yield _(group), [(spec.key, _(spec.sentence)) for spec in specs]
    yield (
        _("Calls that need several"),
        [(key, str(sentence)) for key, (sentence, _needed) in CALLS.items()],
    )


class ThingForm(Form):
    """What is done to what, when and from where."""

    what = forms.ChoiceField(label=gettext_lazy("Action"))
    number = forms.ChoiceField(label=gettext_lazy("From the number"), required=False)
    template = forms.ChoiceField(label=gettext_lazy("With the template"), required=False)
    country = forms.CharField(
        label=gettext_lazy("To somebody in"),
        required=False,
        max_length=100,
        help_text=gettext_lazy("By name or two letters: Mexico, MX."),
    )
    team = forms.ChoiceField(label=gettext_lazy("In a conversation of"), required=False)
    whose = forms.ChoiceField(label=gettext_lazy("Assigned to"), required=False)
    at = forms.DateTimeField(
        label=gettext_lazy("When"),
        required=False,
        help_text=gettext_lazy("Empty is now."),
        validators=[MinValueValidator(_EARLIEST), MaxValueValidator(_LATEST)],
        input_formats=["%Y-%m-%dT%H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    network = forms.CharField(
        label=gettext_lazy("From the address"),
        required=False,
        max_length=45,
        help_text=gettext_lazy("An IP address; empty is not known."),
    )
    factor = forms.BooleanField(
        label=gettext_lazy("With a second factor shown just before"), required=False
    )

    def __init__(self, *args: Any, choices: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._zone = ZoneInfo(choices.timezone)
        self.offer("what", [_NOT_SAID, *_actions()])
        self.offer("number", [_NOT_SAID, *choices.numbers])
        self.offer("template", [_NOT_SAID, *((name, name) for name in choices.templates)])
        self.offer("team", [_NOT_SAID, *choices.teams])
        self.offer("whose", self._assigned())

    def _assigned(self) -> Iterator[tuple[str, str]]:
        yield "", _("nobody yet")
        yield Whose.THEIRS, _("whoever asks")
        yield Whose.ELSE, _("somebody else")

    @property
    def asks_more(self) -> bool:
        """Whether one of the fields was filled in that a question can do without."""
        return any(self.data.get(name) or name in self.errors for name in MORE)

    def clean_country(self) -> str:
        said: str = self.cleaned_data["country"]
        country = code_of(said) if said else ""
        if country is None:
            raise forms.ValidationError(_("No country is called %(names)s.") % {"names": said})
        return country

    def clean_network(self) -> str:
        address: str = self.cleaned_data["network"].strip()
        try:
            return str(ipaddress.ip_address(address)) if address else ""
        except ValueError:
            raise forms.ValidationError(
                _("An address looks like 203.0.113.9 or 2001:db8::9.")
            ) from None

    def blame(self, unknown: UnknownNumber | UnknownTemplate) -> None:
        """Say at its field that what was there when the choices were read has gone since."""
        field = "number" if isinstance(unknown, UnknownNumber) else "template"
        self.add_error(field, _("This is not here any more. Choose another one."))

    def thing(self) -> Thing:
        said = self.cleaned_data
        return Thing(
            number=said["number"] or None,
            template=said["template"] or None,
            country=said["country"] or None,
            team=said["team"] or None,
            whose=Whose(said["whose"]) if said["whose"] else Whose.NOBODY,
        )

    def when(self, now: datetime) -> Circumstances:
        """The moment is the workspace's local time."""
        said = self.cleaned_data
        local = said["at"]
        at = now if local is None else local.replace(tzinfo=self._zone).astimezone(UTC)
        return Circumstances(at, said["network"] or None, at if said["factor"] else None)


class WhyForm(ThingForm):
    who = forms.CharField(
        label=gettext_lazy("Who"),
        max_length=200,
        help_text=gettext_lazy("A name, an address, or the name of a key."),
    )
    then = forms.UUIDField(required=False, widget=forms.HiddenInput)
    """The record that the question is about, if it is about one."""
    field_order = ("who", "what")


class OwnWhyForm(ThingForm):
    who = forms.ChoiceField(label=gettext_lazy("Who"), required=False)
    field_order = ("who", "what")

    def __init__(self, *args: Any, askers: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("who", askers)


class WhoForm(ThingForm):
    able = forms.CharField(required=False, widget=forms.HiddenInput)
    name = forms.CharField(required=False, widget=forms.HiddenInput)
    behind = forms.UUIDField(required=False, widget=forms.HiddenInput)

    @override
    def _assigned(self) -> Iterator[tuple[str, str]]:
        yield "", _("nobody yet")
        yield Whose.ELSE, _("somebody else")
