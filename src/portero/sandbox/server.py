"""Runs the emulator on a loopback port."""

import socket
import struct
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from portero.sandbox.app import create_app
from portero.sandbox.endpoint import ABORT
from portero.sandbox.world import World

HOST = "127.0.0.1"
_LINGER_NONE = struct.pack("ii", 1, 0)  # close sends RST at once instead of what is buffered


class AbortableProtocol(HttpToolsProtocol):
    """Leaves the application a way to cut the connection, which ASGI has not."""

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: self._abort}  # type: ignore[dict-item]  # ours, not ASGI's

    def _abort(self) -> None:
        connection: socket.socket = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        self.transport.abort()


def server_for(app: ASGIApp, port: int, **options: Any) -> uvicorn.Server:
    """A server of `app` on the loopback address; options are uvicorn's."""
    config = uvicorn.Config(
        app,
        host=HOST,
        port=port,
        http=AbortableProtocol,
        ws="none",
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=5,
        **options,
    )
    return uvicorn.Server(config)


def serve(world: World, port: int) -> None:
    """Serve a world on `127.0.0.1:port` until interrupted."""
    server_for(create_app(world), port).run()
