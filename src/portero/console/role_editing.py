"""Making and changing roles: a matrix, what it would do for whom, and only then the change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from portero.console import saying, visits
from portero.console.answers import beyond_own_rights, done
from portero.console.forms import Form
from portero.console.labels import of_reach
from portero.console.saying import Names
from portero.domain.access import queries as access
from portero.domain.access import services
from portero.domain.access.errors import BeyondOwnRights, InvalidRule, NameTaken, StaleRole
from portero.domain.access.queries import Concerned, RoleEdition, RoleInUse
from portero.domain.access.services import READY_MADE
from portero.engine import PERMISSIONS, PermissionSpec, Reach, Shift, Way

_NAME_MAX, _REASON_MAX = 200, 500
_OF_NOBODY = (Reach.NONE, Reach.ALL)
_STEPS = {reach.name.lower(): reach for reach in Reach}

Cells = Mapping[str, Reach]


class Matrix(Form):
    """A role as it is typed: a name, a reach for each permission, and why."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=_NAME_MAX)
    reason = forms.CharField(
        label=gettext_lazy("Why? Whoever reads it in a year will be glad"),
        max_length=_REASON_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    read_at = forms.IntegerField(required=False, widget=forms.HiddenInput)
    back = forms.BooleanField(required=False)
    """Sent by whoever has seen what would change, and wants to go on changing."""

    @property
    def cells(self) -> dict[str, Reach]:
        """What was chosen, as far as it can be read."""
        chosen = {key: _STEPS.get(self.data.get(key, ""), Reach.NONE) for key in PERMISSIONS}
        return {key: reach for key, reach in chosen.items() if reach > Reach.NONE}


def reaches_of(spec: PermissionSpec) -> Sequence[Reach]:
    return tuple(Reach) if spec.ownable else _OF_NOBODY


Matrix.base_fields |= {
    spec.key: forms.ChoiceField(
        choices=[(reach.name.lower(), reach.name) for reach in reaches_of(spec)], required=False
    )
    for spec in PERMISSIONS.values()
}


@dataclass(frozen=True, slots=True)
class Stop:
    """A reach that can be chosen in a row."""

    reach: Reach
    is_chosen: bool
    is_before: bool
    is_beyond: bool
    """The editor does not have it so far, so cannot put it into a role."""

    @property
    def step(self) -> str:
        return self.reach.name.lower()


@dataclass(frozen=True, slots=True)
class Row:
    spec: PermissionSpec
    stops: list[Stop]
    before: Reach

    @property
    def is_short(self) -> bool:
        """Whether some of it is beyond the editor."""
        return any(stop.is_beyond for stop in self.stops)


def new(request: HttpRequest) -> HttpResponse:
    """A role from nothing, from a ready-made one or from another of the workspace."""
    actor = visits.actor(request)
    if request.method == "POST":
        form = Matrix(request.POST)
        if form.is_valid():
            try:
                made = services.create_role(
                    actor=actor,
                    name=form.cleaned_data["name"],
                    cells=form.cells,
                    reason=form.cleaned_data["reason"],
                )
            except (BeyondOwnRights, InvalidRule, NameTaken) as error:
                _tell(form, error)
            else:
                return done(
                    request, _("The role is made. It gives nothing yet."), "console:role", made
                )
        return _editor(request, form, before={}, status=400)
    start, called = _start(request)
    return _editor(request, Matrix(initial={"name": called}), before={}, chosen=start)


def _start(request: HttpRequest) -> tuple[Cells, str]:
    chosen = request.GET.get("from", "")
    if ready := READY_MADE.get(chosen):
        return ready.cells, _(ready.name)
    for role in access.roles(actor=visits.actor(request)):
        if str(role.id) == chosen:
            name = _(role.name) if role.builtin else role.name
            return role.cells, _("%(role)s, a copy") % {"role": name}
    return {}, ""


def edit(request: HttpRequest, role: UUID) -> HttpResponse:
    """The matrix of a role; posted, what it would change. Nothing is changed by it."""
    found, editions = _role(request, role)
    if found.builtin:
        return redirect(f"{reverse('console:role_new')}?from={role}")
    if request.method == "POST":
        form = Matrix(request.POST)
        if not form.is_valid():
            return _editor(request, form, before=editions[0].cells, role=found, status=400)
        if form.cleaned_data["back"]:
            return _editor(request, form, before=editions[0].cells, role=found)
        return _review(request, found, form, editions[0])
    shown = _edition(request, editions)
    form = Matrix(initial={"name": found.name, "read_at": editions[0].version})
    return _editor(request, form, before=editions[0].cells, chosen=shown.cells, role=found)


@require_POST
def save(request: HttpRequest, role: UUID) -> HttpResponse:
    found, editions = _role(request, role)
    form = Matrix(request.POST)
    status = 400
    if form.is_valid():
        try:
            services.update_role(
                actor=visits.actor(request),
                role=role,
                cells=form.cells,
                name=form.cleaned_data["name"],
                read_at=form.cleaned_data["read_at"],
                reason=form.cleaned_data["reason"],
            )
        except StaleRole:
            # What was typed stays; what stands now is what it is compared with from here on.
            form = Matrix({**request.POST.dict(), "read_at": str(editions[0].version)})
            form.add_error(None, _stale(editions[0]))
            status = 409
        except (BeyondOwnRights, InvalidRule, NameTaken) as error:
            _tell(form, error)
        else:
            return done(
                request,
                _("Saved. It holds from now on, for everybody who has it."),
                "console:role",
                role,
            )
    return _editor(request, form, before=editions[0].cells, role=found, status=status)


def versions(request: HttpRequest, role: UUID) -> HttpResponse:
    found, editions = _role(request, role)
    told = [
        (edition, list(differences(earlier.cells if earlier else {}, edition.cells)))
        for edition, earlier in zip(editions, [*editions[1:], None], strict=True)
    ]
    return render(request, "console/role_versions.html", {"role": found, "editions": told})


def _role(request: HttpRequest, role: UUID) -> tuple[RoleInUse, list[RoleEdition]]:
    actor = visits.actor(request)
    for found in access.roles(actor=actor):
        if found.id == role:
            return found, access.role_editions(actor=actor, role=role)
    raise Http404


def _edition(request: HttpRequest, editions: list[RoleEdition]) -> RoleEdition:
    """The one that is to come back, or the one in force."""
    wanted = request.GET.get("version", "")
    return next((one for one in editions if str(one.version) == wanted), editions[0])


def _tell(form: Matrix, error: BeyondOwnRights | InvalidRule | NameTaken) -> None:
    if isinstance(error, NameTaken):
        form.add_error("name", _("Another role is called so."))
    elif isinstance(error, BeyondOwnRights):
        form.add_error(None, beyond_own_rights(error))
    else:
        form.add_error("name", _("Between 1 and 200 characters that can be read."))


def _stale(now: RoleEdition) -> str:
    return _(
        "%(author)s changed this role while you had it open. Nothing of yours was saved or lost:"
        " rows that differ from what stands now are marked. Look at them and save again."
    ) % {"author": now.author or _("Somebody")}


def _editor(
    request: HttpRequest,
    form: Matrix,
    *,
    before: Cells,
    chosen: Cells | None = None,
    role: RoleInUse | None = None,
    status: int = 200,
) -> HttpResponse:
    held = access.may_put_into_roles(actor=visits.actor(request))
    rows = [
        _row(spec, (form.cells if chosen is None else chosen), before, held)
        for spec in PERMISSIONS.values()
    ]
    context = {
        "form": form,
        "role": role,
        "groups": [
            (
                name,
                part,
                sum(any(s.is_chosen and s.reach > Reach.NONE for s in r.stops) for r in part),
            )
            for name, some in groupby(rows, key=lambda row: row.spec.group)
            for part in [list(some)]
        ],
        "ready_made": READY_MADE.values() if role is None else (),
        "from": request.GET.get("from", ""),
    }
    return render(request, "console/role_editor.html", context, status=status)


def _row(spec: PermissionSpec, chosen: Cells, before: Cells, held: Cells) -> Row:
    now, mine = chosen.get(spec.key, Reach.NONE), held.get(spec.key, Reach.NONE)
    standing = before.get(spec.key, Reach.NONE)
    # What is beyond the editor cannot be chosen, and what was chosen all the same is not shown as it.
    shown = (
        now
        if now <= max(mine, standing)
        else max(
            (one for one in reaches_of(spec) if one <= max(mine, standing)), default=Reach.NONE
        )
    )
    stops = [
        Stop(one, one is shown, one is standing, is_beyond=one > max(mine, standing))
        for one in reaches_of(spec)
    ]
    return Row(spec, stops, standing)


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell that another version has otherwise."""

    spec: PermissionSpec
    before: Reach
    after: Reach

    @property
    def is_wider(self) -> bool:
        return self.after > self.before

    @property
    def steps(self) -> tuple[str, str]:
        return self.before.name.lower(), self.after.name.lower()


def differences(before: Cells, after: Cells) -> Iterator[Difference]:
    for spec in PERMISSIONS.values():
        was, is_ = before.get(spec.key, Reach.NONE), after.get(spec.key, Reach.NONE)
        if was != is_:
            yield Difference(spec, was, is_)


@dataclass(frozen=True, slots=True)
class Told:
    """What changes for somebody in one permission, in words."""

    spec: PermissionSpec
    before: Reach
    after: Reach
    is_wider: bool
    where: list[str]

    @property
    def sentence(self) -> str:
        if self.before is Reach.NONE:
            return _("can from now on, as far as: %(reach)s") % {"reach": of_reach(self.after)}
        if self.after is Reach.NONE:
            return _("cannot any more; until now: %(reach)s") % {"reach": of_reach(self.before)}
        if self.before is self.after:
            text = (
                _("as far as before, %(reach)s, and now also")
                if self.is_wider
                else _("as far as before, %(reach)s, but no more")
            )
            return text % {"reach": of_reach(self.after)}
        return _("from %(before)s to %(after)s") % {
            "before": of_reach(self.before),
            "after": of_reach(self.after),
        }


def told(concerned: Sequence[Concerned], names: Names) -> list[tuple[Concerned, list[Told]]]:
    """For each of them, every change in words."""
    return [
        (one, [line for shift in one.shifts for line in _lines(shift, names)]) for one in concerned
    ]


def _lines(shift: Shift, names: Names) -> Iterator[Told]:
    spec = PERMISSIONS[shift.permission]
    before, after = _farthest(shift.before), _farthest(shift.after)
    for ways, is_wider in ((shift.gained, True), (shift.lost, False)):
        if ways:
            where = sorted({line for way in ways for line in _where(way, names)})
            yield Told(spec, before, after, is_wider, where)


def _farthest(ways: Sequence[Way]) -> Reach:
    return max((way.reach for way in ways), default=Reach.NONE)


def _where(way: Way, names: Names) -> list[str]:
    ends = [] if way.until is None else [saying.ends(way.until, names)]
    where = saying.where(way.scope, names) or [_("everywhere in this workspace")]
    return [*where, *saying.when(way.conditions), *ends]


def _review(
    request: HttpRequest, role: RoleInUse, form: Matrix, standing: RoleEdition
) -> HttpResponse:
    actor = visits.actor(request)
    found = access.if_role_had(actor=actor, role=role.id, cells=form.cells)
    context = {
        "role": role,
        "form": form,
        "name": form.cleaned_data["name"],
        "cells": [(key, reach.name.lower()) for key, reach in form.cells.items()],
        "differences": list(differences(standing.cells, form.cells)),
        "consequences": found,
        "told": told(found.named, Names.of(actor.workspace)),
        "unnamed": found.concerned - len(found.named),
    }
    return render(request, "console/role_review.html", context)
