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
_PARTNERS = (
    "Two partners' apps agree on accounts that a third owns; the sandbox has one app and no "
    "partner, and the agreement does nothing a program could see"
)
NOT_ANSWERED = {
    "GET /{waba}/solutions": _PARTNERS,
    "GET /{app}/whatsapp_business_solutions": _PARTNERS,
    "POST /{app}/whatsapp_business_solution": _PARTNERS,
    "GET /{solution}": _PARTNERS,
    "POST /{solution}/accept": _PARTNERS,
    "POST /{solution}/reject": _PARTNERS,
    "POST /{solution}/send_deactivation_request": _PARTNERS,
    "POST /{solution}/accept_deactivation_request": _PARTNERS,
    "POST /{solution}/reject_deactivation_request": _PARTNERS,
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

_OTHER_NAMES = {"message": "history", "person": "user"}  # ours to the gateway's
TAIL = """
## What no source confirms

Meta's pages and its client libraries leave some things open. What the sandbox does there is a choice, each in one place:

| choice | where |
| --- | --- |
| how a request to join, a suspended group and a new group's link are told (`group_join_request_created`, `group_suspend`, `invite_link`) | `sandbox/graph/group_events.py` |
| 100 calls a day to one customer (138012) | `sandbox/graph/calling.py` |
| 131041 for a group nobody has joined, 131203 where Meta's description has a call to add members and its pages say that they join by link | `sandbox/graph/messages.py`, `groups.py` |
| 130403 for writing to a customer the business has blocked, 368 for a restricted account, 131031 for a disabled one | `sandbox/graph/messages.py` |
| message histories, hours, the account's log, official status, numbers on stock: shapes of Meta's machine-made description, which no client library reads | `sandbox/graph/histories.py`, `records.py`, `identity.py`, `portfolio.py` |
| greetings, signups, template groups, payment set-ups: members of Meta's Python library, which says nothing of their life | `sandbox/graph/records.py` |
| `contacts` beside failed statuses: Meta's changelog says no, a maintained client reads them there | `sandbox/statuses.py` |
| `input` in the list of blocked customers, `request_id` for settled requests to join: a maintained client fails without them | `sandbox/graph/blocks.py`, `groups.py` |
| 131048 for an exceeded messaging limit, how many words a variable of a template needs | `sandbox/graph/fate.py`, `template_rules.py` |
| a portfolio has one credit line, and its accounts are onboarded for marketing from the start | `sandbox/graph/portfolio.py` |
"""

_KINDS = {
    _OTHER_NAMES.get(name, name): kind for kind in NODE_ROUTES for name in [kind.__name__.lower()]
}
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
    return HEAD + count + "\n".join(tables(calls)) + "\n" + TAIL


if __name__ == "__main__":
    PAGE.write_text(page())
