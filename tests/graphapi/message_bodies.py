"""Bodies that Meta documents or that client libraries send, and what each of them must mean."""

import copy
from dataclasses import dataclass
from typing import Any

WAMID = "wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA"
GROUP_ID = "Y2FwaV9ncm91cDoxNzA1NTU1MDEzOToxMjAzNjM0MDQ2OTQyMzM4MjAZD"
BSUID = "US.13491208655302741918"

Json = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A body, the permissions it needs and the ids inside it as "kind:value at place"."""

    name: str
    permissions: tuple[str, ...]
    body: Json
    ids: tuple[str, ...] = ()

    def copy(self) -> Json:
        return copy.deepcopy(self.body)


def send(type_name: str, payload: object, **more: object) -> Json:
    """A message to one person, as documented."""
    body: Json = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+525512345678",
        "type": type_name,
        type_name: payload,
    }
    return {**body, **more}


def interactive(type_name: str, action: Json, **more: object) -> Json:
    """An interactive message with a body."""
    payload = {"type": type_name, "body": {"text": "Choose"}, "action": action, **more}
    return send("interactive", {k: v for k, v in payload.items() if v is not None})


def template(*components: Json, **more: object) -> Json:
    """A template message with these components."""
    payload: Json = {"name": "order_update", "language": {"code": "es_MX"}}
    if components:
        payload["components"] = list(components)
    return send("template", payload, **more)


def parameters(component: str, *values: Json) -> Json:
    """A header or body component."""
    return {"type": component, "parameters": list(values)}


def button(sub_type: str, index: object, *values: Json) -> Json:
    """A button component."""
    return {"type": "button", "sub_type": sub_type, "index": index, "parameters": list(values)}


def text(value: object, **more: object) -> Json:
    """A text parameter."""
    return {"type": "text", "text": value, **more}


def action(**members: object) -> Json:
    """An action parameter."""
    return {"type": "action", "action": members}


_AMOUNT = {"value": 50000, "offset": 100}
ORDER: Json = {
    "reference_id": "order-1042",
    "type": "digital-goods",
    "payment_type": "br",
    "payment_settings": [
        {
            "type": "pix_dynamic_code",
            "pix_dynamic_code": {
                "code": "00020101021226700014br.gov.bcb.pix2548",
                "merchant_name": "Tienda Andina",
                "key": "39580525000189",
                "key_type": "CNPJ",
            },
        },
        {"type": "payment_link", "payment_link": {"uri": "https://pay.example/1042"}},
        {"type": "boleto", "boleto": {"digitable_line": "0339902694414000000262834610101889"}},
    ],
    "currency": "BRL",
    "total_amount": _AMOUNT,
    "order": {
        "status": "pending",
        "catalog_id": "194836987003835",
        "expiration": {"timestamp": "1722445231", "description": "Two days"},
        "items": [
            {"retailer_id": "1234567", "name": "Cake", "amount": _AMOUNT, "quantity": 1},
        ],
        "subtotal": _AMOUNT,
        "tax": {"value": 0, "offset": 100, "description": "optional text"},
        "shipping": _AMOUNT,
        "discount": {**_AMOUNT, "discount_program_name": "loyal"},
    },
}
_GATEWAY_ORDER: Json = {
    **ORDER,
    "type": "physical-goods",
    "currency": "INR",
    "beneficiaries": [{"name": "A", "address_line1": "B", "city": "C", "country": "India"}],
    "payment_settings": [
        {
            "type": "payment_gateway",
            "payment_gateway": {
                "type": "razorpay",
                "configuration_name": "main",
                "razorpay": {"receipt": "r1", "notes": {"key1": "value1"}},
            },
        },
        {"type": "upi_intent_link", "upi_intent_link": {"link": "upi://pay?pa=abc@psp&pn=ABC"}},
    ],
}
_CONTACT = {
    "name": {"formatted_name": "John Smith", "first_name": "John", "prefix": "Dr"},
    "phones": [{"phone": "+1 (650) 555-1234", "type": "WORK", "wa_id": "16505551234"}],
    "emails": [{"email": "test@example.com", "type": "WORK"}],
    "addresses": [{"street": "1 Hacker Way", "city": "Menlo Park", "zip": "94025", "type": "HOME"}],
    "org": {"company": "WhatsApp", "department": "Design", "title": "Manager"},
    "urls": [{"url": "https://www.example.com", "type": "WORK"}],
    "birthday": "2012-08-18",
}
_LINK = "https://cdn.example/picture.jpg?v=2#top"
_REPLY_BUTTONS = {
    "buttons": [
        {"type": "reply", "reply": {"id": "yes", "title": "Yes"}},
        {"type": "reply", "reply": {"id": "no", "title": "No"}},
    ]
}
_SECTIONS = [
    {"title": "Morning", "rows": [{"id": "9", "title": "Nine", "description": "sharp"}]},
    {"title": "Afternoon", "rows": [{"id": "15", "title": "Three"}]},
]
_PRODUCT_SECTIONS = [
    {"title": "New", "product_items": [{"product_retailer_id": "sku-1"}]},
    {"title": "Old", "product_items": [{"product_retailer_id": "sku-2"}]},
]
_FLOW = {
    "name": "flow",
    "parameters": {
        "flow_message_version": "3",
        "flow_id": "987654321",
        "flow_cta": "Book",
        "flow_token": "unused",
        "mode": "published",
        "flow_action": "navigate",
        "flow_action_payload": {"screen": "FIRST", "data": {"any": [1, None, {"id": "5"}]}},
    },
}
_CTA = {"name": "cta_url", "parameters": {"display_text": "Open", "url": "https://shop.example/a"}}


def _media_card(index: int, media_id: str, **more: object) -> Json:
    header = {"type": "image", "image": {"id": media_id}}
    return {"card_index": index, "type": "cta_url", "header": header, "action": _CTA, **more}


CASES: tuple[Case, ...] = (
    Case("text", ("send:text",), send("text", {"body": "Hola", "preview_url": True})),
    Case(
        "text without a type",
        ("send:text",),
        {"messaging_product": "whatsapp", "to": "525512345678", "text": {"body": "Hola"}},
    ),
    Case(
        "reply",
        ("send:text",),
        send("text", {"body": "Hola"}, context={"message_id": WAMID}),
        (f"message:{WAMID} at body.context.message_id",),
    ),
    Case(
        "text with tracker and identity hash",
        ("send:text",),
        send(
            "text",
            {"body": "Hola"},
            biz_opaque_callback_data="x" * 512,
            recipient_identity_key_hash="DF2lS5v2W6x=",
        ),
    ),
    Case(
        "text to a business-scoped id",
        ("send:text",),
        {
            "messaging_product": "whatsapp",
            "recipient": BSUID,
            "type": "text",
            "text": {"body": "Hi"},
        },
    ),
    Case(
        "text to a number not quoted", ("send:text",), send("text", {"body": "a"}, to=16505551234)
    ),
    Case(
        "text to a group",
        ("send:text", "send:group"),
        send("text", {"body": "All"}, recipient_type="group", to=GROUP_ID),
        (f"group:{GROUP_ID} at body.to",),
    ),
    Case(
        "image by id",
        ("send:image",),
        send("image", {"id": "123", "caption": "Blue"}),
        ("media:123 at body.image.id",),
    ),
    Case("image by link", ("send:image",), send("image", {"link": _LINK, "caption": None})),
    Case(
        "image by a number not quoted",
        ("send:image",),
        send("image", {"id": 123}),
        ("media:123 at body.image.id",),
    ),
    Case("video", ("send:video",), send("video", {"link": _LINK, "caption": "Clip"})),
    Case("audio", ("send:audio",), send("audio", {"id": "124"}), ("media:124 at body.audio.id",)),
    Case("audio that is no voice", ("send:audio",), send("audio", {"link": _LINK, "voice": False})),
    Case(
        "voice",
        ("send:voice",),
        send("audio", {"id": "125", "voice": True}),
        ("media:125 at body.audio.id",),
    ),
    Case(
        "document",
        ("send:document",),
        send("document", {"id": "126", "caption": "c", "filename": "Factura 2024/05.pdf"}),
        ("media:126 at body.document.id",),
    ),
    Case("sticker", ("send:sticker",), send("sticker", {"link": _LINK})),
    Case(
        "location",
        ("send:location",),
        send("location", {"latitude": 37.75, "longitude": "-122.4253", "name": "HQ"}),
    ),
    Case("contacts", ("send:contacts",), send("contacts", [_CONTACT])),
    Case(
        "reaction",
        ("send:reaction",),
        send("reaction", {"message_id": WAMID, "emoji": "👍🏽"}),
        (f"message:{WAMID} at body.reaction.message_id",),
    ),
    Case(
        "reaction taken back",
        ("send:reaction",),
        send("reaction", {"message_id": WAMID, "emoji": ""}),
        (f"message:{WAMID} at body.reaction.message_id",),
    ),
    Case(
        "pin",
        ("group:update", "send:group"),
        send(
            "pin",
            {"type": "pin", "message_id": WAMID, "expiration_days": 4},
            recipient_type="group",
            to=GROUP_ID,
        ),
        (f"message:{WAMID} at body.pin.message_id", f"group:{GROUP_ID} at body.to"),
    ),
    Case("buttons", ("send:interactive_buttons",), interactive("button", _REPLY_BUTTONS)),
    Case(
        "buttons under a picture",
        ("send:interactive_buttons",),
        interactive(
            "button",
            _REPLY_BUTTONS,
            header={"type": "image", "image": {"id": "127"}},
            footer={"text": "Thanks"},
        ),
        ("media:127 at body.interactive.header.image.id",),
    ),
    Case(
        "list",
        ("send:interactive_list",),
        interactive(
            "list",
            {"button": "Times", "sections": _SECTIONS},
            header={"type": "text", "text": "When"},
        ),
    ),
    Case("link button", ("send:interactive_cta",), interactive("cta_url", _CTA)),
    Case(
        "flow",
        ("send:interactive_flow",),
        interactive("flow", _FLOW),
        ("flow:987654321 at body.interactive.action.parameters.flow_id",),
    ),
    Case(
        "product",
        ("send:product",),
        interactive(
            "product", {"catalog_id": "367025965434465", "product_retailer_id": "sku"}, body=None
        ),
        ("catalog:367025965434465 at body.interactive.action.catalog_id",),
    ),
    Case(
        "product list",
        ("send:product",),
        interactive(
            "product_list",
            {"catalog_id": "146265584024623", "sections": _PRODUCT_SECTIONS},
            header={"type": "text", "text": "News"},
        ),
        ("catalog:146265584024623 at body.interactive.action.catalog_id",),
    ),
    Case(
        "catalogue",
        ("send:product",),
        interactive(
            "catalog_message",
            {"name": "catalog_message", "parameters": {"thumbnail_product_retailer_id": "2lc"}},
        ),
    ),
    Case(
        "request for a location",
        ("send:interactive_location_request",),
        interactive("location_request_message", {"name": "send_location"}),
    ),
    Case(
        "request for an address",
        ("send:interactive_address",),
        interactive(
            "address_message",
            {
                "name": "address_message",
                "parameters": {
                    "country": "IN",
                    "values": {"name": "Ana", "phone_number": "+911234567890"},
                    "saved_addresses": [{"id": "a1", "value": {"city": "Mumbai"}}],
                    "validation_errors": {"in_pin_code": "We could not locate this pin code."},
                },
            },
        ),
    ),
    Case(
        "carousel of links",
        ("send:interactive_carousel",),
        interactive(
            "carousel",
            {"cards": [_media_card(0, "128", body={"text": "One"}), _media_card(1, "129")]},
        ),
        (
            "media:128 at body.interactive.action.cards[0].header.image.id",
            "media:129 at body.interactive.action.cards[1].header.image.id",
        ),
    ),
    Case(
        "carousel of quick replies",
        ("send:interactive_carousel",),
        interactive(
            "carousel",
            {
                "cards": [
                    {
                        "card_index": 0,
                        "type": "cta_url",
                        "header": {"type": "video", "video": {"link": _LINK}},
                        "action": {
                            "buttons": [
                                {"type": "quick_reply", "quick_reply": {"id": "a", "title": "A"}}
                            ]
                        },
                    }
                ]
            },
        ),
    ),
    Case(
        "carousel of products",
        ("send:interactive_carousel",),
        interactive(
            "carousel",
            {
                "cards": [
                    {
                        "card_index": 0,
                        "type": "product",
                        "action": {"product_retailer_id": "abc", "catalog_id": "123456789"},
                    }
                ]
            },
        ),
        ("catalog:123456789 at body.interactive.action.cards[0].action.catalog_id",),
    ),
    Case(
        "call button",
        ("send:interactive_call",),
        interactive(
            "voice_call",
            {
                "name": "voice_call",
                "parameters": {"display_text": "Call us", "ttl_minutes": 100, "payload": "p"},
            },
        ),
    ),
    Case(
        "request to call",
        ("send:interactive_call_permission",),
        interactive("call_permission_request", {"name": "call_permission_request"}),
    ),
    Case(
        "request for contact",
        ("send:interactive_contact_request",),
        interactive("request_contact_info", {"name": "request_contact_info"}),
    ),
    Case(
        "order with payment",
        ("send:order",),
        interactive("order_details", {"name": "review_and_pay", "parameters": ORDER}),
        ("catalog:194836987003835 at body.interactive.action.parameters.order.catalog_id",),
    ),
    Case(
        "order through a payment gateway",
        ("send:order",),
        interactive(
            "order_details",
            {"name": "review_and_pay", "parameters": _GATEWAY_ORDER},
            header={"type": "image", "image": {"link": _LINK, "provider": {"name": "cdn"}}},
        ),
        ("catalog:194836987003835 at body.interactive.action.parameters.order.catalog_id",),
    ),
    Case(
        "order status",
        ("send:order",),
        interactive(
            "order_status",
            {
                "name": "review_order",
                "parameters": {
                    "reference_id": "order-1042",
                    "order": {"status": "processing", "description": "soon"},
                    "payment": {"status": "captured", "timestamp": 1722445231},
                },
            },
        ),
    ),
    Case("template", ("send:template",), template()),
    Case(
        "template with text, money and a date",
        ("send:template",),
        template(
            parameters("header", {"type": "image", "image": {"id": "130"}}),
            parameters(
                "body",
                text("Ana"),
                text("X1", parameter_name="order_id"),
                {
                    "type": "currency",
                    "currency": {"fallback_value": "$100", "code": "USD", "amount_1000": 100990},
                },
                {
                    "type": "date_time",
                    "date_time": {
                        "fallback_value": "February 25, 1977",
                        "day_of_week": 5,
                        "year": 1977,
                        "month": 2,
                        "day_of_month": 25,
                        "hour": 15,
                        "minute": 33,
                        "calendar": "GREGORIAN",
                    },
                },
            ),
            button("quick_reply", "0", {"type": "payload", "payload": "YES"}),
            button("url", 1, text("X1")),
        ),
        ("media:130 at body.template.components[0].parameters[0].image.id",),
    ),
    Case(
        "template in capitals",
        ("send:template",),
        template(
            {"type": "BODY", "parameters": [{"type": "TEXT", "text": True}]},
            {
                "type": "BUTTON",
                "sub_type": "CATALOG",
                "index": 0,
                "parameters": [action(thumbnail_product_retailer_id="2lc")],
            },
        ),
    ),
    Case(
        "template with every other parameter",
        ("send:template",),
        template(
            parameters(
                "header", {"type": "document", "document": {"id": "131", "filename": "a.pdf"}}
            ),
            parameters("header", {"type": "video", "video": {"link": _LINK}}),
            parameters("header", {"type": "gif", "gif": {"id": "132"}}),
            parameters(
                "header",
                {
                    "type": "location",
                    "location": {"latitude": "1.5", "longitude": 2, "name": "n", "address": "a"},
                },
            ),
            parameters(
                "header",
                {"type": "product", "product": {"product_retailer_id": "s", "catalog_id": "133"}},
            ),
            parameters("body", {"type": "group_id", "group_id": GROUP_ID}),
            parameters(
                "limited_time_offer",
                {"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": 1}},
            ),
            parameters(
                "tap_target_configuration",
                {
                    "type": "tap_target_configuration",
                    "tap_target_configuration": [{"url": "https://a.example", "title": "A"}],
                },
            ),
            parameters(
                "order_status",
                {
                    "type": "order_status",
                    "order_status": {"reference_id": "o", "order": {"status": "shipped"}},
                },
            ),
            button("copy_code", 0, {"type": "coupon_code", "coupon_code": "SALE25"}),
            button("flow", 1, action(flow_token="t", flow_action_data={"a": {"b": [1]}})),
            button("mpm", 2, action(thumbnail_product_retailer_id="s", sections=_PRODUCT_SECTIONS)),
            button("order_details", 3, action(order_details=ORDER)),
            {
                "type": "button",
                "sub_type": "voice_call",
                "parameters": [
                    {"type": "ttl_minutes", "ttl_minutes": 100},
                    {"type": "payload", "payload": "p"},
                ],
            },
        ),
        (
            "media:131 at body.template.components[0].parameters[0].document.id",
            "media:132 at body.template.components[2].parameters[0].gif.id",
            "catalog:133 at body.template.components[4].parameters[0].product.catalog_id",
            f"group:{GROUP_ID} at body.template.components[5].parameters[0].group_id",
            "catalog:194836987003835 at"
            " body.template.components[12].parameters[0].action.order_details.order.catalog_id",
        ),
    ),
    Case(
        "template carousel",
        ("send:template",),
        template(
            parameters("body", text("Pablo")),
            {
                "type": "carousel",
                "cards": [
                    {
                        "card_index": 0,
                        "components": [
                            parameters("header", {"type": "image", "image": {"id": "134"}}),
                            button("quick_reply", "0", {"type": "payload", "payload": "a"}),
                        ],
                    },
                    {
                        "card_index": 1,
                        "components": [
                            parameters("header", {"type": "image", "image": {"id": "135"}})
                        ],
                    },
                ],
            },
        ),
        (
            "media:134 at"
            " body.template.components[1].cards[0].components[0].parameters[0].image.id",
            "media:135 at"
            " body.template.components[1].cards[1].components[0].parameters[0].image.id",
        ),
    ),
    Case(
        "template to a group",
        ("send:template", "send:group"),
        template(recipient_type="group", to=GROUP_ID),
        (f"group:{GROUP_ID} at body.to",),
    ),
    Case(
        "read",
        ("send:typing_read",),
        {"messaging_product": "whatsapp", "status": "read", "message_id": WAMID},
        (f"message:{WAMID} at body.message_id",),
    ),
    Case(
        "typing",
        ("send:typing_read",),
        {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": WAMID,
            "typing_indicator": {"type": "text"},
        },
        (f"message:{WAMID} at body.message_id",),
    ),
)
BY_NAME = {case.name: case for case in CASES}
