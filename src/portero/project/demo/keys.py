"""The demo's keys: what each may do, and the service accounts and roles behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from portero.engine import PERMISSIONS, Metric, Per, Reach, Risk, Scope
from portero.project.demo.world import SOPORTE, VENTAS

ORDER_TEMPLATES = "Pedidos"
"""The template set that holds `order_update` alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoKey:
    """One key with a service account of its own name.

    Attributes:
        template_sets: names of sets; the scope needs their ids, which come with the workspace.
        made_ago, lifetime: when the key was made, and how long it lives from then.
        limits: (metric, per, amount) of the key.
    """

    name: str
    may: str
    role: str
    scope: Scope = field(default_factory=Scope)
    template_sets: tuple[str, ...] = ()
    made_ago: timedelta = timedelta()
    lifetime: timedelta = timedelta(days=365)
    url_compatible: bool = False
    revoked: bool = False
    limits: tuple[tuple[Metric, Per, int], ...] = ()


def _cells(*patterns: str, besides: tuple[str, ...] = ()) -> dict[str, Reach]:
    resources = {pattern.removesuffix(":*") for pattern in patterns}
    chosen = [key for key in PERMISSIONS if key.partition(":")[0] in resources]
    return dict.fromkeys((*chosen, *besides), Reach.ALL)


def _reads() -> dict[str, Reach]:
    """Everything that only reads; what is critical to read (a SIP password) is no reader's."""
    return {
        key: Reach.ALL
        for key, spec in PERMISSIONS.items()
        if key.partition(":")[2].startswith("read") and spec.risk is not Risk.CRITICAL
    }


_LOOKING_AROUND = (
    "message:read_history", "number:read", "number:read_profile", "number:read_settings",
    "waba:read", "app:read", "business:read",
)  # fmt: skip

ROLES: Mapping[str, Mapping[str, Reach]] = {
    "Messaging": _cells("send:*", "template:*", "media:*", besides=_LOOKING_AROUND),
    "Order updates": _cells(besides=("send:template", "template:use_utility")),
    "Support texts": _cells(besides=("send:text", "send:reaction")),
    "Reader": _reads(),
    "Campaign manager": _cells(
        "template:*", besides=("send:template", "number:read", "report:read_delivery")
    ),
}
"""Roles the owner made. The last is a person's, the others are for programs."""

KEYS = (
    DemoKey(
        name="all",
        may="sends every type and manages templates and media on both numbers; may come in the URL",
        role="Messaging",
        url_compatible=True,
    ),
    DemoKey(
        name="orders-bot",
        may="sends only the template order_update, from Ventas, to Mexico",
        role="Order updates",
        scope=Scope(numbers=frozenset({VENTAS}), countries=frozenset({"MX"})),
        template_sets=(ORDER_TEMPLATES,),
    ),
    DemoKey(
        name="support-text",
        may="sends text and reactions from Soporte, no media",
        role="Support texts",
        scope=Scope(numbers=frozenset({SOPORTE})),
    ),
    DemoKey(name="reader", may="lists and reads, sends nothing", role="Reader"),
    DemoKey(
        name="slow",
        may="as all, one request a second and five messages a day",
        role="Messaging",
        url_compatible=True,
        limits=((Metric.REQUESTS, Per.SECOND, 1), (Metric.MESSAGES, Per.DAY, 5)),
    ),
    DemoKey(
        name="expired",
        may="nothing: it expired ten days ago",
        role="Messaging",
        made_ago=timedelta(days=100),
        lifetime=timedelta(days=90),
    ),
    DemoKey(name="revoked", may="nothing: it was revoked", role="Messaging", revoked=True),
)
