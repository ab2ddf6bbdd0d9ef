"""What real client libraries send is understood: their own code builds these bodies."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import heyoo
import httpx
import pytest
from pywa import WhatsApp
from pywa.types import (
    Button,
    CallPermissionRequestButton,
    Contact,
    FlowActionType,
    FlowButton,
    ProductsSection,
    Section,
    SectionList,
    SectionRow,
    URLButton,
    VoiceCallButton,
)
from pywa.types.callback import ImageCarouselCard
from pywa.types.templates import (
    AuthenticationBody,
    BodyText,
    Carousel,
    CarouselCard,
    CatalogButton,
    CopyCodeButton,
    Currency,
    DateTime,
    HeaderDocument,
    HeaderImage,
    HeaderLocation,
    HeaderProduct,
    LimitedTimeOffer,
    MPMButton,
    OneTapOTPButton,
    QuickReplyButton,
    TapTargetConfiguration,
    TemplateLanguage,
)
from pywa.types.templates import FlowButton as TemplateFlowButton
from pywa.types.templates import URLButton as TemplateURLButton

from graphapi.message_bodies import BSUID, GROUP_ID, WAMID
from portero.graphapi import strict_json
from portero.graphapi.messages import Message, parse_marketing_message, parse_message

TO = "525512345678"
LINK = "https://cdn.example/a.jpg"
LANGUAGE = TemplateLanguage.SPANISH_MEX
ANSWER = {
    "messaging_product": "whatsapp",
    "contacts": [{"input": TO, "wa_id": TO}],
    "messages": [{"id": WAMID}],
}


def _understood(path: str, body: bytes) -> Message:
    parsed = strict_json.loads(body)
    if path.endswith("/marketing_messages"):
        return parse_marketing_message(parsed)
    return parse_message(parsed)


@pytest.fixture
def sent_by_pywa() -> Iterator[tuple[WhatsApp, list[Message]]]:
    """A pywa client, and what its requests mean."""
    messages: list[Message] = []

    def answer(request: httpx.Request) -> httpx.Response:
        messages.append(_understood(request.url.path, request.content))
        success = {"success": True} if messages[-1].type is None else ANSWER
        return httpx.Response(200, json=success)

    with httpx.Client(transport=httpx.MockTransport(answer)) as session:
        yield WhatsApp(phone_id="1234", token="key", session=session), messages


Use = Callable[[WhatsApp], object]


def _carousel(wa: WhatsApp) -> object:
    cards = [
        ImageCarouselCard(image=LINK, body="One", buttons=URLButton(title="Open", url=LINK)),
        ImageCarouselCard(image=LINK, buttons=URLButton(title="Open", url=LINK)),
    ]
    return wa.send_carousel(to=TO, body="Look", cards=cards)


def _flow(wa: WhatsApp) -> object:
    flow = FlowButton(
        title="Book",
        flow_id=987654321,
        flow_action_type=FlowActionType.NAVIGATE,
        flow_action_screen="FIRST",
        flow_action_payload={"a": 1},
    )
    return wa.send_message(to=TO, text="Hola", buttons=flow)


def _list(wa: WhatsApp) -> object:
    rows = [SectionRow(title="Nine", callback_data="9", description="sharp")]
    choices = SectionList(button_title="Times", sections=[Section(title="AM", rows=rows)])
    return wa.send_message(to=TO, text="When?", header="Time", footer="f", buttons=choices)


def _template(*params: Any, **more: Any) -> Use:
    return lambda wa: wa.send_template(
        to=TO, name="order_update", language=LANGUAGE, params=list(params), **more
    )


TEMPLATE = ("send:template",)


@pytest.mark.parametrize(
    ("permissions", "use"),
    [
        (("send:text",), lambda wa: wa.send_message(to=TO, text="Hola", preview_url=True)),
        (("send:text",), lambda wa: wa.send_message(to=BSUID, text="Hola", tracker="t")),
        (
            ("send:text", "send:group"),
            lambda wa: wa.send_message(to=GROUP_ID, text="Hola", reply_to_message_id=WAMID),
        ),
        (
            ("send:interactive_buttons",),
            lambda wa: wa.send_message(to=TO, text="?", buttons=[Button("Yes", "y")]),
        ),
        (
            ("send:interactive_buttons",),
            lambda wa: wa.send_image(to=TO, image=LINK, caption="?", buttons=[Button("Y", "y")]),
        ),
        (
            ("send:interactive_cta",),
            lambda wa: wa.send_message(to=TO, text="?", buttons=URLButton(title="a", url=LINK)),
        ),
        (
            ("send:interactive_call",),
            lambda wa: wa.send_message(to=TO, text="?", buttons=VoiceCallButton(title="Call")),
        ),
        (
            ("send:interactive_call_permission",),
            lambda wa: wa.send_message(to=TO, text="?", buttons=CallPermissionRequestButton()),
        ),
        (("send:interactive_list",), _list),
        (("send:interactive_flow",), _flow),
        (("send:interactive_carousel",), _carousel),
        (("send:image",), lambda wa: wa.send_image(to=TO, image=LINK, caption="c")),
        (("send:video",), lambda wa: wa.send_video(to=TO, video=LINK)),
        (("send:document",), lambda wa: wa.send_document(to=TO, document=LINK, filename="a.pdf")),
        (("send:audio",), lambda wa: wa.send_audio(to=TO, audio=LINK)),
        (("send:voice",), lambda wa: wa.send_voice(to=TO, voice=LINK)),
        (("send:sticker",), lambda wa: wa.send_sticker(to=TO, sticker=LINK)),
        (
            ("send:reaction",),
            lambda wa: wa.send_reaction(to=TO, emoji="👍", message_id=WAMID),
        ),
        (("send:reaction",), lambda wa: wa.remove_reaction(to=TO, message_id=WAMID)),
        (("send:location",), lambda wa: wa.send_location(to=TO, latitude=1.5, longitude=2)),
        (
            ("send:interactive_location_request",),
            lambda wa: wa.request_location(to=TO, text="Where?"),
        ),
        (
            ("send:interactive_contact_request",),
            lambda wa: wa.request_contact_info(to=TO, text="Number?"),
        ),
        (
            ("send:contacts",),
            lambda wa: wa.send_contact(
                to=TO,
                contact=Contact(
                    name=Contact.Name(formatted_name="Ana"),
                    phones=[Contact.Phone(phone="1234567890", wa_id="1234567890")],
                    org=Contact.Org(company="c"),
                ),
            ),
        ),
        (("send:product",), lambda wa: wa.send_catalog(to=TO, body="b", footer="f")),
        (
            ("send:product",),
            lambda wa: wa.send_product(to=TO, catalog_id="1", sku="s", body="b"),
        ),
        (
            ("send:product",),
            lambda wa: wa.send_products(
                to=TO,
                catalog_id="1",
                product_sections=[ProductsSection(title="a", skus=["s"])],
                title="t",
                body="b",
            ),
        ),
        (
            ("group:update", "send:group"),
            lambda wa: wa.pin_message(GROUP_ID, WAMID, expiration_days=3),
        ),
        (("group:update", "send:group"), lambda wa: wa.unpin_message(GROUP_ID, WAMID)),
        (("send:typing_read",), lambda wa: wa.mark_message_as_read(message_id=WAMID)),
        (("send:typing_read",), lambda wa: wa.indicate_typing(message_id=WAMID)),
        (TEMPLATE, _template()),
        (
            TEMPLATE,
            _template(
                HeaderImage.params(image=LINK),
                BodyText.params(
                    "Ana",
                    Currency(fallback_value="$1", code="USD", amount_1000=1000),
                    DateTime(fallback_value="today"),
                ),
                QuickReplyButton.params(callback_data="yes", index=0),
                TemplateURLButton.params(url_variable="x", index=1),
                CopyCodeButton.params(coupon_code="SALE", index=2),
                TemplateFlowButton.params(index=3),
                CatalogButton.params(thumbnail_product_sku="s", index=4),
                LimitedTimeOffer.params(expiration_time=datetime(2026, 1, 1, tzinfo=UTC)),
                TapTargetConfiguration(title="t", url=LINK),
            ),
        ),
        (TEMPLATE, _template(BodyText.params(name="Ana", order_id=5))),
        (TEMPLATE, _template(HeaderDocument.params(document=LINK, filename="a.pdf"))),
        (TEMPLATE, _template(HeaderLocation.params(lat=1.5, lon=2, name="n", address="a"))),
        (
            TEMPLATE,
            _template(
                HeaderProduct.params(catalog_id="1", sku="s"),
                MPMButton.params(
                    product_sections=[ProductsSection(title="a", skus=["s"])],
                    thumbnail_product_sku="s",
                    index=0,
                ),
            ),
        ),
        (
            TEMPLATE,
            _template(
                AuthenticationBody.params(otp="123456"), OneTapOTPButton.params(otp="123456")
            ),
        ),
        (
            TEMPLATE,
            _template(
                Carousel.params(
                    cards=[CarouselCard.params(params=[HeaderImage.params(image=LINK)], index=0)]
                )
            ),
        ),
        (
            ("send:template", "template:use_marketing"),
            _template(use_mm_lite_api=True, message_activity_sharing=True),
        ),
    ],
)
def test_what_pywa_sends_is_understood(
    sent_by_pywa: tuple[WhatsApp, list[Message]], permissions: tuple[str, ...], use: Use
) -> None:
    client, messages = sent_by_pywa

    use(client)

    assert [message.permissions for message in messages] == [permissions]


class _Requests:
    """Stands where heyoo looks for the requests library."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def post(self, url: str, headers: object, json: object) -> httpx.Response:
        self.messages.append(_understood(url, _as_bytes(json)))
        return httpx.Response(200, json=ANSWER)


def _as_bytes(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("permission", "use"),
    [
        ("send:text", lambda wa: wa.send_message("Hola", TO)),
        ("send:text", lambda wa: wa.reply_to_message(WAMID, TO, "Hola")),
        ("send:reaction", lambda wa: wa.send_reaction("😀", WAMID, TO)),
        ("send:template", lambda wa: wa.send_template("order_update", TO, [], "es_MX")),
        ("send:location", lambda wa: wa.send_location(1.5, 2.5, "n", "a", TO)),
        ("send:location", lambda wa: wa.send_location("1.5", "2.5", None, None, TO)),
        ("send:image", lambda wa: wa.send_image(LINK, TO)),
        ("send:image", lambda wa: wa.send_image("123", TO, link=False)),
        ("send:sticker", lambda wa: wa.send_sticker("123", TO, link=False)),
        ("send:audio", lambda wa: wa.send_audio(LINK, TO)),
        ("send:video", lambda wa: wa.send_video(LINK, TO)),
        ("send:document", lambda wa: wa.send_document(LINK, TO)),
        ("send:contacts", lambda wa: wa.send_contacts([{"name": {"formatted_name": "A"}}], TO)),
        (
            "send:interactive_list",
            lambda wa: wa.send_button(
                {
                    "header": "Header",
                    "body": "Body",
                    "footer": "Footer",
                    "action": {
                        "button": "Open",
                        "sections": [{"title": "A", "rows": [{"id": "1", "title": "One"}]}],
                    },
                },
                TO,
            ),
        ),
        (
            "send:interactive_buttons",
            lambda wa: wa.send_reply_button(
                {
                    "type": "button",
                    "body": {"text": "?"},
                    "action": {
                        "buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]
                    },
                },
                TO,
            ),
        ),
        ("send:typing_read", lambda wa: wa.mark_as_read(WAMID)),
    ],
)
def test_what_heyoo_sends_is_understood(
    monkeypatch: pytest.MonkeyPatch, permission: str, use: Callable[[heyoo.WhatsApp], object]
) -> None:
    wire = _Requests()
    monkeypatch.setattr(heyoo, "requests", wire)

    use(heyoo.WhatsApp("key", "1234"))

    assert [message.permissions for message in wire.messages] == [(permission,)]
