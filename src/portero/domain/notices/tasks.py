"""The jobs of mail. At least once: a mail may come twice, and none is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import procrastinate
from django.db import connections
from procrastinate.contrib.django import app

from portero.domain.notices import services
from portero.domain.notices.services import listening

# About a day, from seconds to hours apart: as long as a mail server may be away.
_STALLED_S = 30
_PATIENCE = procrastinate.RetryStrategy(max_attempts=12, exponential_wait=2)


@contextmanager
def _job() -> Iterator[None]:
    """A job runs in whichever thread is free, and leaves no connection of Django's behind in it."""
    try:
        yield
    finally:
        connections.close_all()


@app.task(name=listening.DELIVER, queue=listening.QUEUE, retry=_PATIENCE)
@_job()
def deliver(workspace: str, event: str, subjects: list[str]) -> None:
    services.deliver(workspace=workspace, event=event, subjects=subjects)


@app.task(name=listening.SEND, queue=listening.QUEUE, retry=_PATIENCE, pass_context=True)
@_job()
def send(
    context: procrastinate.JobContext,
    person: str,
    name: str,
    facts: dict[str, str | list[str] | list[list[str]]],
    invites_to: str | None,
    undoes: str | None = None,
    lets_back: bool = False,
    workspace: str | None = None,  # whose turn it takes, for `listening`
) -> None:
    services.send(
        person=UUID(person),
        name=name,
        facts=facts,
        invites_to=UUID(invites_to) if invites_to is not None else None,
        undoes=UUID(undoes) if undoes is not None else None,
        lets_back=lets_back,
        job=context.job.id,
    )


@app.periodic(cron="* * * * *")
@app.task(name="notices.sweep", queue=listening.QUEUE, queueing_lock="sweep", pass_context=True)
async def sweep(context: procrastinate.JobContext, timestamp: int) -> None:
    """Take up again what a worker left that went away; the library does not by itself."""
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_S):
        await manager.retry_job(job)


@app.task(name=listening.WAY_BACK, queue=listening.QUEUE, retry=_PATIENCE)
@_job()
def way_back_in(address: str) -> None:
    services.send_way_back_in(address)
