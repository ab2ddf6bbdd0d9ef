"""What a process follows is what it would load whole: after any changes, in any order, undone ones too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import psycopg
import pytest

from cast import Cast, playing
from databases import Database
from portero.domain.access import services as access
from portero.domain.access.errors import NotFound
from portero.domain.access.models import Principal
from portero.domain.access.snapshot import current_state, lock_policy, policy_now
from portero.domain.accounts import services as accounts
from portero.domain.audit.models import in_workspace
from portero.engine import (
    Bindings,
    Conditions,
    GuardrailKind,
    HolderKind,
    Metric,
    Per,
    Policy,
    Reach,
    Scope,
    compile_policy,
)
from portero.store import policy as policies
from portero.store.policy import LoadedPolicy, load_policy_locked

STEPS = 60


@pytest.fixture
def cast(database: Database) -> Iterator[Cast]:
    with playing(database) as made:
        yield made


def loaded(database: Database, workspace: UUID, known: LoadedPolicy | None = None) -> LoadedPolicy:
    with psycopg.connect(database.dsn()) as connection:
        return load_policy_locked(connection, workspace, known=known)


def spelled(policy: Policy) -> dict[str, object]:
    """A policy without an order, to be compared."""
    return {
        "version": policy.version,
        **{
            part: {one.id: one for one in getattr(policy, part)}
            for part in ("principals", "roles", "bindings", "guardrails", "limits", "credentials")
        },
    }


class Changing:
    """Random changes by the services, some of them undone."""

    def __init__(self, cast: Cast, random: Random) -> None:
        self.cast, self.random, self.n = cast, random, 0
        self.people = [cast.beto.principal, cast.dora.principal]
        self.bindings: list[UUID] = []
        self.roles = [cast.role("Agent"), cast.role("Analyst")]
        self.own_roles: list[UUID] = []
        self.teams: list[UUID] = []
        self.rules: list[Callable[[], None]] = []

    def step(self) -> None:
        self.n += 1
        what = self.random.choice([
            self.person, self.team, self.members, self.bind, self.bind, self.bind, self.unbind,
            self.rebind, self.role, self.cells, self.suspend, self.guardrail, self.limit, self.rule,
            self.undone, self.several,
        ])  # fmt: skip
        with suppress(NotFound):  # of somebody who is suspended just now
            what()

    def person(self) -> None:
        self.people.append(
            accounts.add_person(
                actor=self.cast.ana, email=f"p{self.n}@follow.example", name=f"P {self.n}"
            )
        )

    def team(self) -> None:
        self.teams.append(access.create_team(actor=self.cast.ana, name=f"T {self.n}"))

    def members(self) -> None:
        if self.teams:
            some = self.random.sample(self.people, self.random.randint(0, len(self.people)))
            access.set_team_members(
                actor=self.cast.ana, team=self.random.choice(self.teams), members=some
            )

    def bind(self) -> None:
        until = datetime.now(UTC) + timedelta(days=self.random.randint(1, 9))
        self.bindings.append(
            access.create_binding(
                actor=self.cast.ana,
                principal=self.random.choice([*self.people, *self.teams]),
                role=self.random.choice(self.roles),
                scope=self.random.choice([Scope(), Scope(countries=frozenset({"MX"}))]),
                conditions=self.random.choice([Conditions(), Conditions(networks=("10.0.0.0/8",))]),
                until=self.random.choice([None, until]),
                reason=self.random.choice(["", "R"]),
            )
        )

    def unbind(self) -> None:
        if self.bindings:
            one = self.bindings.pop(self.random.randrange(len(self.bindings)))
            access.revoke_binding(actor=self.cast.ana, binding=one)

    def rebind(self) -> None:
        if self.bindings:
            one = self.bindings.pop(self.random.randrange(len(self.bindings)))
            self.bindings.append(
                access.replace_binding(
                    actor=self.cast.ana, binding=one, role=self.random.choice(self.roles)
                )
            )

    def role(self) -> None:
        made = access.create_role(
            actor=self.cast.ana, name=f"R {self.n}", cells={"send:text": Reach.OWN}
        )
        self.roles.append(made)
        self.own_roles.append(made)

    def cells(self) -> None:
        if self.own_roles:
            access.update_role(
                actor=self.cast.ana,
                role=self.random.choice(self.own_roles),
                cells={"send:text": self.random.choice([Reach.OWN, Reach.ALL])},
            )

    def suspend(self) -> None:
        one = self.random.choice(self.people)
        with in_workspace(self.cast.workspace):
            active = Principal.objects.get(id=one).active
        change = access.disable_principal if active else access.enable_principal
        change(actor=self.cast.ana, principal=one)

    def guardrail(self) -> None:
        made = access.create_guardrail(
            actor=self.cast.ana, name="G", kind=GuardrailKind.DENY, permissions=["call:place"]
        )
        self.rules.append(lambda: access.retire_guardrail(actor=self.cast.ana, guardrail=made))

    def limit(self) -> None:
        made = access.create_limit(
            actor=self.cast.ana,
            holder_kind=HolderKind.WORKSPACE,
            metric=Metric.REQUESTS,
            per=Per.DAY,
            amount=self.n,
        )
        self.rules.append(lambda: access.retire_limit(actor=self.cast.ana, limit=made))

    def rule(self) -> None:
        if self.rules:
            self.rules.pop()()

    def undone(self) -> None:
        """What is rolled back never was, also for whoever looked at it meanwhile."""
        bindings, people = list(self.bindings), list(self.people)
        with (
            suppress(ZeroDivisionError),
            access.changes_together(
                actor=self.cast.ana, operation="undone", event="binding.created"
            ),
        ):
            self.bind()
            current_state()
            self.person()
            raise ZeroDivisionError
        self.bindings, self.people = bindings, people

    def several(self) -> None:
        with access.changes_together(
            actor=self.cast.ana, operation="several", event="binding.created"
        ):
            self.bind()
            self.unbind()
            self.person()


@pytest.mark.parametrize("seed", range(4))
def test_following_ends_where_loading_whole_does(cast: Cast, database: Database, seed: int) -> None:
    changing = Changing(cast, Random(seed))
    followed = loaded(database, cast.workspace)
    snapshot = compile_policy(followed.policy)
    for step in range(STEPS):
        changing.step()
        if step % changing.random.randint(1, 4):
            continue  # several versions at once
        whole = loaded(database, cast.workspace)
        followed = loaded(database, cast.workspace, followed)
        if followed.policy.version != snapshot.version:
            snapshot = snapshot.followed_by(followed.policy)

        assert spelled(followed.policy) == spelled(whole.policy)
        assert (followed.keys, followed.timezone) == (whole.keys, whole.timezone)
        # And what the console's process remembers is the same.
        assert spelled(policy_now(cast.workspace)) == spelled(whole.policy)
        assert spelled(snapshot.policy) == spelled(whole.policy)


def test_only_what_changed_is_read_again(cast: Cast, database: Database) -> None:
    before = loaded(database, cast.workspace)
    access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=cast.role("Analyst"))
    after = loaded(database, cast.workspace, before)

    assert after.policy.principals is before.policy.principals
    assert Bindings.among(after.policy.bindings).holders_changed == 1
    assert len(after.policy.bindings) == len(before.policy.bindings) + 1


def test_people_are_read_again_whoever_changed_them(cast: Cast, database: Database) -> None:
    """By a trigger at the rows: no service can forget it."""
    known = loaded(database, cast.workspace)
    for statement in (
        "UPDATE principal SET active = false WHERE id = %(dora)s",
        "INSERT INTO principal (workspace_id, id, kind, name) VALUES (%(w)s, gen_random_uuid(), 'team', 'T')",
        "INSERT INTO team_member (workspace_id, team_id, principal_id)"
        " SELECT %(w)s, id, %(dora)s FROM principal WHERE workspace_id = %(w)s AND kind = 'team'",
        "DELETE FROM team_member WHERE workspace_id = %(w)s",
    ):
        with psycopg.connect(database.dsn()) as connection:
            who = {"dora": cast.dora.principal, "w": cast.workspace}
            connection.execute(statement, who)
            connection.execute(
                "UPDATE policy_head SET version = version + 1 WHERE workspace_id = %(w)s", who
            )
        followed, whole = (
            loaded(database, cast.workspace, known), loaded(database, cast.workspace),
        )  # fmt: skip
        assert followed.policy.principals is not known.policy.principals, statement
        assert followed.policy.principals == whole.policy.principals, statement
        known = followed


def test_a_suspended_workspace_is_followed(cast: Cast, database: Database) -> None:
    known = loaded(database, cast.workspace)
    with psycopg.connect(database.dsn()) as connection:
        for statement in (
            "UPDATE workspace SET suspended = true WHERE id = %s",
            "UPDATE policy_head SET version = version + 1 WHERE workspace_id = %s",
        ):
            connection.execute(statement, [cast.workspace])

    followed = loaded(database, cast.workspace, known)

    assert not any(one.active for one in followed.policy.principals)


def test_a_binding_that_does_not_read_gives_nothing_and_stops_nobody(
    cast: Cast, database: Database
) -> None:
    known = loaded(database, cast.workspace)
    binding = access.create_binding(
        actor=cast.ana, principal=cast.dora.principal, role=cast.role("Analyst")
    )
    with psycopg.connect(database.dsn()) as connection:
        connection.execute("UPDATE binding SET scope = '[1]' WHERE id = %s", [binding])
    followed = loaded(database, cast.workspace, known)
    with psycopg.connect(database.dsn()) as connection:
        for statement in (
            "UPDATE policy_head SET version = version + 1 WHERE workspace_id = %(w)s",
            "UPDATE binding SET valid_to = (SELECT version FROM policy_head WHERE workspace_id = %(w)s)"
            " WHERE id = %(b)s",
        ):
            connection.execute(statement, {"w": cast.workspace, "b": binding})
    after = loaded(database, cast.workspace, followed)

    assert str(binding) not in spelled(followed.policy)["bindings"]  # type: ignore[operator]
    assert spelled(after.policy) == spelled(loaded(database, cast.workspace).policy)


def test_what_was_never_committed_is_not_followed(cast: Cast) -> None:
    """Undone within a transaction that goes on, and done again otherwise under the same version."""
    actor = cast.ana
    with access.changes_together(actor=actor, operation="both", event="binding.created"):
        with suppress(ZeroDivisionError), in_workspace(cast.workspace):
            access.create_binding(
                actor=actor, principal=cast.dora.principal, role=cast.role("Analyst")
            )
            assert len(current_state().policy.bindings) == 3
            raise ZeroDivisionError
        assert len(current_state().policy.bindings) == 2
        access.create_binding(actor=actor, principal=cast.dora.principal, role=cast.role("Support"))
        lock_policy(exclusive=True)
        roles = {one.role for one in current_state().policy.bindings}
    assert str(cast.role("Support")) in roles
    assert str(cast.role("Analyst")) not in roles
    assert {one.role for one in policy_now(cast.workspace).bindings} == roles


def test_after_very_many_changes_the_whole_is_loaded(
    cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "MOST_FOLLOWED", 0)
    known = loaded(database, cast.workspace)
    for role in ("Analyst", "Support"):
        access.create_binding(actor=cast.ana, principal=cast.dora.principal, role=cast.role(role))
        known = loaded(database, cast.workspace, known)

    assert Bindings.among(known.policy.bindings).holders_changed <= 1


def test_nobody_follows_from_a_later_state(cast: Cast, database: Database) -> None:
    """As after a restored backup: then the whole is loaded."""
    known = loaded(database, cast.workspace)
    later = replace(known, policy=replace(known.policy, version=10_000))

    assert loaded(database, cast.workspace, later).policy == known.policy
