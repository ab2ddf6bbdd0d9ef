"""The five roles every workspace starts with. Nobody can change them; copies can be changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from portero.engine import PERMISSIONS, Reach


def _cells(reach: Reach, permissions: Iterable[str]) -> dict[str, Reach]:
    """Each permission as far as it goes, or to everything where nothing has an owner."""
    return {p: reach if PERMISSIONS[p].ownable else Reach.ALL for p in permissions}


def _of(*resources: str) -> list[str]:
    return [key for key in PERMISSIONS if key.partition(":")[0] in resources]


_SHORT_ANSWERS = ("send:template", "send:reaction", "send:typing_read", "template:use_utility")
_ORIENTATION = ("template:read", "number:read", "number:read_profile")

BUILTIN_ROLES: Mapping[str, Mapping[str, Reach]] = {
    "Administrator": dict.fromkeys(PERMISSIONS, Reach.ALL),
    "Agent": _cells(
        Reach.QUEUE,
        [
            *_of("send"),
            *_ORIENTATION,
            "template:use_utility",
            "message:read_history",
            "media:upload",
            "media:read",
            "call:answer",
            "flow:read",
            "catalog:read",
            "automation:read",
        ],
    ),
    "Developer": _cells(
        Reach.ALL,
        [
            *_of("flow", "automation", "app", "encryption"),
            *_ORIENTATION,
            "waba:read",
            "webhook:read_subscription",
            "report:read_delivery",
            "service_account:create",
            "service_account:disable",
            "api_key:read",
            "api_key:create",
            "api_key:revoke",
        ],
    ),
    "Analyst": _cells(
        Reach.ALL,
        [*_ORIENTATION, "template:read_analytics", "report:read_delivery", "automation:read"],
    ),
    "Support": _cells(
        Reach.QUEUE, [*_SHORT_ANSWERS, *_ORIENTATION, "message:read_history", "media:read"]
    ),
}
