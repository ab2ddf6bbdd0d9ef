"""Orders and payments inside messages (India, Brazil): what is asked, what it costs, how to pay.

Shapes: developers.facebook.com/documentation/business-messaging/whatsapp/payments, November 2025.
"""

import re
from typing import Final

from portero.graphapi.kinds import Kind
from portero.graphapi.messages.content import LINE_MAX
from portero.graphapi.messages.schema import (
    LINK_MAX,
    Array,
    Id,
    Link,
    Number,
    Opaque,
    Text,
    may,
    must,
    obj,
    one_of,
    tagged,
)

_AMOUNT_MAX: Final = 2**53
_ITEMS_MAX: Final = 999
_SETTINGS_MAX: Final = 10

_UPI_LINK = re.compile(r"upi://pay\?[!-~]+")

_LINE = Text(LINE_MAX, least=0)
_VALUE = Number(0, _AMOUNT_MAX, whole=True)
_AMOUNT_MEMBERS = {"value": must(_VALUE), "offset": must(_VALUE)}
_AMOUNT = obj(_AMOUNT_MEMBERS)
_DESCRIBED_AMOUNT = obj(_AMOUNT_MEMBERS, description=may(_LINE))
_DISCOUNT = obj(_AMOUNT_MEMBERS, description=may(_LINE), discount_program_name=may(_LINE))
_IMPORTER_ADDRESS = obj(
    {
        name: may(_LINE)
        for name in ("address_line1", "address_line2", "city", "zone_code", "postal_code")
    },
    country_code=may(_LINE),
)
_ITEM = obj(
    retailer_id=may(_LINE),
    name=must(Text(LINE_MAX)),
    image=may(obj(link=must(Link()))),
    amount=must(_AMOUNT),
    sale_amount=may(_AMOUNT),
    quantity=must(Number(0, _AMOUNT_MAX)),
    country_of_origin=may(_LINE),
    importer_name=may(_LINE),
    importer_address=may(_IMPORTER_ADDRESS),
)
_ORDER = obj(
    status=must(Text(LINE_MAX)),
    type=may(_LINE),
    catalog_id=may(Id(Kind.CATALOG)),
    expiration=may(obj(timestamp=must(Number(0, _AMOUNT_MAX)), description=must(_LINE))),
    items=must(Array(_ITEM, _ITEMS_MAX)),
    subtotal=must(_AMOUNT),
    tax=may(_DESCRIBED_AMOUNT),
    shipping=may(_DESCRIBED_AMOUNT),
    discount=may(_DISCOUNT),
)
_GATEWAYS = ("billdesk", "razorpay", "payu", "zaakpay")
_PAYMENT_SETTING = tagged(
    "type",
    {
        "payment_gateway": obj(
            payment_gateway=must(
                obj(
                    {name: may(Opaque()) for name in _GATEWAYS},
                    type=must(Text(LINE_MAX)),
                    configuration_name=must(Text(LINE_MAX)),
                )
            )
        ),
        "pix_dynamic_code": obj(
            pix_dynamic_code=must(
                obj(
                    code=must(Text(LINE_MAX)),
                    merchant_name=must(Text(LINE_MAX)),
                    key=must(Text(LINE_MAX)),
                    key_type=must(Text(LINE_MAX)),
                )
            )
        ),
        "upi_intent_link": obj(
            upi_intent_link=must(obj(link=must(Text(LINK_MAX, pattern=_UPI_LINK))))
        ),
        "payment_link": obj(payment_link=must(obj(uri=must(Link())))),
        "boleto": obj(boleto=must(obj(digitable_line=must(Text(LINE_MAX))))),
        "offsite_card_pay": obj(
            offsite_card_pay=must(
                obj(
                    last_four_digits=must(Text(LINE_MAX)),
                    credential_id=must(Text(LINE_MAX)),
                )
            )
        ),
    },
)
_BENEFICIARY = obj(
    {
        name: may(_LINE)
        for name in (
            "name",
            "address_line1",
            "address_line2",
            "city",
            "state",
            "country",
            "postal_code",
        )
    }
)

ORDER_DETAILS = obj(
    reference_id=must(Text(60)),
    type=must(one_of("digital-goods", "physical-goods")),
    beneficiaries=may(Array(_BENEFICIARY, _SETTINGS_MAX)),
    payment_type=may(_LINE),
    payment_configuration=may(_LINE),
    payment_settings=may(Array(_PAYMENT_SETTING, _SETTINGS_MAX)),
    currency=must(Text(3, least=3)),
    total_amount=must(_AMOUNT),
    order=must(_ORDER),
)
ORDER_STATUS = obj(
    reference_id=must(Text(60)),
    order=must(obj(status=must(Text(LINE_MAX)), description=may(_LINE))),
    payment=may(obj(status=must(Text(LINE_MAX)), timestamp=may(Number(0, _AMOUNT_MAX)))),
)
