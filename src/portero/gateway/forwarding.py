"""The only place that speaks to Meta: writes the one header with the real token, and reads back."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace

from portero.engine.values import valueclass
from portero.gateway.attempt import Attempt, Refusal
from portero.gateway.resources import Target
from portero.gateway.settings import Settings
from portero.gateway.upstream import (
    Ambiguous,
    NotSent,
    Upstream,
    UpstreamRequest,
    UpstreamResponse,
    split_url,
)
from portero.gateway.workspaces import NoCredential, WorkspaceState
from portero.graphapi.operation import Call, Host
from portero.graphapi.refusals import refusal_for
from portero.graphapi.upstream import Upstream as Rebuilt
from portero.graphapi.upstream import rebuild

# Meta echoes this in every status of a message; it carries our call id, so that an answer that
# never came can still be settled. The caller's own value is kept in the record.
CALLBACK_DATA = "biz_opaque_callback_data"


def second_host(graph_url: str) -> str:
    """Where operations of Meta's other host go; whoever plays Meta plays both."""
    origin, _ = split_url(graph_url)
    return "https://api.facebook.com" if origin.host == "graph.facebook.com" else graph_url


@valueclass(frozen=True, slots=True)
class Answered:
    """What came back. `response` None: bytes left and no whole answer came (`why` says how)."""

    response: UpstreamResponse | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Multipart:
    """How the body of an upload is written: from the rebuilt fields to its chunks."""

    boundary: str
    body: Callable[[Mapping[str, str]], AsyncIterator[bytes]]


class Forwarding:
    """Builds the outgoing request of an admitted call and sends it once."""

    def __init__(self, *, upstream: Upstream, settings: Settings) -> None:
        self._upstream = upstream
        self._settings = settings
        self._origin, _ = split_url(settings.graph_url)
        self._second_origin, _ = split_url(second_host(settings.graph_url))

    async def forward(
        self, attempt: Attempt, call: Call, target: Target, *, multipart: Multipart | None = None
    ) -> Answered:
        """Let the call pass and send it.

        Raises Refusal or Replay when it may not go, and what an upload raises while it is read.
        """

        async def send(before_first_byte: Callable[[], None]) -> UpstreamResponse:
            request = self._request_for(attempt, call, target, multipart)
            return await self._upstream.send(request, before_first_byte=before_first_byte)

        try:
            return Answered(await attempt.pass_through(send))
        except NotSent as error:
            attempt.stopped(f"not_sent_{error.code}")
            sentence = f"Meta could not be reached ({error.code}); nothing was sent."
            raise Refusal(refusal_for("unavailable", sentence), retry_after_s=1) from error
        except NoCredential:
            attempt.stopped("no_credential")
            sentence = (
                "This workspace has no Meta token for that account; an administrator adds it."
            )
            raise Refusal(refusal_for("unavailable", sentence)) from None
        except Ambiguous as error:
            return Answered(None, error.code)

    def _request_for(
        self, attempt: Attempt, call: Call, target: Target, multipart: Multipart | None
    ) -> UpstreamRequest:
        """The outgoing request: rebuilt parts, and the token of the account it is about."""
        adds = {CALLBACK_DATA: str(attempt.call)} if call.messages and call.body else {}
        rebuilt = rebuild(call, version=self._settings.graph_version, adds=adds)
        request = self.sealed_in(attempt.state, rebuilt, target.waba)
        if multipart is None:
            return request
        content_type = f"multipart/form-data; boundary={multipart.boundary}".encode()
        return replace(
            request,
            headers=[*request.headers, (b"content-type", content_type)],
            body=multipart.body(rebuilt.form or {}),
        )

    def sealed_in(
        self, state: WorkspaceState, rebuilt: Rebuilt, waba: str | None
    ) -> UpstreamRequest:
        """A rebuilt request with the real token in its one place."""
        token, proof = state.proved_token(waba)
        headers = [
            (b"authorization", b"Bearer " + token),
            (b"accept", b"application/json"),
            (b"user-agent", b"Portero"),
        ]
        if rebuilt.content_type is not None:
            headers.append((b"content-type", rebuilt.content_type.encode()))
        query = rebuilt.query
        if proof is not None:
            query = f"{query}&appsecret_proof={proof}" if query else f"appsecret_proof={proof}"
        return UpstreamRequest(
            method=rebuilt.method,
            origin=self._second_origin if rebuilt.host is Host.API else self._origin,
            target=f"{rebuilt.path}?{query}" if query else rebuilt.path,
            headers=headers,
            body=rebuilt.body or b"",
            whose=state.id,
        )
