"""Looking at the console with somebody else's eyes: begun, used and ended on record, under both names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from portero.domain.access.authorize import (
    Actor,
    Lens,
    authorize,
    of_workspace,
    record_act,
    record_refusal,
)
from portero.domain.access.errors import (
    AccessDenied,
    NotFound,
    NotOneself,
    OnlyLooking,
    OwnerNeeded,
)
from portero.domain.access.models import Role
from portero.domain.access.snapshot import State, current_state, lock_policy
from portero.domain.audit.models import in_workspace
from portero.domain.audit.services import Touched
from portero.engine import PrincipalKind

VIEW_AS = "member:view_as"
_SEES = {"person": "member:read", "role": "role:read"}
"""What is chosen must be something one may see."""


def open_lens(*, actor: Actor, lens: Lens) -> str:
    """Begin to look as a person or a role; returns its name.

    Not as oneself, and as an owner only for an owner. Raises AccessDenied (OnlyLooking,
    OwnerNeeded), NotFound, NotOneself.
    """
    checks = [VIEW_AS, _SEES[lens.kind]]
    with _on_record(actor, lens, operation="open_lens", event="lens.opened", checks=checks):
        if actor.lens is not None:
            raise OnlyLooking
        state = current_state()
        authorize(actor=actor, state=state, checks=[of_workspace(one) for one in checks])
        return _name_of(actor, state, lens)


def lens_in_force(*, actor: Actor, lens: Lens) -> str | None:
    """The name of what somebody looks as, as long as they may; asked anew for every page."""
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        state = current_state()
        try:
            authorize(
                actor=actor,
                state=state,
                checks=[of_workspace(VIEW_AS), of_workspace(_SEES[lens.kind])],
            )
            return _name_of(actor, state, lens)
        except (AccessDenied, NotFound, NotOneself):
            return None


def record_look(*, actor: Actor, lens: Lens, page: str, checks: Sequence[str]) -> None:
    """Put on record, before it is shown, that a page was looked at with somebody else's eyes."""
    with _on_record(actor, lens, operation="look", event="page.opened", checks=checks, page=page):
        pass


def record_no_act(
    *, actor: Actor, lens: Lens, page: str, event: str, checks: Sequence[str]
) -> None:
    """Put on record what was tried with somebody else's eyes and did not happen."""
    with in_workspace(actor.workspace):
        lock_policy(exclusive=False)
        record_refusal(
            OnlyLooking(checks),
            actor=replace(actor, lens=lens),
            version=current_state().policy.version,
            operation=page,
            event=event,
        )


def close_lens(*, actor: Actor, lens: Lens, why: str) -> None:
    """Put on record that somebody looks with their own eyes again: `asked`, `time`, `withdrawn`."""
    with _on_record(actor, lens, operation="close_lens", event="lens.closed", checks=(), why=why):
        pass


@contextmanager
def _on_record(
    actor: Actor,
    lens: Lens,
    *,
    operation: str,
    event: str,
    checks: Sequence[str],
    **body: str,
) -> Iterator[None]:
    version = 0
    try:
        with in_workspace(actor.workspace):
            lock_policy(exclusive=False)
            version = current_state().policy.version
            yield
            record_act(
                actor=replace(actor, lens=lens),
                operation=operation,
                event=event,
                checks=checks,
                touched=(Touched("principal" if lens.kind == "person" else "role", lens.of),),
                **{"as": lens.kind, **body},
            )
    except AccessDenied as refusal:
        with in_workspace(actor.workspace):
            record_refusal(
                refusal,
                actor=replace(actor, lens=lens),
                version=version,
                operation=operation,
                event=event,
            )
        raise


def _name_of(actor: Actor, state: State, lens: Lens) -> str:
    if lens.kind == "role":
        name = Role.objects.filter(id=lens.of).values_list("name", flat=True).first()
        if name is None or not any(role.id == lens.id for role in state.policy.roles):
            raise NotFound(lens.id)
        return name
    if lens.id == actor.id:
        raise NotOneself
    known = {one.id: one for one in state.policy.principals if one.id in {lens.id, actor.id}}
    target = known.get(lens.id)
    if target is None or target.kind is not PrincipalKind.PERSON or not target.active:
        raise NotFound(lens.id)
    if target.owner and not known[actor.id].owner:
        raise OwnerNeeded
    return target.name
