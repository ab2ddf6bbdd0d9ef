"""`/_sandbox/`: be the customer, break things, see what arrived. Not part of Meta, not in the ledger."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route

from portero.graphapi.errors import CATALOGUE
from portero.sandbox import inbound, statuses
from portero.sandbox.courier import Courier, Delivery
from portero.sandbox.faults import BadFault, Faults, fault_from
from portero.sandbox.ledger import Ledger
from portero.sandbox.objects import Json
from portero.sandbox.world import World
from portero.sandbox.worldfile import WorldError

PREFIX = "/_sandbox"


class BadControl(ValueError):
    """The control surface was asked for something it cannot do; the text says why."""


@dataclass(frozen=True, slots=True)
class Control:
    """The control surface of one running emulator."""

    world: World
    courier: Courier
    ledger: Ledger
    faults: Faults

    def mount(self) -> Mount:
        """Everything under the prefix, so that no part of it is taken for a Graph call."""
        routes = [
            self._route("POST", "inbound", self.inbound),
            self._route("POST", "status", self.status),
            self._route("POST", "webhook", self.webhook),
            self._route("POST", "faults", self.add_fault),
            self._route("DELETE", "faults", self.clear_faults),
            self._route("POST", "reset", self.reset),
            self._route("GET", "ledger", self.read_ledger),
        ]
        return Mount(PREFIX, routes=routes)

    async def inbound(self, request: Request) -> Json:
        """A customer writes to a number."""
        try:
            arrival = inbound.receive(await _object(request), self.world)
        except inbound.BadInbound as error:
            raise BadControl(str(error)) from error
        delivery = await arrival.deliver(self.courier)
        return {"message_id": arrival.message_id} | _told(delivery)

    async def status(self, request: Request) -> Json:
        """A message gets a status, whatever came before."""
        source = await _object(request)
        message = self.world.messages.get(str(source.get("message_id")))
        if message is None:
            raise BadControl("message_id is not of a message this sandbox accepted")
        status, code = source.get("status"), source.get("error_code", 131026)
        if status not in statuses.KNOWN or code not in CATALOGUE:
            raise BadControl(f"status must be one of {', '.join(statuses.KNOWN)}")
        errors = [statuses.failure(code, None)] if status == "failed" else None
        delivery = await statuses.tell(
            message, status, world=self.world, courier=self.courier, errors=errors
        )
        return _told(delivery)

    async def webhook(self, request: Request) -> Json:
        """Any payload, signed as Meta signs it."""
        source = await _object(request)
        callback = self.world.app.callback
        url = source.get("url") or (callback.url if callback else None)
        if not url or "payload" not in source:
            raise BadControl("payload is needed, and url where the app has no callback")
        return _told(await self.courier.post(str(url), source["payload"]))

    async def add_fault(self, request: Request) -> Json:
        """The next matching requests fail."""
        try:
            self.faults.add(fault_from(await _object(request)))
        except BadFault as error:
            raise BadControl(str(error)) from error
        return {"waiting": len(self.faults)}

    async def clear_faults(self, request: Request) -> Json:
        """No request fails any more."""
        self.faults.clear()
        return {"waiting": 0}

    async def reset(self, request: Request) -> Json:
        """Everything as at the start: world, ledger, faults, webhooks under way."""
        await self.courier.settle()
        self.world.reset()
        self.ledger.clear()
        self.faults.clear()
        return {"success": True}

    async def read_ledger(self, request: Request) -> Json:
        """Every request that reached the Graph surface; `?since=n` for later ones only."""
        since = request.query_params.get("since", "0")
        if not since.isdigit():
            raise BadControl("since must be a number")
        return {"requests": self.ledger.since(int(since))}

    def _route(
        self, method: str, name: str, action: Callable[[Request], Awaitable[Json]]
    ) -> BaseRoute:
        async def endpoint(request: Request) -> JSONResponse:
            if not _is_loopback(request):
                return JSONResponse({"error": "only from this machine"}, 403)
            try:
                return JSONResponse(await action(request))
            except (BadControl, WorldError) as error:
                return JSONResponse({"error": str(error)}, 400)

        return Route(f"/{name}", endpoint, methods=[method])


async def _object(request: Request) -> Json:
    try:
        value: Any = json.loads(await request.body())
    except ValueError as error:
        raise BadControl(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadControl("the body must be a JSON object")
    return value


def _told(delivery: Delivery) -> Json:
    told: Json = {"delivered": delivery.delivered, "status": delivery.status}
    return told | ({"error": delivery.error} if delivery.error else {})


def _is_loopback(request: Request) -> bool:
    """In process there is no peer, which is as local as can be."""
    return request.client is None or ip_address(request.client.host).is_loopback
