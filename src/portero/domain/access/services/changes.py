"""The shape of every change of policy: lock, decide, change, move the head, record, confirm."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from django.db import transaction

from portero.domain.access.authorize import (
    Actor,
    Gift,
    authorize,
    of_workspace,
    record_refusal,
    require_held,
    require_held_somewhere,
    resources_in,
)
from portero.domain.access.errors import AccessDenied, OnlyLooking, OwnAccess
from portero.domain.access.models import Principal
from portero.domain.access.services.confirmation import await_confirmation, move_head
from portero.domain.access.snapshot import State, current_state, lock_policy
from portero.domain.audit import services as audit
from portero.domain.audit.models import in_workspace
from portero.domain.audit.services import Touched
from portero.engine import Check, Decision, Effect, Reach, Reason, Resource, Scope
from portero.store.ids import uuid7
from portero.store.records import Record, RecordKind


@dataclass(slots=True, kw_only=True)
class Edit:
    """Policy under change. The lock is held and nobody else can change this workspace's policy."""

    state: State
    version: int
    """The version in which the change takes effect."""
    touched: list[Touched] = field(default_factory=list)
    body: dict[str, object] = field(default_factory=dict)

    def note(self, *touched: Touched, **body: object) -> None:
        """Say what was touched, and what a person needs to understand the record."""
        self.touched.extend(touched)
        self.body.update(body)


@dataclass(slots=True, kw_only=True)
class Change(Edit):
    """A change that somebody makes, and has to be allowed to make."""

    actor: Actor
    checks: tuple[str, ...] = ()
    because: tuple[str, ...] = ()

    def authorize(self, permission: str, *, at: Scope | None = None) -> Decision:
        """Demand a permission at every place of a scope; without one, of the workspace itself.

        Raises AccessDenied, InvalidRule.
        """
        kind = permission.partition(":")[0]
        places = [Resource(kind)] if at is None else resources_in(at, kind)
        checks = [Check(permission, place) for place in places]
        decision = authorize(actor=self.actor, state=self.state, checks=checks)
        self.checks = tuple(sorted({*self.checks, permission}))
        self.because = tuple(sorted({*self.because, *decision.because}))
        return decision

    def require_held(self, gift: Gift) -> None:
        """Demand that the actor holds what they give, in the receiver's teams too.

        Raises BeyondOwnRights.
        """
        require_held(self.state.policy, self.actor.id, gift, self.actor.at.timestamp())

    def require_held_somewhere(self, cells: Mapping[str, Reach]) -> None:
        """Demand that the actor holds these cells at all. Raises BeyondOwnRights."""
        now = self.actor.at.timestamp()
        require_held_somewhere(self.state.policy, self.actor.id, cells, now)

    def require_not_for_self(self, principals: Collection[str]) -> None:
        """Refuse what would be for the person behind the actor, by name or by a team (B3.3).

        Owners are exempt: there is nothing left to give them. Raises OwnAccess.
        """
        mine = self._person_behind()
        known = [p for p in self.state.policy.principals if p.id in mine]
        if any(p.owner for p in known if p.id == self.actor.id):
            return
        if not mine.union(*(p.teams for p in known)).isdisjoint(principals):
            raise OwnAccess

    def require_may_shed(self, names: Collection[str], *, whose: Collection[str]) -> None:
        """Demand what lifting the rules on these names takes, when somebody is called so no more.

        `names` are ids of principals, roles and bindings. What was taken from whoever is called so
        comes back to `whose`: that is for those who set such rules, and not for oneself. Raises
        AccessDenied (OwnAccess).
        """
        policy = self.state.policy
        guarded = any(not (one.principals or set()).isdisjoint(names) for one in policy.guardrails)
        limited = any(limit.holder in names for limit in policy.limits)
        if guarded:
            self.authorize("guardrail:update")
        if limited:
            self.authorize("limit:update")
        if guarded or limited:
            self.require_not_for_self(whose)

    def _person_behind(self) -> set[str]:
        """The person who acts, or answers for who does, with every account they answer for."""
        me = Principal.objects.get(id=self.actor.principal)
        person = me.accountable_id or me.id
        accounts = Principal.objects.filter(accountable_id=person).values_list("id", flat=True)
        return {str(person), *map(str, accounts)}


@contextmanager
def policy_change(*, actor: Actor, operation: str, event: str) -> Iterator[Change]:
    """Run a block as one change of policy.

    Returns once every live gateway process has confirmed it; inside an outer transaction of the
    workspace, that wait comes when the outermost commits. A refusal undoes the block and stays on
    record. Raises what the block raises, and NotConfirmed.
    """
    decided_under = 0
    try:
        with in_workspace(actor.workspace):
            _require_own_eyes(actor)
            lock_policy(exclusive=True)
            state = current_state()
            decided_under = state.policy.version
            change = Change(
                actor=actor,
                state=state,
                version=state.policy.version + 1,
                body={"operator": actor.operator},
            )
            yield change
            _take_effect(
                change,
                actor.workspace,
                operation=operation,
                event=event,
                actor=actor.id,
                checks=change.checks,
                because=change.because,
            )
    except AccessDenied as refusal:
        with in_workspace(actor.workspace):
            record_refusal(
                refusal, actor=actor, version=decided_under, operation=operation, event=event
            )
        raise


@contextmanager
def own_change(*, workspace: UUID, operation: str, event: str) -> Iterator[Edit]:
    """Run a block as a change that Portero makes by itself, asked of nobody.

    A block that notes nothing has changed nothing. Returns as `policy_change` does. Raises what the
    block raises, and NotConfirmed.
    """
    with in_workspace(workspace):
        lock_policy(exclusive=True)
        state = current_state()
        edit = Edit(state=state, version=state.policy.version + 1)
        yield edit
        if edit.touched:
            _take_effect(edit, workspace, operation=operation, event=event, actor="portero")


@contextmanager
def changes_together(*, actor: Actor, operation: str, event: str) -> Iterator[None]:
    """Run several changes as one: all of them or none, confirmed once.

    A refusal of any of them stays on record as one of the whole, under the version they began
    from. Raises what the block raises, and NotConfirmed.
    """
    began_from = 0
    try:
        with in_workspace(actor.workspace):
            _require_own_eyes(actor)
            lock_policy(exclusive=True)
            began_from = current_state().policy.version
            yield
    except AccessDenied as refusal:
        # What the refused change recorded by itself is undone with the others.
        with in_workspace(actor.workspace):
            record_refusal(
                refusal, actor=actor, version=began_from, operation=operation, event=event
            )
        raise


def require_now(*, actor: Actor, permission: str) -> None:
    """Demand a permission of the workspace itself, inside `changes_together`. Raises AccessDenied."""
    authorize(actor=actor, state=current_state(), checks=[of_workspace(permission)])


def _require_own_eyes(actor: Actor) -> None:
    if actor.lens is not None:
        raise OnlyLooking


def _take_effect(
    edit: Edit,
    workspace: UUID,
    *,
    operation: str,
    event: str,
    actor: str,
    checks: tuple[str, ...] = (),
    because: tuple[str, ...] = (),
) -> None:
    """Move the head and put the change on record; the gateways are waited for after the commit."""
    xid = move_head(workspace)
    audit.write_record(
        Record(
            workspace=workspace,
            call=uuid7(),
            kind=RecordKind.EVENT,
            event=event,
            operation=operation,
            effect=Effect.ALLOW,
            reason=Reason.ALLOWED,
            policy_version=edit.state.policy.version,
            actor=actor,
            checks=checks,
            because=because,
            resources=audit.digests(edit.touched),
            body=_readable(edit.body),
        ),
        touched=edit.touched,
    )
    transaction.on_commit(partial(await_confirmation, xid=xid))


def _readable(body: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in body.items() if value is not None}
