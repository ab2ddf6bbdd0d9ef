"""From a policy to what is ready to decide: indexes once, one subject and permission on demand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from operator import attrgetter
from typing import TypeVar

from portero.engine.answer import (
    MEMBERSHIP,
    OWNERSHIP,
    Obligation,
    ObligationKind,
    Reason,
    Requirement,
)
from portero.engine.bindings import Bindings, require_unique
from portero.engine.catalogue import (
    ENTER_CONSOLE,
    ENTER_GATEWAY,
    ENTRIES,
    PERMISSIONS,
    Risk,
    covers,
)
from portero.engine.compiled import UNRESTRICTED, Clause, Demand, Denial, Entry, Subject
from portero.engine.holding import Holders, Principals, holders
from portero.engine.policy import (
    Binding,
    Credential,
    Guardrail,
    GuardrailKind,
    HolderKind,
    Limit,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Role,
)
from portero.engine.request import Context, Resource
from portero.engine.restrictions import (
    ContentsAre,
    FreshFactor,
    InHours,
    InNetworks,
    Moment,
    OtherPermission,
    PasskeyShown,
    WithinReach,
    dates,
    moments,
    places,
)

_REQUIREMENTS = {
    GuardrailKind.REQUIRE_WINDOW: Requirement.WINDOW,
    GuardrailKind.REQUIRE_CONSENT: Requirement.CONSENT,
    GuardrailKind.REQUIRE_SECOND_PERSON: Requirement.SECOND_PERSON,
}


_ENTRY = {
    PrincipalKind.PERSON: ENTER_CONSOLE,
    PrincipalKind.SERVICE_ACCOUNT: ENTER_GATEWAY,
    PrincipalKind.TEAM: "",
}
"""What each kind does first, and must be allowed for whatever comes after."""
_CIRCUMSTANCE = (InHours, InNetworks, FreshFactor, PasskeyShown)


_Rule = TypeVar("_Rule", Principal, Role, Credential)


def _by_id(rules: Sequence[_Rule]) -> Mapping[str, _Rule]:
    found = {rule.id: rule for rule in rules}
    if len(found) < len(rules):
        require_unique(rules)  # which says which
    return found


class Compiler:
    """Looks a policy's rules up and compiles them. What its indexes say never changes."""

    def __init__(self, policy: Policy, before: Compiler | None = None) -> None:
        """Index a policy; of a part that is the very object it was before, the index is, too."""
        self.policy = policy
        for rules in (policy.guardrails, policy.limits):
            require_unique(rules)
        self.everybody: Principals
        if before is not None and before.policy.principals is policy.principals:
            self.everybody = before.everybody
        else:
            self.everybody = Principals(_by_id(policy.principals))
        self.principals = self.everybody.by_id
        self.bindings: Bindings
        if before is not None and before.policy.bindings is policy.bindings:
            self.bindings = before.bindings
        else:
            self.bindings = Bindings.among(policy.bindings)
        self._roles = _by_id(policy.roles)
        self._credentials = _by_id(policy.credentials)
        self._guardrails = sorted(policy.guardrails, key=lambda rule: rule.id)
        self._denials = {
            rule.id: _denial(rule) for rule in self._guardrails if rule.kind not in _REQUIREMENTS
        }
        self._limits: dict[HolderKind, dict[str, list[Limit]]]
        self._limits = {kind: defaultdict(list) for kind in HolderKind}
        for limit in policy.limits:
            self._limits[limit.holder_kind][limit.holder].append(limit)
        self._limits_of_bindings = self._limits[HolderKind.BINDING]

    def subject(self, principal_id: str, credential_id: str | None) -> Subject:
        """Say who asks, and whether they may ask at all."""
        principal = self.principals.get(principal_id)
        refused = partial(Subject, principal_id, credential=credential_id)
        if principal is None:
            return refused(refusal=Reason.UNKNOWN_PRINCIPAL)
        if not principal.active:
            return refused(refusal=Reason.PRINCIPAL_INACTIVE)
        bindings = tuple(self._bindings_of(principal))
        if credential_id is None:
            return Subject(principal_id, bindings=bindings)
        credential = self._credentials.get(credential_id)
        if credential is None or credential.principal != principal_id or not credential.active:
            return refused(refusal=Reason.CREDENTIAL_INACTIVE)
        return Subject(principal_id, credential_id, credential.until, bindings=bindings)

    def entry(self, subject: Subject, permission: str) -> Entry:
        """Compile all that the policy says about a subject without refusal and a known permission."""
        principal = self.principals[subject.principal]
        guardrails = self.concerning(subject, permission)
        return Entry(
            clauses=tuple(self._clauses(principal, subject.bindings, permission)),
            narrowing=self._narrowing(principal, subject.credential, permission),
            denials=tuple(
                self._denials[rule.id] for rule in guardrails if rule.id in self._denials
            ),
            demands=tuple(
                sorted(
                    (_demand(rule) for rule in guardrails if rule.kind in _REQUIREMENTS),
                    key=lambda demand: demand.obligation,
                )
            ),
            limits=self._standing_limits(principal, subject.credential, permission),
        )

    def concerning(self, subject: Subject, permission: str) -> tuple[Guardrail, ...]:
        """Find the guardrails that have a say about a subject without refusal."""
        principal = self.principals[subject.principal]
        return tuple(self._guardrails_for(principal, subject.bindings, permission))

    def holders(self, permission: str, *, heeding: bool = False) -> Holders:
        """Find everybody who holds a known permission. Takes as long as there are bindings.

        Hours, networks and factors count with `heeding` only.
        """
        if permission in ENTRIES:
            people = self.everybody.people
            coming = bytes(_ENTRY[one.kind] == permission for one in people.all)
            return Holders(people, coming, (), {}, {})
        reaches = {role: self._reach_of(role, permission) for role in self._roles}
        giving = {role: reach for role, reach in reaches.items() if reach is not Reach.NONE}
        fully = [role for role, reach in giving.items() if reach is Reach.ALL]
        given = self.bindings.giving(giving, fully, heeding=heeding)
        return holders(self.everybody.people, given, giving)

    @cached_property
    def critical_roles(self) -> frozenset[str]:
        """Those with which somebody could do much harm, however far they reach."""
        return frozenset(
            id_
            for id_, role in self._roles.items()
            if any(
                reach > Reach.NONE and spec.risk is Risk.CRITICAL
                for key, reach in role.cells.items()
                if (spec := PERMISSIONS.get(key)) is not None
            )
        )

    def denied(
        self, permission: str, resource: Resource, context: Context, *, heeding: bool
    ) -> bytes | None:
        """Flags of those whom guardrails deny this; None = everybody.

        Without `heeding`, hours, networks and factors are taken to be as a guardrail wants them.
        """
        people = self.everybody.people
        flags = bytearray(len(people.all))
        for rule in self._guardrails:
            denial = self._denials.get(rule.id)
            kinds = {kind for kind in _ENTRY if _concerns(rule, permission, _ENTRY[kind])}
            if denial is None or not kinds:
                continue
            is_met = not heeding and isinstance(denial.unless, _CIRCUMSTANCE)
            if is_met or not denial.bites(resource, context):
                continue
            if rule.principals is None and len(kinds) == len(_ENTRY):
                return None
            for place in self._held(rule):
                flags[place] |= people.all[place].kind in kinds
        return bytes(flags)

    def binding_limits(
        self, bindings: Iterable[str], permissions: Iterable[str]
    ) -> tuple[Obligation, ...]:
        """Name, sorted, the limits that hang on these bindings and concern these permissions."""
        limits = [limit for id_ in bindings for limit in self._limits_of_bindings.get(id_, ())]
        if not limits:
            return ()
        return tuple(
            sorted({take for permission in permissions for take in _takes(limits, permission)})
        )

    def _held(self, rule: Guardrail) -> Iterable[int]:
        """Places of the people whom a guardrail names: themselves, by a team or by a role."""
        people = self.everybody.people
        if rule.principals is None:
            return range(len(people.all))
        roles = self._roles.keys() & rule.principals
        having = {one.principal for role in roles for one in self.bindings.to(role)}
        return (*people.called(rule.principals), *people.given(having))

    def _clauses(
        self, principal: Principal, bindings: Iterable[Binding], permission: str
    ) -> Iterator[Clause]:
        if permission in ENTRIES:
            if permission == _ENTRY[principal.kind]:
                yield Clause(MEMBERSHIP, None, ())
            return
        if principal.owner and principal.kind is PrincipalKind.PERSON:
            yield Clause(OWNERSHIP, None, ())
            return
        for binding in bindings:
            reach = self._reach(binding.role, principal, permission)
            if reach is not None:
                yield Clause(
                    binding.id,
                    binding.role,
                    (
                        *places(binding.scope),
                        *reach,
                        *moments(binding.conditions),
                        *dates(binding.since, binding.until),
                    ),
                )

    def _bindings_of(self, principal: Principal) -> list[Binding]:
        """Its own and those of its active teams, sorted by id."""
        given = [*self.bindings.of(principal.id)]
        for name in principal.teams - {principal.id}:
            team = self.principals.get(name)
            if team is not None and team.kind is PrincipalKind.TEAM and team.active:
                given += self.bindings.of(name)
        return sorted(given, key=attrgetter("id"))

    def _reach(
        self, role_id: str, principal: Principal, permission: str
    ) -> tuple[WithinReach, ...] | None:
        """How the role's cell restricts the permission; None = it does not give it."""
        reach = self._reach_of(role_id, permission)
        if reach is Reach.NONE:
            return None
        if reach is Reach.ALL:
            return ()
        return (WithinReach(reach, principal.id, principal.teams),)

    def _reach_of(self, role_id: str, permission: str) -> Reach:
        """How far a role gives a permission; where nothing has an owner, all or nothing."""
        role = self._roles.get(role_id)
        reach = role.cells.get(permission, Reach.NONE) if role is not None else Reach.NONE
        return reach if reach is Reach.ALL or PERMISSIONS[permission].ownable else Reach.NONE

    def _narrowing(
        self, principal: Principal, credential_id: str | None, permission: str
    ) -> Clause:
        if credential_id is None or permission in ENTRIES:
            return UNRESTRICTED
        credential = self._credentials[credential_id]
        role = credential.role
        reach = () if role is None else self._reach(role, principal, permission)
        kept = credential.permissions
        is_other = reach is None or (kept is not None and permission not in kept)
        restrictions = (
            *((OtherPermission(permission),) if is_other else ()),
            *places(credential.scope),
            *(reach or ()),
            *moments(credential.conditions),
        )
        return Clause(credential.id, role, restrictions)

    def _guardrails_for(
        self, principal: Principal, bindings: Iterable[Binding], permission: str
    ) -> Iterator[Guardrail]:
        names = _names(principal).union(binding.role for binding in bindings)
        for rule in self._guardrails:
            if not _concerns(rule, permission, _ENTRY[principal.kind]):
                continue
            if rule.principals is None or not rule.principals.isdisjoint(names):
                yield rule

    def _standing_limits(
        self, principal: Principal, credential_id: str | None, permission: str
    ) -> tuple[Obligation, ...]:
        if permission in ENTRIES:
            return ()
        limits = [*self._limits[HolderKind.WORKSPACE].get("", ())]
        for holder in _names(principal):
            limits += self._limits[HolderKind.PRINCIPAL].get(holder, ())
        if credential_id is not None:
            limits += self._limits[HolderKind.KEY].get(credential_id, ())
            before = self._credentials[credential_id].counts_as
            if before is not None and before != credential_id:
                limits += self._limits[HolderKind.KEY].get(before, ())
        return tuple(sorted(_takes(limits, permission)))


def _concerns(rule: Guardrail, permission: str, entry: str) -> bool:
    """Whether a guardrail is about a permission of whoever comes in so, and anywhere at all."""
    if not any(covers(one, permission) or covers(one, entry) for one in rule.permissions):
        return False
    # An empty set is nowhere, and what is absent is not there either.
    return all(place.wanted for place in places(rule.scope))


def _takes(limits: Iterable[Limit], permission: str) -> Iterator[Obligation]:
    for limit in limits:
        patterns = limit.permissions
        if patterns is None or any(covers(pattern, permission) for pattern in patterns):
            yield Obligation(ObligationKind.TAKE, limit.id)


def _names(principal: Principal) -> frozenset[str]:
    """What a rule may call a principal: its own id, or that of a team it is a member of."""
    return principal.teams | {principal.id}


def _demand(rule: Guardrail) -> Demand:
    requirement = _REQUIREMENTS[rule.kind]
    above = rule.threshold if requirement is Requirement.SECOND_PERSON else None
    obligation = Obligation(ObligationKind.REQUIRE, requirement, rule.id)
    return Demand(obligation, places(rule.scope), above)


def _denial(rule: Guardrail) -> Denial:
    return Denial(rule, places(rule.scope), _way_out(rule))


def _way_out(rule: Guardrail) -> ContentsAre | Moment | None:
    """What spares a request from a guardrail that denies; a missing parameter spares nobody."""
    match rule.kind:
        case GuardrailKind.TEMPLATES_ONLY:
            return ContentsAre("template")
        case GuardrailKind.HOURS if rule.hours is not None:
            return InHours(rule.hours)
        case GuardrailKind.NETWORKS if rule.networks is not None:
            return InNetworks.of(rule.networks)
        case GuardrailKind.REQUIRE_FRESH_FACTOR if rule.fresh_factor_s is not None:
            return FreshFactor(rule.fresh_factor_s)
        case GuardrailKind.REQUIRE_PASSKEY:
            return PasskeyShown()
        case _:
            return None
