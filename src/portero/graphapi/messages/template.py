"""Template messages: the name and language of an approved text, and what fills its gaps.

Which parameters a template takes is for Meta to check; here every shape is closed and every id
inside is found. Shapes: Meta's template pages of November 2025 and what pywa 4.5 sends.
"""

import re
from typing import Final

from portero.graphapi.kinds import Kind
from portero.graphapi.messages.content import BARE_MEDIA, LINE_MAX, LOCATION
from portero.graphapi.messages.interactive import (
    CARD_INDEX,
    PRODUCT_CODE,
    PRODUCT_SECTIONS,
    cards_are_numbered,
)
from portero.graphapi.messages.orders import ORDER_DETAILS, ORDER_STATUS
from portero.graphapi.messages.schema import (
    Array,
    Id,
    Link,
    Number,
    Object,
    Opaque,
    Rule,
    Text,
    may,
    must,
    obj,
    one_of,
    tagged,
)

_NAME = re.compile(r"[a-z0-9_]+")
_NAME_MAX: Final = 512
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:_[A-Z]{2})?")
_TEXT_MAX: Final = 32_768
_PAYLOAD_MAX: Final = 4096  # Meta gives no figure
_PARAMETERS_MAX: Final = 256
_COMPONENTS_MAX: Final = 32
_CARDS_MAX: Final = 10
_BUTTON_INDEX_MAX: Final = 9
_CALL_MINUTES_MAX: Final = 43_200  # 30 days
_EPOCH_MS_MAX: Final = 2**53

_LINE = Text(LINE_MAX)
_DATE_PARTS = ("day_of_week", "year", "month", "day_of_month", "hour", "minute", "timestamp")

_ACTION = obj(
    flow_token=may(Text(_PAYLOAD_MAX, least=0)),
    flow_action_data=may(Opaque()),
    thumbnail_product_retailer_id=may(PRODUCT_CODE),
    sections=may(PRODUCT_SECTIONS),
    order_details=may(ORDER_DETAILS),
)
_TAP_TARGET = obj(url=must(Link()), title=must(_LINE))
_CURRENCY = obj(
    fallback_value=must(_LINE),
    code=must(Text(3, least=3)),
    amount_1000=must(Number(-_EPOCH_MS_MAX, _EPOCH_MS_MAX)),
)
_DATE_TIME = obj(
    {part: may(Number(0, _EPOCH_MS_MAX)) for part in _DATE_PARTS},
    fallback_value=must(_LINE),
    calendar=may(_LINE),
)
_VALUES: dict[str, Rule] = {
    "text": Text(_TEXT_MAX, scalar=True),
    "currency": _CURRENCY,
    "date_time": _DATE_TIME,
    "image": BARE_MEDIA,
    "video": BARE_MEDIA,
    "document": BARE_MEDIA,
    "gif": BARE_MEDIA,
    "location": LOCATION,
    "product": obj(product_retailer_id=must(PRODUCT_CODE), catalog_id=may(Id(Kind.CATALOG))),
    "payload": Text(_PAYLOAD_MAX),
    "coupon_code": Text(_PAYLOAD_MAX),
    "limited_time_offer": obj(expiration_time_ms=must(Number(0, _EPOCH_MS_MAX))),
    "ttl_minutes": Number(1, _CALL_MINUTES_MAX, whole=True),
    "action": _ACTION,
    "group_id": Id(Kind.GROUP),
    "order_status": ORDER_STATUS,
    "tap_target_configuration": Array(_TAP_TARGET, _COMPONENTS_MAX),
}
_PARAMETER = tagged(
    "type",
    {name: obj({name: must(rule)}, parameter_name=may(_LINE)) for name, rule in _VALUES.items()},
)
_PARAMETERS = Array(_PARAMETER, _PARAMETERS_MAX, least=0)
_WITH_PARAMETERS = obj(parameters=may(_PARAMETERS))
_BUTTON = obj(
    sub_type=must(
        one_of(
            "quick_reply",
            "url",
            "phone_number",
            "copy_code",
            "flow",
            "catalog",
            "mpm",
            "spm",
            "voice_call",
            "order_details",
            "call_permission_request",
            "request_contact_info",
        )
    ),
    index=may(Number(0, _BUTTON_INDEX_MAX, whole=True)),
    parameters=may(_PARAMETERS),
)
_PLAIN_COMPONENTS: dict[str, Object] = {
    "header": _WITH_PARAMETERS,
    "body": _WITH_PARAMETERS,
    "button": _BUTTON,
    "limited_time_offer": _WITH_PARAMETERS,
    "order_status": _WITH_PARAMETERS,
    "tap_target_configuration": _WITH_PARAMETERS,
}
_CARD = obj(
    card_index=CARD_INDEX,
    components=must(Array(tagged("type", _PLAIN_COMPONENTS), _COMPONENTS_MAX)),
)
_CAROUSEL = obj(cards=must(Array(_CARD, _CARDS_MAX)), demands=(cards_are_numbered,))

TEMPLATE = obj(
    name=must(Text(_NAME_MAX, pattern=_NAME)),
    language=must(obj(code=must(Text(16, pattern=_LANGUAGE)), policy=may(one_of("deterministic")))),
    components=may(
        Array(
            tagged("type", {**_PLAIN_COMPONENTS, "carousel": _CAROUSEL}), _COMPONENTS_MAX, least=0
        )
    ),
)
