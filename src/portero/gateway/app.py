"""The public ASGI application: which door a request is for, and nothing else."""

from collections.abc import Mapping
from typing import Any

from portero.gateway import ingest, media_links, revocation, upload_door
from portero.gateway.addresses import TrustedProxies
from portero.gateway.downloads import DownloadDoor
from portero.gateway.graph import GraphDoor
from portero.gateway.ingest import WebhookDoor
from portero.gateway.refusing import guarded
from portero.gateway.replies import Receive, Reply, Send, json_reply
from portero.gateway.request import read_request
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
        await guarded(lambda sending: self._answer(scope, receive, sending), send)

    async def _answer(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        path: bytes = scope["raw_path"]
        if path == HEALTH:
            await self._health().send(send)
            return
        request, objection = read_request(scope, receive, self._proxies)
        if objection is not None:
            await (await self._graph.refuse(request, objection)).send(send)
            return
        if path.startswith(_MEDIA):
            text = path.removeprefix(_MEDIA).decode("latin-1")
            await self._downloads.answer(request, text, send)
        elif path == _WEBHOOKS and request.method == "GET":
            await (await self._webhooks.verify(request)).send(send)
        elif path == _WEBHOOKS and request.method == "POST":
            signature = dict(scope["headers"]).get(b"x-hub-signature-256", b"").decode("latin-1")
            await (await self._webhooks.receive(request, signature)).send(send)
        elif path == revocation.PATH and request.method == "POST":
            await (await self._revocation.answer(request)).send(send)
        elif request.media_type == upload_door.MULTIPART:
            await (await self._uploads.answer(request)).send(send)
        else:
            await (await self._graph.answer(request)).send(send)

    def _health(self) -> Reply:
        alive = self._presence.alive()
        return json_reply({"alive": alive}, status=200 if alive else 503)
