"""Inviting people, several at once: who, and what each is to have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from typing_extensions import override

from portero.console import visits
from portero.console.answers import beyond_own_rights, conflict, done
from portero.console.forms import Form
from portero.domain.access import queries as access
from portero.domain.access.errors import BeyondOwnRights, InvalidRule
from portero.domain.accounts import queries
from portero.domain.accounts import services as accounts
from portero.domain.accounts.errors import AlreadyIn, AlreadyMember, InvalidEmail, InvitedTooOften
from portero.domain.accounts.services import Guest
from portero.domain.audit.models import in_workspace
from portero.domain.workspaces.models import Number
from portero.engine import Scope

_ROWS, _MOST_ROWS = 3, 30
_PARTS = ("name", "email", "role", "number")


class Guests(Form):
    """Rows of name, address, role and number. Rows left empty are nobody."""

    rows = forms.IntegerField(min_value=1, max_value=_MOST_ROWS, widget=forms.HiddenInput)
    more = forms.BooleanField(required=False)

    def __init__(
        self,
        data: Any = None,
        *,
        roles: Sequence[tuple[str, str]],
        numbers: Sequence[tuple[str, str]],
    ) -> None:
        self.count = _count(data)
        fields: dict[str, forms.Field] = {}
        for n in range(self.count):
            fields |= {
                f"name-{n}": forms.CharField(
                    label=gettext_lazy("Name"), max_length=200, required=False
                ),
                f"email-{n}": forms.EmailField(
                    label=gettext_lazy("E-mail"), max_length=254, required=False
                ),
                f"role-{n}": forms.ChoiceField(
                    label=gettext_lazy("Role"),
                    choices=[("", gettext_lazy("Choose a role")), *roles],
                    required=False,
                ),
                f"number-{n}": forms.ChoiceField(
                    label=gettext_lazy("Where"),
                    choices=[("", gettext_lazy("On every number")), *numbers],
                    required=False,
                ),
            }
        super().__init__(data, initial={"rows": self.count}, more_fields=fields)

    @override
    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        for n in range(self.count):
            row = {part: found.get(f"{part}-{n}") for part in _PARTS}
            if not any(row[part] for part in ("name", "email")) and not self.errors.get(
                f"email-{n}"
            ):
                continue
            for part, missing in (
                ("name", _("Write a name.")),
                ("email", _("Write an address.")),
                ("role", _("Choose what they are to do.")),
            ):
                if not row[part] and f"{part}-{n}" not in self.errors:
                    self.add_error(f"{part}-{n}", missing)
        return found

    @property
    def each(self) -> Iterator[list[forms.BoundField]]:
        """The fields, row by row."""
        for n in range(self.count):
            yield [self[f"{part}-{n}"] for part in _PARTS]

    @property
    def guests(self) -> list[tuple[int, Guest]]:
        """Who is invited, with their row."""
        found = self.cleaned_data
        return [
            (
                n,
                Guest(
                    found[f"email-{n}"],
                    found[f"name-{n}"],
                    UUID(found[f"role-{n}"]),
                    Scope(numbers=frozenset((number,)))
                    if (number := found[f"number-{n}"])
                    else Scope(),
                ),
            )
            for n in range(self.count)
            if found.get(f"email-{n}")
        ]


def _count(data: Any) -> int:
    try:
        rows = int(data["rows"]) if data else _ROWS
    except (KeyError, ValueError):
        return _ROWS
    more = _ROWS if data and data.get("more") else 0
    return min(max(rows, 1), _MOST_ROWS - more) + more


def invite(request: HttpRequest) -> HttpResponse:
    actor = visits.actor(request)
    roles = [
        (str(role.id), _(role.name) if role.builtin else role.name)
        for role in access.roles(actor=actor)
    ]
    with in_workspace(actor.workspace):
        numbers = list(Number.objects.order_by("name").values_list("meta_id", "name"))
    if request.method != "POST":
        return render(
            request, "console/invite.html", {"form": Guests(roles=roles, numbers=numbers)}
        )
    form = Guests(request.POST, roles=roles, numbers=numbers)
    if request.POST.get("more"):
        form.is_valid()  # what was typed stays, with what is wrong with it
        return render(request, "console/invite.html", {"form": form})
    if form.is_valid():
        guests = form.guests
        if not guests:
            form.add_error("name-0", _("Write a name."))
        elif (made := _invite(request, form, guests)) is not None:
            return _invited(request, made)
    return render(request, "console/invite.html", {"form": form}, status=400)


def _invite(
    request: HttpRequest, form: Guests, guests: Sequence[tuple[int, Guest]]
) -> list[UUID] | None:
    """Their principals; None when the form says what is wrong."""
    made = None
    try:
        made = accounts.invite(
            actor=visits.actor(request),
            guests=[guest for _, guest in guests],
            language=get_language() or "en",
        )
    except AlreadyMember as error:
        row = next(n for n, guest in guests if guest.email == str(error))
        form.add_error(f"email-{row}", _("They are here already."))
    except InvalidEmail as error:
        row = next(n for n, guest in guests if guest.email.strip() == str(error))
        form.add_error(f"email-{row}", _("Enter a valid email address."))
    except InvalidRule:
        form.add_error(None, _("A name has between 1 and 200 characters that can be read."))
    except BeyondOwnRights as error:
        form.add_error(None, beyond_own_rights(error))
    return made


def _invited(request: HttpRequest, made: Sequence[UUID]) -> HttpResponse:
    count = len(made)
    if settings.PORTERO_SENDS_MAIL:
        told = ngettext(
            "One invitation is on its way.", "%(count)s invitations are on their way.", count
        )
        return done(request, told % {"count": count}, "console:people")
    return _handed_over(request, made)


def _handed_over(request: HttpRequest, made: Sequence[UUID]) -> HttpResponse:
    """Where no mail is sent, the links are shown this once, to be handed over."""
    actor = visits.actor(request)
    names = {one: _name_of(request, one) for one in made}
    links = [
        (
            names[one],
            request.build_absolute_uri(
                f"/welcome/{accounts.invitation_link(actor=actor, principal=one)}"
            ),
        )
        for one in made
    ]
    return render(request, "console/handed_over.html", {"links": links})


def _name_of(request: HttpRequest, principal: UUID) -> str:
    found = queries.member(visits.actor(request).workspace, principal)
    return found.name if found is not None else ""


def invite_again(request: HttpRequest, principal: UUID) -> HttpResponse:
    try:
        if settings.PORTERO_SENDS_MAIL:
            accounts.invite_again(actor=visits.actor(request), principal=principal)
            return done(
                request,
                _("A new invitation is on its way; the earlier one opens nothing any more."),
                "console:person",
                principal,
            )
        return _handed_over(request, [principal])
    except AlreadyIn:
        return redirect("console:person", principal)
    except InvitedTooOften:
        return conflict(
            request,
            _("Five invitations went there within the last hour. Wait a while, or ask them first."),
        )
