"""Write docs/sandbox.md: every operation the gateway knows or Meta's file describes, and who answers it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from portero.graphapi.operations import OPERATIONS
from portero.graphapi.written import META
from portero.sandbox.graph.routes import NODE_ROUTES, ROOT_ROUTES, UPLOAD_ROUTES

PAGE = Path(__file__).parent.parent / "docs" / "sandbox.md"
HEAD = """# What the sandbox does, and what it does not

Every call that the gateway knows or that Meta's published description names, and whether the sandbox answers it. How to work
with it is in [the how-to](how-to/sandbox.md), why it is built so in [a decision](decisions/0005-sandbox.md). Written by
`tools/write_sandbox.py` from the gateway's table of operations, Meta's description and the sandbox's own routes; a test
compares the page with all three, and fails when an operation that the gateway offers has neither an answer nor a reason here.

*Gateway* says whether Portero passes the call on: *offered*, *refused* (it is recognised, and never passed on), or *unknown* where its
table does not have it.
"""
_UNVERIFIED = (
    "Only Meta's machine-made description names it, and no client library calls it: there is "
    "nothing to be faithful to"
)
NOT_ANSWERED = {
    # BEGIN not built
    "GET /{number}/message_history": "Not built",
    "GET /{history}/events": "Not built",
    "POST /{number}/calls": "Not built",
    "GET /{number}/call_permissions": "Not built",
    "GET /{number}/groups": "Not built",
    "POST /{number}/groups": "Not built",
    "GET /{group}": "Not built",
    "POST /{group}": "Not built",
    "DELETE /{group}": "Not built",
    "GET /{group}/invite_link": "Not built",
    "POST /{group}/invite_link": "Not built",
    "DELETE /{group}/invite_link": "Not built",
    "GET /{group}/join_requests": "Not built",
    "POST /{group}/join_requests": "Not built",
    "DELETE /{group}/join_requests": "Not built",
    "POST /{group}/participants": "Not built",
    "DELETE /{group}/participants": "Not built",
    "GET /{profile}": "Not built",
    "POST /{profile}": "Not built",
    "GET /{bot}": "Not built",
    "DELETE /{number}/requested_username": "Not built",
    "GET /{number}/official_business_account": "Not built",
    "POST /{number}/official_business_account": "Not built",
    "GET /{number}/business_compliance_info": "Not built",
    "POST /{number}/business_compliance_info": "Not built",
    "POST /{number}/smb_app_data": "Not built",
    "POST /{waba}/migrate_message_templates": "Not built",
    "GET /{waba}/message_template_previews": "Not built",
    "GET /{waba}/template_groups": "Not built",
    "POST /{waba}/template_groups": "Not built",
    "GET /{waba}/template_group_analytics": "Not built",
    "POST /{waba}/migrate_flows": "Not built",
    "GET /{waba}/group_analytics": "Not built",
    "GET /{waba}/activities": "Not built",
    "GET /{waba}/schedules": "Not built",
    "POST /{waba}/schedules": "Not built",
    "GET /{waba}/payment_configuration": "Not built",
    "GET /{waba}/payment_configurations": "Not built",
    "POST /{waba}/payment_configuration": "Not built",
    "DELETE /{waba}/payment_configuration": "Not built",
    "GET /{waba}/welcome_message_sequences": "Not built",
    "POST /{waba}/welcome_message_sequences": "Not built",
    "DELETE /{waba}/welcome_message_sequences": "Not built",
    "GET /{waba}/signups": "Not built",
    "POST /{waba}/signups": "Not built",
    "GET /signups/{signup}": "Not built",
    "POST /signups/{signup}": "Not built",
    "GET /{waba}/solutions": "Not built",
    "GET /{user}/assigned_whatsapp_business_accounts": "Not built",
    "GET /{business}/business_users": "Not built",
    "GET /{business}/extendedcredits": "Not built",
    "POST /{business}/onboard_partners_to_mm_lite": "Not built",
    "POST /{business}/add_phone_numbers": "Not built",
    "GET /{business}/preverified_numbers": "Not built",
    "POST /{business}/share_preverified_numbers": "Not built",
    "GET /{preverified_number}": "Not built",
    "DELETE /{preverified_number}": "Not built",
    "GET /{preverified_number}/partners": "Not built",
    "POST /{preverified_number}/request_code": "Not built",
    "POST /{preverified_number}/verify_code": "Not built",
    "GET /{app}/connected_client_businesses": "Not built",
    "GET /{app}/whatsapp_business_solutions": "Not built",
    "POST /{app}/whatsapp_business_solution": "Not built",
    "GET /{solution}": "Not built",
    "POST /{solution}/accept": "Not built",
    "POST /{solution}/reject": "Not built",
    "POST /{solution}/send_deactivation_request": "Not built",
    "POST /{solution}/accept_deactivation_request": "Not built",
    "POST /{solution}/reject_deactivation_request": "Not built",
    # END not built
    "POST /{number}/messages_encrypted": "The contents are encrypted to Meta's key",
    "POST /{waba}/generate_payment_configuration_oauth_link": "It signs a person in elsewhere",
    "GET /{waba}/in_progress_onbehalf_request": _UNVERIFIED,
    "POST /{waba}/obo_mobility_intent": _UNVERIFIED,
    "POST /{waba}/set_obo_mobility_intent": _UNVERIFIED,
    "POST /{waba}/set_solution_migration_intent": _UNVERIFIED,
    "GET /{intent}": _UNVERIFIED,
    "POST /{business}/access_token": "It makes an identity; tokens are of the world file",
    "POST /{user}/access_tokens": "It makes an identity; tokens are of the world file",
    "POST /{business}/system_users": "It makes an identity; tokens are of the world file",
    "GET /{solution}/access_token": "It returns a partner's token; tokens are of the world file",
    "POST /me": "A person's own node; the sandbox has only system users",
    "GET /{media_url}": "Not a path: the `url` a media object names, which the sandbox serves",
    "POST /whatsapp/webhooks": "The subscriber's own address: the sandbox calls it",
}
"""Calls without an answer, each with its reason."""

_KINDS = {kind.__name__.lower(): kind for kind in NODE_ROUTES}
_ROOT_HANDLED = ("GET /", "POST /")  # `ids` and `batch`, told apart by their parameters


@dataclass(frozen=True)
class Known:
    """One call: what the gateway does with it, and whether the sandbox answers."""

    call: str
    gateway: str
    answered: bool

    @property
    def kind(self) -> str:
        """What the call is about: the kind of the id it starts with."""
        first = self.call.split("/")[1]
        return first[1:-1] if first.startswith("{") else "no id"


def known() -> dict[str, Known]:
    """Every call, the gateway's before Meta's."""
    judged: dict[str, set[str]] = {}
    for operation in OPERATIONS:
        call = f"{operation.method} {operation.template}"
        judged.setdefault(call, set()).add(operation.risk.value)
    found = {
        call: Known(call, "refused" if risks == {"never"} else "offered", is_answered(call))
        for call, risks in judged.items()
    }
    return found | {
        call: Known(call, "unknown", is_answered(call)) for call in META if call not in found
    }


def is_answered(call: str) -> bool:
    """Whether the sandbox has a route for the call."""
    method, path = call.split(" ")
    if call in _ROOT_HANDLED:
        return True
    first, *rest = path.strip("/").split("/")
    edge = re.sub(r"/\{[a-z_]+\}$", "/*", "/".join(["", *rest])).lstrip("/")
    if first == "{upload}":
        return method in UPLOAD_ROUTES
    if first.startswith("{"):
        kind = _KINDS.get(first[1:-1].replace("_", ""))
        return kind is not None and (method, edge) in NODE_ROUTES[kind]
    if len(rest) == 1 and rest[0].startswith("{"):  # "/signups/{signup}"
        kind = _KINDS.get(rest[0][1:-1].replace("_", ""))
        return kind is not None and (method, "") in NODE_ROUTES[kind]
    return (method, "/".join([first, *rest])) in ROOT_ROUTES


def tables(calls: dict[str, Known]) -> Iterator[str]:
    kinds = dict.fromkeys(one.kind for one in calls.values())
    for kind in kinds:
        yield f"\n## Calls on {'no id' if kind == 'no id' else f'`{{{kind}}}`'}\n"
        yield "| call | gateway | sandbox |\n| --- | --- | --- |"
        for one in calls.values():
            if one.kind == kind:
                answer = "answers" if one.answered else f"no: {NOT_ANSWERED[one.call]}"
                yield f"| `{one.call}` | {one.gateway} | {answer} |"


def page() -> str:
    calls = known()
    answered = sum(one.answered for one in calls.values())
    count = f"\n{len(calls)} calls; the sandbox answers {answered} of them.\n"
    return HEAD + count + "\n".join(tables(calls)) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
