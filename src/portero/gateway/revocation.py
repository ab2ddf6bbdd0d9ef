"""The door for a leaked key: whoever holds it may end it, and learns nothing else.

Known, unknown, malformed and already revoked keys get the same answer. Asking is limited by where
it comes from, so that nobody tries keys here.
"""

import time
from collections import OrderedDict
from uuid import UUID

import asyncpg
import orjson

from portero.gateway.authentication import Authenticated, Authenticator
from portero.gateway.body import BodyError, BodyLimits
from portero.gateway.presented import Presented
from portero.gateway.replies import Reply, error_reply, json_reply
from portero.gateway.request import Request
from portero.graphapi.errors import GraphError
from portero.graphapi.refusals import malformed, refusal_for
from portero.store import revoking
from portero.store.ids import uuid7
from portero.store.records import Record, RecordKind

PATH = b"/-/keys/revoke"
ASKS_A_MINUTE = 10
ADDRESSES_MAX = 10_000
_BODY_MAX = 4096
_ANSWER = {"accepted": True}
_KEY_ERROR = 190  # Graph's code for every credential that is none


class RevocationDoor:
    """Answers `POST /-/keys/revoke` with `{"key": "…"}`."""

    def __init__(self, *, pool: asyncpg.Pool, authenticator: Authenticator) -> None:
        self._pool = pool
        self._authenticator = authenticator
        self._asks = _Asks()

    async def answer(self, request: Request) -> Reply:
        trace_id = str(uuid7())
        if not self._asks.may(request.address or ""):
            often = refusal_for("rate_limited", "Too many revocations from here; wait a minute.")
            return error_reply(often, trace_id, retry_after_s=60)
        try:
            presented = Presented(await _key_of(request), in_url=False)
            found = await self._authenticator.authenticate(presented, address=request.address)
        except GraphError as error:
            return json_reply(_ANSWER) if error.code == _KEY_ERROR else error_reply(error, trace_id)
        try:
            await revoking.revoke(
                self._pool, found.state.id, UUID(found.key.id), _record(found, request.address)
            )
        except revoking.NotConfirmed:
            sentence = "The key is revoked, but one process is still to confirm it."
            return error_reply(refusal_for("unavailable", sentence), trace_id)
        return json_reply(_ANSWER)


async def _key_of(request: Request) -> str:
    try:
        body = await request.read(BodyLimits(max_bytes=_BODY_MAX))
        told = orjson.loads(body)
    except (BodyError, orjson.JSONDecodeError):
        raise malformed('Send `{"key": "…"}`.') from None
    key = told.get("key") if isinstance(told, dict) else None
    if not isinstance(key, str):
        raise malformed('Send `{"key": "…"}`.')
    return key


def _record(found: Authenticated, address: str | None) -> Record:
    return Record(
        workspace=found.state.id,
        call=uuid7(),
        kind=RecordKind.EVENT,
        event="api_key.revoked",
        operation="revoke_key_by_holder",
        effect="allow",
        reason="held_by_caller",
        policy_version=found.state.version,
        actor=found.caller.principal,
        credential=found.key.id,
        body={"address": address, "name": found.key.name, "public_id": found.key.public_id},
    )


class _Asks:
    """How often each address asked within the last minute; the oldest addresses are forgotten."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, list[float]] = OrderedDict()

    def may(self, address: str) -> bool:
        now = time.monotonic()
        recent = [at for at in self._times.pop(address, ()) if at > now - 60]
        allowed = len(recent) < ASKS_A_MINUTE
        self._times[address] = [*recent, now] if allowed else recent
        while len(self._times) > ADDRESSES_MAX:
            self._times.popitem(last=False)
        return allowed
