"""A refusal as an answer, once it is on record."""

from uuid import UUID

from portero.gateway.attempt import Caller, Doorway, Refusal
from portero.gateway.replies import Reply, error_reply
from portero.gateway.workspaces import WorkspaceState
from portero.graphapi.errors import GraphError


async def refuse(
    door: Doorway, call: UUID, caller: Caller, state: WorkspaceState, error: GraphError
) -> Reply:
    """Record why a request of somebody known never became a call, then say it."""
    try:
        await door.record_refusal(call, caller, state, error)
    except Refusal as refusal:
        return error_reply(refusal.error, str(call), retry_after_s=refusal.retry_after_s)
    return error_reply(error, str(call))
