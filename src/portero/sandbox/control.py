"""`/_sandbox/`: be the customer, break things, see what arrived. Not part of Meta, not in the ledger."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route

from portero.graphapi.errors import CATALOGUE
from portero.sandbox import happenings, inbound, statuses
from portero.sandbox.courier import Courier, Manner
from portero.sandbox.faults import BadFault, Faults, fault_from
from portero.sandbox.ledger import Ledger
from portero.sandbox.objects import Json
from portero.sandbox.reading import read_json
from portero.sandbox.world import World
from portero.sandbox.worldfile import WorldError, fields

PREFIX = "/_sandbox"


Happening: TypeAlias = Callable[[Json, World, Courier], Awaitable[Json]]
HAPPENINGS: dict[str, Happening] = {
    "call": happenings.call,
    "group": happenings.group,
    "number": happenings.number,
    "template": happenings.template,
    "flow": happenings.flow,
    "account": happenings.account,
    "change": happenings.change,
}
"""What happens without a call, by the name of its control request."""

_GATHER_MS_MAX, _COPIES_MAX = 60_000, 100


class BadControl(ValueError):
    """The control surface was asked for something it cannot do; the text says why."""


_REFUSALS = (BadControl, BadFault, inbound.BadInbound, happenings.CannotHappen, WorldError)


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
            self._route("POST", "delivery", self.deliver_otherwise),
            *(self._happening(name, happen) for name, happen in HAPPENINGS.items()),
            self._route("POST", "faults", self.add_fault),
            self._route("DELETE", "faults", self.clear_faults),
            self._route("POST", "reset", self.reset),
            self._route("GET", "ledger", self.read_ledger),
        ]
        return Mount(PREFIX, routes=routes)

    async def inbound(self, request: Request) -> Json:
        """A customer writes to a number."""
        arrival = inbound.receive(await _object(request), self.world)
        delivery = await arrival.deliver(self.courier)
        return {"message_id": arrival.message_id} | delivery.told()

    async def status(self, request: Request) -> Json:
        """A message gets a status, whatever came before."""
        needed = ("message_id", "status")
        part = fields(await _object(request), "status", needed=needed, known=("error_code",))
        message = self.world.messages.get(part.text("message_id"))
        if message is None:
            raise BadControl("message_id is not of a message this sandbox accepted")
        status, code = part.one_of(statuses.KNOWN, "status"), part.values.get("error_code", 131026)
        if type(code) is not int or code not in CATALOGUE:
            raise BadControl("error_code must be one of Meta's codes")
        if status != "failed" and "error_code" in part.values:
            raise BadControl("error_code is of a failed message")
        errors = [statuses.failure(code, None)] if status == "failed" else None
        delivery = await statuses.tell(
            message, status, world=self.world, courier=self.courier, errors=errors
        )
        return delivery.told()

    async def webhook(self, request: Request) -> Json:
        """Any payload, signed as Meta signs it."""
        part = fields(await _object(request), "webhook", needed=("payload",), known=("url",))
        callback = self.world.app.callback
        url = part.text("url", callback.url if callback else "")
        if not url:
            raise BadControl("url is needed where the app has no callback")
        delivery = await self.courier.post(url, part.values["payload"])
        return delivery.told()

    async def deliver_otherwise(self, request: Request) -> Json:
        """From now on webhooks are gathered, reversed, sent together, sent twice; or not any more."""
        known = ("gather_ms", "together", "reversed", "copies")
        part = fields(await _object(request), "delivery", known=known)
        gather_ms, copies = part.values.get("gather_ms", 0), part.values.get("copies", 1)
        if type(gather_ms) not in (int, float) or not 0 <= gather_ms <= _GATHER_MS_MAX:
            raise BadControl(f"gather_ms must be between 0 and {_GATHER_MS_MAX}")
        if type(copies) is not int or not 1 <= copies <= _COPIES_MAX:
            raise BadControl(f"copies must be between 1 and {_COPIES_MAX}")
        manner = Manner(
            gather_s=gather_ms / 1000,
            is_together=part.flag("together", default=False),
            is_reversed=part.flag("reversed", default=False),
            copies=copies,
        )
        if (manner.is_together or manner.is_reversed) and not gather_ms:
            raise BadControl("together and reversed need gather_ms")
        self.courier.manner = manner
        return {"success": True}

    async def add_fault(self, request: Request) -> Json:
        """The next matching requests fail."""
        self.faults.add(fault_from(await _object(request)))
        return {"waiting": len(self.faults)}

    async def clear_faults(self, request: Request) -> Json:
        """No request fails any more."""
        self.faults.clear()
        return {"waiting": 0}

    async def reset(self, request: Request) -> Json:
        """Everything as at the start: world, ledger, faults, webhooks under way."""
        self.courier.manner = Manner()
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

    def _happening(self, name: str, happen: Happening) -> BaseRoute:
        async def action(request: Request) -> Json:
            return await happen(await _object(request), self.world, self.courier)

        return self._route("POST", name, action)

    def _route(
        self, method: str, name: str, action: Callable[[Request], Awaitable[Json]]
    ) -> BaseRoute:
        async def endpoint(request: Request) -> JSONResponse:
            if not _is_loopback(request):
                return JSONResponse({"error": "only from this machine"}, 403)
            try:
                return JSONResponse(await action(request))
            except _REFUSALS as error:
                return JSONResponse({"error": str(error)}, 400)

        return Route(f"/{name}", endpoint, methods=[method])


async def _object(request: Request) -> Json:
    try:
        value: Any = read_json(await request.body())
    except ValueError as error:
        raise BadControl(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadControl("the body must be a JSON object")
    return value


def _is_loopback(request: Request) -> bool:
    """In process there is no peer, which is as local as can be."""
    return request.client is None or ip_address(request.client.host).is_loopback
