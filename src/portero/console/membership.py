"""Acts on people and teams: each is a page that says first what follows, and then does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portero.console import visits
from portero.console.answers import beyond_own_rights, done
from portero.console.forms import Form
from portero.domain.access import queries as policy
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import BeyondOwnRights, InvalidRule, NameTaken
from portero.domain.accounts import queries
from portero.domain.accounts import services as accounts
from portero.domain.accounts.errors import AtHomeElsewhere
from portero.domain.accounts.queries import Member
from portero.engine import PrincipalKind

_ELSEWHERE = gettext_lazy(
    "This cannot be done from this workspace alone. Whoever runs the server can:"
    " portero person link ADDRESS --new-factors"
)
_NO_MAIL = gettext_lazy(
    "It needs mail, which is not set up here. Whoever runs the server can do it:"
    " portero person link ADDRESS --new-factors"
)
_REASON_MAX, _NAME_MAX, _FOUND_MAX = 500, 200, 20


class Reason(Form):
    reason = forms.CharField(
        label=gettext_lazy("Why? Whoever reads it in a year will be glad"),
        max_length=_REASON_MAX,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


@dataclass(frozen=True, slots=True)
class Act:
    """Something done to a member, with its words."""

    title: Promise
    verb: Promise
    done: Promise
    does: Callable[[Actor, UUID, str], Any]
    follows: Callable[[Member], list[str]]
    fits: Callable[[Member], bool]
    is_grave: bool = True
    needs_mail: bool = False


def _suspend(actor: Actor, principal: UUID, reason: str) -> None:
    accounts.suspend(actor=actor, principal=principal, reason=reason)


def _let_back(actor: Actor, principal: UUID, _reason: str) -> None:
    access.enable_principal(actor=actor, principal=principal)


def _disable(actor: Actor, account: UUID, reason: str) -> None:
    access.disable_principal(actor=actor, principal=account, reason=reason)


def _remove(actor: Actor, principal: UUID, reason: str) -> None:
    accounts.remove(actor=actor, principal=principal, reason=reason)


def _make_owner(actor: Actor, principal: UUID, reason: str) -> None:
    access.set_owner(actor=actor, principal=principal, owner=True, reason=reason)


def _unmake_owner(actor: Actor, principal: UUID, reason: str) -> None:
    access.set_owner(actor=actor, principal=principal, owner=False, reason=reason)


def _end_sessions(actor: Actor, principal: UUID, _reason: str) -> None:
    accounts.end_sessions_of(actor=actor, principal=principal)


def _sessions(member: Member) -> list[str]:
    if not member.sessions:
        return [_("They are not signed in here now.")]
    told = ngettext(
        "They are signed in in one browser, which is out of here at once.",
        "They are signed in in %(count)s browsers, which are out of here at once.",
        member.sessions,
    )
    return [told % {"count": member.sessions}]


def _answers_for(member: Member) -> list[str]:
    if not member.answers_for:
        return []
    told = ngettext(
        "One service account will have nobody who answers for it: %(names)s.",
        "%(count)s service accounts will have nobody who answers for them: %(names)s.",
        len(member.answers_for),
    )
    until = _("What nobody answers for stops after %(days)s days. The owners get a mail about it.")
    return [
        told % {"count": len(member.answers_for), "names": ", ".join(member.answers_for)},
        until % {"days": access.GRACE.days},
    ]


def _is_person(member: Member) -> bool:
    return member.kind is PrincipalKind.PERSON


def _is_account(member: Member) -> bool:
    return member.kind is PrincipalKind.SERVICE_ACCOUNT


def _reset_factors(actor: Actor, principal: UUID, reason: str) -> None:
    accounts.reset_factors(actor=actor, principal=principal, reason=reason)


ACTS: dict[str, Act] = {
    "suspend": Act(
        gettext_lazy("Suspend %(name)s"),
        gettext_lazy("Suspend now"),
        gettext_lazy("%(name)s is suspended."),
        _suspend,
        lambda m: [
            *_sessions(m),
            _(
                "From their next click on they can do nothing here. Roles and teams stay as they are,"
                " and are theirs again when somebody lets them back."
            ),
        ],
        lambda m: _is_person(m) and m.active,
    ),
    "let-back": Act(
        gettext_lazy("Let %(name)s back"),
        gettext_lazy("Let them back"),
        gettext_lazy("%(name)s is back."),
        _let_back,
        lambda _m: [_("They have again all that they had, and that has not ended meanwhile.")],
        lambda m: _is_person(m) and not m.active,
        is_grave=False,
    ),
    "stop-account": Act(
        gettext_lazy("Stop %(name)s"),
        gettext_lazy("Stop now"),
        gettext_lazy("%(name)s is stopped."),
        _disable,
        lambda _m: [
            _(
                "Every key of this account is refused from the next call on. Its roles and keys stay as"
                " they are, and work again when somebody lets it go on."
            )
        ],
        lambda m: _is_account(m) and m.active,
    ),
    "let-account-go-on": Act(
        gettext_lazy("Let %(name)s go on"),
        gettext_lazy("Let it go on"),
        gettext_lazy("%(name)s works again."),
        _let_back,
        lambda _m: [_("Its keys work again, and it has all that it had and that has not ended.")],
        lambda m: _is_account(m) and not m.active and m.alone_since is None,
        is_grave=False,
    ),
    "remove": Act(
        gettext_lazy("Remove %(name)s for good"),
        gettext_lazy("Remove for good"),
        gettext_lazy("%(name)s is removed."),
        _remove,
        lambda m: [
            *_sessions(m),
            _(
                "Every role, every place in a team and every invitation ends now. Should they come"
                " back, they begin from nothing. What they did stays on record."
            ),
            *_answers_for(m),
        ],
        _is_person,
    ),
    "make-owner": Act(
        gettext_lazy("Make %(name)s an owner"),
        gettext_lazy("Make an owner"),
        gettext_lazy("%(name)s is an owner."),
        _make_owner,
        lambda _m: [
            _(
                "An owner can do everything here, can make others owners, and can end your being one."
            )
        ],
        lambda m: _is_person(m) and m.active and not m.owner,
    ),
    "unmake-owner": Act(
        gettext_lazy("%(name)s, no owner any more"),
        gettext_lazy("End it"),
        gettext_lazy("%(name)s is no owner any more."),
        _unmake_owner,
        lambda _m: [_("They keep what their roles give them. One owner always stays.")],
        lambda m: _is_person(m) and m.owner,
    ),
    "end-sessions": Act(
        gettext_lazy("Sign %(name)s out in every browser"),
        gettext_lazy("Sign out now"),
        gettext_lazy("%(name)s is signed out in every browser."),
        _end_sessions,
        lambda m: [*_sessions(m), _("They can sign in again.")],
        lambda m: _is_person(m) and m.active,
        is_grave=False,
    ),
    "reset-factors": Act(
        gettext_lazy("Let %(name)s set up a new second factor"),
        gettext_lazy("Take the old ones away and send the mail"),
        gettext_lazy("%(name)s gets a mail with the way back in."),
        _reset_factors,
        lambda m: [
            *_sessions(m),
            _(
                "Their password, passkeys, app and recovery codes stop working now. A mail to %(email)s"
                " lets them choose a password and set up a new factor; you do not get that link."
            )
            % {"email": m.email},
            _("With the same mail they can put everything back for seven days."),
            _("Ask them by voice first: whoever says so in a message may be somebody else."),
        ],
        lambda m: _is_person(m) and m.active and not m.is_awaited,
        needs_mail=True,
    ),
}


def act(request: HttpRequest, principal: UUID, what: str) -> HttpResponse:
    """Say what follows; posted, do it."""
    actor, chosen = visits.actor(request), ACTS[what]
    member = queries.member(actor.workspace, principal)
    if member is None:
        raise Http404
    if not chosen.fits(member):  # done meanwhile, perhaps by somebody else
        return redirect("console:person", principal)
    form = Reason(request.POST or None)
    name = {"name": member.name}
    if chosen.needs_mail and not settings.PORTERO_SENDS_MAIL and form.is_bound:
        form.add_error(None, _NO_MAIL)
    if request.method == "POST" and form.is_valid():
        try:
            chosen.does(actor, principal, form.cleaned_data["reason"])
        except BeyondOwnRights as error:
            form.add_error(None, beyond_own_rights(error))
        except AtHomeElsewhere:
            form.add_error(None, _ELSEWHERE)
        else:
            gone = what == "remove"
            return done(request, chosen.done % name, *_after(principal, gone=gone))
    context = {
        "form": form,
        "member": member,
        "title": chosen.title % name,
        "verb": chosen.verb,
        "follows": chosen.follows(member),
        "is_grave": chosen.is_grave,
    }
    return render(request, "console/act.html", context, status=400 if form.errors else 200)


def _after(principal: UUID, *, gone: bool) -> tuple[Any, ...]:
    return ("console:people",) if gone else ("console:person", principal)


def acts_for(member: Member, actor: Actor) -> list[tuple[str, str]]:
    """What can be done to a member: the name of the act, and what it is called."""
    mine = member.id == actor.principal
    return [
        (name, one.title % {"name": member.name})
        for name, one in ACTS.items()
        if one.fits(member) and not (mine and name != "unmake-owner")
    ]


# Who answers for a service account


class Answering(Form):
    """Who answers for it from now on."""

    person = forms.UUIDField()


def _found(actor: Actor, wanted: str, *, partly: bool) -> Sequence[Member]:
    """Who has that in the name; without `partly` one whose name or address it is, and no other.

    Who may not see the people here takes in whom they know, and does not leaf through the rest (R24).
    """
    if partly:
        return queries.members(actor.workspace, containing=wanted).members
    named = queries.askers(actor.workspace, wanted, partly=False)
    only = [one for one in named if one.key is None] if len(named) == 1 else []
    found = (queries.member(actor.workspace, one.principal) for one in only)
    return [one for one in found if one is not None]


def accountable(request: HttpRequest, account: UUID) -> HttpResponse:
    """Name somebody who answers for a service account; found by name, as for a team."""
    actor = visits.actor(request)
    found = queries.member(actor.workspace, account)
    if found is None or not _is_account(found):
        raise Http404
    form = Answering(request.POST or None)
    if request.method == "POST" and form.is_valid():
        person = form.cleaned_data["person"]
        try:
            access.name_accountable(actor=actor, account=account, person=person)
        except BeyondOwnRights as error:
            form.add_error(None, beyond_own_rights(error))
        else:
            told = _("From now on %(person)s answers for %(account)s.")
            named = queries.member(actor.workspace, person)
            names = {"person": named.name if named is not None else "", "account": found.name}
            return done(request, told % names, "console:person", account)
    wanted = request.GET.get("q", "").replace("\0", "").strip()
    sees_people = policy.sees_people(actor=actor)
    matches = _found(actor, wanted, partly=sees_people)
    context = {
        "form": form,
        "account": found,
        "q": wanted,
        "sees_people": sees_people,
        "matches": [
            one for one in matches if _is_person(one) and one.active and not one.is_awaited
        ][:_FOUND_MAX],
    }
    return render(request, "console/accountable.html", context, status=400 if form.errors else 200)


# Teams


class Name(Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=_NAME_MAX)


def new_team(request: HttpRequest) -> HttpResponse:
    form = Name(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            team = access.create_team(actor=visits.actor(request), name=form.cleaned_data["name"])
        except InvalidRule:
            form.add_error("name", _("Between 1 and 200 characters that can be read."))
        except NameTaken:
            form.add_error("name", _("Another team is called so."))
        else:
            return done(request, _("The team is made. Nobody is in it yet."), "console:team", team)
    status = 400 if form.errors else 200
    return render(request, "console/team_new.html", {"form": form}, status=status)


class Members(Form):
    """Whom to take in or out, or what to call the team."""

    add = forms.UUIDField(required=False)
    leave = forms.UUIDField(required=False)
    name = forms.CharField(label=gettext_lazy("Name"), max_length=_NAME_MAX, required=False)


def team(request: HttpRequest, team: UUID) -> HttpResponse:
    """Who is in a team; somebody to take in is found by name."""
    actor = visits.actor(request)
    found = queries.member(actor.workspace, team)
    if found is None or found.kind is not PrincipalKind.TEAM:
        raise Http404
    form = Members(request.POST or None, initial={"name": found.name})
    if request.method == "POST" and form.is_valid():
        return _change_team(request, found, form)
    wanted = request.GET.get("q", "").replace("\0", "").strip()
    inside = queries.ids_of_members(actor.workspace, team)
    here = queries.members_of(actor.workspace, team, containing=wanted)
    sees_people = policy.sees_people(actor=actor)
    matches = _found(actor, wanted, partly=sees_people) if wanted else ()
    context = {
        "team": found,
        "form": form,
        "here": here,
        "q": wanted,
        "sees_people": sees_people,
        "matches": [
            one for one in matches if one.id not in inside and one.kind is not PrincipalKind.TEAM
        ][:_FOUND_MAX],
    }
    return render(request, "console/team.html", context)


def _change_team(request: HttpRequest, found: Member, form: Members) -> HttpResponse:
    actor, asked = visits.actor(request), form.cleaned_data
    with access.changes_together(
        actor=actor, operation="change_team", event="team.members_changed"
    ):
        if asked["name"] and asked["name"] != found.name:
            access.rename_team(actor=actor, team=found.id, name=asked["name"])
        if asked["add"]:
            access.add_to_team(actor=actor, team=found.id, member=asked["add"])
        if asked["leave"]:
            access.take_from_team(actor=actor, team=found.id, member=asked["leave"])
    return done(request, _("Saved. It holds from now on."), "console:team", found.id)
