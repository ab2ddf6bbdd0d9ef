"""Whatever a call or a control request holds, it ends in an answer, never in a fault of ours."""

import asyncio
import logging
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portero.graphapi.nodes import NODES
from portero.sandbox import World, create_app
from portero.sandbox.control import HAPPENINGS
from portero.sandbox.graph.routes import NODE_ROUTES
from portero.sandbox.objects import Flow, Group, PreverifiedNumber, Signup
from sandbox.harness import (
    APP,
    BUSINESS,
    CUSTOMER,
    NUMBER,
    OTHER_NUMBER,
    PERSON,
    TOKEN,
    WABA,
    WORLD,
)

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
PRODUCT = {"messaging_product": "whatsapp"}

# Names that handlers read, each with something a client would send.
USUAL: dict[str, Any] = {
    "to": CUSTOMER,
    "recipient": "MX.1",
    "recipient_type": "group",
    "type": "text",
    "text": {"body": "a"},
    "action": "connect",
    "session": {"sdp_type": "offer", "sdp": "v=0"},
    "call_id": "wacid.x",
    "user_wa_id": CUSTOMER,
    "subject": "a",
    "join_requests": ["a"],
    "participants": [{"user": CUSTOMER}],
    "fields": "id,events",
    "start": 0,
    "end": 86_400,
    "granularity": "DAILY",
    "dimensions": ["PHONE", "COUNTRY", "TIER"],
    "metric_types": ["COST"],
    "template_ids": ["201"],
    "template_group_ids": ["1"],
    "group_ids": ["1"],
    "name": "a",
    "categories": ["OTHER"],
    "clone_flow_id": "1",
    "source_waba_id": WABA,
    "source_flow_names": ["a"],
    "schedule_type": "CUSTOM",
    "start_time": "09:00",
    "end_time": "10:00",
    "sequence_id": "1",
    "welcome_message_sequence": {},
    "configuration_name": "a",
    "whatsapp_business_templates": ["201"],
    "category": "AUTHENTICATION",
    "languages": ["es"],
    "sync_type": "history",
    "entity_name": "a",
    "entity_type": "OTHER",
    "grievance_officer_details": {"email": "a"},
    "customer_care_details": {"email": "a"},
    "phone_number": "+15550100909",
    "preverified_id": "1",
    "partner_business_id": "1",
    "code": "123456",
    "limit": 5,
    "after": "a",
    "since": 0,
    "block_users": [{"user": CUSTOMER}],
    "status": "read",
    "message_id": "wamid.x",
    "calling": {"status": "ENABLED"},
    "search_visibility": "VISIBLE",
    "username": "a.b",
}
STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.recursive(
        st.text(max_size=3) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(sorted(USUAL)), inner, max_size=3)
        ),
        max_leaves=4,
    ),
)
CONTROLS = [
    "phone_number_id",
    "from",
    "call_id",
    "event",
    "session",
    "group_id",
    "waba_id",
    "info",
    "template_id",
    "status",
    "quality",
    "category",
    "flow_id",
    "field",
    "value",
    "reason",
    "announced",
    "quality_rating",
    "messaging_limit",
]
KNOWN = [NUMBER, WABA, CUSTOMER, "201", "accept", "join", "PAUSED", "ACCOUNT_RESTRICTION"]
PARAMS = st.builds(
    lambda usual, strange: PRODUCT | {name: USUAL[name] for name in usual} | strange,
    st.sets(st.sampled_from(sorted(USUAL))),
    st.dictionaries(st.sampled_from(sorted(USUAL)), STRANGE, max_size=4),
)


# Nodes by the gateway's names, and what reads them; a list shows the fields of its members.
READS = {
    "number": f"/{NUMBER}?",
    "waba": f"/{WABA}?business={BUSINESS}&",
    "template": "/201?",
    "business": f"/{BUSINESS}?",
    "app": f"/{APP}?",
    "template_group": f"/{WABA}/template_groups?",
    "schedule": f"/{WABA}/schedules?",
    "activity": f"/{WABA}/activities?",
    "system_user": f"/{BUSINESS}/system_users?",
    "business_user": f"/{BUSINESS}/business_users?",
    "qr_code": f"/{NUMBER}/message_qrdls?",
    "welcome": f"/{WABA}/welcome_message_sequences?",
    "history": f"/{NUMBER}/message_history?",
    "official": f"/{NUMBER}/official_business_account?",
    "profile": f"/{NUMBER}/whatsapp_business_profile?",
}
MADE = {"flow": Flow, "group": Group, "signup": Signup, "preverified_number": PreverifiedNumber}
# What cannot be read by this token or without more, and the partners there are none of.
REFUSED = {"solutions": 100, "whatsapp_business_solutions": 100, "subscriptions": 15}
MODIFIERS = {"metric": ".name(ENDPOINT_REQUEST_COUNT).granularity(DAY)"}


class _Faults(logging.Handler):
    """Every fault that the emulator logs."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(self.format(record))


class Inhabited:
    """An emulator in process with at least one node of every kind."""

    def __init__(self) -> None:
        quiet = {"callback": None, "limits": dict.fromkeys(("pair", "throughput"), False)}
        self.world = World.from_dict(WORLD | quiet)
        self.app = create_app(self.world)
        self.nodes: list[tuple[str, type]] = []

    async def call(self, method: str, path: str, body: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
            return await client.request(method, path, json=body, headers=HEADERS)

    def path_of(self, kind: type) -> str:
        """The path of the one node of a kind."""
        node = next(node for node, its in self.nodes if its is kind)
        return f"/signups/{node}" if kind is Signup else f"/{node}"

    async def settle(self) -> None:
        """Make what calls can make, and remember what there is."""
        made = [
            ("POST", f"/{OTHER_NUMBER}/groups", PRODUCT | {"subject": "a"}),
            ("POST", f"/{WABA}/flows", {"name": "a", "categories": ["OTHER"]}),
            ("POST", f"/{WABA}/signups", {}),
            ("POST", f"/{WABA}/template_groups", {"name": "a"}),
            ("POST", f"/{BUSINESS}/add_phone_numbers", {"phone_number": "+15550100909"}),
            ("POST", f"/{NUMBER}/conversational_automation", {"prompts": ["a"]}),
            ("GET", f"/{NUMBER}/whatsapp_business_profile?fields=id", None),
            ("POST", f"/{NUMBER}/settings", {"calling": {"status": "ENABLED"}}),
            ("POST", f"/{NUMBER}/messages", PRODUCT | {"to": CUSTOMER, "text": {"body": "a"}}),
        ]
        for method, path, body in made:
            answer = await self.call(method, path, body)
            assert answer.status_code == 200, answer.text
        ids = [APP, BUSINESS, NUMBER, WABA, PERSON, "201", *self.world.groups]
        ids += [*self.world.flows, *self.world.records, *self.world.histories]
        self.nodes = [(one, type(self.world.node(one))) for one in ids]


@pytest.fixture(scope="module")
def inhabited() -> Inhabited:
    made = Inhabited()
    asyncio.run(made.settle())
    return made


@given(data=st.data(), params=PARAMS)
@settings(max_examples=100, deadline=None)
def test_no_call_is_a_fault(inhabited: Inhabited, data: st.DataObject, params: Any) -> None:
    node, kind = data.draw(
        st.sampled_from([one for one in inhabited.nodes if one[1] in NODE_ROUTES])
    )
    method, edge = data.draw(st.sampled_from(sorted(NODE_ROUTES[kind])))
    path = f"/signups/{node}" if kind is Signup else f"/{node}"
    if method == "DELETE" and not edge:
        return  # the next example needs the node

    answer = asyncio.run(_without_faults(inhabited, method, f"{path}/{edge}", params))

    assert answer.status_code < 600


@given(
    name=st.sampled_from(sorted(HAPPENINGS)),
    body=st.dictionaries(st.sampled_from(CONTROLS), STRANGE | st.sampled_from(KNOWN), max_size=6),
)
@settings(max_examples=50, deadline=None)
def test_no_control_request_is_a_fault(inhabited: Inhabited, name: str, body: Any) -> None:
    answer = asyncio.run(_without_faults(inhabited, "POST", f"/_sandbox/{name}", body))

    assert answer.status_code in (200, 400)


@pytest.mark.parametrize("node", [*READS, *MADE])
def test_a_field_the_gateway_knows_is_known(inhabited: Inhabited, node: str) -> None:
    asyncio.run(inhabited.call("POST", f"/{WABA}", {"is_enabled_for_insights": True}))
    read = READS.get(node) or inhabited.path_of(MADE[node]) + "?"

    for name in (*NODES[node].fields, *NODES[node].edges):
        granularity = "DAY" if name == "analytics" else "DAILY"
        span = f".start(0).end(86400).granularity({granularity})" if "analytics" in name else ""
        people = f".business({BUSINESS})" if name == "assigned_users" else ""
        field = f"{name}{span}{people}{MODIFIERS.get(name, '')}"
        answer = asyncio.run(inhabited.call("GET", f"{read}fields={field}", None))
        code = answer.json().get("error", {}).get("code")
        assert code == REFUSED.get(name), f"{name}: {answer.text}"


async def _without_faults(
    inhabited: Inhabited, method: str, path: str, body: Any
) -> httpx.Response:
    faults, logger = _Faults(), logging.getLogger("portero.sandbox.endpoint")
    logger.addHandler(faults)
    try:
        answer = await inhabited.call(method, path, body)
    finally:
        logger.removeHandler(faults)
    assert not faults.seen, faults.seen[0]
    return answer
