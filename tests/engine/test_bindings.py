"""Bindings in columns, and bindings after a change, are those that were put in."""

from __future__ import annotations

from array import array
from dataclasses import replace
from random import Random
from uuid import UUID

import pytest

from engine import generate
from engine.readings import SEED
from portero.engine import (
    Binding,
    Bindings,
    Columns,
    Policy,
    Reach,
    Role,
    Snapshot,
    Terms,
    compile_policy,
)

INF = float("inf")


def with_uuids(policy: Policy) -> Policy:
    """The same policy, with ids such as a database has."""
    renamed = {b.id: str(UUID(int=2**100 + n)) for n, b in enumerate(policy.bindings)}
    return replace(
        policy,
        bindings=tuple(replace(b, id=renamed[b.id]) for b in policy.bindings),
        limits=tuple(replace(x, holder=renamed.get(x.holder, x.holder)) for x in policy.limits),
    )


def columns(bindings: tuple[Binding, ...]) -> Columns:
    holders = tuple(sorted({b.principal for b in bindings}))
    roles = tuple({b.role for b in bindings})
    terms = tuple({Terms(b.scope, b.conditions, b.reason) for b in bindings})
    return Columns(
        ids=b"".join(UUID(b.id).bytes for b in bindings),
        holders=holders,
        roles=roles,
        all_terms=terms,
        holder=array("I", [holders.index(b.principal) for b in bindings]),
        role=array("I", [roles.index(b.role) for b in bindings]),
        terms=array("I", [terms.index(Terms(b.scope, b.conditions, b.reason)) for b in bindings]),
        since=array("d", [-INF if b.since is None else b.since for b in bindings]),
        until=array("d", [INF if b.until is None else b.until for b in bindings]),
    )


def policies(count: int):
    random = Random(SEED)
    for version in range(count):
        yield random, with_uuids(generate.policy(random, version))


def test_columns_hold_the_same_bindings():
    for _, policy in policies(300):
        packed = Bindings.packed(columns(policy.bindings))

        assert packed == policy.bindings
        assert packed == Bindings.listed(policy.bindings)
        assert len(packed) == len(policy.bindings)
        for principal in policy.principals:
            mine = [b for b in policy.bindings if b.principal == principal.id]
            assert packed.of(principal.id) == tuple(sorted(mine, key=lambda b: b.id))
        assert packed.of("") == packed.of("m") == packed.of("zz") == ()
        assert all(binding in packed for binding in policy.bindings)
        for role in ("agent", "unheard_of", "no such role"):
            assert set(packed.to(role)) == {b for b in policy.bindings if b.role == role}
        assert [packed.find(b.id) for b in policy.bindings] == list(policy.bindings)
        for stranger in ("", "b1", "00", str(UUID(int=5)), str(UUID(int=2**100)).upper()[:-1]):
            assert packed.find(stranger) is None
        held = {role.id for role in policy.roles[:2]}
        assert given(packed, held) == given(Bindings.listed(policy.bindings), held)


def test_who_has_a_role_everywhere_and_always_need_not_be_named_again():
    once = Binding(str(UUID(int=1)), "ana", "writer")
    again = replace(once, id=str(UUID(int=2)), role="reader", until=1.0)
    other = replace(again, id=str(UUID(int=3)), principal="beto")
    packed = Bindings.packed(columns((once, again, other)))

    told = [(one.holders, one.until) for one in packed.giving({"writer", "reader"}, {"writer"})]

    assert told == [(("ana",), None), (("beto",), 1.0)]


def given(bindings: Bindings, roles: set[str]):
    """What they give, one holder at a time."""
    return sorted(
        repr((holder, *one[1:])) for one in bindings.giving(roles) for holder in one.holders
    )


def answers(snapshot: Snapshot, random: Random, policy: Policy):
    """Everything a snapshot says to some requests."""
    for _ in range(6):
        asked = generate.request(random, policy)
        arguments = (asked.principal, asked.checks, asked.context, asked.credential)
        told = snapshot.explain(*arguments)
        yield told.decision, told.checks, told.changes
        for check in asked.checks[:1]:
            yield snapshot.visible(
                asked.principal, check.permission, asked.context, asked.credential
            )
            yield snapshot.grantors(check, asked.context)
            yield snapshot.able(check, asked.context).ids()


def agree(random: Random, policy: Policy, one: Snapshot, other: Snapshot) -> bool:
    seed = random.random()
    return list(answers(one, Random(seed), policy)) == list(answers(other, Random(seed), policy))


def test_a_policy_in_columns_decides_alike():
    for random, policy in policies(300):
        packed = replace(policy, bindings=Bindings.packed(columns(policy.bindings)))

        assert agree(random, policy, compile_policy(policy), compile_policy(packed))


def test_a_version_made_of_the_one_before_is_one_made_anew():
    """Whatever changes, and after many changes: the same answers as of a fresh compilation."""
    seen = 0
    for random, policy in policies(150):
        now = replace(policy, bindings=Bindings.packed(columns(policy.bindings)))
        snapshot = compile_policy(now)
        list(answers(snapshot, random, policy))  # what it remembers must not be handed on
        for version in range(8):
            now = changed(random, replace(now, version=now.version + 1), version)
            snapshot = compile_policy(now, after=snapshot)
            plain = replace(now, bindings=tuple(now.bindings))
            assert isinstance(now.bindings, Bindings)
            assert now.bindings == plain.bindings
            for binding in plain.bindings:
                assert now.bindings.find(binding.id) == binding
                assert binding in tuple(now.bindings.to(binding.role))
            assert agree(random, plain, snapshot, compile_policy(plain)), version
            seen += 1

    assert seen == 1200


def changed(random: Random, policy: Policy, number: int) -> Policy:
    """One change: mostly of a role or a binding, sometimes of something else."""
    bindings = policy.bindings
    assert isinstance(bindings, Bindings)
    every = tuple(bindings)
    kind = random.choice(["role", "begun", "ended", "moved", "principal", "guardrails"])
    if kind in ("begun", "moved") or (kind == "ended" and not every):
        begun = replace(generate.binding(random, "new"), id=str(UUID(int=2**110 + number)))
        ended = [random.choice(every)] if kind == "moved" and every else []
        return replace(policy, bindings=bindings.changed(ended=ended, begun=[begun]))
    if kind == "ended":
        return replace(policy, bindings=bindings.changed(ended=[random.choice(every)]))
    if kind == "role" and policy.roles:
        gone = random.choice(policy.roles)
        cells = dict.fromkeys(generate.PERMISSIONS[:3], Reach.ALL)
        kept = (role for role in policy.roles if role is not gone)
        return replace(policy, roles=(*kept, Role(gone.id, gone.name, cells)))
    if kind == "principal":
        first, *rest = policy.principals
        return replace(policy, principals=(replace(first, active=not first.active), *rest))
    return replace(policy, guardrails=policy.guardrails[1:])


def test_a_change_leaves_the_version_before_as_it_was():
    binding = Binding(str(UUID(int=1)), "ana", "writer")
    before = Bindings.packed(columns((binding,)))
    after = before.changed(ended=[binding])

    assert (tuple(before), tuple(after)) == ((binding,), ())
    assert (before.of("ana"), after.of("ana")) == ((binding,), ())
    assert (len(before), len(after)) == (1, 0)


@pytest.mark.parametrize(
    "made", [Bindings.listed, lambda bindings: Bindings.packed(columns(bindings))]
)
def test_what_is_not_there_cannot_end_and_what_is_there_cannot_begin(made):
    binding = Binding(str(UUID(int=1)), "ana", "writer")
    bindings = made((binding,))

    with pytest.raises(ValueError, match="does not occur"):
        bindings.changed(ended=[replace(binding, role="reader")])
    with pytest.raises(ValueError, match="occurs twice"):
        bindings.changed(begun=[replace(binding, role="reader")])


def test_an_id_is_not_found_across_two_others():
    one, other = UUID(int=(1 << 120) | 7), UUID(int=(9 << 120) | 3)
    across = UUID(bytes=one.bytes[8:] + other.bytes[:8])
    packed = Bindings.packed(
        columns((Binding(str(one), "ana", "writer"), Binding(str(other), "ana", "writer")))
    )

    assert packed.find(str(across)) is None
    assert packed.find(str(other)) is not None


def test_what_ended_is_found_no_more():
    binding = Binding(str(UUID(int=1)), "ana", "writer")
    packed = Bindings.packed(columns((binding,)))

    assert packed.changed(ended=[binding]).find(binding.id) is None
    assert list(packed.changed(ended=[binding]).to("writer")) == []
