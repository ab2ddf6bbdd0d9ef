"""Sockets of ours: taking an address, and telling whether something answers on one."""

from __future__ import annotations

import errno
import http.client
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from typing_extensions import override

_BACKLOG = 2048
_PROBE_TIMEOUT_S = 1.0


class AddressTaken(Exception):
    """Somebody listens there already, or we may not; the message is for an operator."""


def listen(host: str, port: int) -> socket.socket:
    """Bind and listen, so that a child may inherit it. Raises AddressTaken.

    Connections wait in the socket while the child that accepts them is started again.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise AddressTaken(_why(error, host, port)) from None


def answers(url: str) -> bool:
    """Whether a GET of `url` ends with 200 within a second."""
    parts = urlsplit(url)
    assert parts.hostname is not None  # noqa: S101 - our own URL
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_PROBE_TIMEOUT_S)
    return _status(connection, parts.path or "/") == 200


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, *, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    @override
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def socket_answers(path: Path) -> bool:
    """Whether something speaks HTTP behind a unix socket; without a credential it will refuse."""
    return _status(UnixConnection(path, timeout=_PROBE_TIMEOUT_S), "/") is not None


def _status(connection: http.client.HTTPConnection, path: str) -> int | None:
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken by another program"
    if error.errno == errno.EACCES:
        return f"this account may not listen on port {port}"
    return f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}"
