"""What happens to policy by itself, in time."""

from __future__ import annotations

from uuid import UUID

import procrastinate
from django.db import connections
from procrastinate.contrib.django import app

from portero.domain.access.services import left_alone

_PATIENCE = procrastinate.RetryStrategy(max_attempts=12, exponential_wait=2)


@app.task(name=left_alone.STOP, queue=left_alone.QUEUE, retry=_PATIENCE)
def stop_left_alone(workspace: str, accounts: list[str]) -> None:
    try:
        left_alone.stop_left_alone(
            workspace=UUID(workspace), accounts=[UUID(one) for one in accounts]
        )
    finally:
        connections.close_all()  # the thread is not ours to leave one in
