"""What is asked, about what, and in which circumstances."""

from __future__ import annotations

from portero.engine.values import valueclass


@valueclass(frozen=True, slots=True)
class Resource:
    """What a permission is asked for: the attributes that scopes and reaches look at.

    `None` = the resource has no such attribute, or the enforcement point does not know it: a binding
    restricted in that dimension fails, a guardrail restricted in it bites. An empty set of labels or
    template sets is knowledge, "it has none", and lets such a guardrail pass.
    """

    kind: str
    id: str = ""
    waba: str | None = None
    number: str | None = None
    team: str | None = None
    country: str | None = None
    integration: str | None = None
    bot: str | None = None
    labels: frozenset[str] | None = None
    template_sets: frozenset[str] | None = None
    participants: frozenset[str] = frozenset()
    owner: str | None = None
    """Principal id of the assignee or maker."""
    contents: str | None = None
    """`"template"`, `"free_form"`, or `None` where the request sends nothing."""
    audience: int | None = None
    """How many people it reaches, `None` = not known."""


@valueclass(frozen=True, slots=True)
class Context:
    """The circumstances, measured by the enforcement point."""

    now: float
    """Epoch seconds."""
    weekday: int
    """Of the workspace's local day, 0 = Monday."""
    minute: int
    """Of the workspace's local day."""
    address: str | None = None
    """Where the request came from, IPv4 or IPv6."""
    factor_at: float | None = None
    """When the second factor was last shown, epoch seconds."""
    passkey_at: float | None = None
    """When a passkey was last shown, which no other site can have asked for; epoch seconds."""


@valueclass(frozen=True, slots=True)
class Check:
    """One permission asked for one resource. An operation may need several; all must allow."""

    permission: str
    resource: Resource
