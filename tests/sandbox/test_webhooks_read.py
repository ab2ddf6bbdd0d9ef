"""What the emulator tells is understood by a client library, whatever it tells of."""

from typing import Any

import pytest
import pywa
from pywa import handlers
from pywa.types import Message
from pywa.types.base_update import BaseUpdate

from sandbox.harness import CUSTOMER, NUMBER, OTHER_NUMBER, SECRET, WABA, Running

HANDLERS = [
    one
    for one in vars(handlers).values()
    if isinstance(one, type)
    and issubclass(one, handlers.Handler)
    and one.__name__.endswith("Handler")
    and one not in (handlers.Handler, handlers._FactoryHandler, handlers.RawUpdateHandler)
]
ORIGINAL = {"original_message_id": "wamid.HBgL"}
TEXT = {"type": "text", "text": {"body": "a"}}

INBOUND: dict[str, tuple[str, dict[str, Any]]] = {
    "text": ("Message", {"text": {"body": "hola"}}),
    "image": ("Message", {"image": {"caption": "mira"}}),
    "video": ("Message", {"video": {}}),
    "audio": ("Message", {"audio": {"voice": True}}),
    "document": ("Message", {"document": {"filename": "a.pdf"}}),
    "sticker": ("Message", {"sticker": {"animated": False}}),
    "location": ("Message", {"location": {"latitude": 19.4, "longitude": -99.1}}),
    "contacts": (
        "Message",
        {"contacts": [{"name": {"formatted_name": "Ana", "first_name": "Ana"}}]},
    ),
    "reaction": ("Message", {"reaction": {"message_id": "wamid.HBgL", "emoji": "👍"}}),
    "order": (
        "Message",
        {
            "order": {
                "catalog_id": "1",
                "text": "",
                "product_items": [
                    {
                        "product_retailer_id": "a",
                        "quantity": 2,
                        "item_price": 30,
                        "currency": "USD",
                    }
                ],
            }
        },
    ),
    "unsupported": ("Message", {}),
    "button": (
        "CallbackButton",
        {"button": {"payload": "P", "text": "Sí"}, "context": {"from": "1", "id": "wamid.HBgL"}},
    ),
    "interactive": (
        "CallbackButton",
        {
            "interactive": {
                "type": "button_reply",
                "button_reply": {"id": "1", "title": "Sí"},
            },
            "context": {"from": "1", "id": "wamid.HBgL"},
        },
    ),
    "edit": ("EditedMessage", {"edit": ORIGINAL | {"message": TEXT}}),
    "revoke": ("DeletedMessage", {"revoke": ORIGINAL}),
    "system": (
        "PhoneNumberChange",
        {
            "system": {
                "type": "user_changed_number",
                "body": "User A changed from 1 to 2",
                "wa_id": "34600111223",
            }
        },
    ),
}
REPLIES: dict[str, tuple[str, dict[str, Any]]] = {
    "list_reply": ("CallbackSelection", {"id": "1", "title": "Uno", "description": "el primero"}),
    "nfm_reply": (
        "FlowCompletion",
        {"name": "flow", "body": "Sent", "response_json": '{"flow_token": "t"}'},
    ),
    "call_permission_reply": (
        "CallPermissionUpdate",
        {"response": "accept", "response_source": "user_action", "expiration_timestamp": 1},
    ),
}


class Reader:
    """A bot that only writes down what its library understood."""

    def __init__(self, sandbox: Running) -> None:
        self.sandbox = sandbox
        self.understood: list[BaseUpdate] = []
        self.client = pywa.WhatsApp(
            phone_id=NUMBER, token="t", app_secret=SECRET, filter_updates=False
        )
        for handler in HANDLERS:
            self.client.add_handlers(handler(callback=self._note))

    def _note(self, _client: pywa.WhatsApp, update: BaseUpdate) -> None:
        self.understood.append(update)

    def read(self, count: int) -> list[Any]:
        """The first `count` webhooks, as the library understands them, signatures and all."""
        for item in self.sandbox.hooks.wait(count):
            assert self.client.webhook_update_validator(item["raw"], item["signature"]) is None
            self.client.webhook_update_handler(item["raw"])
        return self.understood

    def names(self, count: int) -> list[str]:
        return [type(update).__name__ for update in self.read(count)]


@pytest.fixture
def reader(sandbox: Running) -> Reader:
    return Reader(sandbox)


@pytest.mark.parametrize("kind", INBOUND)
def test_every_type_of_message_is_understood(reader: Reader, kind: str) -> None:
    name, content = INBOUND[kind]
    body = {"phone_number_id": NUMBER, "from": CUSTOMER, "type": kind}

    reader.sandbox.control("inbound", body | content)

    [update] = reader.read(1)
    assert type(update).__name__ == name
    if isinstance(update, Message):
        assert update.type == kind
        assert update.from_user.wa_id == CUSTOMER


@pytest.mark.parametrize("kind", REPLIES)
def test_every_kind_of_reply_is_understood(reader: Reader, kind: str) -> None:
    name, reply = REPLIES[kind]
    interactive = {"type": kind, kind: reply}
    body = {"phone_number_id": NUMBER, "from": CUSTOMER, "type": "interactive"}
    context = {"from": "1", "id": "wamid.HBgL"}

    reader.sandbox.control("inbound", body | {"interactive": interactive, "context": context})

    assert reader.names(1) == [name]


def test_an_identity_and_a_preference_are_understood(reader: Reader) -> None:
    customer = {"phone_number_id": NUMBER, "from": CUSTOMER}
    system = {
        "type": "customer_identity_changed",
        "body": "…",
    }
    stop = {"value": "stop"}
    reader.sandbox.control("inbound", customer | {"type": "system", "system": system})
    reader.sandbox.control(
        "inbound", customer | {"type": "user_preferences", "user_preferences": stop}
    )

    assert reader.names(2) == ["IdentityChange", "UserMarketingPreferences"]


def test_statuses_are_understood_failed_ones_too(reader: Reader) -> None:
    message = reader.sandbox.send(TEXT).json()["messages"][0]["id"]
    reader.sandbox.hooks.wait(2)
    for status in ("read", "failed"):
        reader.sandbox.control("status", {"message_id": message, "status": status})

    updates = reader.read(4)
    assert [update.status for update in updates] == ["sent", "delivered", "read", "failed"]
    assert isinstance(updates[3].error, pywa.errors.WhatsAppError)
    assert {update.id for update in updates} == {message}


def test_statuses_of_a_group_are_understood(reader: Reader) -> None:
    body = {"messaging_product": "whatsapp", "subject": "Vecinos"}
    reader.sandbox.post(f"/{OTHER_NUMBER}/groups", body)
    group = reader.sandbox.hooks.values(1)[0]["groups"][0]["group_id"]
    for customer in (CUSTOMER, "34600111333"):
        reader.sandbox.control("group", {"group_id": group, "event": "join", "from": customer})
    reader.sandbox.hooks.clear()
    template = {"name": "plain", "language": {"code": "es_MX"}}
    message = {"recipient_type": "group", "to": group, "type": "template", "template": template}
    reader.sandbox.send(message, OTHER_NUMBER)

    _, delivered = reader.read(2)
    assert type(delivered).__name__ == "GroupMessageStatuses"
    assert delivered.group_id == group
    assert [one.status for one in delivered] == ["delivered", "delivered"]
    assert [one.from_user.wa_id for one in delivered] == [CUSTOMER, "34600111333"]


def test_a_call_is_understood_from_ring_to_end(reader: Reader) -> None:
    sandbox = reader.sandbox
    sandbox.post(f"/{NUMBER}/settings", {"calling": {"status": "ENABLED"}})
    reply = {"response": "accept", "response_source": "user_action"}
    interactive = {"type": "call_permission_reply", "call_permission_reply": reply}
    inbound = {"phone_number_id": NUMBER, "from": CUSTOMER, "type": "interactive"}
    sandbox.control("inbound", inbound | {"interactive": interactive})
    sandbox.hooks.clear()
    call = sandbox.post(
        f"/{NUMBER}/calls",
        {
            "messaging_product": "whatsapp",
            "to": CUSTOMER,
            "action": "connect",
            "session": {"sdp_type": "offer", "sdp": "v=0"},
        },
    )["calls"][0]["id"]
    sandbox.hooks.wait(1)
    sandbox.control("call", {"call_id": call, "event": "accept"})
    sandbox.control("call", {"call_id": call, "event": "terminate"})

    updates = reader.read(4)
    names = [type(update).__name__ for update in updates]
    assert names == ["CallStatus", "CallConnect", "CallStatus", "CallTerminate"]
    assert {update.id for update in updates} == {call}


def test_what_meta_does_by_itself_is_understood(reader: Reader) -> None:
    control = reader.sandbox.control
    control("template", {"template_id": "201", "status": "PAUSED", "quality": "RED"})
    control("template", {"template_id": "201", "category": "MARKETING"})
    control("account", {"waba_id": WABA, "event": "ACCOUNT_RESTRICTION", "info": {}})

    assert reader.names(4) == [
        "TemplateStatusUpdate",
        "TemplateQualityUpdate",
        "TemplateCategoryUpdate",
        "AccountUpdate",
    ]
