"""Faults to plant in the engine: each is a mistake that somebody could make and a reviewer miss.

The differential test must find every one of them, or it proves nothing when it finds none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from portero.engine import (
    Conditions,
    Decision,
    Effect,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Reason,
    Resource,
    Scope,
    answering,
    compiled,
    compiling,
    networks,
    restrictions,
    seeing,
    snapshot,
)

Plant = Callable[[pytest.MonkeyPatch], None]
FAULTS: dict[str, Plant] = {}
"""Faults of the decision."""
FILTER_FAULTS: dict[str, Plant] = {}
"""Faults of the filter alone: a list that differs from the checks of its rows."""


def fault(plant: Plant) -> Plant:
    FAULTS[plant.__name__] = plant
    return plant


def filter_fault(plant: Plant) -> Plant:
    FILTER_FAULTS[plant.__name__] = plant
    return plant


def swap(patch: pytest.MonkeyPatch, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Replace `owner.name` with what `make` returns for the original."""
    patch.setattr(owner, name, make(getattr(owner, name)))


def misread(patch: pytest.MonkeyPatch, kind: str, read: Callable[[Any], Any]) -> None:
    """Compile rules of a kind as `read` returns them, those apart for which it returns None."""

    def careless(f: Any) -> Any:
        def init(self: Any, policy: Policy, _before: object = None) -> None:
            rules = tuple(filter(None, map(read, getattr(policy, kind))))
            f(self, replace(policy, **{kind: rules}))

        return init

    swap(patch, compiling.Compiler, "__init__", careless)


@fault
def a_window_includes_its_last_minute(patch: pytest.MonkeyPatch) -> None:
    swap(patch, restrictions, "_open", lambda f: lambda h, d, m: f(replace(h, end=h.end + 1), d, m))


@fault
def a_window_excludes_its_first_minute(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        restrictions,
        "_open",
        lambda f: lambda h, d, m: f(h, d, m) and (m != h.start or d not in h.days),
    )


@fault
def after_midnight_the_new_day_counts(patch: pytest.MonkeyPatch) -> None:
    def wrong(hours: Any, weekday: int, minute: int) -> bool:
        if hours.start < hours.end:
            inside = hours.start <= minute < hours.end
        else:
            inside = minute >= hours.start or minute < hours.end
        return inside and weekday in hours.days

    patch.setattr(restrictions, "_open", wrong)


@fault
def monday_has_no_day_before(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        restrictions,
        "_open",
        lambda f: lambda h, d, m: f(replace(h, days=h.days - {6}) if d == 0 else h, d, m),
    )


@fault
def a_binding_ends_a_moment_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restrictions.Until, "holds", lambda self, r, c: c.now <= self.wanted)


@fault
def a_binding_begins_a_moment_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restrictions.Since, "holds", lambda self, r, c: c.now > self.wanted)


@fault
def a_key_ends_a_moment_late(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        compiled.Subject,
        "standing",
        lambda f: lambda self, c: f(self, replace(c, now=c.now - 1)),
    )


@fault
def a_factor_ages_a_second_early(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        restrictions.FreshFactor,
        "holds",
        lambda f: lambda self, r, c: f(self, r, replace(c, now=c.now + 1)),
    )


@fault
def all_labels_must_match(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        restrictions.Overlap,
        "holds",
        lambda self, r, c: self.read(r) is not None and self.wanted <= self.read(r),
    )


@fault
def what_is_absent_is_inside_a_binding(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restrictions.ValueIn, "holds", lambda self, r, c: self.may_hold(r))


@fault
def what_is_absent_is_outside_a_guardrail(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restrictions.ValueIn, "may_hold", lambda self, r: self.read(r) in self.wanted)


@fault
def unknown_labels_are_outside_a_guardrail(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restrictions.Overlap, "may_hold", lambda self, r: self.holds(r, None))


@fault
def an_empty_scope_is_everywhere(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        restrictions,
        "places",
        lambda f: lambda scope: tuple(place for place in f(scope) if place.wanted),
    )
    patch.setattr(compiling, "places", restrictions.places)


@fault
def a_guardrail_that_bites_nowhere_bites_where_nothing_is_known(patch: pytest.MonkeyPatch) -> None:
    def eager(self: Any, principal: Principal, bindings: Any, permission: str) -> Any:
        entry = compiling._ENTRY[principal.kind]
        names = compiling._names(principal).union(one.role for one in bindings)
        for rule in self._guardrails:
            asked = (permission, entry)
            about = any(compiling.covers(one, key) for one in rule.permissions for key in asked)
            if about and (rule.principals is None or rule.principals & names):
                yield rule

    patch.setattr(compiling.Compiler, "_guardrails_for", eager)


@fault
def a_mapped_address_is_another_machine(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(networks, "_MAPPED", networks.IPv6Network("::2:0:0/96"))


@fault
def families_of_addresses_mix(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        restrictions, "contains", lambda net, address: address.number & net.mask == net.base
    )


@fault
def a_malformed_network_is_everywhere(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        restrictions,
        "parse_network",
        lambda f: lambda text: f(text) or networks.Network(4, 0, 0),
    )


@fault
def guardrails_are_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compiled.Denial, "bites", lambda self, r, c: False)


@fault
def guardrails_bite_everywhere(patch: pytest.MonkeyPatch) -> None:
    swap(patch, compiling, "_denial", lambda f: lambda rule: f(replace(rule, scope=Scope())))


@fault
def guardrails_know_no_teams(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        compiling.Compiler,
        "_guardrails_for",
        lambda f: lambda self, p, *x: f(self, replace(p, teams=frozenset()), *x),
    )


@fault
def guardrails_know_no_roles(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        compiling.Compiler,
        "_guardrails_for",
        lambda f: lambda self, p, _bindings, x: f(self, p, (), x),
    )


@fault
def who_may_not_come_in_may_do_things_inside(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        compiling,
        "_concerns",
        lambda f: lambda rule, permission, _entry: f(rule, permission, ""),
    )


@fault
def any_factor_is_a_passkey(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restrictions.PasskeyShown, "holds", lambda self, r, c: c.factor_at is not None)


@fault
def a_key_opens_the_console(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compiling, "_ENTRY", dict.fromkeys(PrincipalKind, compiling.ENTER_CONSOLE))


@fault
def a_guardrail_without_its_parameter_spares(patch: pytest.MonkeyPatch) -> None:
    def lenient(rule: Any) -> Any:
        return compiling.InNetworks.of(rule.networks or ("0.0.0.0/0", "::/0"))

    swap(
        patch,
        compiling,
        "_way_out",
        lambda f: lambda rule: lenient(rule) if rule.kind == "networks" else f(rule),
    )


@fault
def templates_only_lets_the_rest_pass_that_says_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        restrictions.ContentsAre, "holds", lambda self, r, c: r.contents in (None, self.wanted)
    )


@fault
def a_wildcard_covers_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compiling, "covers", lambda pattern, permission: pattern == permission)


@fault
def the_second_person_is_asked_one_early(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        compiled.Demand,
        "bites",
        lambda f: lambda self, r: f(self, replace(r, audience=r.audience and r.audience + 1)),
    )


@fault
def an_unknown_audience_is_small(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        compiled.Demand,
        "bites",
        lambda f: lambda self, r: f(self, replace(r, audience=r.audience or 0)),
    )


@fault
def a_queue_holds_what_others_took(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        restrictions.WithinReach,
        "actual",
        lambda f: (
            lambda self, r, c: (
                min(f(self, r, c), Reach.QUEUE) if f(self, r, c) != Reach.ALL else Reach.ALL
            )
        ),
    )


@fault
def taking_part_is_not_owning(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        restrictions.WithinReach,
        "actual",
        lambda f: lambda self, r, c: f(self, replace(r, participants=frozenset()), c),
    )


@fault
def what_has_no_owner_has_a_reach(patch: pytest.MonkeyPatch) -> None:
    ownable = {k: replace(spec, ownable=True) for k, spec in compiling.PERMISSIONS.items()}
    patch.setattr(compiling, "PERMISSIONS", ownable)


@fault
def a_team_gives_nothing_to_its_members(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compiling.Compiler, "_bindings_of", lambda self, p: self.bindings.of(p.id))


@fault
def a_retired_team_still_gives(patch: pytest.MonkeyPatch) -> None:
    misread(
        patch,
        "principals",
        lambda p: replace(p, active=True) if p.kind is PrincipalKind.TEAM else p,
    )


@fault
def anybody_may_be_a_team(patch: pytest.MonkeyPatch) -> None:
    def trusting(self: Any, principal: Principal) -> Any:
        for name in principal.teams | {principal.id}:
            if name in self.principals and self.principals[name].active:
                yield from self.bindings.of(name)

    patch.setattr(compiling.Compiler, "_bindings_of", trusting)


@fault
def a_service_account_may_own(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        compiling.Compiler,
        "_clauses",
        lambda f: (
            lambda self, p, *x: f(self, replace(p, kind=PrincipalKind.PERSON) if p.owner else p, *x)
        ),
    )


@fault
def guardrails_spare_owners(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        compiling.Compiler,
        "_guardrails_for",
        lambda f: lambda self, p, *x: iter(()) if p.owner else f(self, p, *x),
    )


@fault
def who_left_may_still_ask(patch: pytest.MonkeyPatch) -> None:
    misread(patch, "principals", lambda principal: replace(principal, active=True))


@fault
def a_revoked_key_still_works(patch: pytest.MonkeyPatch) -> None:
    misread(patch, "credentials", lambda credential: replace(credential, active=True))


@fault
def a_key_works_for_anybody(patch: pytest.MonkeyPatch) -> None:
    def generous(f: Any) -> Any:
        def subject(self: Any, principal: str, credential: str | None) -> Any:
            found = f(self, principal, credential)
            if found.refusal is Reason.CREDENTIAL_INACTIVE and credential in self._credentials:
                return f(self, principal, None)
            return found

        return subject

    swap(patch, compiling.Compiler, "subject", generous)


@fault
def a_key_does_not_narrow_the_role(patch: pytest.MonkeyPatch) -> None:
    narrow_less(patch, role=None)


@fault
def a_key_does_not_narrow_the_permissions(patch: pytest.MonkeyPatch) -> None:
    narrow_less(patch, permissions=None)


@fault
def a_key_begins_a_new_day(patch: pytest.MonkeyPatch) -> None:
    narrow_less(patch, counts_as=None)


@fault
def a_key_does_not_narrow_the_scope(patch: pytest.MonkeyPatch) -> None:
    narrow_less(patch, scope=Scope())


@fault
def a_key_does_not_narrow_the_conditions(patch: pytest.MonkeyPatch) -> None:
    narrow_less(patch, conditions=Conditions())


def narrow_less(patch: pytest.MonkeyPatch, **fields: Any) -> None:
    misread(patch, "credentials", lambda credential: replace(credential, **fields))


@fault
def bindings_are_not_scoped(patch: pytest.MonkeyPatch) -> None:
    misread(patch, "bindings", lambda binding: replace(binding, scope=Scope()))


@fault
def one_dimension_of_a_scope_is_enough(patch: pytest.MonkeyPatch) -> None:
    swap(patch, restrictions, "places", lambda f: lambda scope: f(scope)[:1])
    patch.setattr(compiling, "places", restrictions.places)


@fault
def only_the_first_check_counts(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        snapshot.Snapshot,
        "decide",
        lambda f: lambda self, who, checks, *rest: f(self, who, checks[:1], *rest),
    )


@fault
def only_the_last_check_counts(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        snapshot.Snapshot,
        "decide",
        lambda f: lambda self, who, checks, *rest: f(self, who, checks[-1:], *rest),
    )


@fault
def checks_of_one_permission_are_one_check(patch: pytest.MonkeyPatch) -> None:
    def distinct(f: Any) -> Any:
        def decide(self: Any, who: str, checks: Any, *rest: Any) -> Decision:
            return f(self, who, list({c.permission: c for c in checks}.values()), *rest)

        return decide

    swap(patch, snapshot.Snapshot, "decide", distinct)


@fault
def a_request_for_nothing_is_allowed(patch: pytest.MonkeyPatch) -> None:
    def easy(f: Any) -> Any:
        def decide(self: Any, who: str, checks: Any, *rest: Any) -> Decision:
            decision = f(self, who, checks, *rest)
            return decision if checks else replace(decision, effect=Effect.ALLOW)

        return decide

    swap(patch, snapshot.Snapshot, "decide", easy)


@fault
def a_limit_of_a_key_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    forget_limits(patch, "key")


@fault
def a_limit_of_a_binding_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    forget_limits(patch, "binding")


@fault
def a_limit_of_the_workspace_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    forget_limits(patch, "workspace")


def forget_limits(patch: pytest.MonkeyPatch, kind: str) -> None:
    misread(patch, "limits", lambda limit: limit if limit.holder_kind != kind else None)


@fault
def the_first_miss_is_the_closest(patch: pytest.MonkeyPatch) -> None:
    closest_by(patch, lambda failing, first: (0, 0))


@fault
def ties_are_broken_by_id(patch: pytest.MonkeyPatch) -> None:
    closest_by(patch, lambda failing, first: (failing, 0))


def closest_by(patch: pytest.MonkeyPatch, distance: Callable[[int, str], tuple[int, int]]) -> None:
    patch.setattr(compiled, "distance", distance)
    patch.setattr(answering, "distance", distance)


@fault
def a_resource_is_asked_about_twice(patch: pytest.MonkeyPatch) -> None:
    """The attributes of the first resource stand for all."""

    def blurred(f: Any) -> Any:
        def decide(self: Any, who: str, checks: Any, *rest: Any) -> Decision:
            first: Resource | None = checks[0].resource if checks else None
            return f(self, who, [replace(c, resource=first) for c in checks], *rest)

        return decide

    swap(patch, snapshot.Snapshot, "decide", blurred)


@filter_fault
def a_list_knows_no_guardrails(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(seeing, "_exclusions", lambda denials, context: iter(()))


@filter_fault
def a_list_forgets_where_a_guardrail_bites(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        seeing,
        "_exclusions",
        lambda denials, context: iter([seeing.Exclusion(())] if denials else []),
    )


@filter_fault
def a_list_shows_a_queue_with_what_others_took(patch: pytest.MonkeyPatch) -> None:
    drop_terms(patch, seeing.Dimension.UNASSIGNED)


@filter_fault
def a_list_forgets_whose_team_it_is(patch: pytest.MonkeyPatch) -> None:
    drop_terms(patch, seeing.Dimension.TEAM)


def drop_terms(patch: pytest.MonkeyPatch, dimension: seeing.Dimension) -> None:
    swap(
        patch,
        seeing,
        "_conjunction",
        lambda f: lambda terms: f(term for term in terms if term.dimension is not dimension),
    )


@filter_fault
def a_list_hides_where_one_takes_part(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        seeing,
        "_within",
        lambda f: (
            lambda reach: (
                terms
                for terms in f(reach)
                if terms[0].dimension is not seeing.Dimension.PARTICIPANT
            )
        ),
    )


@filter_fault
def a_list_knows_no_key(patch: pytest.MonkeyPatch) -> None:
    swap(
        patch,
        seeing,
        "visible",
        lambda f: lambda entry, c: f(replace(entry, narrowing=compiled.UNRESTRICTED), c),
    )
    patch.setattr(snapshot, "visible", seeing.visible)


@filter_fault
def a_list_minds_no_conditions(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(seeing, "_NEVER", seeing._ALWAYS)


@filter_fault
def a_list_joins_labels_of_key_and_binding(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(seeing, "MANY_VALUED", frozenset())


@filter_fault
def a_list_takes_the_wider_of_key_and_binding(patch: pytest.MonkeyPatch) -> None:
    def widest(terms: Any) -> Any:
        values: dict[Any, Any] = {}
        for term in terms:
            values[term.dimension] = values.get(term.dimension, frozenset()) | term.values
        return seeing.Branch(tuple(seeing.Term(d, v) for d, v in values.items()))

    patch.setattr(seeing, "_conjunction", widest)


@filter_fault
def a_list_drops_the_wider_branch(patch: pytest.MonkeyPatch) -> None:
    swap(patch, seeing, "_within_branch", lambda f: lambda narrow, wide: f(wide, narrow))


@filter_fault
def a_list_drops_branches_that_only_touch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        seeing,
        "_implies",
        lambda narrow, wide: (
            narrow.dimension is wide.dimension and not narrow.values.isdisjoint(wide.values)
        ),
    )


@fault
def a_single_binding_is_not_tested(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(answering.OneBinding, "decide", lambda self, r, c: self._allowed)


@fault
def restrictions_of_a_dimension_share_a_test(patch: pytest.MonkeyPatch) -> None:
    def careless(self: Any, one: Any) -> Any:
        return self._tests.setdefault(one.dimension, (one.holds, self._refusals[one.reason]))

    patch.setattr(answering.Answering, "_test", careless)


@fault
def guardrails_of_a_kind_share_a_bite(patch: pytest.MonkeyPatch) -> None:
    def careless(self: Any, denial: Any) -> Any:
        return self._bites.setdefault(denial.guardrail.kind, denial.bites)

    patch.setattr(answering.Answering, "_bite", careless)


@fault
def the_same_bindings_always_owe_the_same(patch: pytest.MonkeyPatch) -> None:
    def careless(f: Any) -> Any:
        def init(self: Any, *arguments: Any) -> None:
            f(self, *arguments)
            self._demands = ()

        return init

    swap(patch, answering.Answer, "__init__", careless)
