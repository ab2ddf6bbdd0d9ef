"""Whoever looks through a lens sees what both would see, and never more than themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from cast import NOW, Cast, playing
from databases import Database
from engine import generate, naive
from engine.filtering import admits
from engine.readings import SEED
from portero.domain.access import authorize as deciding
from portero.domain.access import queries as access
from portero.domain.access import services
from portero.domain.access.authorize import Actor, Lens, context_of, decide, visible
from portero.domain.access.errors import AccessDenied, OnlyLooking
from portero.domain.access.models import PolicyHead
from portero.domain.access.snapshot import State
from portero.domain.audit.models import Record, in_workspace
from portero.engine import ENTRIES, Check, Policy, PrincipalKind, Reach, compile_policy

SRC = Path(deciding.__file__).parents[3]


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


def renamed(policy: Policy) -> tuple[Policy, list[UUID], list[UUID]]:
    """The same policy, its principals and roles called by ids as ours are."""
    ids = {p.id: UUID(int=n + 1) for n, p in enumerate(policy.principals)}
    roles = {r.id: UUID(int=n + 1000) for n, r in enumerate(policy.roles)}

    def name(one: str) -> str:
        return str(ids.get(one, one))

    def names(some: frozenset[str] | None) -> frozenset[str] | None:
        return None if some is None else frozenset(map(name, some))

    return (
        replace(
            policy,
            principals=tuple(
                replace(p, id=name(p.id), teams=names(p.teams) or frozenset())
                for p in policy.principals
            ),
            roles=tuple(replace(r, id=str(roles[r.id])) for r in policy.roles),
            bindings=tuple(
                replace(b, principal=name(b.principal), role=str(roles.get(b.role, b.role)))
                for b in policy.bindings
            ),
            guardrails=tuple(replace(g, principals=names(g.principals)) for g in policy.guardrails),
            credentials=(),
        ),
        [ids[p.id] for p in policy.principals if p.kind is PrincipalKind.PERSON],
        list(roles.values()),
    )


def looking(count: int) -> Iterator[tuple[Actor, State, Check, Policy]]:
    """Somebody who looks through somebody's or a role's eyes, under a random policy."""
    random = Random(SEED)
    made = 0
    while made < count:
        policy, people, roles = renamed(generate.policy(random, version=made))
        if not people or not roles:
            continue
        state = State(compile_policy(policy), ZoneInfo("America/Bogota"))
        for check in generate.request(random, policy).checks[:1]:
            lens = random.choice(
                (Lens("person", random.choice(people)), Lens("role", random.choice(roles)))
            )
            actor = Actor(UUID(int=7), random.choice(people), NOW, "10.0.0.1", NOW, lens)
            yield actor, state, check, policy
            made += 1


def test_through_a_lens_both_must_be_allowed() -> None:
    agreed = {"person": 0, "role": 0}
    for actor, state, check, policy in looking(4000):
        context = context_of(actor, state.zone)
        assert actor.lens is not None
        decision = decide(actor=actor, state=state, checks=[check])
        mine = naive.decide(policy, actor.id, [check], context).allowed
        if decision.allowed:
            assert mine
        if actor.lens.kind == "person":
            theirs = naive.decide(policy, actor.lens.id, [check], context).allowed
            assert decision.allowed == (mine and theirs)
        else:
            [role] = [one for one in policy.roles if one.id == actor.lens.id]
            if check.permission in ENTRIES:
                assert decision.allowed == mine  # no role gives it, and none takes it away
            elif not role.cells.get(check.permission, Reach.NONE):
                assert not decision.allowed
            elif role.cells[check.permission] is Reach.ALL:
                assert decision.allowed == mine
        agreed[actor.lens.kind] += decision.allowed

    assert min(agreed.values()) > 50


def test_a_list_through_a_lens_shows_what_a_check_through_it_allows() -> None:
    shown = 0
    for actor, state, check, _ in looking(1500):
        row = replace(check.resource, contents=None)
        seen = visible(actor=actor, state=state, permission=check.permission)
        allowed = decide(actor=actor, state=state, checks=[Check(check.permission, row)]).allowed
        assert admits(seen, row) == allowed
        shown += allowed

    assert shown > 50


def test_a_refusal_through_a_lens_stands_under_both_names(cast: Cast) -> None:
    looks = replace(cast.ana, lens=Lens("person", cast.dora.principal))

    with pytest.raises(AccessDenied, match="permission_missing"):
        access.require(actor=looks, permission="audit:read", event="page.opened")

    with in_workspace(cast.workspace):
        record = Record.objects.filter(event="page.opened").latest("at")
    assert (record.actor, record.on_behalf) == (cast.ana.id, cast.dora.id)


def test_a_role_is_looked_through_without_being_given(cast: Cast) -> None:
    looks = replace(cast.ana, lens=Lens("role", cast.role("Developer")))

    held = access.allowed(actor=looks, permissions=("api_key:create", "role:assign"))

    assert held == {"api_key:create"}


@pytest.mark.parametrize("kind", ["person", "role"])
def test_through_a_lens_nothing_is_changed_whatever_both_may_do(
    cast: Cast, kind: Literal["person", "role"]
) -> None:
    of = cast.beto.principal if kind == "person" else cast.role("Administrator")
    looks = replace(cast.ana, lens=Lens(kind, of))
    with in_workspace(cast.workspace):
        version = PolicyHead.objects.get().version

    with pytest.raises(OnlyLooking):
        services.create_team(actor=looks, name="Nobody's")

    with in_workspace(cast.workspace):
        assert PolicyHead.objects.get().version == version
        record = Record.objects.filter(event="team.created").latest("at")
    assert (record.effect, record.reason, record.actor, record.on_behalf) == (
        "deny", "only_looking", cast.ana.id, str(of),
    )  # fmt: skip


def test_nothing_but_the_one_door_asks_the_engine_for_somebody_who_may_look_through_a_lens() -> (
    None
):
    """A decision asked past it would forget the lens. *Why?* asks about whom its question names."""
    asks = re.compile(r"snapshot\.(decide|visible)\(")
    found = {
        str(file.relative_to(SRC))
        for folder in ("domain", "console")
        for file in (SRC / folder).rglob("*.py")
        if asks.search(file.read_text())
    }

    assert found == {
        "domain/access/authorize/deciding.py",
        "domain/workspaces/queries/why.py",
    }
