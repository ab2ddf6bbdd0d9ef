"""Roles for common jobs, to begin from. Each becomes a role of the workspace's own, free to change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from portero.domain.access.services.builtin_roles import BUILTIN_ROLES
from portero.engine import PERMISSIONS, Reach, Risk


@dataclass(frozen=True, slots=True)
class ReadyMade:
    key: str
    name: str
    sentence: str
    """Whose job it is: "Answers and sells, with offers"."""
    cells: Mapping[str, Reach]


def _of(*patterns: str) -> list[str]:
    """Every permission that begins so."""
    return [key for key in PERMISSIONS if key.startswith(patterns)]


def _all(permissions: Iterable[str]) -> dict[str, Reach]:
    return dict.fromkeys(permissions, Reach.ALL)


_AGENT = BUILTIN_ROLES["Agent"]
_READS = [key for key in PERMISSIONS if key.partition(":")[2].startswith("read")]
_HARMLESS = [
    key for key in _READS if PERMISSIONS[key].risk is Risk.ROUTINE and not PERMISSIONS[key].personal
]

READY_MADE: Mapping[str, ReadyMade] = {
    one.key: one
    for one in (
        ReadyMade(
            "sales-agent",
            "Sales agent",
            "Answers and sells: an agent who may also send offers.",
            {**_AGENT, "template:use_marketing": Reach.ALL, "call:place": Reach.QUEUE},
        ),
        ReadyMade(
            "campaign-manager",
            "Marketing campaign manager",
            "Writes offers, sends them and sees how they did.",
            _all(
                [
                    *_of("template:create", "template:read", "template:update", "template:archive"),
                    *("template:use_marketing", "template:use_utility", "send:template"),
                    *("media:upload", "number:read", "report:read_delivery", "report:read_cost"),
                ]
            ),
        ),
        ReadyMade(
            "chatbot-developer",
            "Chatbot developer",
            "Builds bots and flows, and makes their keys.",
            {
                **BUILTIN_ROLES["Developer"],
                **_all(
                    [
                        "api_key:read",
                        "api_key:create",
                        "service_account:create",
                        "webhook:read_subscription",
                    ]
                ),
            },
        ),
        ReadyMade(
            "template-editor",
            "Template editor",
            "Writes and mends message templates, and sends none.",
            _all(
                [
                    *_of("template:create", "template:read", "template:update", "template:archive"),
                    *("media:upload", "number:read", "number:read_profile"),
                ]
            ),
        ),
        ReadyMade(
            "team-lead",
            "Team lead",
            "Answers for the whole team, and says who is in it.",
            {
                **{key: Reach.TEAM if PERMISSIONS[key].ownable else Reach.ALL for key in _AGENT},
                **_all(["member:read", "role:read", "team:manage_members", "report:read_delivery"]),
            },
        ),
        ReadyMade(
            "auditor",
            "Auditor",
            "Reads everything about access, and nothing about customers.",
            _all(
                [
                    *("member:read", "role:read", "audit:read", "waba:read", "waba:read_activity"),
                    *("waba:read_meta_users", "webhook:read_subscription", "number:read"),
                ]
            ),
        ),
        ReadyMade(
            "privacy-officer",
            "Privacy officer",
            "Sees who reaches customers' data, and keeps blocked customers blocked.",
            _all(
                [
                    *("member:read", "role:read", "audit:read", "block_list:read"),
                    *("block_list:manage", "number:read_compliance", "media:delete"),
                ]
            ),
        ),
        ReadyMade(
            "billing-manager",
            "Billing manager",
            "Sees what is used and what it costs.",
            _all(
                [
                    *("report:read_cost", "report:read_delivery", "business:read", "waba:read"),
                    *("business:read_credit", "waba:read_payment_setup", "number:read"),
                ]
            ),
        ),
        ReadyMade(
            "observer",
            "Read-only observer",
            "Looks at what shows no customer, and changes nothing.",
            _all(_HARMLESS),
        ),
    )
}
