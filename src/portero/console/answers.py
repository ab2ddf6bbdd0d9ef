"""What a view says when it has done something, and what the console says when a service would not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from portero.console import lens, saying, visits
from portero.domain.access import queries as access
from portero.domain.access import services
from portero.domain.access.errors import (
    AccessDenied,
    BeyondOwnRights,
    ConditionUnmet,
    LastOwner,
    LocksItselfIn,
    NameTaken,
    NotConfirmed,
    NotFound,
    OwnAccess,
    OwnerNeeded,
    RoleIsBuiltIn,
    ShutsYouOut,
)
from portero.engine import PERMISSIONS, Guardrail, GuardrailKind, Reason


def done(request: HttpRequest, text: str, to: str, *arguments: object) -> HttpResponseRedirect:
    """Lead on to a page that begins with what was done: "Saved."."""
    messages.success(request, text)
    return redirect(to, *arguments)


def beyond_own_rights(error: BeyondOwnRights) -> str:
    """For the head of a form: what who filled it in does not have themselves."""
    permissions = ", ".join(_(PERMISSIONS[key].sentence) for key in error.permissions)
    return _("You do not have this yourself, as far and as freely: %(permissions)s.") % {
        "permissions": permissions
    }


def refused(request: HttpRequest, refusal: AccessDenied) -> HttpResponse:
    """The page of a refusal: what did not happen, whose rule it was, and who can help."""
    if not lens.held(request):
        kept_out = access.kept_out_by(actor=visits.actor(request))
        if kept_out:
            return _not_let_in(request, kept_out)
    context = refusal_in_words(request, refusal)
    return render(request, "console/denied.html", context, status=403)


def refusal_in_words(request: HttpRequest, refusal: AccessDenied) -> dict[str, Any]:
    """What is missing, why, who could give it, and whether to ask for it would help."""
    missing = [PERMISSIONS[key] for key in refusal.checks if key in PERMISSIONS]
    return {
        "missing": missing,
        "reason": refusal.reason,
        "why": _why(request, refusal),
        # A guardrail takes away from whoever has the permission: to ask for it would not help.
        "may_ask": refusal.reason != Reason.BLOCKED_BY_GUARDRAIL,
        "who_can": access.who_can_give(
            actor=visits.actor(request), permissions=[spec.key for spec in missing]
        ),
    }


def _not_let_in(request: HttpRequest, rules: Sequence[Guardrail]) -> HttpResponse:
    """The page for who is a member and may not come in here and now: why, and what there is to do."""
    person = visits.person(request)
    kinds = {one.kind for one in rules}
    back = request.get_full_path()
    wants_passkey = GuardrailKind.REQUIRE_PASSKEY in kinds
    wants_factor = GuardrailKind.REQUIRE_FRESH_FACTOR in kinds and not wants_passkey
    context = {
        "rules": [(one.name, saying.guardrail_in_words(one)) for one in rules],
        "address": request.META["REMOTE_ADDR"],
        "is_by_network": GuardrailKind.NETWORKS in kinds,
        "passkey": visits.way_to_a_passkey(person, back) if wants_passkey else None,
        "factor": visits.way_to_show_it_again(person, back) if wants_factor else None,
        "owners": access.owners(actor=visits.actor(request)),
        "elsewhere": len(visits.workspaces(request)) > 1,
    }
    return render(request, "console/not_let_in.html", context, status=403)


def looked_only(
    request: HttpRequest, *, event: str = "page.opened", checks: Sequence[str] = ()
) -> HttpResponse:
    """The page for what cannot be done, or not be seen, with somebody else's eyes; on record."""
    held, match = lens.held(request), request.resolver_match
    if held is not None:
        services.record_no_act(
            actor=held.actor(),
            lens=held.lens,
            page=match.view_name if match is not None else "",
            event=event,
            checks=checks,
        )
    return render(request, "console/only_looking.html", status=403)


def _why(request: HttpRequest, refusal: AccessDenied) -> str:
    held = lens.held(request)
    if held is not None:
        return _(
            "Seen as %(name)s, this does not open: either they may not see it, or you may not."
        ) % {"name": held.name}
    if isinstance(refusal, OwnAccess):
        return _("Nobody gives access to themselves, whatever their role.")
    if isinstance(refusal, OwnerNeeded):
        return _("Only an owner does this to an owner.")
    if isinstance(refusal, BeyondOwnRights):
        return _("Nobody gives what they do not have themselves, as far and as freely.")
    if isinstance(refusal, ConditionUnmet):
        return _("A guardrail of this workspace asks for more than this page can show.")
    return _("None of your roles in %(workspace)s includes it here and now.") % {
        "workspace": getattr(visits.membership(request), "workspace_name", "")
    }


def answer_to(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """The page for what a service may raise; None for what nobody foresaw."""
    if isinstance(error, AccessDenied):
        return refused(request, error)
    if isinstance(error, NotFound):
        return render(request, "console/absent.html", status=404)
    if isinstance(error, LastOwner):
        return conflict(request, _("A workspace keeps at least one owner. Make another one first."))
    if isinstance(error, ShutsYouOut):
        return conflict(
            request,
            _(
                "After it you could not come in from where you are, as you signed in, and no owner is"
                " held by less. Meet that rule first, or make another owner."
            ),
        )
    if isinstance(error, LocksItselfIn):
        return conflict(
            request,
            _(
                "After it no owner could come in, or take a guardrail away again. Change that guardrail"
                " first, or leave an owner out of it."
            ),
        )
    if isinstance(error, NameTaken):
        return conflict(
            request, _("Another one here is called so. Give one of the two another name.")
        )
    if isinstance(error, RoleIsBuiltIn):
        return conflict(request, _("Built-in roles stay as they are. Make a copy and change that."))
    if isinstance(error, NotConfirmed):
        return conflict(
            request,
            _(
                "It is saved. One process of the gateway has not confirmed it yet, so a call under"
                " the old rules may still leave it; look at its log, or restart it."
            ),
        )
    return None


def conflict(request: HttpRequest, sentence: str) -> HttpResponse:
    """The page for what cannot be done as things stand, and why."""
    return render(request, "console/conflict.html", {"sentence": sentence}, status=409)
