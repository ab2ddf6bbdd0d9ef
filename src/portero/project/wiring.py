"""Where ports of the domain meet what serves them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

from portero.domain.messaging.ports import (
    Need,
    NotPerformed,
    OutcomeUnknown,
    Perform,
    Performed,
)
from portero.project.configuration import Configuration
from portero.project.gateway_settings import internal_folder
from portero.project.listening import UnixConnection
from portero.store.sealing import Secret

# Longer than the gateway gives Meta: it answers in time even when Meta does not.
_TIMEOUT_S = 60.0
_OK, _UNAVAILABLE = 200, 503


def perform(configuration: Configuration) -> Perform:
    """The port `messaging.ports.Perform`, served by this installation's gateway processes."""
    return GatewayClient(internal_folder(configuration.state), configuration.internal_secret)


class GatewayClient:
    """States needs to whichever gateway process on this machine takes them."""

    def __init__(self, folder: Path, secret: Secret) -> None:
        self.folder = folder
        self._secret = secret

    def __call__(self, need: Need) -> Performed:
        with closing(self._connect()) as connection:
            status, answer = self._ask(connection, json.dumps(_written(need)).encode())
        if status == _UNAVAILABLE:
            raise NotPerformed(_details(answer))
        if status != _OK:
            raise ValueError(f"the gateway cannot read the need: {_details(answer)}")
        return Performed(UUID(answer["call"]), answer["status"], answer["body"])

    def _connect(self) -> http.client.HTTPConnection:
        """A connection to the first process that accepts one. Raises NotPerformed."""
        for path in self._sockets():
            connection = UnixConnection(path, timeout=_TIMEOUT_S)
            try:
                connection.connect()
            except OSError:  # a process that was killed leaves its socket behind
                connection.close()
                continue
            return connection
        raise NotPerformed("no gateway process runs on this machine")

    def _sockets(self) -> Iterator[Path]:
        yield from sorted(self.folder.glob("*.sock"))

    def _ask(
        self, connection: http.client.HTTPConnection, body: bytes
    ) -> tuple[int, Mapping[str, Any]]:
        headers = {
            "Authorization": f"Bearer {self._secret.reveal().decode()}",
            "Content-Type": "application/json",
        }
        try:
            connection.request("POST", "/perform", body, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            # Part of the need may have been read: from here on nobody knows.
            raise OutcomeUnknown from None


def _written(need: Need) -> dict[str, Any]:
    return {
        "workspace": str(need.workspace),
        "principal": str(need.principal),
        "operation": need.operation,
        "parts": {"ids": list(need.ids), "params": dict(need.params), "body": need.body},
        "on_behalf": str(need.on_behalf) if need.on_behalf else None,
        "address": need.address,
        "factor_at": need.factor_at.timestamp() if need.factor_at else None,
        "passkey_at": need.passkey_at.timestamp() if need.passkey_at else None,
        "idempotency_id": need.idempotency_id,
    }


def _details(answer: Mapping[str, Any]) -> str:
    error = answer.get("error", {})
    return str(error.get("error_data", {}).get("details") or error.get("message") or answer)
