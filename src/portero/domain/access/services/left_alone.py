"""Service accounts whose accountable person has left: they go on for a while, and then stop."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Now
from procrastinate.contrib.django import app

from portero.domain.access.models import Principal
from portero.domain.access.services.changes import Change, own_change
from portero.domain.audit.services import Touched

GRACE = timedelta(days=14)
"""How long an account goes on for which nobody answers: time to find somebody, and no more."""
QUEUE, STOP = "policy", "access.stop_left_alone"


def leave_alone(change: Change, person: UUID) -> list[UUID]:
    """Mark what a person answered for, and have it stopped in time; returns what still works."""
    theirs = Principal.objects.filter(accountable_id=person, alone_since=None)
    working = list(theirs.filter(active=True).values_list("id", flat=True))
    theirs.update(alone_since=change.actor.at)
    if working:
        app.configure_task(STOP, queue=QUEUE, schedule_at=change.actor.at + GRACE).defer(
            workspace=str(change.actor.workspace), accounts=[*map(str, working)]
        )
    return working


def stop_left_alone(*, workspace: UUID, accounts: list[UUID]) -> None:
    """Put out of action those for which nobody answers after `GRACE`: asked of nobody.

    Raises NotConfirmed.
    """
    with own_change(
        workspace=workspace, operation="stop_left_alone", event="principal.disabled"
    ) as edit:
        # By the clock that the task was due by: by another it may not be time yet, and none follows.
        late = Principal.objects.filter(
            id__in=accounts, active=True, alone_since__lte=Now() - GRACE
        )
        stopped = list(late.order_by("id"))
        late.update(active=False)
        edit.note(
            *(Touched("principal", one.id) for one in stopped),
            kind="service_account",
            names=[one.name for one in stopped],
            reason="nobody_answers",
        )
