"""The public ASGI application: which door a request is for, and nothing else."""

from collections.abc import Awaitable, Mapping
from typing import Any

from portero.engine.addresses import TrustedProxies
from portero.gateway import ingest, media_links, revocation, upload_door
from portero.gateway.downloads import DownloadDoor
from portero.gateway.graph import GraphDoor
from portero.gateway.ingest import WebhookDoor
from portero.gateway.refusing import guarded, guarded_reply
from portero.gateway.replies import Receive, Reply, Send, json_reply
from portero.gateway.request import Head, read_request
from portero.gateway.revocation import RevocationDoor
from portero.gateway.upload_door import UploadDoor
from portero.store.presence import Presence

HEALTH = b"/-/health"
_WEBHOOKS = ingest.PATH.encode()
_MEDIA = media_links.PATH.encode()


class GatewayApp:
    """Routes by path."""

    def __init__(
        self,
        *,
        graph: GraphDoor,
        uploads: UploadDoor,
        downloads: DownloadDoor,
        webhooks: WebhookDoor,
        revocation: RevocationDoor,
        presence: Presence,
        proxies: TrustedProxies,
    ) -> None:
        self._graph = graph
        self._uploads = uploads
        self._downloads = downloads
        self._webhooks = webhooks
        self._revocation = revocation
        self._presence = presence
        self._proxies = proxies

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await guarded(lambda sending: self._answer(Head.of(scope), receive, sending), send)

    def whole(self, head: Head, body: bytes) -> Awaitable[Reply] | None:
        """The answer to a request that came in one piece; None for what is answered in pieces."""
        if head.path.startswith(_MEDIA):
            return None
        return guarded_reply(self._reply(head, _receiving(body), body))

    async def _answer(self, head: Head, receive: Receive, send: Send) -> None:
        if head.path.startswith(_MEDIA):
            request, objection = read_request(head, receive, self._proxies)
            if objection is None:
                text = head.path.removeprefix(_MEDIA).decode("latin-1")
                await self._downloads.answer(request, text, send)
                return
        await (await self._reply(head, receive)).send(send)

    async def _reply(self, head: Head, receive: Receive, body: bytes | None = None) -> Reply:
        path = head.path
        if path == HEALTH:
            return self._health()
        request, objection = read_request(head, receive, self._proxies, body=body)
        if objection is not None:
            return await self._graph.refuse(request, objection)
        if path == _WEBHOOKS and request.method == "GET":
            return await self._webhooks.verify(request)
        if path == _WEBHOOKS and request.method == "POST":
            signature = dict(head.headers).get(b"x-hub-signature-256", b"").decode("latin-1")
            return await self._webhooks.receive(request, signature)
        if path == revocation.PATH and request.method == "POST":
            return await self._revocation.answer(request)
        if request.media_type == upload_door.MULTIPART:
            return await self._uploads.answer(request)
        return await self._graph.answer(request)

    def _health(self) -> Reply:
        alive = self._presence.alive()
        return json_reply({"alive": alive}, status=200 if alive else 503)


def _receiving(body: bytes) -> Receive:
    """For doors that read their own body, what the server would give them."""

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
