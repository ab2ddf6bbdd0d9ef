"""Interactive messages: a body with something to tap, by `interactive.type`.

Limits: developers.facebook.com/documentation/business-messaging/whatsapp/messages, December 2025.
"""

from typing import Final, cast

from portero.graphapi.kinds import Kind
from portero.graphapi.messages.content import BARE_MEDIA, LINE_MAX
from portero.graphapi.messages.orders import ORDER_DETAILS, ORDER_STATUS
from portero.graphapi.messages.schema import (
    Array,
    Demand,
    Id,
    Link,
    Member,
    Number,
    Object,
    Opaque,
    Text,
    Typed,
    may,
    must,
    obj,
    one_of,
    tagged,
)

_BODY_MAX: Final = 1024
_LIST_BODY_MAX: Final = 4096
_SMALL_PRINT_MAX: Final = 60
_BUTTON_MAX: Final = 20
_CARD_BODY_MAX: Final = 160
_CARDS_MAX: Final = 10
_SECTION_TITLE_MAX: Final = 24
_SECTIONS_MAX: Final = 10
_ROWS_MAX: Final = 10
_PRODUCTS_MAX: Final = 30
_FLOW_TEXT_MAX: Final = 4096  # Meta gives no figure for a Flow's name, token or screen
_CALL_MINUTES_MAX: Final = 43_200  # 30 days

_LINE = Text(LINE_MAX, least=0)
PRODUCT_CODE = Text(256)
"""A product's code in the shop's own catalogue: no id of Graph's."""


def _sections_together(inside: str, most: int) -> Demand:
    """At most `most` things in all sections, and titles where there are several sections."""

    def demand(typed: Typed) -> str | None:
        sections = cast("list[Typed]", typed["sections"])
        if sum(len(cast("list[object]", section[inside])) for section in sections) > most:
            return f"have at most {most} {inside} in all sections together"
        if len(sections) > 1 and not all(section.get("title") for section in sections):
            return "have a title for every section when there are several"
        return None

    return demand


def _titles_differ(typed: Typed) -> str | None:
    buttons = cast("list[dict[str, Typed]]", typed["buttons"])
    titles = {button["reply"]["title"] for button in buttons}
    return None if len(titles) == len(buttons) else "have buttons with different titles"


def cards_are_numbered(typed: Typed) -> str | None:
    """A demand on an object with `cards`: no `card_index` twice."""
    cards = cast("list[Typed]", typed["cards"])
    indexes = {float(cast("int | str", card["card_index"])) for card in cards}
    return None if len(indexes) == len(cards) else "have cards with different 'card_index'"


CARD_INDEX = must(Number(0, _CARDS_MAX - 1, whole=True))
PRODUCT_SECTIONS = Array(
    obj(
        title=may(Text(_SECTION_TITLE_MAX, least=0)),
        product_items=must(Array(obj(product_retailer_id=must(PRODUCT_CODE)), _PRODUCTS_MAX)),
    ),
    _SECTIONS_MAX,
)
products_together = _sections_together("product_items", _PRODUCTS_MAX)

_TEXT_HEADER = {"text": obj(text=must(Text(_SMALL_PRINT_MAX)), sub_text=may(_LINE))}
_MEDIA_HEADERS = {
    "image": obj(image=must(BARE_MEDIA)),
    "video": obj(video=must(BARE_MEDIA)),
    "document": obj(document=must(BARE_MEDIA)),
}
_HEADER = may(tagged("type", _TEXT_HEADER | _MEDIA_HEADERS))
_PICTURE_HEADER = must(
    tagged("type", {"image": _MEDIA_HEADERS["image"], "video": _MEDIA_HEADERS["video"]})
)
_FOOTER = may(obj(text=must(Text(_SMALL_PRINT_MAX))))
_BODY = obj(text=must(Text(_BODY_MAX)))


def _interactive(action: Object, *, body: Member | None = None) -> Object:
    """Header, body and footer around an action; the body is mandatory unless said otherwise."""
    return obj(header=_HEADER, body=body or must(_BODY), footer=_FOOTER, action=must(action))


def _named(name: str, parameters: Member | None = None) -> Object:
    """An action `{"name": …, "parameters": {…}}`.

    Without parameters of its own it drops any: the Kapso client sends some that Meta ignores.
    """
    if parameters is None:
        return obj(name=must(one_of(name)), dropped=("parameters",))
    return obj(name=must(one_of(name)), parameters=parameters)


_REPLY = obj(id=must(Text(256)), title=must(Text(_BUTTON_MAX)))
_BUTTONS = obj(
    buttons=must(Array(obj(type=must(one_of("reply")), reply=must(_REPLY)), 3)),
    demands=(_titles_differ,),
)
_ROW = obj(
    id=must(Text(200)),
    title=must(Text(_SECTION_TITLE_MAX)),
    description=may(Text(72, least=0)),
)
_LIST = obj(
    button=must(Text(_BUTTON_MAX)),
    sections=must(
        Array(
            obj(
                title=may(Text(_SECTION_TITLE_MAX, least=0)),
                rows=must(Array(_ROW, _ROWS_MAX)),
            ),
            _SECTIONS_MAX,
        )
    ),
    demands=(_sections_together("rows", _ROWS_MAX),),
)
_CTA = _named("cta_url", must(obj(display_text=must(Text(_BUTTON_MAX)), url=must(Link()))))
_FLOW = _named(
    "flow",
    must(
        obj(
            flow_message_version=must(Text(8)),
            flow_id=may(Id(Kind.FLOW)),
            flow_name=may(Text(_FLOW_TEXT_MAX)),
            flow_cta=must(Text(30)),
            flow_token=may(Text(_FLOW_TEXT_MAX, least=0)),
            mode=may(one_of("draft", "published")),
            flow_action=may(one_of("navigate", "data_exchange")),
            flow_action_payload=may(obj(screen=may(Text(_FLOW_TEXT_MAX)), data=may(Opaque()))),
            either=("flow_id", "flow_name"),
        )
    ),
)
_PRODUCT = obj(catalog_id=must(Id(Kind.CATALOG)), product_retailer_id=must(PRODUCT_CODE))
_PRODUCT_LIST = obj(
    catalog_id=must(Id(Kind.CATALOG)),
    sections=must(PRODUCT_SECTIONS),
    demands=(products_together,),
)
_CATALOG = _named("catalog_message", may(obj(thumbnail_product_retailer_id=may(PRODUCT_CODE))))
_ADDRESS_FIELDS = (
    "name",
    "phone_number",
    "in_pin_code",
    "sg_post_code",
    "house_number",
    "floor_number",
    "tower_number",
    "building_name",
    "unit_number",
    "address",
    "landmark_area",
    "city",
    "state",
)
_ADDRESS_VALUES = obj({field: may(_LINE) for field in _ADDRESS_FIELDS})
_ADDRESS = _named(
    "address_message",
    must(
        obj(
            country=must(Text(2, least=2)),
            values=may(_ADDRESS_VALUES),
            saved_addresses=may(
                Array(obj(id=must(Text(LINE_MAX)), value=must(_ADDRESS_VALUES)), 20)
            ),
            validation_errors=may(_ADDRESS_VALUES),
        )
    ),
)
_CALL_BUTTON = _named(
    "voice_call",
    may(
        obj(
            display_text=may(Text(_BUTTON_MAX)),
            ttl_minutes=may(Number(1, _CALL_MINUTES_MAX, whole=True)),
            payload=may(Text(512, least=0)),
        )
    ),
)

_QUICK_REPLY = obj(
    type=must(one_of("quick_reply")),
    quick_reply=must(obj(id=must(Text(256)), title=must(Text(_BUTTON_MAX)))),
)
_CARD_ACTION = obj(
    name=may(one_of("cta_url")),
    parameters=may(obj(display_text=must(Text(_BUTTON_MAX)), url=must(Link()))),
    buttons=may(Array(_QUICK_REPLY, 3)),
    either=("parameters", "buttons"),
)
_CARD = tagged(
    "type",
    {
        "cta_url": obj(
            card_index=CARD_INDEX,
            header=_PICTURE_HEADER,
            body=may(obj(text=must(Text(_CARD_BODY_MAX)))),
            action=must(_CARD_ACTION),
        ),
        "product": obj(card_index=CARD_INDEX, action=must(_PRODUCT)),
    },
)
_CAROUSEL = obj(cards=must(Array(_CARD, _CARDS_MAX)), demands=(cards_are_numbered,))

INTERACTIVE = tagged(
    "type",
    {
        "button": _interactive(_BUTTONS),
        "list": _interactive(_LIST, body=must(obj(text=must(Text(_LIST_BODY_MAX))))),
        "cta_url": _interactive(_CTA),
        "flow": _interactive(_FLOW, body=may(_BODY)),
        "product": _interactive(_PRODUCT, body=may(_BODY)),
        "product_list": _interactive(_PRODUCT_LIST),
        "catalog_message": _interactive(_CATALOG, body=may(_BODY)),
        "location_request_message": _interactive(_named("send_location")),
        "address_message": _interactive(_ADDRESS),
        "carousel": _interactive(_CAROUSEL),
        "voice_call": _interactive(_CALL_BUTTON),
        "call_permission_request": _interactive(_named("call_permission_request"), body=may(_BODY)),
        "request_contact_info": _interactive(_named("request_contact_info"), body=may(_BODY)),
        "order_details": _interactive(_named("review_and_pay", must(ORDER_DETAILS))),
        "order_status": _interactive(_named("review_order", must(ORDER_STATUS))),
    },
)

PERMISSIONS = {
    "button": "send:interactive_buttons",
    "list": "send:interactive_list",
    "cta_url": "send:interactive_cta",
    "flow": "send:interactive_flow",
    "product": "send:product",
    "product_list": "send:product",
    "catalog_message": "send:product",
    "location_request_message": "send:interactive_location_request",
    "address_message": "send:interactive_address",
    "carousel": "send:interactive_carousel",
    "voice_call": "send:interactive_call",
    "call_permission_request": "send:interactive_call_permission",
    "request_contact_info": "send:interactive_contact_request",
    "order_details": "send:order",
    "order_status": "send:order",
}
"""The permission for each `interactive.type`."""
