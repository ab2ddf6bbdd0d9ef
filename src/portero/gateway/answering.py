"""From Meta's answer to ours: known members only, our links, nothing the caller may not see."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from portero import engine
from portero.gateway.attempt import Attempt, Caller, Replay, context_of
from portero.gateway.customers import people_in_answer
from portero.gateway.forwarding import Answered
from portero.gateway.listing import Listing
from portero.gateway.media_links import LIFE_S, MediaLink, MediaLinks
from portero.gateway.replies import JSON, Reply, error_reply
from portero.gateway.resources import BOUND_TO_NUMBER, Registry
from portero.gateway.understanding import Understood
from portero.gateway.upstream import UpstreamResponse
from portero.gateway.workspaces import WorkspaceState
from portero.graphapi.answers import rebuild_answer, rebuild_error
from portero.graphapi.kinds import Kind
from portero.graphapi.leaks import find_secret
from portero.graphapi.learned import Learned
from portero.graphapi.learning import learned_ids
from portero.graphapi.operation import Call
from portero.graphapi.portfolio import owners_named, without_owners
from portero.graphapi.refusals import refusal_for
from portero.store.records import Outcome
from portero.store.registry import Resource

_SERVER_ERROR = 500
_CLIENT_ERROR = 400
_REDIRECT = 300
_SHOWN_IDS = 20
# What Meta may do for some of those named, and answer with an error and what was done beside it.
_IN_PARTS = frozenset(
    {
        "block_customers",
        "unblock_customers",
        "approve_join_requests",
        "reject_join_requests",
        "add_participants",
        "remove_participants",
    }
)
_DELETES = frozenset(
    {"delete_media", "delete_flow", "delete_template", "delete_templates", "delete_group"}
)
_DELETED = frozenset({Kind.MEDIA, Kind.FLOW, Kind.TEMPLATE, Kind.GROUP})

logger = logging.getLogger(__name__)


class Answering:
    """Gives the caller what became of an admitted call, and records it."""

    def __init__(self, *, links: MediaLinks, registry: Registry, public_url: str) -> None:
        self._links = links
        self._registry = registry
        self._public_url = public_url

    async def finish(
        self, attempt: Attempt, caller: Caller, understood: Understood, answered: Answered
    ) -> Reply:
        response = answered.response
        if response is None:
            return await self._unknown(attempt, f"no_answer_{answered.why}")
        payload = _json_of(response)
        if payload is None or _REDIRECT <= response.status < _CLIENT_ERROR:
            return await self._unreadable(attempt, understood.call, response)
        if response.status >= _CLIENT_ERROR or _says_error(payload):
            return await self._failed(attempt, understood.call, response, payload)
        return await self._done(attempt, caller, understood, payload)

    def again(self, state: WorkspaceState, replay: Replay) -> Reply:
        """The first answer, once more."""
        body = state.secrets.open("idempotency", "answer", replay.call, replay.sealed)
        return Reply(replay.status, body, (JSON, (b"idempotent-replay", b"true")))

    async def _done(
        self, attempt: Attempt, caller: Caller, understood: Understood, payload: object
    ) -> Reply:
        call, state = understood.call, attempt.state
        payload = await self._ours(call, payload, state)
        rebuilt = rebuild_answer(call, 200, payload, base_url=self._public_url)
        answer = await self._narrowed(rebuilt, caller, understood, state)
        reply = Reply(200, orjson.dumps(self._completed(answer, caller, understood, state)))
        learned = tuple(_resource(state, understood, one) for one in learned_ids(call, payload))
        if find_secret(reply.body, state.never_shown()):
            reply = _withheld(attempt, "It was done, but the answer held a secret.")
        await attempt.finish(
            Outcome.DONE,
            shown={"status": 200, "learned": [one.meta_id for one in learned][:_SHOWN_IDS]},
            learned=learned,
            forgotten=await self._forgotten(state, understood),
            people=people_in_answer(payload, state) if call.messages else (),
            answer=(reply.status, reply.body),
            # What the caller may name in its next request must be known to every process by then.
            durable=any(one.kind != Kind.MESSAGE for one in learned),
        )
        return reply

    async def _failed(
        self, attempt: Attempt, call: Call, response: UpstreamResponse, payload: object
    ) -> Reply:
        error = rebuild_error(response.status, payload)
        reply = error_reply(error, str(attempt.call))
        shown: dict[str, object] = {"status": response.status, "code": error.code}
        effects = _effects(call, response.status, payload)
        if effects:
            both = {**effects, **error.body(str(attempt.call))}
            reply = Reply(reply.status, orjson.dumps(both), reply.headers)
        if find_secret(reply.body, attempt.state.never_shown()):
            reply = _withheld(attempt, "Meta refused, and its answer held a secret.")
        else:
            shown |= {"details": error.details, "effects": effects}
        done = _anything_done(effects)
        # What was done in part is not done again; what Meta refused whole may be tried again.
        kept = (reply.status, reply.body) if done else None
        outcome = _outcome_of(response.status, call, partial=done)
        await attempt.finish(outcome, shown=shown, answer=kept)
        return reply

    async def _unreadable(self, attempt: Attempt, call: Call, response: UpstreamResponse) -> Reply:
        """Not JSON: a redirect, a page of some proxy. What it did is known only for reads."""
        if call.operation.method == "GET" or _REDIRECT <= response.status < _CLIENT_ERROR:
            await attempt.finish(Outcome.FAILED, shown={"status": response.status})
            sentence = f"Meta answered with status {response.status} and nothing readable."
            return error_reply(refusal_for("unavailable", sentence), str(attempt.call))
        return await self._unknown(attempt, f"unreadable_{response.status}")

    async def _unknown(self, attempt: Attempt, why: str) -> Reply:
        await attempt.finish(Outcome.UNKNOWN, shown={"why": why}, durable=True)
        sentence = (
            "The request left and no answer came: it may have been carried out. It is not sent "
            "again by itself; the status of the message will tell."
        )
        return error_reply(refusal_for("outcome_unknown", sentence), str(attempt.call))

    async def _ours(self, call: Call, payload: object, state: WorkspaceState) -> object:
        """The payload without accounts and portfolios that are not the workspace's (I4)."""
        named = owners_named(call, payload)
        if not named:
            return payload
        known = await self._registry.look_up(state, named)
        return without_owners(call, payload, named - known.keys())

    async def _forgotten(
        self, state: WorkspaceState, understood: Understood
    ) -> tuple[tuple[str, str], ...]:
        """(kind, id) of what is the workspace's no more: named by id, or a template by its name."""
        call, waba = understood.call, understood.target.waba
        if call.operation.name not in _DELETES:
            return ()
        named = [(ref.kind.value, ref.value) for ref in call.ids if ref.kind in _DELETED]
        if not named and call.template is not None and waba is not None:
            languages = await self._registry.templates(state, waba, call.template)
            named = [(one.kind, one.meta_id) for one in languages]
        return tuple(named)

    async def _narrowed(
        self,
        answer: dict[str, Any],
        caller: Caller,
        understood: Understood,
        state: WorkspaceState,
    ) -> dict[str, Any]:
        """A list as far as the caller may see it."""
        listing = Listing(understood.call, understood.target)
        if listing.kind is None:
            return answer
        allows = may_of(state, caller)
        if not listing.narrows(allows):
            return answer
        visible = state.snapshot.visible(
            caller.principal, listing.permission, context_of(state, caller), caller.credential
        )
        total = await self._registry.count_seen(
            state, kind=listing.kind, waba=understood.target.waba or "", visible=visible
        )
        return listing.shown(answer, state, allows, total)

    def _completed(
        self,
        answer: dict[str, Any],
        caller: Caller,
        understood: Understood,
        state: WorkspaceState,
    ) -> dict[str, Any]:
        """The parts only we can write: media links, and the recipient as it was asked for."""
        call = understood.call
        if call.operation.name == "read_media" and "url" in answer:
            answer["url"] = self._media_url(answer, caller, understood, state)
        for contact, recipient in zip(answer.get("contacts") or (), call.recipients, strict=False):
            contact["input"] = recipient.original
        return answer

    def _media_url(
        self,
        answer: Mapping[str, Any],
        caller: Caller,
        understood: Understood,
        state: WorkspaceState,
    ) -> str:
        key = next((k for k in state.keys.values() if k.id == caller.credential), None)
        return self._links.url(
            MediaLink(
                workspace=state.id,
                principal=caller.principal,
                credential=caller.credential,
                media=understood.target.id,
                number=understood.target.number,
                upstream=str(answer["url"]),
                mime_type=str(answer.get("mime_type", "application/octet-stream")),
                bearer=key is not None and key.url_compatible,
                ends_at=time.time() + LIFE_S,
            )
        )


def _json_of(response: UpstreamResponse) -> object | None:
    try:
        payload: object = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return None
    return payload if isinstance(payload, dict | list) else None


def _says_error(payload: object) -> bool:
    """Whether an answer that claims success is an error all the same."""
    return isinstance(payload, dict) and isinstance(payload.get("error"), dict)


def _withheld(attempt: Attempt, sentence: str) -> Reply:
    logger.critical("an answer held a live secret and was withheld: %s", attempt.call)
    error = refusal_for("answer_withheld", f"{sentence} It is not shown.")
    return error_reply(error, str(attempt.call))


def _effects(call: Call, status: int, payload: object) -> dict[str, Any]:
    """What an error tells of who was served and who was not, all the same."""
    return rebuild_answer(call, status, payload) if call.operation.name in _IN_PARTS else {}


def _anything_done(effects: Mapping[str, Any]) -> bool:
    """Whether an answer in parts tells of anything besides failures."""
    told = ((name, part) for name, part in effects.items() if not name.startswith("failed_"))
    return any(
        _anything_done(part) if isinstance(part, dict) else bool(part)
        for name, part in told
        if isinstance(part, dict | list) and name != "errors"
    )


def _outcome_of(status: int, call: Call, *, partial: bool) -> Outcome:
    if partial:
        return Outcome.PARTIAL
    # A server error after a send was written says nothing about whether it was sent (B11.2).
    if status >= _SERVER_ERROR and call.operation.method != "GET":
        return Outcome.UNKNOWN
    return Outcome.FAILED


def _resource(state: WorkspaceState, understood: Understood, one: Learned) -> Resource:
    """Where the answer does not say what a thing belongs to, the call it answers does."""
    target = understood.target
    number = one.number or (target.number if one.kind in BOUND_TO_NUMBER else None)
    return Resource(state.id, one.kind, one.id, one.parent or target.waba, number, one.attributes)


def may_of(state: WorkspaceState, caller: Caller) -> Callable[[Iterable[engine.Check]], bool]:
    """Decides row by row for one caller, all rows at the moment of the first."""
    context: engine.Context | None = None

    def may(checks: Iterable[engine.Check]) -> bool:
        nonlocal context
        context = context or context_of(state, caller)
        return state.snapshot.decide(
            caller.principal, tuple(checks), context, caller.credential
        ).allowed

    return may
