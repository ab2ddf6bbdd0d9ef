"""Refusals as answers: those on record, and those that nobody foresaw."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from portero.gateway.attempt import Caller, Doorway, LeftUnanswered, Refusal
from portero.gateway.replies import Reply, Send, error_reply
from portero.gateway.workspaces import WorkspaceState
from portero.graphapi.errors import GraphError
from portero.graphapi.refusals import refusal_for
from portero.store.failures import DATABASE_ERRORS
from portero.store.ids import uuid7

logger = logging.getLogger(__name__)


async def guarded(answer: Callable[[Send], Awaitable[None]], send: Send) -> None:
    """Let a door answer. An error nobody foresaw refuses (I7), and says so without a detail."""
    started = False

    async def sending(message: Mapping[str, Any]) -> None:
        nonlocal started
        started = True
        await send(message)

    try:
        await answer(sending)
    except Exception as error:
        reply = _failed(error)
        if started:
            raise
        await reply.send(send)


async def guarded_reply(reply: Awaitable[Reply]) -> Reply:
    """A door's answer, or what `guarded` says in its place."""
    try:
        return await reply
    except Exception as error:  # noqa: BLE001 - errors deny
        return _failed(error)


def _failed(error: Exception) -> Reply:
    if isinstance(error, LeftUnanswered):
        logger.error("gateway: an answer was lost: %s", error.call, exc_info=error)
        sentence = (
            "The gateway failed after the request had left: it may have been carried out. It is "
            "not sent again by itself."
        )
        return error_reply(refusal_for("outcome_unknown", sentence), str(error.call))
    if isinstance(error, DATABASE_ERRORS):
        logger.warning("gateway: the database is away: %s", type(error).__name__)
        away = refusal_for("unavailable", "The database is away; try again in a moment.")
        return error_reply(away, str(uuid7()), retry_after_s=1)
    logger.error("gateway: a request failed", exc_info=error)
    failed = refusal_for("unavailable", "The gateway failed; nothing more is known.")
    return error_reply(failed, str(uuid7()))


async def refuse(
    door: Doorway, call: UUID, caller: Caller, state: WorkspaceState, error: GraphError
) -> Reply:
    """Record why a request of somebody known never became a call, then say it."""
    try:
        await door.record_refusal(call, caller, state, error)
    except Refusal as refusal:
        return error_reply(refusal.error, str(call), retry_after_s=refusal.retry_after_s)
    return error_reply(error, str(call))
