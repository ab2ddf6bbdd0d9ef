"""A list shows a row exactly when a check of that row would allow."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice
from random import Random

import pytest

from engine import generate
from engine.faults import FILTER_FAULTS
from engine.filtering import EVERY_DIMENSION, admits
from engine.readings import SEED, readings
from portero.engine import (
    Binding,
    Branch,
    Check,
    Context,
    Dimension,
    Guardrail,
    GuardrailKind,
    Policy,
    Principal,
    PrincipalKind,
    Reach,
    Resource,
    Role,
    Scope,
    Term,
    Visible,
    both,
    compile_policy,
)
from portero.engine.seeing import NOTHING

EVERYTHING = Visible((Branch(),))
ROWS = 2000
LISTS = 4000
EVERYWHERE = Scope()
NOON = Context(now=0.0, weekday=0, minute=720)


@pytest.fixture(scope="module")
def rows():
    """Rows such as a list holds: they send nothing."""
    random = Random(SEED)
    return [
        replace(generate.resource(random, random.choice(generate.PEOPLE)), contents=None)
        for _ in range(ROWS)
    ]


def lists(count):
    """Yield snapshots and the arguments of `visible`, a few from each policy."""
    for _, snapshot, asked in islice(readings(count * 4), 0, None, 4):
        permission = asked.checks[0].permission if asked.checks else "send:text"
        yield snapshot, asked.principal, permission, asked.context, asked.credential


def differences(rows, count):
    """Yield the rows that a list and a check do not agree on; each list is asked about 20."""
    for n, (snapshot, principal, permission, context, credential) in enumerate(lists(count)):
        visible = snapshot.visible(principal, permission, context, credential)
        for row in rows[n % 100 :: 100]:
            checks = [Check(permission, row)]
            allowed = snapshot.decide(principal, checks, context, credential).allowed
            if admits(visible, row) != allowed:
                yield visible, row


def test_a_filter_shows_a_row_exactly_when_a_check_allows_it(rows):
    assert next(differences(rows, LISTS), None) is None


@pytest.mark.parametrize("name", FILTER_FAULTS)
def test_a_planted_fault_of_the_filter_is_found_within_4000_lists(name, rows, monkeypatch):
    FILTER_FAULTS[name](monkeypatch)

    assert next(differences(rows, LISTS), None) is not None


def test_the_filters_are_of_every_shape():
    shapes = Counter()
    for snapshot, principal, permission, context, credential in lists(1000):
        visible = snapshot.visible(principal, permission, context, credential)
        shapes["all" if visible == EVERYTHING else "some" if visible.branches else "none"] += 1
        shapes["excluding"] += bool(visible.exclusions)
        shapes["several branches"] += len(visible.branches) > 1

    assert set(shapes) == {"all", "none", "some", "excluding", "several branches"}
    assert min(shapes.values()) > 10


def test_every_row_of_a_long_list_is_decided_alike(rows):
    some = (arguments for arguments in lists(1000) if shows_some(arguments))
    for snapshot, principal, permission, context, credential in islice(some, 12):
        visible = snapshot.visible(principal, permission, context, credential)
        shown = [row for row in rows if admits(visible, row)]
        allowed = [
            row
            for row in rows
            if snapshot.decide(principal, [Check(permission, row)], context, credential).allowed
        ]
        assert shown == allowed


def shows_some(arguments):
    snapshot, principal, permission, context, credential = arguments
    visible = snapshot.visible(principal, permission, context, credential)
    return visible.branches and visible != EVERYTHING


def test_two_filters_together_show_what_each_of_them_shows(rows):
    random, together = Random(SEED), 0
    for snapshot, principal, permission, context, credential in lists(800):
        filters = [
            snapshot.visible(principal, permission, context, credential),
            snapshot.visible(random.choice(generate.PEOPLE), permission, context),
        ]
        for row in random.sample(rows, 40):
            each = all(admits(one, row) for one in filters)
            assert admits(both(*filters), row) == each
            together += each

    assert together > 500


def test_an_undeclared_dimension_only_ever_hides(rows):
    random = Random(SEED)
    hidden = 0
    for snapshot, principal, permission, context, credential in lists(1000):
        visible = snapshot.visible(principal, permission, context, credential)
        declared = random.sample(sorted(EVERY_DIMENSION), random.randint(0, 8))
        for row in random.sample(rows, 20):
            shown = admits(visible, row, declared)
            assert not shown or admits(visible, row)
            hidden += admits(visible, row) and not shown

    assert hidden > 100


def policy(*, scope=EVERYWHERE, reach=Reach.ALL, guardrails=(), more=()):
    return Policy(
        workspace="w",
        version=1,
        principals=(
            Principal("beto", PrincipalKind.PERSON, "Beto", teams=frozenset({"soporte"})),
            Principal("soporte", PrincipalKind.TEAM, "Soporte"),
        ),
        roles=(Role("agent", "Agent", {"send:text": reach}),),
        bindings=(Binding("b1", "beto", "agent", scope), *more),
        guardrails=guardrails,
    )


def seen(policy):
    return compile_policy(policy).visible("beto", "send:text", NOON)


def numbers(*ids):
    return Scope(numbers=frozenset(ids))


def number_term(*ids):
    return Term(Dimension.NUMBER, frozenset(ids))


def test_nobody_sees_anything_without_a_binding():
    assert compile_policy(policy()).visible("carla", "send:text", NOON) == NOTHING
    assert compile_policy(policy()).visible("beto", "send:image", NOON) == NOTHING


def test_an_unrestricted_binding_shows_everything():
    assert seen(policy()) == EVERYTHING


def test_an_empty_scope_shows_nothing():
    assert seen(policy(scope=numbers())) == NOTHING


def test_a_queue_is_what_is_mine_and_what_is_unassigned_in_my_teams():
    me = frozenset({"beto"})

    assert seen(policy(reach=Reach.QUEUE)).branches == (
        Branch((Term(Dimension.OWNER, me),)),
        Branch((Term(Dimension.PARTICIPANT, me),)),
        Branch((Term(Dimension.TEAM, frozenset({"soporte"})), Term(Dimension.UNASSIGNED))),
    )


def test_a_branch_within_another_is_dropped():
    wider = Binding("b2", "beto", "agent", numbers("n1", "n2"))

    assert seen(policy(scope=numbers("n1"), more=(wider,))).branches == (
        Branch((number_term("n1", "n2"),)),
    )


def test_a_guardrail_with_a_scope_becomes_an_exclusion():
    closed = Guardrail(
        "g1", "Closed", GuardrailKind.DENY, frozenset({"send:*"}), scope=numbers("n2")
    )
    visible = seen(policy(guardrails=(closed,)))

    assert visible != EVERYTHING
    assert [exclusion.terms for exclusion in visible.exclusions] == [(number_term("n2"),)]
    assert admits(visible, Resource("conversation", number="n1"))
    assert not admits(visible, Resource("conversation", number="n2"))
    assert not admits(visible, Resource("conversation"))


def test_a_guardrail_without_a_scope_hides_everything():
    closed = Guardrail("g1", "Closed", GuardrailKind.DENY, frozenset({"send:text"}))

    assert seen(policy(guardrails=(closed,))) == Visible()


def test_a_requirement_hides_nothing():
    window = Guardrail("g1", "Window", GuardrailKind.REQUIRE_WINDOW, frozenset({"send:text"}))

    assert seen(policy(guardrails=(window,))) == EVERYTHING
