"""The Graph door: read strictly, decide, admit, forward what was rebuilt, rebuild the answer."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from portero.gateway.answering import Answering, may_of
from portero.gateway.attempt import (
    Attempt,
    Caller,
    Doorway,
    Refusal,
    Replay,
    Subject,
)
from portero.gateway.authentication import Authenticated, Authenticator
from portero.gateway.body import BodyError, BodyLimits, TooLarge
from portero.gateway.customers import identities_of
from portero.gateway.forwarding import CALLBACK_DATA, Forwarding
from portero.gateway.listing import Listing
from portero.gateway.presented import presented_key
from portero.gateway.refusing import refuse
from portero.gateway.replies import Reply, error_reply
from portero.gateway.request import Request
from portero.gateway.understanding import Understanding, Understood
from portero.gateway.workspaces import WorkspaceState
from portero.graphapi import forms
from portero.graphapi.errors import GraphError
from portero.graphapi.operation import Call
from portero.graphapi.parse import RawCall
from portero.graphapi.refusals import malformed
from portero.store.idempotency import Claim
from portero.store.ids import uuid7

BODY_MAX = 256 * 1024
FORM = "application/x-www-form-urlencoded"
_LIMITS = BodyLimits(max_bytes=BODY_MAX)


@dataclass(frozen=True, slots=True)
class CallWay:
    """The parts of the one way that a call takes, whichever door it came through."""

    door: Doorway
    authenticator: Authenticator
    understanding: Understanding
    forwarding: Forwarding
    answering: Answering


class GraphDoor:
    """Answers Graph calls of programs, and of our own processes through `perform`."""

    def __init__(self, way: CallWay) -> None:
        self._way = way

    async def answer(self, request: Request) -> Reply:
        """The whole life of a JSON or form request with a key. Never raises for what it holds."""
        call_id = uuid7()
        try:
            body = await _read_body(request)
            form = _form(request, body)
        except GraphError as fault:
            return await self.refuse(request, fault)
        try:
            found = await self._authenticate(request, form)
        except GraphError as error:
            return error_reply(error, str(call_id))
        if found.refusal is not None:
            return await refuse(self._way.door, call_id, found.caller, found.state, found.refusal)
        raw = RawCall(request.method, request.path, request.query, request.content_type, body)
        return await self.perform(call_id, raw, found.caller, found.state, request.idempotency_key)

    async def refuse(self, request: Request, fault: GraphError) -> Reply:
        """Refuse what cannot be read: on record, if the key in its header or query is somebody's."""
        call_id = uuid7()
        try:
            found = await self._authenticate(request, ())
        except GraphError:
            return error_reply(fault, str(call_id))
        return await refuse(
            self._way.door, call_id, found.caller, found.state, found.refusal or fault
        )

    async def perform(
        self,
        call_id: UUID,
        raw: RawCall,
        caller: Caller,
        state: WorkspaceState,
        idempotency_key: str | None,
    ) -> Reply:
        """The way of a call whose caller is known, whichever door it came through."""
        try:
            understood = await self._way.understanding.understand(raw, state, may_of(state, caller))
        except GraphError as error:
            return await refuse(self._way.door, call_id, caller, state, error)
        claim = _claim(understood.call, caller, idempotency_key, call_id)
        subject = subject_of(understood, caller, state, claim)
        with Attempt(self._way.door, call_id, caller, subject) as attempt:
            try:
                answered = await self._way.forwarding.forward(
                    attempt, understood.call, understood.target
                )
            except Refusal as refusal:
                return error_reply(refusal.error, str(call_id), retry_after_s=refusal.retry_after_s)
            except Replay as replay:
                return self._way.answering.again(state, replay)
            return await self._way.answering.finish(attempt, caller, understood, answered)

    async def _authenticate(
        self, request: Request, form: Sequence[tuple[str, str]]
    ) -> Authenticated:
        presented = presented_key(
            authorization=request.authorization, query=request.query, form=form
        )
        return await self._way.authenticator.authenticate(presented, address=request.address)


def subject_of(
    understood: Understood, caller: Caller, state: WorkspaceState, claim: Claim | None
) -> Subject:
    """What a call is decided and recorded on."""
    call = understood.call
    listing = Listing(call, understood.target)
    touched = [(ref.kind.value, ref.value) for ref in call.ids]
    touched += [("contact", recipient.identity) for recipient in call.recipients]
    return Subject(
        operation=call.operation.name,
        event=call.operation.event,
        risk=call.operation.risk,
        checks=lambda current: listing.checks(current, may_of(current, caller)),
        messages=call.messages,
        recipients=identities_of(call.recipients, state) if call.messages else (),
        touched=tuple(touched),
        claim=claim,
        shown=_shown(call),
    )


async def _read_body(request: Request) -> bytes:
    try:
        return await request.read(_LIMITS)
    except TooLarge:
        raise malformed(f"The body is larger than {BODY_MAX // 1024} KiB.") from None
    except BodyError as error:
        raise malformed(f"The body was not read ({error.code}): {error.sentence}.") from None


def _form(request: Request, body: bytes) -> Sequence[tuple[str, str]]:
    """The fields of a form, where clients may put their key; empty for any other body."""
    return tuple(forms.parse(body).items()) if request.media_type == FORM else ()


def _claim(call: Call, caller: Caller, idempotency_key: str | None, call_id: UUID) -> Claim | None:
    if idempotency_key is None or call.operation.method == "GET":
        return None
    body = dict(call.body) if call.body is not None else None
    typed = [[ref.value for ref in call.path_ids], dict(call.params), body]
    return Claim(
        workspace=caller.workspace,
        principal=caller.principal,
        operation=call.operation.name,
        key=idempotency_key,
        digest=hashlib.sha256(orjson.dumps(typed, option=orjson.OPT_SORT_KEYS)).digest(),
        call=call_id,
    )


def _shown(call: Call) -> dict[str, Any]:
    """The readable half: what a person needs to understand the record, not what was written."""
    shown: dict[str, Any] = {"method": call.operation.method, "path": call.operation.template}
    if call.path_ids:
        shown["ids"] = [ref.value for ref in call.path_ids]
    if call.recipients:
        shown["to"] = [recipient.value for recipient in call.recipients]
    if call.template is not None:
        shown["template"] = call.template.name
    callback_data = (call.body or {}).get(CALLBACK_DATA)
    if callback_data is not None:
        shown["callback_data"] = callback_data
    return shown
