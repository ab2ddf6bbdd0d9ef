"""The public ASGI application: which door a request is for, and nothing else."""

import logging
from collections.abc import Mapping
from typing import Any

import asyncpg

from portero.gateway import ingest, media_links, revocation, upload_door
from portero.gateway.addresses import TrustedProxies
from portero.gateway.downloads import DownloadDoor
from portero.gateway.graph import GraphDoor
from portero.gateway.ingest import WebhookDoor
from portero.gateway.replies import Receive, Reply, Send, error_reply, json_reply
from portero.gateway.request import read_request
from portero.gateway.revocation import RevocationDoor
from portero.gateway.upload_door import UploadDoor
from portero.graphapi.refusals import refusal_for
from portero.store.ids import uuid7
from portero.store.presence import Presence

HEALTH = b"/-/health"
DATABASE_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
_WEBHOOKS = ingest.PATH.encode()
_MEDIA = media_links.PATH.encode()

logger = logging.getLogger(__name__)


class GatewayApp:
    """Routes by path. An error nobody foresaw refuses (I7), and says so without a detail."""

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
        started = False

        async def sending(message: Mapping[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._answer(scope, receive, sending)
        except DATABASE_ERRORS as error:
            logger.warning("gateway: the database is away: %s", type(error).__name__)
            if started:
                raise
            away = refusal_for("unavailable", "The database is away; nothing was sent.")
            await error_reply(away, str(uuid7()), retry_after_s=1).send(send)
        except Exception:
            logger.exception("gateway: a request failed")
            if started:
                raise
            failed = refusal_for("unavailable", "The gateway failed; nothing more is known.")
            await error_reply(failed, str(uuid7())).send(send)

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
