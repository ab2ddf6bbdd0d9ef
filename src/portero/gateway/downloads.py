"""The media door: fetches what a link of ours stands for, decided anew, never held whole."""

import asyncio
import re
from collections.abc import Callable

from portero import engine
from portero.gateway.attempt import Attempt, Caller, Doorway, Refusal, Subject
from portero.gateway.authentication import NO_KEY, Authenticator
from portero.gateway.media_links import BadLink, MediaLink, MediaLinks
from portero.gateway.presented import presented_key
from portero.gateway.replies import Send, error_reply, start_of_stream
from portero.gateway.request import Request
from portero.gateway.resources import Registry
from portero.gateway.upstream import (
    Ambiguous,
    NotSent,
    StreamedResponse,
    Upstream,
    UpstreamRequest,
    split_url,
)
from portero.gateway.workspaces import NoCredential, Workspaces, WorkspaceState
from portero.graphapi.errors import GraphError
from portero.graphapi.kinds import Kind
from portero.graphapi.operation import RiskClass
from portero.graphapi.refusals import id_unknown, refusal_for
from portero.store.ids import uuid7
from portero.store.records import Outcome

_MIME = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_OK = 200


class DownloadDoor:
    """Answers `GET /media/…`."""

    def __init__(
        self,
        *,
        door: Doorway,
        authenticator: Authenticator,
        workspaces: Workspaces,
        registry: Registry,
        upstream: Upstream,
        links: MediaLinks,
    ) -> None:
        self._door = door
        self._authenticator = authenticator
        self._workspaces = workspaces
        self._registry = registry
        self._upstream = upstream
        self._links = links

    async def answer(self, request: Request, text: str, send: Send) -> None:
        call = uuid7()
        try:
            link = self._links.read(text)
            caller, state = await self._caller(request, link)
            await self._known(link, state)
            with Attempt(self._door, call, caller, _subject(link)) as attempt:
                await self._stream(attempt, link, send, gone=_watch(request))
        except BadLink:
            error = id_unknown("media", method=request.method)
            await error_reply(error, str(call)).send(send)
        except GraphError as error:
            await error_reply(error, str(call)).send(send)
        except Refusal as refusal:
            reply = error_reply(refusal.error, str(call), retry_after_s=refusal.retry_after_s)
            await reply.send(send)

    async def _caller(self, request: Request, link: MediaLink) -> tuple[Caller, WorkspaceState]:
        """The key the link was made for; only a url-compatible key's link works without it."""
        presented = presented_key(authorization=request.authorization, query=request.query)
        if presented is None and not link.bearer:
            raise refusal_for("key_malformed", NO_KEY)
        if presented is not None:
            found = await self._authenticator.authenticate(presented, address=request.address)
            if found.refusal is not None:
                raise found.refusal
            if (found.state.id, found.key.id) != (link.workspace, link.credential):
                raise id_unknown(link.media, method=request.method)
        state = await self._workspaces.current(link.workspace)
        caller = Caller(
            workspace=link.workspace,
            principal=link.principal,
            credential=link.credential,
            address=request.address,
        )
        return caller, state

    async def _known(self, link: MediaLink, state: WorkspaceState) -> None:
        found = (await self._registry.look_up(state, [link.media])).get(link.media)
        if found is None or found.kind != Kind.MEDIA or found.number != link.number:
            raise id_unknown(link.media)

    async def _stream(
        self, attempt: Attempt, link: MediaLink, send: Send, *, gone: asyncio.Task[None]
    ) -> None:
        async def open_upstream(before_first_byte: Callable[[], None]) -> StreamedResponse:
            return await self._upstream.open(
                _request(link, attempt.state), before_first_byte=before_first_byte
            )

        try:
            response = await attempt.pass_through(open_upstream)
        except (NotSent, NoCredential) as error:
            attempt.stopped(f"not_sent_{getattr(error, 'code', 'no_credential')}")
            raise refusal_for("unavailable", "The media could not be fetched.") from None
        except Ambiguous as error:
            await attempt.finish(Outcome.FAILED, shown={"why": error.code})
            raise refusal_for("unavailable", "The media could not be fetched.") from None
        async with response:
            if response.status != _OK:
                await attempt.finish(Outcome.FAILED, shown={"status": response.status})
                raise id_unknown(link.media)
            try:
                await self._pass_on(attempt, link, response, send, gone)
            finally:
                gone.cancel()

    async def _pass_on(
        self,
        attempt: Attempt,
        link: MediaLink,
        response: StreamedResponse,
        send: Send,
        gone: asyncio.Task[None],
    ) -> None:
        mime = link.mime_type if _MIME.fullmatch(link.mime_type) else "application/octet-stream"
        headers = [
            (b"content-type", mime.encode()),
            (b"content-disposition", b"attachment"),
            *((n, v) for n, v in response.headers if n == b"content-length" and v.isdigit()),
        ]
        sent = 0
        try:
            await send(start_of_stream(_OK, headers))
            async for chunk in response:
                if gone.done():
                    await attempt.finish(
                        Outcome.FAILED, shown={"why": "client_gone", "bytes": sent}
                    )
                    return
                sent += len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except Ambiguous as error:
            # The head is gone: the only honest end of a torn body is a torn connection.
            await attempt.finish(Outcome.FAILED, shown={"why": error.code, "bytes": sent})
            raise
        await attempt.finish(Outcome.DONE, shown={"status": _OK, "bytes": sent})


def _watch(request: Request) -> asyncio.Task[None]:
    """Done once the client has hung up: what nobody reads is not fetched to its end."""

    async def until_gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return asyncio.get_running_loop().create_task(until_gone())


def _subject(link: MediaLink) -> Subject:
    def checks(state: WorkspaceState) -> list[engine.Check]:
        resource = engine.Resource(
            kind=Kind.MEDIA,
            id=link.media,
            number=link.number,
            waba=state.numbers.get(link.number or ""),
        )
        return [engine.Check("media:read", resource)]

    return Subject(
        operation="download_media",
        event="media.downloaded",
        risk=RiskClass.READ,
        checks=checks,
        touched=((Kind.MEDIA.value, link.media),),
        shown={"method": "GET", "path": "/media", "ids": [link.media]},
    )


def _request(link: MediaLink, state: WorkspaceState) -> UpstreamRequest:
    origin, target = split_url(link.upstream)
    token = state.token(state.numbers.get(link.number or ""))
    headers = [(b"authorization", b"Bearer " + token), (b"user-agent", b"Portero")]
    return UpstreamRequest(method="GET", origin=origin, target=target, headers=headers)
