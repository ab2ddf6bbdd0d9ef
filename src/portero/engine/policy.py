"""What a workspace has published: the rules, as data.

Every type here is frozen. Ids are opaque strings compared byte by byte; times are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from enum import IntEnum, StrEnum


class Reach(IntEnum):
    """How far a permission goes among things that have an owner; each level includes the lower."""

    NONE = 0
    OWN = 1
    """Assigned to me, made by me, or I take part."""
    QUEUE = 2
    """Own, and what is unassigned in my teams."""
    TEAM = 3
    """Everything of my teams."""
    ALL = 4


class PrincipalKind(StrEnum):
    """Who may hold a binding."""

    PERSON = "person"
    SERVICE_ACCOUNT = "service_account"
    TEAM = "team"


class GuardrailKind(StrEnum):
    """What a guardrail does to a request that it matches."""

    DENY = "deny"
    TEMPLATES_ONLY = "templates_only"
    REQUIRE_WINDOW = "require_window"
    REQUIRE_CONSENT = "require_consent"
    REQUIRE_SECOND_PERSON = "require_second_person"
    REQUIRE_FRESH_FACTOR = "require_fresh_factor"
    REQUIRE_PASSKEY = "require_passkey"
    NETWORKS = "networks"
    HOURS = "hours"


class Metric(StrEnum):
    """What a limit counts."""

    REQUESTS = "requests"
    MESSAGES = "messages"
    RECIPIENTS = "recipients"
    MONEY = "money"


class Per(StrEnum):
    """The period after which a limit starts again; hours and days are the workspace's local ones."""

    SECOND = "second"
    HOUR = "hour"
    DAY = "day"


class HolderKind(StrEnum):
    """What a limit hangs on."""

    KEY = "key"
    PRINCIPAL = "principal"
    BINDING = "binding"
    WORKSPACE = "workspace"


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a rule applies: a conjunction over dimensions.

    `None` = everywhere, a set = only these, the empty set = nowhere.
    """

    wabas: frozenset[str] | None = None
    numbers: frozenset[str] | None = None
    teams: frozenset[str] | None = None
    labels: frozenset[str] | None = None
    template_sets: frozenset[str] | None = None
    countries: frozenset[str] | None = None
    integrations: frozenset[str] | None = None
    bots: frozenset[str] | None = None

    @property
    def narrowed(self) -> frozenset[str]:
        """The names of the fields that say more than everywhere."""
        return frozenset(one.name for one in fields(self) if getattr(self, one.name) is not None)


@dataclass(frozen=True, slots=True)
class Hours:
    """A daily window in local time.

    `start` (inclusive) and `end` (exclusive) are minutes of the day. A window whose end is not
    after its start wraps midnight and belongs to the day on which it starts.
    """

    days: frozenset[int]
    """Days on which the window starts, 0 = Monday."""
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Conditions:
    """When a rule applies. `None` = always, an empty tuple = never."""

    hours: tuple[Hours, ...] | None = None
    networks: tuple[str, ...] | None = None
    """CIDR, IPv4 or IPv6; a malformed entry contains no address."""
    fresh_factor_s: int | None = None
    """The second factor may be at most this old."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, or the team that those who ask are members of."""

    id: str
    kind: PrincipalKind
    name: str
    teams: frozenset[str] = frozenset()
    owner: bool = False
    """A person with this flag holds every permission everywhere; guardrails still bite."""
    active: bool = True


@dataclass(frozen=True, slots=True)
class Role:
    """A matrix: for each permission a reach. What it does not name it does not give."""

    id: str
    name: str
    cells: Mapping[str, Reach]


@dataclass(frozen=True, slots=True)
class Binding:
    """Gives a role to a principal (or to the members of a team) at a scope, under conditions."""

    id: str
    principal: str
    role: str
    scope: Scope = Scope()
    conditions: Conditions = Conditions()
    since: float | None = None
    until: float | None = None
    """Exclusive."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Guardrail:
    """Takes away, whoever asks. What it cannot evaluate it denies."""

    id: str
    name: str
    kind: GuardrailKind
    permissions: frozenset[str]
    """Permission keys; `resource:*` covers every permission of that resource. An entry of the
    catalogue covers whatever a person, or a service account, does."""
    scope: Scope = Scope()
    """Where it bites; an attribute that the resource does not have counts as inside."""
    principals: frozenset[str] | None = None
    """Whom it bites, `None` = whoever; the id of a team counts for its members, that of a role for
    whoever it is given to, be it in force now or not."""
    fresh_factor_s: int | None = None
    networks: tuple[str, ...] | None = None
    hours: tuple[Hours, ...] | None = None
    threshold: int | None = None
    """For the second person: the largest audience that does not need one, `None` = none is so small."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many. The decision only names the limits to take; counting is the recorder's."""

    id: str
    holder_kind: HolderKind
    holder: str
    """The holder's id; empty for the workspace."""
    metric: Metric
    per: Per
    amount: int
    permissions: frozenset[str] | None = None
    """As in a guardrail; `None` = whatever is asked."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A key of a service account. It only narrows what the account's bindings allow."""

    id: str
    principal: str
    role: str | None = None
    """`None` = all that the service account may."""
    scope: Scope = Scope()
    conditions: Conditions = Conditions()
    until: float | None = None
    """Exclusive."""
    active: bool = True
    permissions: frozenset[str] | None = None
    """Which it keeps of what the account and the role give; `None` = all."""
    counts_as: str | None = None
    """The key it came in the place of, whose limits it shares: a new key begins no new day."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One immutable published version of everything that decides. Ids are unique per kind."""

    workspace: str
    version: int
    principals: tuple[Principal, ...] = ()
    roles: tuple[Role, ...] = ()
    bindings: Collection[Binding] = ()
    """See `Bindings` for a form in which a million take little room and a change little time."""
    guardrails: tuple[Guardrail, ...] = ()
    limits: tuple[Limit, ...] = ()
    credentials: tuple[Credential, ...] = ()
