"""What needs attention here, the gravest first: how much of it, why it matters, and the way to mend it.

Each concern is asked only of whoever may open the page on which it is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, ngettext_lazy
from typing_extensions import override

from portero.console import controls, visits
from portero.domain.access import queries as access
from portero.domain.access.authorize import Actor
from portero.domain.accounts import queries as accounts
from portero.domain.accounts.queries import COUNTED_TO, Noticed


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that may need attention, as it is declared. A `weight` is what `data-risk` is."""

    weight: str
    needs: str
    looks: Callable[[Actor, datetime], Noticed]
    told: Any
    """A plural of `count`."""
    why: Promise
    mends: Promise
    route: str
    of_each: str = ""
    """The route of one of those named."""


def _pending(actor: Actor, _now: datetime) -> Noticed:
    return Noticed(access.count_to_decide(actor), ())


def _one_owner(actor: Actor, _now: datetime) -> Noticed:
    return Noticed(1 if accounts.has_one_owner(actor.workspace) else 0, ())


def _no_factor(actor: Actor, _now: datetime) -> Noticed:
    return accounts.people_without_factor(actor.workspace)


def _alone(actor: Actor, _now: datetime) -> Noticed:
    return accounts.accounts_left_alone(actor.workspace)


def _ending(actor: Actor, now: datetime) -> Noticed:
    return accounts.keys_about_to_end(actor.workspace, now)


def _unused(actor: Actor, now: datetime) -> Noticed:
    return accounts.keys_long_unused(actor.workspace, now)


def _unlimited(actor: Actor, now: datetime) -> Noticed:
    return accounts.keys_without_limit(actor.workspace, now)


CONCERNS = (
    Concern(
        "critical",
        "member:read",
        _no_factor,
        ngettext_lazy(
            "One person has no second factor", "%(count)s people have no second factor", "count"
        ),
        gettext_lazy(
            "Until they set one up they can open nothing, and a password alone is waiting."
        ),
        gettext_lazy("See people"),
        "console:people",
        "console:person",
    ),
    Concern(
        "critical",
        "service_account:create",
        _alone,
        ngettext_lazy(
            "Nobody answers for one program", "Nobody answers for %(count)s programs", "count"
        ),
        gettext_lazy("Whoever did has left. Unless somebody is named, it stops."),
        gettext_lazy("See people"),
        "console:people",
        "console:person",
    ),
    Concern(
        "critical",
        "api_key:create",
        _ending,
        ngettext_lazy(
            "One key in use ends within two weeks",
            "%(count)s keys in use end within two weeks",
            "count",
        ),
        gettext_lazy("The program stops on that day. Roll it before: both work for a while."),
        gettext_lazy("See keys"),
        "console:keys",
        "console:key",
    ),
    Concern(
        "sensitive",
        "access_request:approve",
        _pending,
        ngettext_lazy("One request waits for you", "%(count)s requests wait for you", "count"),
        gettext_lazy("Somebody cannot go on before you say yes or no."),
        gettext_lazy("See requests"),
        "console:requests",
    ),
    Concern(
        "sensitive",
        "role:assign",
        _one_owner,
        ngettext_lazy("There is one owner only", "There is one owner only", "count"),
        gettext_lazy(
            "If they lose their phone, only whoever runs the server can let them back in."
        ),
        gettext_lazy("See people"),
        "console:people",
    ),
    Concern(
        "sensitive",
        "limit:update",
        _unlimited,
        ngettext_lazy(
            "One key has no limit of any kind", "%(count)s keys have no limit of any kind", "count"
        ),
        gettext_lazy("A mistake in the program, or a thief, sends as much as Meta lets them."),
        gettext_lazy("New limit"),
        "console:limit_new",
        "console:key",
    ),
    Concern(
        "sensitive",
        "api_key:revoke",
        _unused,
        ngettext_lazy(
            "One key was not used for two months",
            "%(count)s keys were not used for two months",
            "count",
        ),
        gettext_lazy("What nobody uses, nobody misses, and nobody notices when it is stolen."),
        gettext_lazy("See keys"),
        "console:keys",
        "console:key",
    ),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A concern as somebody reads it."""

    weight: str
    told: str
    why: Promise
    mends: Promise
    url: str
    named: list[tuple[str, str]]
    """Name and address of the first of them."""
    is_more: bool


def overview(request: HttpRequest) -> HttpResponse:
    return render(request, "console/overview.html", {"concerns": list(_concerns(request))})


def _concerns(request: HttpRequest) -> Iterator[Shown]:
    actor, may = visits.actor(request), controls.held(request)
    for one in CONCERNS:
        if one.needs not in may:
            continue
        found = one.looks(actor, actor.at)
        if found.count:
            yield Shown(
                one.weight,
                one.told % {"count": _Counted(found.count)},
                one.why,
                one.mends,
                reverse(one.route),
                [(name, reverse(one.of_each, args=[which])) for which, name in found.named],
                0 < len(found.named) < found.count,
            )


class _Counted(int):
    """A number that is told as "99+" from there on, and still says which plural it takes."""

    @override
    def __str__(self) -> str:
        return f"{COUNTED_TO}+" if self > COUNTED_TO else int.__repr__(self)
