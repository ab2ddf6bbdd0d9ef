"""G16, G36: however a customer is written, one person is decided on, counted, recorded and sent to."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from abuse.door import Door
from abuse.watch import Watch
from abuse.watched_house import WatchedHouse
from gateway.house import APP_SECRET, LUCIA, SOPORTE, VENTAS, Key, Workspace, text
from portero.gateway import graph
from portero.graphapi.kinds import Recipient
from portero.graphapi.webhooks import Signer

SPELLINGS = (
    LUCIA, f"+{LUCIA}", "+52 55 1234 5678", "+52 (55) 1234-5678", "52.55.1234.5678", "+52-55-12345678",
    "+521 55 1234 5678", "5215512345678",
)  # fmt: skip

_ARABIC = "".join(chr(0x0660 + int(d)) for d in LUCIA)
_FULL_WIDTH = "".join(chr(0xFF10 + int(d)) for d in LUCIA)
_DEVANAGARI = "".join(chr(0x0966 + int(d)) for d in LUCIA)
_MATHEMATICAL = "".join(chr(0x1D7CE + int(d)) for d in LUCIA)
_NO_NUMBERS = (
    _ARABIC, _FULL_WIDTH, _DEVANAGARI, _MATHEMATICAL, f"\u202b{LUCIA}", f"\u200e{LUCIA}", f"{LUCIA}\u200f",
    f"\u2066{LUCIA}\u2069", f"\ufeff{LUCIA}", f"{LUCIA}\u200b", f"\u00a0{LUCIA}", f"{LUCIA}\u3000",
    f"\uff0b{LUCIA}", f"00{LUCIA}", f"+00{LUCIA}", f"011{LUCIA}", f"++{LUCIA}", f"+ +{LUCIA}", f"0{LUCIA}",
    f"{LUCIA}x", f"{LUCIA} ext 1", f"{LUCIA};ext=1", f"tel:+{LUCIA}", f"whatsapp:+{LUCIA}", f"{LUCIA}#",
    f"{LUCIA}*", f"{LUCIA},", f"{LUCIA}\n", f"{LUCIA}\t", f"{LUCIA}\r\n34600111222", f"{LUCIA}\x00", "1-800-FLOWERS",
    f"{LUCIA}@s.whatsapp.net", f"{LUCIA}/34600111222", f"{LUCIA}|34600111222", "5.25512345678e11", "0x7A", "-1",
    "١٢٣", "५", "½", "²" * 10, "1" * 16, "1" * 6, "+", "", " ", "US", "US.", "us.123", "US.12_3", "USA.123",
    "US.ENT.", "US..123", "US.123.4", "\uff35\uff33.123", "US.123\n", "US.123 ", f"US.{'1' * 300}",
)  # fmt: skip


def sent_to(watch: Watch) -> list[str]:
    return [json.loads(one["body"]).get("to", "") for one in watch.ledger() if one["body"]]


def decided(watch: Watch) -> list[list[str]]:
    allowed = (r for r in watch.records() if (r["kind"], r["effect"]) == ("intent", "allow"))
    return [r["body"]["to"] for r in allowed]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_g16_the_number_decided_on_is_the_number_sent(
    door: Door, watch: Watch, everything: Key, spelling: str
) -> None:
    answer = door.send(everything, text(spelling), VENTAS)

    assert answer.status == 200
    assert answer.json["contacts"][0]["input"] == spelling
    [arrived] = sent_to(watch)
    assert arrived.startswith("+")
    assert arrived[1:].isascii()
    assert decided(watch) == [[arrived[1:]]]


@pytest.mark.parametrize("number", range(len(_NO_NUMBERS)))
def test_g16_what_is_no_number_is_not_made_into_one(
    door: Door, watch: Watch, everything: Key, number: int
) -> None:
    answer = door.send(everything, text(_NO_NUMBERS[number]), VENTAS)

    assert (answer.status, answer.reason) == (400, "malformed")
    assert watch.ledger() == []


def test_g16_random_spellings_are_refused_or_sent_as_decided(
    door: Door, watch: Watch, everything: Key, dice: random.Random
) -> None:
    marks = "0123456789+-(). \u0661\uff11\u200f\u00a0xé"
    for _ in range(200):
        written = "".join(
            dice.choice(marks) if dice.random() < 0.15 else c for c in "+52 55 1234 5678"
        )
        door.send(everything, text(written), VENTAS)

    assert [[number.removeprefix("+")] for number in sent_to(watch)] == decided(watch)


def test_g16_a_country_scope_looks_at_the_number_that_is_sent(
    door: Door, house: WatchedHouse, watch: Watch
) -> None:
    to_mexico = house.workspace.key({"send:text": "all"}, scope={"countries": ["MX"]})

    for spelling in SPELLINGS:
        assert door.send(to_mexico, text(spelling), VENTAS).status == 200
    for elsewhere in (
        "34600111222",
        "+34 600 111 222",
        "1 415 555 2671",
        "US.1349",
        "+88216 10000000",
    ):
        assert door.send(to_mexico, text(elsewhere), VENTAS).reason == "outside_scope"

    assert {number[:3] for number in sent_to(watch)} == {"+52"}


_USER_ID = (
    f"ES.{LUCIA}"  # of a Spaniard; Meta finds a Mexican's digits in it where it reads a number
)
_SESSION = {"sdp_type": "offer", "sdp": "v=0"}
_ADDRESSED: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("ES", "POST", "calls", {"to": _USER_ID, "action": "connect", "session": _SESSION}),
    ("MX", "POST", "calls", {"recipient": LUCIA, "action": "connect", "session": _SESSION}),
    (
        "ES",
        "POST",
        "calls",
        {"to": _USER_ID, "action": "accept", "call_id": "wacid.AAAA", "session": _SESSION},
    ),
    ("ES", "POST", "block_users", {"block_users": [{"user": _USER_ID}]}),
    ("MX", "POST", "block_users", {"block_users": [{"user_id": LUCIA}]}),
    ("ES", "DELETE", "block_users", {"block_users": [{"user": _USER_ID}]}),
    ("ES", "GET", f"call_permissions?user_wa_id={_USER_ID}", {}),
    ("MX", "GET", f"call_permissions?recipient={LUCIA}", {}),
)


@pytest.mark.parametrize("number", range(len(_ADDRESSED)))
def test_g16_an_id_where_meta_reads_a_number_is_refused_and_the_reverse(
    door: Door, house: WatchedHouse, watch: Watch, number: int
) -> None:
    country, method, edge, members = _ADDRESSED[number]
    of_the_country = house.workspace.key(scope={"countries": [country]})
    body = {"messaging_product": "whatsapp", **members} if members else None

    answer = door.call(method, f"/v23.0/{VENTAS}/{edge}", key=of_the_country, json=body)

    assert (answer.status, answer.reason) == (400, "malformed")
    assert watch.ledger() == []


_TWINS = {
    "Mexico": ("525512345678", "+52 1 55 1234 5678"),
    "Argentina": ("5491123456789", "541123456789"),
    "Brazil": ("5511987654321", "551187654321"),
}


@pytest.mark.parametrize("country", _TWINS)
@pytest.mark.parametrize("turned", [False, True])
def test_g36_the_twins_of_a_number_count_as_one_person(
    door: Door, watch: Watch, workspace: Workspace, country: str, turned: bool
) -> None:
    sender = workspace.key()
    workspace.limit("recipients", "day", 1)
    first, second = _TWINS[country][:: -1 if turned else 1]

    assert door.send(sender, text(first), VENTAS).reason == ""
    assert door.send(sender, text(second), VENTAS).reason == ""
    assert door.send(sender, text("34600111222"), VENTAS).reason == "day_limit"


def tell(house: WatchedHouse, contact: dict[str, Any], **message: str) -> None:
    """A genuine webhook that names a customer in several ways."""
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"phone_number_id": VENTAS, "display_phone_number": "525511110001"},
        "contacts": [{"profile": {"name": "Lucía"}, **contact}],
        "messages": [
            {"id": "wamid.TESTTESTTEST", "type": "text", "text": {"body": "hola"}, **message}
        ],
    }
    entry = {"id": "100000000000100", "changes": [{"field": "messages", "value": value}]}
    raw = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    answer = house.gateway.http.post(
        "/webhooks/whatsapp",
        content=raw,
        headers={"x-hub-signature-256": Signer(APP_SECRET.encode()).signature(raw)},
    )
    assert answer.status_code == 200, answer.text


_NAMES = {"wa_id": "5215512345678", "user_id": "MX.4412345", "parent_user_id": "MX.ENT.9912345"}
_AS_WRITTEN = {"wa_id": LUCIA, "user_id": "MX.4412345", "parent_user_id": "MX.ENT.9912345"}


@pytest.mark.parametrize("first", _NAMES)
@pytest.mark.parametrize("second", _NAMES)
def test_g36_every_name_of_a_person_counts_as_that_person(
    door: Door, house: WatchedHouse, watch: Watch, workspace: Workspace, first: str, second: str
) -> None:
    sender = workspace.key()
    workspace.limit("recipients", "day", 1)
    tell(house, _NAMES)

    answers = [door.send(sender, text(_AS_WRITTEN[name]), VENTAS) for name in (first, second)]

    assert [a.reason for a in answers] == ["", ""]
    assert door.send(sender, text("34600111222"), VENTAS).reason == "day_limit"


@pytest.mark.parametrize("known_by", [("user_id", "parent_user_id"), ("wa_id", "parent_user_id")])
def test_g36_names_told_two_at_a_time_are_one_person_too(
    door: Door, house: WatchedHouse, workspace: Workspace, known_by: tuple[str, str]
) -> None:
    sender = workspace.key()
    workspace.limit("recipients", "day", 1)
    tell(house, {name: _NAMES[name] for name in known_by})

    for name in known_by:
        assert door.send(sender, text(_AS_WRITTEN[name]), VENTAS).reason == ""
    assert door.send(sender, text("34600111222"), VENTAS).reason == "day_limit"


def test_g36_a_person_met_as_two_is_counted_as_one_once_that_is_known(
    door: Door, house: WatchedHouse, workspace: Workspace
) -> None:
    sender = workspace.key()
    workspace.limit("recipients", "day", 2)
    for name in ("wa_id", "user_id"):
        assert door.send(sender, text(_AS_WRITTEN[name]), VENTAS).reason == ""

    tell(house, _NAMES)

    for spelling in _AS_WRITTEN.values():
        assert door.send(sender, text(spelling), SOPORTE).reason == ""
    assert door.send(sender, text("34600111222"), VENTAS).reason == "day_limit"


def test_g36_what_an_answer_tells_of_a_person_counts_as_well(
    door: Door, house: WatchedHouse, workspace: Workspace
) -> None:
    sender = workspace.key()
    workspace.limit("recipients", "day", 1)
    told = {"input": LUCIA, "wa_id": "5215512345678", "user_id": "MX.7712345"}
    house.sandbox.control(
        "faults",
        {"status": 200, "body": {"contacts": [told], "messages": [{"id": "wamid.ANSWERANSWER"}]}},
    )
    assert door.send(sender, text(), VENTAS).status == 200
    house.settle()

    assert door.send(sender, text("MX.7712345"), VENTAS).reason == ""
    assert door.send(sender, text("34600111222"), VENTAS).reason == "day_limit"


def test_g36_control_counting_spellings_is_seen_to_count_one_person_twice(
    door: Door, watch: Watch, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = workspace.key()
    workspace.limit("recipients", "day", 1)
    by_identity = graph.identities_of

    def by_spelling(recipients: Any, state: Any) -> Any:
        spelt = [Recipient(r.kind, r.value, r.original, r.country, r.value) for r in recipients]
        return by_identity(spelt, state)

    monkeypatch.setattr(graph, "identities_of", by_spelling)
    first, second = _TWINS["Mexico"]

    assert door.send(sender, text(first), VENTAS).reason == ""
    assert door.send(sender, text(second), VENTAS).reason == "day_limit"
