"""Keys of programs: which there are, what each may do; making, rolling and ending them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from typing_extensions import override

from portero.console import controls, saying, visits
from portero.console.answers import beyond_own_rights, conflict, done
from portero.console.forms import Form, sent_again
from portero.console.membership import Reason
from portero.console.narrowing import CHOSEN, Places, Times, idle_in, places_here
from portero.console.picking import Groups, grouped_permissions, picked
from portero.console.saying import Names
from portero.domain.access import queries as access
from portero.domain.access import services
from portero.domain.access.authorize import Actor, Gift
from portero.domain.access.errors import BeyondOwnRights, InvalidRule, NameTaken, NotFound
from portero.domain.accounts import queries
from portero.domain.accounts import services as accounts
from portero.domain.accounts.queries import Key, KeyState
from portero.domain.accounts.services import NewKey
from portero.domain.audit.models import in_workspace
from portero.domain.workspaces.models import Number, Resource, TemplateSetMember
from portero.engine import PERMISSIONS, Credential, PermissionSpec, Reach
from portero.graphapi.kinds import Kind

_NAME_MAX = 200
_JUST_NOW = timedelta(minutes=10)
_NEW = "new"
_FOUNDING = {"service_account:create", "role:update", "role:assign"}
"""What a new account of a key takes, besides the key."""
_OF_PEOPLE = "Access"
"""The group of the catalogue with what is done in the console."""
_LASTS = [
    ("7", gettext_lazy("A week")),
    ("30", gettext_lazy("30 days")),
    ("90", gettext_lazy("90 days")),
    ("365", gettext_lazy("A year")),
]
_OVERLAPS = [
    ("0", gettext_lazy("None: the old key ends now")),
    ("1", gettext_lazy("An hour")),
    ("24", gettext_lazy("A day")),
    ("168", gettext_lazy("A week")),
]
_WRITES = ["send:template", "template:use_utility", "template:read", "number:read"]
_TALKS = [
    *("send:text", "send:image", "send:document", "send:reaction", "send:typing_read"),
    *("send:interactive_buttons", "send:interactive_list", "media:upload", "media:read"),
]
JOBS: Mapping[str, tuple[Any, frozenset[str]]] = {
    "orders": (gettext_lazy("Order messages"), frozenset(_WRITES)),
    "chatbot": (gettext_lazy("Chatbot"), frozenset([*_WRITES, *_TALKS])),
    "crm": (gettext_lazy("CRM"), frozenset([*_WRITES, *_TALKS, "message:read_history"])),
    "reports": (
        gettext_lazy("Reports, reading only"),
        frozenset(["report:read_delivery", "template:read_analytics", "number:read", "waba:read"]),
    ),
}
"""Common jobs of programs, to begin from."""


class Keying(Places, Times):
    """A key: whose it is, what it may do, where, when and until when."""

    name = forms.CharField(
        label=gettext_lazy("What is the key for?"),
        help_text=gettext_lazy("Such as: order messages of the shop"),
        max_length=_NAME_MAX,
    )
    account = forms.ChoiceField(
        label=gettext_lazy("Service account"),
        error_messages={"required": gettext_lazy("Say which program it is for.")},
    )
    account_name = forms.CharField(
        label=gettext_lazy("Name of the new account"),
        help_text=gettext_lazy("Such as: order system"),
        max_length=_NAME_MAX,
        required=False,
    )
    permissions = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"), required=False, widget=forms.CheckboxSelectMultiple
    )
    lasts = forms.ChoiceField(label=gettext_lazy("How long"), choices=_LASTS, initial="90")
    in_url = forms.BooleanField(
        label=gettext_lazy("It may come in the address of a call, as some clients send it"),
        required=False,
    )
    back = forms.BooleanField(required=False)

    def __init__(self, *args: Any, choices: Mapping[str, list[Any]], **kwargs: Any) -> None:
        # A program shows no factor, and what it sends is no team's.
        super().__init__(*args, without=["factor", "teams"], **kwargs)
        for name, some in choices.items():
            self.offer(name, some)

    @override
    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        self.require_whole_hours()
        if found.get("account") == _NEW:
            if not found.get("account_name"):
                self.add_error("account_name", _("Give the new account a name."))
            if not found.get("permissions"):
                self.add_error("permissions", _("Choose what it may do: at least one thing."))
        return found

    @property
    def lifetime(self) -> timedelta:
        return timedelta(days=int(self.cleaned_data["lasts"]))

    @property
    def account_id(self) -> UUID | None:
        """The account it is for; None = one to be made."""
        chosen = self.cleaned_data["account"]
        return None if chosen == _NEW else UUID(chosen)

    @property
    def permissions_kept(self) -> list[str] | None:
        """What it keeps of its account's; None = all."""
        return self.cleaned_data["permissions"] or None


def keys(request: HttpRequest) -> HttpResponse:
    actor = visits.actor(request)
    account, after = (_id_in(request, name) for name in ("account", "behind"))
    of = queries.member(actor.workspace, account) if account is not None else None
    if account is not None and of is None:
        raise Http404
    page = queries.keys(actor.workspace, account=account, after=after)
    context = {"page": page, "account": of, "account_id": str(account)}
    return render(request, "console/keys.html", context)


def key(request: HttpRequest, api_key: UUID) -> HttpResponse:
    found, actor = _key(request, api_key), visits.actor(request)
    context = {
        "key": found,
        "gifts": _told(queries.gifts_of(actor.workspace, api_key), Names.of(actor.workspace)),
        "may_see_people": "member:read" in controls.held(request),
    }
    return render(request, "console/key.html", context)


def new(request: HttpRequest) -> HttpResponse:
    """The form; posted, what the key would do. Nothing is changed by it."""
    actor = visits.actor(request)
    choices = _choices(actor, _may_found(request))
    if request.method == "POST":
        form = Keying(request.POST, choices=choices)
        if form.is_valid() and not form.cleaned_data["back"]:
            return _review(request, actor, form)
        return _show(request, form)
    job = JOBS.get(request.GET.get("job", ""))
    initial = {
        "permissions": sorted(job[1]) if job else [],
        "account": request.GET.get("account", ""),
    }
    return _show(request, Keying(choices=choices, initial=initial))


def save(request: HttpRequest) -> HttpResponse:
    actor = visits.actor(request)
    form = Keying(request.POST, choices=_choices(actor, _may_found(request)))
    if form.is_valid():
        try:
            made = _make(actor, form)
        except BeyondOwnRights as error:
            form.add_error(None, beyond_own_rights(error))
        except NameTaken:
            if (made_before := _made_just_now(actor, form.cleaned_data["name"])) is not None:
                told = _("It is made already. Its secret was shown then, and is not shown again.")
                return done(request, told, "console:key", made_before.id)
            form.add_error(
                None, _("A key, an account or a role of that name exists. Choose another name.")
            )
        except InvalidRule:
            form.add_error(None, _("This names too many places at once: choose fewer."))
        except NotFound:
            form.add_error("account", _("That account has ended meanwhile. Choose another one."))
        else:
            return _shown_once(request, actor, made, form.cleaned_data["name"])
    return _show(request, form)


def roll(request: HttpRequest, api_key: UUID) -> HttpResponse:
    """A new key in the place of another, which goes on for a while."""
    found, actor = _key(request, api_key), visits.actor(request)
    if found.state is not KeyState.ACTIVE:
        return conflict(
            request,
            _("%(name)s is revoked or has ended: nothing of it can be renewed. Make a new key.")
            % {"name": found.name},
        )
    form = Rolling(request.POST or None)
    if request.method == "POST" and form.is_valid():
        overlap = timedelta(hours=int(form.cleaned_data["overlap"]))
        lifetime = timedelta(days=int(form.cleaned_data["lasts"]))
        try:
            made = accounts.roll_key(actor=actor, key=api_key, overlap=overlap, lifetime=lifetime)
        except BeyondOwnRights as error:
            form.add_error(None, beyond_own_rights(error))
        else:
            ends = min(found.expires_at, actor.at + overlap) if overlap else None
            return _shown_once(request, actor, made, found.name, old_ends_at=ends)
    status = 400 if form.errors else 200
    return render(request, "console/key_roll.html", {"key": found, "form": form}, status=status)


class Rolling(Form):
    overlap = forms.ChoiceField(
        label=gettext_lazy("How long both work"),
        choices=_OVERLAPS,
        initial="24",
        widget=forms.RadioSelect,
    )
    lasts = forms.ChoiceField(
        label=gettext_lazy("How long the new one lasts"), choices=_LASTS, initial="90"
    )


def revoke(request: HttpRequest, api_key: UUID) -> HttpResponse:
    found, actor = _key(request, api_key), visits.actor(request)
    form = Reason(request.POST or None)
    if request.method == "POST" and form.is_valid():
        accounts.revoke_key(actor=actor, key=api_key, reason=form.cleaned_data["reason"])
        told = _("%(name)s is revoked: no call of it leaves any more.") % {"name": found.name}
        return done(request, told, "console:key", api_key)
    return render(request, "console/key_revoke.html", {"key": found, "form": form})


def _make(actor: Actor, form: Keying) -> NewKey:
    """The key; for a new account that account too, with a role of its own that gives just this."""
    found = form.cleaned_data
    with services.changes_together(actor=actor, operation="create_key", event="api_key.created"):
        account = form.account_id
        if account is None:
            account = accounts.create_service_account(
                actor=actor, name=found["account_name"], accountable=actor.principal
            )
            cells = dict.fromkeys(found["permissions"], Reach.ALL)
            role = services.create_role(actor=actor, name=found["account_name"], cells=cells)
            services.create_binding(actor=actor, principal=account, role=role, scope=form.scope)
        return accounts.create_key(
            actor=actor,
            service_account=account,
            name=found["name"],
            permissions=form.permissions_kept,
            scope=form.scope,
            conditions=form.conditions,
            lifetime=form.lifetime,
            url_compatible=found["in_url"],
        )


@dataclass(frozen=True, slots=True)
class Told:
    """What a key may do at one place: sentences, and where and when they hold."""

    permissions: list[PermissionSpec]
    idle: list[PermissionSpec]
    """Given too, and never of use at such a place."""
    where: list[str]
    when: list[str]
    until: datetime | None


def _told(gifts: Iterable[Gift], names: Names) -> Iterator[Told]:
    for gift in gifts:
        idle = idle_in(gift.scope, gift.cells)
        yield Told(
            [s for s in PERMISSIONS.values() if gift.cells.get(s.key) and s not in idle],
            idle,
            saying.where(gift.scope, names),
            saying.when(gift.conditions),
            saying.until(gift.until),
        )


def _key(request: HttpRequest, key: UUID) -> Key:
    found = queries.key(visits.actor(request).workspace, key)
    if found is None:
        raise Http404
    return found


def _may_found(request: HttpRequest) -> bool:
    """Whether they can make an account with a role of its own for a new key."""
    return controls.held(request) >= _FOUNDING


def _choices(actor: Actor, may_found: bool) -> dict[str, list[Any]]:
    known = queries.service_accounts(actor.workspace)
    with in_workspace(actor.workspace):
        places = places_here()
    del places["teams"]
    return {
        **places,
        "permissions": [choice for _group, some in _offered() for choice in some],
        "account": [
            ("", _("Choose")),
            *((str(one.id), one.name) for one in known),
            *([(_NEW, _("A new account"))] if may_found else []),
        ],
    }


def _offered() -> Groups:
    """What programs do: not what only people in the console can."""
    return [
        (group, some)
        for group, some in grouped_permissions()
        if not any(PERMISSIONS[key].group == _OF_PEOPLE for key, _sentence in some)
    ]


def _show(request: HttpRequest, form: Keying) -> HttpResponse:
    context = {
        "form": form,
        "jobs": [(name, title) for name, (title, _keys) in JOBS.items()],
        "groups": picked(form["permissions"], _offered()),
        "places": [form[name] for name in CHOSEN if name in form.fields and form[name].subwidgets],
        "is_narrow": any(form[name].value() for name in ("days", "networks")),
    }
    return render(request, "console/key_form.html", context, status=400 if form.errors else 200)


def _review(request: HttpRequest, actor: Actor, form: Keying) -> HttpResponse:
    names = Names.of(actor.workspace)
    until = actor.at + form.lifetime
    if form.account_id is None:
        cells = dict.fromkeys(form.cleaned_data["permissions"], Reach.ALL)
        gifts = [Gift(cells, form.scope, form.conditions, until.timestamp(), frozenset())]
    else:
        credential = Credential(
            id="",
            principal=str(form.account_id),
            scope=form.scope,
            conditions=form.conditions,
            until=until.timestamp(),
            permissions=frozenset(kept) if (kept := form.permissions_kept) else None,
        )
        gifts = queries.gifts_of_one_like(actor.workspace, credential)
    context = {
        "form": form,
        "name": form.cleaned_data["name"],
        "gifts": list(_told(gifts, names)),
        "beyond": [PERMISSIONS[key] for key in queries.beyond_maker(actor, gifts)],
        "until": until,
        "fields": sent_again(request),
    }
    return render(request, "console/key_review.html", context)


def _shown_once(
    request: HttpRequest,
    actor: Actor,
    made: NewKey,
    name: str,
    *,
    old_ends_at: datetime | None = None,
) -> HttpResponse:
    """The secret and lines to paste: the one answer that ever holds it."""
    gifts = queries.gifts_of(actor.workspace, made.id)
    sees_templates = bool(access.allowed(actor=actor, permissions=("template:read",)))
    context = {
        "made": made,
        "name": name,
        "secret": made.text.reveal().decode(),
        "base": settings.PORTERO_PUBLIC_URL,
        "version": settings.PORTERO_GRAPH_VERSION,
        "call": _first_call(actor.workspace, gifts, sees_templates=sees_templates),
        "old_ends_at": old_ends_at,
    }
    return render(request, "console/key_made.html", context)


@dataclass(frozen=True, slots=True)
class FirstCall:
    """A call to paste that this very key may make."""

    number: str
    to: str
    """Whom it goes to: a customer of the sandbox, or a word to be replaced."""
    template: str = ""
    language: str = ""
    is_text: bool = False

    @property
    def is_sending(self) -> bool:
        return self.is_text or bool(self.template)

    @property
    def body(self) -> str:
        """What is sent, as JSON that can stand between single quotes."""
        content: dict[str, Any] = {"type": "text", "text": {"body": "Hola"}}
        if self.template:
            named = {"name": self.template, "language": {"code": self.language}}
            content = {"type": "template", "template": named}
        return json.dumps({"messaging_product": "whatsapp", "to": self.to, **content})


_TO, _SANDBOX_CUSTOMER = "CUSTOMER_NUMBER", "525512345678"


def _first_call(workspace: UUID, gifts: Iterable[Gift], *, sees_templates: bool) -> FirstCall:
    """A text or a template where it may send one, else a look at a number."""
    gifts = list(gifts)
    numbers = sorted({one for gift in gifts for one in gift.scope.numbers or ()})
    may = {
        key
        for gift in gifts
        for key, reach in gift.cells.items()
        if reach and PERMISSIONS[key].can_be_in(gift.scope)
    }
    sets = {one for gift in gifts for one in gift.scope.template_sets or ()}
    with in_workspace(workspace):
        here = Number.objects.order_by("name").values_list("meta_id", flat=True)
        number = next(iter(numbers), None) or here.first() or "NUMBER_ID"
        approved = Resource.objects.filter(kind=Kind.TEMPLATE, attributes__status="APPROVED")
        if sets:
            inside = TemplateSetMember.objects.filter(set_id__in=sets)
            approved = approved.filter(attributes__name__in=inside.values("template_name"))
        template = approved.order_by("meta_id").values_list("attributes", flat=True).first()
    is_sandbox = urlsplit(settings.PORTERO_GRAPH_URL).scheme == "http"
    to = _SANDBOX_CUSTOMER if is_sandbox else _TO
    if "send:text" in may:
        return FirstCall(number, to, is_text=True)
    if "send:template" in may and sees_templates and template is not None:
        return FirstCall(number, to, str(template["name"]), str(template["language"]))
    return FirstCall(number, to)


def _made_just_now(actor: Actor, name: str) -> Key | None:
    """The key that the same form made when it was sent before: a page that was loaded anew."""
    found = queries.key_named(actor.workspace, name)
    if found is None or found.author != actor.principal:
        return None
    return found if actor.at - found.created_at < _JUST_NOW else None


def _id_in(request: HttpRequest, name: str) -> UUID | None:
    written = request.GET.get(name)
    if written is None:
        return None
    try:
        return UUID(written)
    except ValueError:
        raise Http404 from None
