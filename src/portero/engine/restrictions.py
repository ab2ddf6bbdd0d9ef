"""The single tests that bindings, credentials and guardrails are made of.

Each looks at one dimension of the resource or of the context, and says for itself what it wanted
and what it found. `decide` asks `holds`, `explain` reports `wanted` and `actual`, `visible` turns
the tests of the resource into terms of a filter: three uses of one object, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import ClassVar

from portero.engine.answer import Reason
from portero.engine.networks import Network, contains, parse_address, parse_network
from portero.engine.policy import Conditions, Hours, Reach, Scope
from portero.engine.request import Context, Resource


@dataclass(frozen=True, slots=True)
class ValueIn:
    """The resource's attribute is one of `wanted`."""

    dimension: str
    wanted: frozenset[str]
    read: Callable[[Resource], str | None] = field(repr=False, compare=False)
    reason: ClassVar[Reason] = Reason.OUTSIDE_SCOPE

    def holds(self, resource: Resource, context: Context) -> bool:
        return self.read(resource) in self.wanted

    def may_hold(self, resource: Resource) -> bool:
        """Hold, or be impossible to evaluate because the attribute is absent."""
        value = self.read(resource)
        return value is None or value in self.wanted

    def actual(self, resource: Resource, context: Context) -> str | None:
        return self.read(resource)


@dataclass(frozen=True, slots=True)
class Overlap:
    """The resource's set has a member in common with `wanted`."""

    dimension: str
    wanted: frozenset[str]
    read: Callable[[Resource], frozenset[str] | None] = field(repr=False, compare=False)
    reason: ClassVar[Reason] = Reason.OUTSIDE_SCOPE

    def holds(self, resource: Resource, context: Context) -> bool:
        values = self.read(resource)
        return values is not None and not self.wanted.isdisjoint(values)

    def may_hold(self, resource: Resource) -> bool:
        """Hold, or be impossible to evaluate because the set is not known."""
        values = self.read(resource)
        return values is None or not self.wanted.isdisjoint(values)

    def actual(self, resource: Resource, context: Context) -> frozenset[str] | None:
        return self.read(resource)


# To find a member of an enumeration takes Python 3.11 as long as the rest of the test.
_OWN, _QUEUE, _TEAM, _ALL = Reach.OWN, Reach.QUEUE, Reach.TEAM, Reach.ALL


@dataclass(frozen=True, slots=True)
class WithinReach:
    """The resource is mine, in my queue, or my teams', as far as `wanted` goes (never `all`)."""

    wanted: Reach
    me: str
    teams: frozenset[str]
    dimension: ClassVar[str] = "reach"
    reason: ClassVar[Reason] = Reason.OUTSIDE_REACH

    def holds(self, resource: Resource, context: Context) -> bool:
        return self.wanted >= self.actual(resource, context)

    def actual(self, resource: Resource, context: Context) -> Reach:
        """The least reach that would do."""
        if resource.owner == self.me or self.me in resource.participants:
            return _OWN
        if resource.team not in self.teams:
            return _ALL
        return _QUEUE if resource.owner is None else _TEAM


@dataclass(frozen=True, slots=True)
class OtherPermission:
    """Never holds: the credential, or its role, gives other permissions than `wanted`."""

    wanted: str
    dimension: ClassVar[str] = "permission"
    reason: ClassVar[Reason] = Reason.PERMISSION_MISSING

    def holds(self, resource: Resource, context: Context) -> bool:
        return False

    def actual(self, resource: Resource, context: Context) -> None:
        """Nothing was found."""


@dataclass(frozen=True, slots=True)
class InHours:
    """The local time lies in one of the windows."""

    wanted: tuple[Hours, ...]
    dimension: ClassVar[str] = "hours"
    reason: ClassVar[Reason] = Reason.OUTSIDE_HOURS

    def holds(self, resource: Resource, context: Context) -> bool:
        for hours in self.wanted:  # noqa: SIM110 - a generator takes twice as long
            if _open(hours, context.weekday, context.minute):
                return True
        return False

    def actual(self, resource: Resource, context: Context) -> tuple[int, int]:
        """Weekday and minute of the day."""
        return context.weekday, context.minute


def _open(hours: Hours, weekday: int, minute: int) -> bool:
    if hours.start < hours.end:
        return weekday in hours.days and hours.start <= minute < hours.end
    began_today = minute >= hours.start and weekday in hours.days
    began_yesterday = minute < hours.end and (weekday - 1) % 7 in hours.days
    return began_today or began_yesterday


@dataclass(frozen=True, slots=True)
class InNetworks:
    """The request came from one of the networks."""

    wanted: tuple[str, ...]
    networks: tuple[Network, ...] = field(repr=False, compare=False)
    dimension: ClassVar[str] = "network"
    reason: ClassVar[Reason] = Reason.OUTSIDE_NETWORK

    @classmethod
    def of(cls, texts: tuple[str, ...]) -> InNetworks:
        """Read the networks once; a malformed one contains no address."""
        return cls(texts, tuple(filter(None, map(parse_network, texts))))

    def holds(self, resource: Resource, context: Context) -> bool:
        address = parse_address(context.address) if context.address is not None else None
        if address is None:
            return False
        for network in self.networks:  # noqa: SIM110 - a generator takes twice as long
            if contains(network, address):
                return True
        return False

    def actual(self, resource: Resource, context: Context) -> str | None:
        return context.address


@dataclass(frozen=True, slots=True)
class FreshFactor:
    """The second factor was shown at most `wanted` seconds ago."""

    wanted: int
    dimension: ClassVar[str] = "factor"
    reason: ClassVar[Reason] = Reason.FACTOR_NEEDED

    def holds(self, resource: Resource, context: Context) -> bool:
        return context.factor_at is not None and context.now - context.factor_at <= self.wanted

    def actual(self, resource: Resource, context: Context) -> float | None:
        """How many seconds ago it was shown."""
        return None if context.factor_at is None else context.now - context.factor_at


@dataclass(frozen=True, slots=True)
class PasskeyShown:
    """The second factor that was shown is a passkey."""

    wanted: ClassVar[bool] = True
    dimension: ClassVar[str] = "passkey"
    reason: ClassVar[Reason] = Reason.FACTOR_NEEDED

    def holds(self, resource: Resource, context: Context) -> bool:
        return context.passkey_at is not None

    def actual(self, resource: Resource, context: Context) -> bool:
        return context.passkey_at is not None


@dataclass(frozen=True, slots=True)
class Since:
    """The rule has begun."""

    wanted: float
    dimension: ClassVar[str] = "since"
    reason: ClassVar[Reason] = Reason.BINDING_EXPIRED

    def holds(self, resource: Resource, context: Context) -> bool:
        return self.wanted <= context.now

    def actual(self, resource: Resource, context: Context) -> float:
        return context.now


@dataclass(frozen=True, slots=True)
class Until:
    """The rule has not ended."""

    wanted: float
    dimension: ClassVar[str] = "until"
    reason: ClassVar[Reason] = Reason.BINDING_EXPIRED

    def holds(self, resource: Resource, context: Context) -> bool:
        return context.now < self.wanted

    def actual(self, resource: Resource, context: Context) -> float:
        return context.now


@dataclass(frozen=True, slots=True)
class ContentsAre:
    """The request sends contents of this kind."""

    wanted: str
    dimension: ClassVar[str] = "contents"
    reason: ClassVar[Reason] = Reason.BLOCKED_BY_GUARDRAIL

    def holds(self, resource: Resource, context: Context) -> bool:
        return resource.contents == self.wanted

    def actual(self, resource: Resource, context: Context) -> str | None:
        return resource.contents


Place = ValueIn | Overlap
"""A restriction by an attribute of the resource: what a scope is made of."""
Circumstance = InHours | InNetworks | FreshFactor | PasskeyShown
"""A restriction by the circumstances of one request."""
Moment = Circumstance | Since | Until
"""A restriction by the context alone."""
Restriction = Place | WithinReach | OtherPermission | Moment


# A workspace has few different scopes, however many bindings: they share their tests.
@lru_cache(maxsize=4096)
def places(scope: Scope) -> tuple[Place, ...]:
    """Compile a scope, in the order in which its dimensions are declared."""
    return tuple(
        kind(dimension, wanted, attrgetter(attribute))
        for restricted, kind, dimension, attribute in _DIMENSIONS
        if (wanted := getattr(scope, restricted)) is not None
    )


_DIMENSIONS: tuple[tuple[str, type[ValueIn] | type[Overlap], str, str], ...] = (
    ("wabas", ValueIn, "waba", "waba"),
    ("numbers", ValueIn, "number", "number"),
    ("teams", ValueIn, "team", "team"),
    ("labels", Overlap, "label", "labels"),
    ("template_sets", Overlap, "template_set", "template_sets"),
    ("countries", ValueIn, "country", "country"),
    ("integrations", ValueIn, "integration", "integration"),
    ("bots", ValueIn, "bot", "bot"),
)
"""Field of `Scope`, how it is tested, the dimension's name, attribute of `Resource`."""


@lru_cache(maxsize=4096)
def moments(conditions: Conditions) -> tuple[Moment, ...]:
    """Compile conditions, in the order hours, network, factor."""
    found: list[Moment] = []
    if conditions.hours is not None:
        found.append(InHours(conditions.hours))
    if conditions.networks is not None:
        found.append(InNetworks.of(conditions.networks))
    if conditions.fresh_factor_s is not None:
        found.append(FreshFactor(conditions.fresh_factor_s))
    return tuple(found)


@lru_cache(maxsize=4096)
def dates(since: float | None, until: float | None) -> tuple[Moment, ...]:
    """Compile the dates between which a rule stands."""
    found: list[Moment] = []
    if since is not None:
        found.append(Since(since))
    if until is not None:
        found.append(Until(until))
    return tuple(found)
