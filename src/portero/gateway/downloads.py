"""The media door: fetches what a link of ours stands for, decided anew, never held whole."""

import asyncio
from collections.abc import Callable

from portero import engine
from portero.gateway.attempt import Attempt, Caller, Doorway, Refusal, Subject
from portero.gateway.authentication import NO_KEY, Authenticator
from portero.gateway.media_links import BadLink, MediaLink, MediaLinks
from portero.gateway.presented import presented_key
from portero.gateway.refusing import refuse
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
from portero.graphapi.media import ACCEPTED
from portero.graphapi.operation import RiskClass
from portero.graphapi.refusals import id_unknown, never_offered, refusal_for
from portero.store.ids import uuid7
from portero.store.records import Outcome

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
        link = self._read(text)
        try:
            caller, state, refusal = await self._asker(request, link)
        except GraphError as error:
            await error_reply(error, str(call)).send(send)
            return
        try:
            if refusal is not None:
                raise refusal
            link = await self._fitting(request, link, caller, state)
        except GraphError as error:
            await (await refuse(self._door, call, caller, state, error)).send(send)
            return
        try:
            with Attempt(self._door, call, caller, _subject(link)) as attempt:
                await self._stream(attempt, link, send, gone=_watch(request))
        except GraphError as error:
            await error_reply(error, str(call)).send(send)
        except Refusal as refused:
            reply = error_reply(refused.error, str(call), retry_after_s=refused.retry_after_s)
            await reply.send(send)

    def _read(self, text: str) -> MediaLink | None:
        try:
            return self._links.read(text)
        except BadLink:
            return None

    async def _asker(
        self, request: Request, link: MediaLink | None
    ) -> tuple[Caller, WorkspaceState, GraphError | None]:
        """Whose key it is, and why it may not be used. Raises GraphError when nobody is known.

        The link of a url-compatible key stands for the key.
        """
        presented = presented_key(authorization=request.authorization, query=request.query)
        if presented is not None:
            found = await self._authenticator.authenticate(presented, address=request.address)
            return found.caller, found.state, found.refusal
        if link is None or not link.bearer:
            raise refusal_for("key_malformed", NO_KEY)
        caller = Caller(
            workspace=link.workspace,
            principal=link.principal,
            credential=link.credential,
            address=request.address,
        )
        return caller, await self._workspaces.current(link.workspace), None

    async def _fitting(
        self, request: Request, link: MediaLink | None, caller: Caller, state: WorkspaceState
    ) -> MediaLink:
        """The link, if it was made for this caller and its media is still there."""
        if request.method != "GET":
            raise never_offered("Media is fetched by GET.")
        made_for = (link.workspace, link.credential) if link is not None else None
        if link is None or made_for != (caller.workspace, caller.credential):
            raise id_unknown("media", method=request.method)
        found = (await self._registry.look_up(state, [link.media])).get(link.media)
        if found is None or found.kind != Kind.MEDIA or found.number != link.number:
            raise id_unknown("media", method=request.method)
        return link

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
        # A customer may have sent a page or a drawing with script in it: only types Meta takes in
        # uploads are named, and none of those runs in a browser (G23).
        mime = link.mime_type if link.mime_type in ACCEPTED else "application/octet-stream"
        headers = [
            (b"content-type", mime.encode()),
            (b"content-disposition", b"attachment"),
            (b"content-security-policy", b"default-src 'none'; sandbox"),
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
    return UpstreamRequest(
        method="GET", origin=origin, target=target, headers=headers, whose=state.id
    )
