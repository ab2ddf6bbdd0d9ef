"""Why somebody may do something or may not: the engine's answer as a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from portero.console import visits
from portero.console.questions import OwnWhyForm, ThingForm, WhyForm, permissions_of
from portero.console.saying import Names
from portero.console.telling import told
from portero.domain.access import queries as access
from portero.domain.access.authorize import Actor
from portero.domain.accounts import queries as accounts
from portero.domain.accounts.queries import Asker
from portero.domain.audit.models import Record, RecordOpen, in_workspace
from portero.domain.workspaces import queries
from portero.domain.workspaces.errors import UnknownNumber, UnknownTemplate
from portero.domain.workspaces.models import Number
from portero.domain.workspaces.queries import Account, Asked
from portero.engine import Effect, PrincipalKind
from portero.graphapi import phone
from portero.graphapi.errors import GraphError
from portero.store.records import RecordKind


def why(request: HttpRequest) -> HttpResponse:
    """About anybody, for those who may explain access."""
    actor = visits.actor(request)
    choices = queries.choices(actor=actor)
    if "what" not in request.GET:
        form = WhyForm(initial=request.GET.dict(), choices=choices)
        return _page(request, form)
    form = WhyForm(request.GET, choices=choices)
    if not form.is_valid():
        return _page(request, form)
    sees_people = access.sees_people(actor=actor)
    found = accounts.askers(actor.workspace, form.cleaned_data["who"], partly=sees_people)
    if not sees_people:
        found = found if len(found) == 1 else ()
    if len(found) == 1 and found[0].kind is PrincipalKind.TEAM:
        members = accounts.some_members_of(actor.workspace, found[0].principal)
        offered = _offered(request, members) if sees_people else []
        return _page(request, form, team=found[0], offered=offered, is_empty=not members)
    if len(found) != 1:
        if not found:
            form.add_error(
                "who", _("Nobody and no key here is called that. Part of a name is enough.")
            )
        status = 200 if found else 404
        return _page(request, form, offered=_offered(request, found), status=status)
    then = _recorded(actor, form.cleaned_data["then"])
    return _answer(request, form, found[0].principal, found[0].key, asker=found[0], then=then)


def own_why(request: HttpRequest) -> HttpResponse:
    """About oneself, and the service accounts one answers for: for every member."""
    actor = visits.actor(request)
    choices, mine = queries.choices(actor=actor), queries.own_askers(actor=actor)
    names = list(mine.items())
    if "what" not in request.GET:
        form = OwnWhyForm(initial=request.GET.dict(), choices=choices, askers=names)
        return _page(request, form, own=True)
    form = OwnWhyForm(request.GET, choices=choices, askers=names)
    if not form.is_valid():
        return _page(request, form, own=True)
    principal = UUID(form.cleaned_data["who"] or actor.id)
    return _answer(request, form, principal, None, own=True)


def _answer(
    request: HttpRequest,
    form: ThingForm,
    principal: UUID,
    key: UUID | None,
    **context: Any,
) -> HttpResponse:
    actor = visits.actor(request)
    asked = Asked(
        principal=principal,
        credential=key,
        permissions=permissions_of(form.cleaned_data["what"]),
        thing=form.thing(),
        when=form.when(actor.at),
    )
    try:
        account = queries.why(actor=actor, asked=asked)
    except (UnknownNumber, UnknownTemplate) as unknown:
        form.blame(unknown)
        return _page(request, form, **context)
    return _page(request, form, account=account, **context)


def _page(
    request: HttpRequest,
    form: ThingForm,
    *,
    account: Account | None = None,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    actor = visits.actor(request)
    context["told"] = account and told(account, Names.of(actor.workspace))
    context["account"] = account
    context["who_else"] = _same_question(request)
    return render(request, "console/why.html", {"form": form, **context}, status=status)


def _same_question(request: HttpRequest) -> str:
    """The question without who asks it, for the page of all who can."""
    kept = {
        name: value for name, value in request.GET.items() if name not in {"who", "then"} and value
    }
    if kept.get("whose") == queries.Whose.THEIRS:
        kept["whose"] = queries.Whose.ELSE
    return urlencode(kept)


@dataclass(frozen=True, slots=True)
class Offered:
    """One of several that `who` may mean."""

    asker: Asker
    query: str


def _offered(request: HttpRequest, found: tuple[Asker, ...]) -> list[Offered]:
    said = request.GET.dict()
    return [
        Offered(one, urlencode({**said, "who": str(one.key or one.principal)})) for one in found
    ]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the log says of a call or an act."""

    at: datetime
    allowed: bool
    reason: str
    policy_version: int


def _recorded(actor: Actor, call: UUID | None) -> Recorded | None:
    # What was decided then is in the log, and to read that is a permission of its own.
    if call is None or not access.allowed(actor=actor, permissions=("audit:read",)):
        return None
    with in_workspace(actor.workspace):
        record = _refusal(call)
    if record is None:
        return None
    return Recorded(record.at, record.effect == Effect.ALLOW, record.reason, record.policy_version)


def _refusal(call: UUID) -> Record | None:
    """The decision of a call; of one that was decided again, the last."""
    kinds = (RecordKind.INTENT, RecordKind.EVENT)
    return Record.objects.filter(call_id=call, kind__in=kinds).order_by("-attempt").first()


def why_then(request: HttpRequest, call: UUID) -> HttpResponse:
    """From a record to the question it answered, with as many of its facts as were kept."""
    actor = visits.actor(request)
    with in_workspace(actor.workspace):
        record = _refusal(call)
        if record is None or not record.checks:
            raise Http404
        halves = RecordOpen.objects.filter(call_id=call, kind=record.kind, attempt=record.attempt)
        body: dict[str, Any] = next(iter(halves.values_list("body", flat=True)), {})
        facts = _facts(record, body)
        zone = queries.choices(actor=actor).timezone
    local = record.at.astimezone(ZoneInfo(zone))
    facts |= {"at": f"{local:%Y-%m-%dT%H:%M}", "then": str(call)}
    return redirect(f"{reverse('console:why')}?{urlencode(facts)}")


def _facts(record: Record, body: Mapping[str, Any]) -> dict[str, str]:
    ids = [one for one in body.get("ids", ()) if isinstance(one, str)]
    number = Number.objects.filter(meta_id__in=ids).values_list("meta_id", flat=True).first()
    facts = {
        "who": record.credential or record.actor,
        "what": record.checks[0],
        "number": number or "",
        "template": str(body.get("template") or ""),
        "country": _country(body.get("to")),
    }
    return {name: value for name, value in facts.items() if value}


def _country(recipients: object) -> str:
    if not isinstance(recipients, list) or not recipients:
        return ""
    try:
        return phone.canonical(str(recipients[0])).country or ""
    except GraphError:
        return ""
