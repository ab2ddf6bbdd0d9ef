"""G09 to G13: what hands out a credential is offered to nobody; what takes a number over, not to keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from abuse.door import Answer, Door
from abuse.neighbour import register
from abuse.samples import places, sample
from abuse.watch import Watch
from gateway.house import APP_ID, BUSINESS, VENTAS, WABA, House, Key
from high_risk import HIGH, NEVER, NEVER_BY_A_WORD
from portero.graphapi.kinds import Kind
from portero.graphapi.operation import Operation, RiskClass
from portero.graphapi.operations import BY_NAME

IDS = {
    Kind.NUMBER: VENTAS,
    Kind.WABA: WABA,
    Kind.BUSINESS: BUSINESS,
    Kind.APP: APP_ID,
    Kind.TEMPLATE: "100000000000201",
    Kind.USER: "100000000000401",
    Kind.SOLUTION: "100000000000402",
    Kind.FLOW: "100000000000403",
    Kind.PREVERIFIED_NUMBER: "100000000000404",
}

# Bodies in which most operations of the two classes find what they ask for.
HIJACK = "https://evil.test/hook"
BODIES: tuple[dict[str, Any], ...] = (
    {},
    {"messaging_product": "whatsapp"},
    {"messaging_product": "whatsapp", "pin": "123456"},
    {"pin": "123456"},
    {"override_callback_uri": HIJACK, "verify_token": "x"},
    {"webhook_configuration": {"override_callback_uri": HIJACK, "verify_token": "x"}},
    {"new_display_name": "Banco"},
    {"connection_status": "CONNECTED"},
    {"webhook_url": HIJACK},
    {"username": "ventas"},
    {"code_method": "SMS", "language": "es"},
    {"code": "123456"},
    {"user": IDS[Kind.USER], "tasks": ["MANAGE"]},
    {"business_public_key": "-----BEGIN PUBLIC KEY-----"},
    {"endpoint_uri": HIJACK},
    {"name": "f", "categories": ["OTHER"], "endpoint_uri": HIJACK},
    {"application_id": APP_ID},
    {"calling": {"sip": {"status": "ENABLED", "servers": [{"hostname": "evil.test"}]}}},
    {"payload_encryption": {"status": "ENABLED", "client_encryption_key": "x"}},
    {"storage_configuration": {"status": "NO_STORAGE_ENABLED"}},
    {"object": "whatsapp_business_account", "callback_url": HIJACK, "verify_token": "x"},
    {"preverified_id": IDS[Kind.PREVERIFIED_NUMBER], "partner_business_id": "5"},
    {"is_enabled_for_insights": True},
    {"solution_id": IDS[Kind.SOLUTION]},
    {"encrypted_contents": "x", "messaging_product": "whatsapp"},
)  # fmt: skip


@pytest.fixture
def all_ids(house: House) -> None:
    for kind in (Kind.USER, Kind.SOLUTION, Kind.FLOW, Kind.PREVERIFIED_NUMBER):
        if not _is_known(house, IDS[kind]):
            register(house.workspace, kind.value, IDS[kind], parent=WABA)


def _is_known(house: House, meta_id: str) -> bool:
    import psycopg

    with psycopg.connect(house.database.dsn("superuser")) as db:
        asked = "SELECT 1 FROM resource WHERE workspace_id = %s AND meta_id = %s"
        return db.execute(asked, [house.workspace.id, meta_id]).fetchone() is not None


def path_of(operation: Operation) -> str:
    slots = iter(IDS[kind] for _, kind in operation.slots)
    return "/" + "/".join(next(slots) if s.startswith("{") else s for s in operation.segments)


def attempts(door: Door, operation: Operation, key: Key) -> Iterator[Answer]:
    """The operation in every encoding and with every body that may mean it."""
    for version in ("", "/v23.0"):
        path = version + path_of(operation)
        for body in BODIES if operation.method != "GET" else BODIES[:1]:
            flat = urlencode({n: v for n, v in body.items() if isinstance(v, str)})
            yield door.call(operation.method, path, key=key, json=body)
            yield door.call(operation.method, path, key=key, form=flat)
            yield door.call(operation.method, f"{path}?{flat}", key=key)


@pytest.mark.parametrize("name", [name for name in NEVER if name not in NEVER_BY_A_WORD])
@pytest.mark.usefixtures("all_ids")
def test_g09_what_is_never_offered_is_offered_to_nobody(
    door: Door, watch: Watch, everything: Key, name: str
) -> None:
    for answer in attempts(door, BY_NAME[name], everything):
        assert (answer.status, answer.reason) == (400, "never_offered"), answer.body

    assert watch.ledger() == []


@pytest.mark.parametrize(
    "member", ["connection_status", "webhook_url", "whatsapp_business_api_data", "username"]
)
def test_g09_a_member_that_meta_explains_nowhere_is_set_by_nobody(
    door: Door, watch: Watch, everything: Key, member: str
) -> None:
    path = f"/v23.0/{VENTAS}"
    answers = [
        door.call("POST", path, key=everything, json={member: HIJACK}),
        door.call("POST", path, key=everything, form=urlencode({member: HIJACK})),
        door.call("POST", f"{path}?{urlencode({member: HIJACK})}", key=everything),
    ]

    assert {(a.status, a.reason) for a in answers} == {(400, "never_offered")}
    assert watch.ledger() == []


_SIP = (
    "true",
    "True",
    "TRUE",
    "tRuE",
    "1",
    "yes",
    "on",
    "%74rue",
    "true%00",
    "01",
    "t",
    "true,false",
)


@pytest.mark.parametrize("value", _SIP)
def test_g09_sip_passwords_are_not_read_however_they_are_asked_for(
    door: Door, watch: Watch, everything: Key, value: str
) -> None:
    path = f"/v23.0/{VENTAS}/settings"
    answers = [
        door.call("GET", f"{path}?include_sip_credentials={value}", key=everything),
        door.call("GET", path, key=everything, form=f"include_sip_credentials={value}"),
        door.call("GET", path, key=everything, json={"include_sip_credentials": value}),
        door.call("GET", path, key=everything, json={"include_sip_credentials": True}),
        door.call("GET", f"{path}?fields=include_sip_credentials", key=everything),
        door.call("GET", f"{path}?fields=calling.include_sip_credentials({value})", key=everything),
    ]

    assert {a.status for a in answers} == {400}
    assert watch.ledger() == []


def test_g09_a_password_that_meta_shows_unasked_is_not_shown_on(
    door: Door, house: House, everything: Key
) -> None:
    sip = {
        "status": "ENABLED",
        "servers": [{"hostname": "a.test", "sip_user_password": "hunter2hunter2"}],
    }
    house.sandbox.control("faults", {"status": 200, "body": {"calling": {"sip": sip}}})

    answer = door.call("GET", f"/v23.0/{VENTAS}/settings", key=everything)

    assert answer.status == 200
    assert b"a.test" in answer.body
    assert b"hunter2" not in answer.body


@pytest.mark.parametrize("name", HIGH)
@pytest.mark.usefixtures("all_ids")
def test_g10_g11_g12_g13_what_takes_over_is_not_done_by_a_key(
    door: Door, watch: Watch, everything: Key, name: str
) -> None:
    operation = BY_NAME[name]
    whole = sample(next(places(operation)), IDS, IDS)

    plain = door.call(whole.method, whole.target, key=everything, json=whole.json)
    for _ in attempts(door, operation, everything):
        pass  # what they come to is on record

    assert plain.reason == "requirement_second_person", plain.body
    harmless = {r["operation"] for r in watch.records() if r["effect"] == "allow"}
    assert harmless.isdisjoint({*HIGH, *NEVER})
    assert {BY_NAME[one].risk for one in harmless} <= {RiskClass.READ, RiskClass.CONFIGURE}
    assert all(HIJACK not in one["body"] + one["query"] for one in watch.ledger())


@pytest.fixture
def no_risk_class() -> Iterator[None]:
    """Taking a number down, as if it were any change."""
    operation = BY_NAME["deregister_number"]
    object.__setattr__(operation, "risk", RiskClass.CONFIGURE)
    yield
    object.__setattr__(operation, "risk", RiskClass.HIGH_RISK)


@pytest.mark.usefixtures("no_risk_class")
def test_g11_control_without_the_risk_class_a_number_is_taken_down(
    door: Door, watch: Watch, everything: Key
) -> None:
    target, body = f"/v23.0/{VENTAS}/deregister", {"messaging_product": "whatsapp"}

    assert door.call("POST", target, key=everything, json=body).status == 200
    assert [one["path"] for one in watch.ledger()] == [target]
