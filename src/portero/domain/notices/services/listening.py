"""From an event to the jobs that tell people of it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.types import JSONValue

from portero.domain.audit import services as audit
from portero.domain.audit.models import in_workspace
from portero.domain.audit.services import Touched
from portero.domain.notices.services import registry
from portero.domain.notices.services.registry import Happened, Letter
from portero.engine import Effect
from portero.store.records import Record

QUEUE = "mail"
_FIRST, _LAST = 0, 500
"""Priorities: of what waits for nothing of its own, and how far one falls behind it."""
DELIVER, SEND, WAY_BACK = "notices.deliver", "notices.send", "notices.way_back_in"


def listen() -> None:
    """Hear of every event from now on."""
    audit.recorded.connect(_hear, dispatch_uid="notices")


def _hear(sender: object, *, record: Record, touched: tuple[Touched, ...], **_: object) -> None:
    if (
        record.effect == Effect.ALLOW
        and registry.has_letters(record.event)
        and settings.PORTERO_SENDS_MAIL
    ):
        turn = _turn(record.workspace)
        app.configure_task(DELIVER, queue=QUEUE, priority=turn).defer(
            workspace=str(record.workspace),
            event=record.event,
            subjects=[str(one.id) for one in touched],
        )


def deliver(*, workspace: str, event: str, subjects: list[str]) -> None:
    """Make a job for each letter of an event, all of them or none."""
    place = UUID(workspace)
    with in_workspace(place):
        for letter in registry.letters(Happened(place, event, tuple(map(UUID, subjects)))):
            tell(letter, workspace=place)


def tell(letter: Letter, *, workspace: UUID | None = None) -> None:
    """Send a letter soon; when the current transaction is undone, or nothing is sent here, never.

    `workspace` is whose turn it takes; None = it is about a person's own account.
    """
    if not settings.PORTERO_SENDS_MAIL:
        return
    turn = _turn(workspace) if workspace is not None else _FIRST
    app.configure_task(SEND, queue=QUEUE, priority=turn).defer(
        workspace=str(workspace) if workspace is not None else None,
        person=str(letter.person),
        name=letter.name,
        facts={
            name: told if isinstance(told, str) else _plain(told)
            for name, told in letter.facts.items()
        },
        invites_to=str(letter.invites_to) if letter.invites_to is not None else None,
        undoes=str(letter.undoes) if letter.undoes is not None else None,
        lets_back=letter.lets_back,
    )


def _plain(told: Sequence[str | Sequence[str]]) -> list[JSONValue]:
    return [one if isinstance(one, str) else [*one] for one in told]


def tell_somebody(address: str) -> None:
    """Send whoever has this address a way back in, and nobody anything if nobody has.

    Takes the same time for everybody's address (B1.9): who it is, the worker finds out.
    """
    app.configure_task(WAY_BACK, queue=QUEUE).defer(address=address)


def _turn(workspace: UUID) -> int:
    """When a workspace's next job is done: after as many turns of the others as it has waiting itself.

    Who invites ten thousand at once keeps nobody else's mail back.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [QUEUE, str(workspace), _LAST])
        (waiting,) = cursor.fetchone()
    return _FIRST - int(waiting)


_WAITING = """
SELECT count(*) FROM (
  SELECT FROM procrastinate_jobs
   WHERE queue_name = %s AND status = 'todo' AND args->>'workspace' = %s LIMIT %s) AS mine
"""
