"""The Graph surface as one ASGI application: ledger, faults, answer, then what comes afterwards."""

import asyncio
import logging
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from portero.graphapi.errors import GraphError, meta_error
from portero.sandbox.calls import Call
from portero.sandbox.courier import Courier
from portero.sandbox.faults import Fault, Faults
from portero.sandbox.graph.dispatch import perform
from portero.sandbox.ledger import Entry, Ledger
from portero.sandbox.reading import read_request
from portero.sandbox.wire import error_reply, response_for, trace_id
from portero.sandbox.world import World

ABORT = "portero.sandbox.abort"
"""Key of `scope["extensions"]` under which our server leaves the way to cut a connection."""

_log = logging.getLogger(__name__)
_MAX_BODY = 110 * 1024 * 1024


@dataclass(slots=True)
class GraphEndpoint:
    """Answers every path that is not the control surface's."""

    world: World
    courier: Courier
    ledger: Ledger
    faults: Faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, from its last byte to the tasks its answer starts."""
        request = Request(scope, receive)
        try:
            body = await _body_of(request)
        except ClientDisconnect:
            return  # it never arrived whole, and nobody waits for an answer
        entry = self._write_down(request, body)
        fault = self.faults.take(entry.method, entry.path)
        if fault is not None:
            await asyncio.sleep(fault.delay_s)
            if fault.reset == "before":
                await _cut(scope, receive)
                return
            if fault.error is not None:
                await _answer(entry, _refused(fault.error), scope, receive, send)
                return
            if fault.status is not None and fault.reset is None:
                await _answer(entry, _faulty(fault, fault.status), scope, receive, send)
                return
        response, call = await self._process(request, body, fault.fate if fault else None)
        if fault is not None and fault.reset == "after":
            await _cut(scope, receive)
        else:
            await _answer(entry, response, scope, receive, send)
        for task in call.afterwards if call else []:
            task()

    def _write_down(self, request: Request, body: bytes) -> Entry:
        return self.ledger.open(
            at=self.world.clock(),
            method=request.method,
            path=_path_of(request),
            query=request.scope["query_string"].decode("latin-1"),
            headers=_headers_of(request),
            body=body,
        )

    async def _process(
        self, request: Request, body: bytes, fate: GraphError | None
    ) -> tuple[Response, Call | None]:
        trace, call = trace_id(), None
        try:
            if len(body) > _MAX_BODY:
                raise meta_error(100, details="The request body is too large.")
            call = self._read(request, body)
            call.fate = fate
            return response_for(await perform(call), trace=trace, call=call, error=None), call
        except GraphError as failure:
            error = failure
        except Exception:  # noqa: BLE001  # a process border: what fails behind it is one failed call
            _log.exception("the sandbox has a fault: %s %s", request.method, _path_of(request))
            error = meta_error(131000)
        return response_for(error_reply(error, trace), trace=trace, call=call, error=error), call

    def _read(self, request: Request, body: bytes) -> Call:
        read = read_request(
            method=request.method,
            path=request.scope["path"],
            query=request.scope["query_string"].decode("latin-1"),
            headers=_headers_of(request),
            body=body,
            base_url=(self.world.public_url or str(request.base_url)).rstrip("/"),
        )
        return Call(world=self.world, courier=self.courier, request=read)


async def _body_of(request: Request) -> bytes:
    """The whole body; what exceeds the bound is read and dropped, as the refusal must be heard."""
    body = bytearray()
    async for chunk in request.stream():
        if len(body) <= _MAX_BODY:
            body += chunk
    return bytes(body)


def _headers_of(request: Request) -> dict[str, str]:
    """Names in lower case; a repeated header shows all its values, as a list."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _path_of(request: Request) -> str:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return raw.decode("latin-1").partition("?")[0]


def _faulty(fault: Fault, status: int) -> Response:
    body = fault.body
    if body is None:
        body = meta_error(2, transient=True).body(trace_id())
    if isinstance(body, str):
        return Response(body, status, media_type="text/plain")
    return JSONResponse(body, status)


def _refused(error: GraphError) -> Response:
    trace = trace_id()
    return response_for(error_reply(error, trace), trace=trace, call=None, error=error)


async def _answer(
    entry: Entry, response: Response, scope: Scope, receive: Receive, send: Send
) -> None:
    entry.status = response.status_code
    await response(scope, receive, send)


async def _cut(scope: Scope, receive: Receive) -> None:
    """Close the connection hard, without a byte of answer.

    Raises:
        ConnectionResetError: there is no connection, as when the application is called in process.
    """
    abort = scope.get("extensions", {}).get(ABORT)
    if abort is None:
        raise ConnectionResetError("the sandbox was told to reset this connection")
    abort()
    await receive()  # until the server has seen the connection go, or it would answer 500
