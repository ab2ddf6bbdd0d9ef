from __future__ import annotations

from functools import partial

from django.urls import URLPattern, URLResolver, include, path

from portero.console import (
    arrival,
    assets,
    coming_in,
    controls,
    design,
    factors,
    giving,
    guardrails,
    home,
    inviting,
    keeping,
    keys,
    limits,
    mailbox,
    membership,
    overview,
    people,
    person,
    preferences,
    requests,
    role_editing,
    roles,
    searching,
    seeing_as,
    sessions,
    streams,
    views,
    welcome,
    who,
    why,
    workspaces,
)
from portero.console.doors import (
    CLOSED,
    EVERYBODY,
    MEMBERS,
    SIGNED_IN,
    adopt,
    also_outside,
    also_through_a_lens,
    close,
    needs,
    require_declarations,
    route,
)

app_name = "console"
_ours: list[URLPattern] = [
    route("", views.show_activity, "activity", GET=needs("audit:read", event="page.opened")),
    route("home/", home.home, "home", GET=also_through_a_lens(MEMBERS)),
    route(
        "overview/", overview.overview, "overview", GET=needs("member:read", event="page.opened")
    ),
    route("people/", people.people, "people", GET=needs("member:read", event="page.opened")),
    route(
        "people/invite/",
        inviting.invite,
        "invite",
        GET=needs("member:invite", event="page.opened"),
        POST=needs("member:invite", event="person.invited", is_fresh=True),
    ),
    route(
        "people/<uuid:principal>/invite/",
        inviting.invite_again,
        "invite_again",
        POST=needs("member:invite", event="person.invited", is_fresh=True),
    ),
    *(
        route(
            f"people/<uuid:principal>/{name}/",
            partial(membership.act, what=name),
            f"act_{name}",
            GET=needs(needed, event="page.opened"),
            POST=needs(needed, event=event, is_fresh=True),
        )
        for name, needed, event in (
            ("suspend", "member:suspend", "principal.disabled"),
            ("let-back", "member:suspend", "principal.enabled"),
            ("remove", "member:suspend", "person.removed"),
            ("end-sessions", "member:suspend", "sessions.ended"),
            ("reset-factors", "member:reset_factor", "factors.reset"),
            ("stop-account", "service_account:disable", "principal.disabled"),
            ("let-account-go-on", "service_account:disable", "principal.enabled"),
            ("make-owner", "role:assign", "owner.changed"),
            ("unmake-owner", "role:assign", "owner.changed"),
        )
    ),
    route(
        "people/<uuid:account>/accountable/",
        membership.accountable,
        "accountable",
        GET=needs("service_account:create", event="page.opened"),
        POST=needs("service_account:create", event="service_account.handed_over", is_fresh=True),
    ),
    route(
        "teams/new/",
        membership.new_team,
        "team_new",
        GET=needs("team:manage_members", event="page.opened"),
        POST=needs("team:manage_members", event="team.created"),
    ),
    route(
        "teams/<uuid:team>/",
        membership.team,
        "team",
        GET=needs("team:manage_members", event="page.opened"),
        POST=needs("team:manage_members", event="team.members_changed", is_fresh=True),
    ),
    route(
        "people/<uuid:principal>/give/",
        giving.give,
        "give",
        GET=needs("role:assign", event="page.opened"),
        POST=needs("role:assign", event="page.opened"),
    ),
    route(
        "people/<uuid:principal>/give/save/",
        giving.save,
        "give_save",
        POST=needs("role:assign", event="binding.created", is_fresh=True),
    ),
    route(
        "bindings/<uuid:binding>/end/",
        giving.end,
        "binding_end",
        GET=needs("role:assign", event="page.opened"),
        POST=needs("role:assign", event="binding.revoked", is_fresh=True),
    ),
    route(
        "coming-in/",
        coming_in.rules,
        "coming_in",
        GET=needs("role:read", event="page.opened"),
    ),
    route(
        "coming-in/<slug:kind>/",
        coming_in.new,
        "entry_new",
        GET=needs("guardrail:update", event="page.opened"),
        POST=needs("guardrail:update", event="page.opened"),
    ),
    route(
        "coming-in/<slug:kind>/save/",
        coming_in.save,
        "entry_save",
        POST=needs("guardrail:update", event="guardrail.created", is_fresh=True),
    ),
    route(
        "coming-in/<uuid:entry>/change/",
        coming_in.change,
        "entry_change",
        GET=needs("guardrail:update", event="page.opened"),
    ),
    route(
        "guardrails/",
        guardrails.guardrails,
        "guardrails",
        GET=needs("role:read", event="page.opened"),
    ),
    route(
        "guardrails/new/",
        guardrails.new,
        "guardrail_new",
        GET=needs("guardrail:update", event="page.opened"),
        POST=needs("guardrail:update", event="page.opened"),
    ),
    route(
        "guardrails/save/",
        guardrails.save,
        "guardrail_save",
        POST=needs("guardrail:update", event="guardrail.created", is_fresh=True),
    ),
    route(
        "guardrails/<uuid:guardrail>/change/",
        guardrails.change,
        "guardrail_change",
        GET=needs("guardrail:update", event="page.opened"),
    ),
    route(
        "guardrails/<uuid:guardrail>/retire/",
        guardrails.retire,
        "guardrail_retire",
        GET=needs("guardrail:update", event="page.opened"),
        POST=needs("guardrail:update", event="guardrail.retired", is_fresh=True),
    ),
    route("limits/", limits.limits, "limits", GET=needs("role:read", event="page.opened")),
    route(
        "limits/new/",
        limits.new,
        "limit_new",
        GET=needs("limit:update", event="page.opened"),
        POST=needs("limit:update", event="page.opened"),
    ),
    route(
        "limits/save/",
        limits.save,
        "limit_save",
        POST=needs("limit:update", event="limit.created", is_fresh=True),
    ),
    route(
        "limits/<uuid:limit>/change/",
        limits.change,
        "limit_change",
        GET=needs("limit:update", event="page.opened"),
    ),
    route(
        "limits/<uuid:limit>/retire/",
        limits.retire,
        "limit_retire",
        GET=needs("limit:update", event="page.opened"),
        POST=needs("limit:update", event="limit.retired", is_fresh=True),
    ),
    route("keys/", keys.keys, "keys", GET=needs("api_key:read", event="page.opened")),
    route(
        "keys/new/",
        keys.new,
        "key_new",
        GET=needs("api_key:create", event="page.opened"),
        POST=needs("api_key:create", event="page.opened"),
    ),
    route(
        "keys/save/",
        keys.save,
        "key_save",
        POST=needs("api_key:create", event="api_key.created", is_fresh=True),
    ),
    route("keys/<uuid:api_key>/", keys.key, "key", GET=needs("api_key:read", event="page.opened")),
    route(
        "keys/<uuid:api_key>/roll/",
        keys.roll,
        "key_roll",
        GET=needs("api_key:create", event="page.opened"),
        POST=needs("api_key:create", event="api_key.rolled", is_fresh=True),
    ),
    route(
        "keys/<uuid:api_key>/revoke/",
        keys.revoke,
        "key_revoke",
        GET=needs("api_key:revoke", event="page.opened"),
        # Without a factor anew: who sees a leak ends it at once.
        POST=needs("api_key:revoke", event="api_key.revoked"),
    ),
    route("requests/", requests.requests, "requests", GET=MEMBERS),
    route("requests/new/", requests.ask, "ask", GET=MEMBERS, POST=MEMBERS),
    route("requests/<uuid:request_id>/", requests.detail, "request", GET=MEMBERS),
    route(
        "requests/<uuid:request_id>/approve/",
        requests.approve,
        "request_approve",
        POST=needs("access_request:approve", event="access_request.approved", is_fresh=True),
    ),
    route(
        "requests/<uuid:request_id>/refuse/",
        requests.refuse,
        "request_refuse",
        POST=needs("access_request:approve", event="access_request.refused"),
    ),
    route(
        "requests/<uuid:request_id>/withdraw/",
        requests.withdraw,
        "request_withdraw",
        POST=MEMBERS,
    ),
    route("sessions/", sessions.own, "sessions", GET=MEMBERS, POST=MEMBERS),
    route(
        "people/<uuid:principal>/",
        person.person,
        "person",
        GET=needs("member:read", event="page.opened"),
    ),
    route("roles/", roles.roles, "roles", GET=needs("role:read", event="page.opened")),
    route(
        "roles/new/",
        role_editing.new,
        "role_new",
        GET=needs("role:update", event="page.opened"),
        POST=needs("role:update", event="role.created", is_fresh=True),
    ),
    route(
        "roles/<uuid:role>/edit/",
        role_editing.edit,
        "role_edit",
        GET=needs("role:update", event="page.opened"),
        POST=needs("role:update", event="page.opened"),
    ),
    route(
        "roles/<uuid:role>/save/",
        role_editing.save,
        "role_save",
        POST=needs("role:update", event="role.updated", is_fresh=True),
    ),
    route(
        "roles/<uuid:role>/versions/",
        role_editing.versions,
        "role_versions",
        GET=needs("role:read", event="page.opened"),
    ),
    route("roles/<uuid:role>/", roles.role, "role", GET=needs("role:read", event="page.opened")),
    route(
        "see-as/",
        seeing_as.see_as,
        "see_as",
        GET=needs("member:view_as", event="page.opened"),
        POST=needs("member:view_as", event="lens.opened", is_fresh=True),
    ),
    route(
        "see-as/end/",
        seeing_as.stop_seeing_as,
        "stop_seeing_as",
        POST=also_through_a_lens(MEMBERS),
    ),
    route(
        "workspaces/",
        workspaces.workspaces,
        "workspaces",
        GET=also_outside(MEMBERS),
        POST=also_outside(MEMBERS),
    ),
    route("stream-ticket/", streams.ticket, "stream_ticket", POST=MEMBERS),
    route("closed/", controls.closed, "closed", GET=MEMBERS),
    route("search/", searching.search, "search", GET=MEMBERS),
    route("preferences/", preferences.preferences, "preferences", GET=MEMBERS, POST=MEMBERS),
    route("why/", why.why, "why", GET=needs("access:explain", event="page.opened")),
    route("why/me/", why.own_why, "own_why", GET=MEMBERS),
    route(
        "why/records/<uuid:call>/",
        why.why_then,
        "why_then",
        GET=needs("audit:read", event="page.opened"),
    ),
    route("who/", who.who, "who", GET=needs("access:explain", event="page.opened")),
    route("welcome/<str:token>", welcome.welcome, "welcome", GET=EVERYBODY, POST=EVERYBODY),
    route("undo/<str:token>", factors.undo, "undo", GET=EVERYBODY, POST=EVERYBODY),
    route("forgotten/", welcome.forgotten, "forgotten", GET=EVERYBODY, POST=EVERYBODY),
    route("design/", design.design, "design", GET=EVERYBODY if mailbox.is_here() else CLOSED),
    route("mailbox/", mailbox.mailbox, "mailbox", GET=EVERYBODY if mailbox.is_here() else CLOSED),
    route("kept/", keeping.kept, "kept", GET=MEMBERS),
    route("arrival/<str:asked>", arrival.seen, "arrival", GET=also_through_a_lens(EVERYBODY)),
    route("-/health", views.health, "health", GET=also_through_a_lens(EVERYBODY)),
    route(
        "assets/<str:digest>/<str:name>", assets.asset, "asset", GET=also_through_a_lens(EVERYBODY)
    ),
]

adopt("account_login", GET=EVERYBODY, POST=EVERYBODY)
adopt(
    "account_logout",
    GET=also_through_a_lens(EVERYBODY),
    POST=also_through_a_lens(EVERYBODY),
)
adopt("mfa_authenticate", GET=EVERYBODY, POST=EVERYBODY)
adopt("mfa_login_webauthn", GET=EVERYBODY, POST=EVERYBODY)
for _name in (
    "account_reauthenticate",
    "mfa_reauthenticate",
    "mfa_index",
    "mfa_activate_totp",
    "mfa_deactivate_totp",
    "mfa_list_webauthn",
    "mfa_add_webauthn",
    "mfa_remove_webauthn",
    "mfa_reauthenticate_webauthn",
    "mfa_view_recovery_codes",
    "mfa_generate_recovery_codes",
):
    adopt(_name, GET=SIGNED_IN, POST=SIGNED_IN)
# People are invited and do not sign up; addresses and passwords are changed by pages to come.
close(
    "account_inactive",
    "account_signup",
    "account_email",
    "account_email_verification_sent",
    "account_confirm_email",
    "account_confirm_login_code",
    "account_change_password",
    "account_set_password",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "mfa_edit_webauthn",
    "mfa_download_recovery_codes",
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include((_ours, app_name))),
    path("", include("allauth.account.urls")),
    # In place of allauth's, whose names they bear.
    path("factors/totp/deactivate/", factors.remove_app, name="mfa_deactivate_totp"),
    path(
        "factors/webauthn/keys/<int:pk>/remove/", factors.remove_passkey, name="mfa_remove_webauthn"
    ),
    path("factors/recovery-codes/", factors.codes, name="mfa_view_recovery_codes"),
    path(
        "factors/recovery-codes/generate/",
        factors.make_codes,
        name="mfa_generate_recovery_codes",
    ),
    path("factors/", include("allauth.mfa.urls")),
]
require_declarations(urlpatterns)
