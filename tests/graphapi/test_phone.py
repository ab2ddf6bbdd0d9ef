"""Whom a message reaches: one canonical form for deciding, recording and sending."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphapi.message_bodies import BSUID, GROUP_ID, send
from portero.graphapi import phone
from portero.graphapi.errors import GraphError
from portero.graphapi.kinds import Recipient, RecipientKind
from portero.graphapi.messages import parse_message


@pytest.mark.parametrize(
    "text",
    [
        "525512345678",
        "+525512345678",
        "+52 55 1234 5678",
        "+52 (55) 1234-5678",
        "52.55.1234.5678",
        " 525512345678 ",
        "(+52) 55 1234 5678",
    ],
)
def test_every_spelling_of_a_number_is_one_recipient(text: str) -> None:
    assert phone.canonical(text) == Recipient(
        kind=RecipientKind.PHONE,
        value="525512345678",
        original=text,
        country="MX",
        identity="525512345678",
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "+",
        "0",
        "0034600111222",
        "00 34 600 111 222",
        "+0034600111222",
        "0600111222",
        "123456",
        "1234567890123456",
        "+52+5512345678",
        "5255+12345678",
        "525512345678+",
        "52551234567a",
        "52551234567O",
        "tel:+525512345678",
        "+52 55 1234 5678 ext 9",
        "525512345678;34600111222",
        "525512345678,34600111222",
        "525512345678\n",
        "52\t5512345678",
        "52\u00a05512345678",
        "52\u200b5512345678",
        "\u202e525512345678",
        "525512345678\u200f",
        "\ufeff525512345678",
        "\uff0b525512345678",
        "52551234567\u0668",
        "\u0665\u0662\u0665\u0665\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668",
        "\uff15\uff12\uff15\uff15\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18",
        "\u096b\u0968\u096b\u096b\u0967\u0968\u0969\u096a",
        "52551234567\u00b2",
        "52551234567\u2460",
        "52\u201055\u201112345678",
        "5255%2012345678",
        "525512345678\x00",
        "9" * 5000,
        "1" + " " * 50 + "234567",
    ],
)
def test_g16_anything_but_plain_ascii_digits_is_refused(text: str) -> None:
    with pytest.raises(GraphError) as caught:
        phone.canonical(text)

    assert (caught.value.http, caught.value.code, caught.value.reason) == (400, 100, "malformed")


TWINS = [
    # Mexico: the mobile prefix 1 abolished in 2019
    ("525512345678", "5215512345678"),
    ("528112345678", "5218112345678"),
    # Argentina: 9 after the country code, or 15 after the area code, or neither
    ("541112345678", "5491112345678"),
    ("541112345678", "54111512345678"),
    ("541112345678", "549111512345678"),
    ("543412345678", "5493412345678"),
    ("543412345678", "54341152345678"),
    ("542966123456", "54296615123456"),
    # Brazil: the ninth digit of mobiles
    ("5511987654321", "551187654321"),
    ("5531998765432", "553198765432"),
    ("5585961234567", "558561234567"),
    ("5521976543210", "552176543210"),
]


@pytest.mark.parametrize(("one", "other"), TWINS)
def test_g36_twins_of_a_number_are_one_customer(one: str, other: str) -> None:
    first, second = phone.canonical(one), phone.canonical(other)

    assert first.identity == second.identity
    assert first.country == second.country
    assert (first.value, second.value) == (one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("521234567890", "521123456789"),  # twelve digits: the 1 is part of the number
        ("551132654321", "5511932654321"),  # a landline never had a ninth digit
        ("551152654321", "5511952654321"),
        ("5511912345678", "551112345678"),  # younger mobiles have no eight-digit form
        ("552387654321", "5523987654321"),  # no such area code
        ("55118765432", "551198765432"),  # too short to be a mobile
        ("541112345678", "541112345679"),
        ("34600111222", "34900111222"),
        ("5215512345678", "525512345679"),
    ],
)
def test_g36_numbers_that_only_look_alike_are_two_customers(one: str, other: str) -> None:
    assert phone.canonical(one).identity != phone.canonical(other).identity


@pytest.mark.parametrize("digits", [number for pair in TWINS for number in pair])
def test_the_identity_of_an_identity_is_itself(digits: str) -> None:
    once = phone.identity(digits)

    assert phone.identity(once) == once


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("525512345678", "MX"),
        ("34600111222", "ES"),
        ("5491112345678", "AR"),
        ("551187654321", "BR"),
        ("573001234567", "CO"),
        ("16505551234", "US"),
        ("14165551234", "CA"),
        ("18095551234", "DO"),
        ("17875551234", "PR"),
        ("447400123456", "GB"),
        ("79161234567", "RU"),
        ("77011234567", "KZ"),
        ("390612345678", "IT"),
        ("80012345678", None),  # an international service
        ("99912345678", None),  # no country at all
        ("19995551234", None),  # no area of any country
    ],
)
def test_the_country_of_a_number_is_known_or_left_open(text: str, country: str | None) -> None:
    assert phone.canonical(text).country == country


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(650) 555-1234", "6505551234"),
        ("+6505551234", "6505551234"),
        ("34600111222", "34600111222"),
        ("1234567", "1234567"),
    ],
)
def test_a_number_is_taken_as_international_and_never_completed(text: str, value: str) -> None:
    assert phone.canonical(text).value == value


@pytest.mark.parametrize(
    ("text", "country"),
    [
        (BSUID, "US"),
        ("US.ENT.11815799212886844830", "US"),
        ("MX.a1B2", "MX"),
        ("BR." + "9" * 256, "BR"),
    ],
)
def test_a_business_scoped_id_is_itself_and_its_prefix_is_the_country(
    text: str, country: str
) -> None:
    assert phone.recipient(text) == Recipient(RecipientKind.BSUID, text, text, country, text)


@pytest.mark.parametrize(
    "text",
    [
        "us.123",
        "US.",
        "US.ENT.",
        "USA.123",
        "US.12 3",
        "US.12.3",
        "US.ENT.ENT.1",
        " US.123",
        "US.123\n",
        "\uff35\uff33.123",
        "US.\u0661\u0662",
        "US." + "9" * 257,
        "525512345678",
        "",
    ],
)
def test_g16_what_is_not_exactly_a_business_scoped_id_is_refused(text: str) -> None:
    with pytest.raises(GraphError, match="malformed"):
        phone.business_scoped(text)


def test_a_group_is_itself_and_has_no_country() -> None:
    assert phone.group(GROUP_ID) == Recipient(
        RecipientKind.GROUP, GROUP_ID, GROUP_ID, None, GROUP_ID
    )


@pytest.mark.parametrize("text", ["", "525512345678", "+525512345678", BSUID, "a b", "Y2Fw/../x"])
def test_g16_a_person_is_no_group(text: str) -> None:
    with pytest.raises(GraphError, match="malformed"):
        phone.group(text)


_written = st.lists(st.sampled_from(list("0123456789+-() .")), max_size=24).map("".join)
_numbers = st.from_regex(r"\+?[1-9][0-9]{6,14}", fullmatch=True)


@settings(deadline=None)  # slow machines are not wrong
@given(text=_written | _numbers | st.text(max_size=20))
def test_g16_the_number_decided_on_is_the_number_sent(text: str) -> None:
    try:
        message = parse_message(send("text", {"body": "a"}, to=text))
    except GraphError:
        return
    (decided,) = message.recipients

    sent = str(message.body.get("to", message.body.get("recipient")))

    assert sent == ("+" if decided.kind is RecipientKind.PHONE else "") + decided.value
    again = phone.recipient(sent)
    assert (again.value, again.country, again.identity) == (
        decided.value,
        decided.country,
        decided.identity,
    )


@settings(deadline=None)  # slow machines are not wrong
@given(text=_numbers)
def test_g16_a_number_keeps_its_digits(text: str) -> None:
    assert phone.canonical(text).value == text.removeprefix("+")


@settings(deadline=None)  # slow machines are not wrong
@given(text=_numbers)
def test_g36_the_identity_of_any_identity_is_itself(text: str) -> None:
    once = phone.canonical(text).identity

    assert phone.identity(once) == once
