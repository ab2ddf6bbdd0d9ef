"""Every refusal has the HTTP status, code and reason of the contract, and says in words which rule."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from gateway.house import (
    LUCIA,
    PEDRO,
    SOPORTE,
    VENTAS,
    WABA,
    House,
    Workspace,
    error_of,
    template,
    text,
)
from portero.store import keys

SEND = {"send:text": "all", "send:template": "all", "template:use_utility": "all"}


def details(answer) -> str:
    return answer.json()["error"]["error_data"]["details"]


def nothing_arrived(house: House) -> bool:
    return house.sandbox.ledger() == []


@pytest.fixture
def workspace(house: House) -> Workspace:
    return house.workspace


def test_no_key_and_what_is_no_key(house: House) -> None:
    url = f"/v23.0/{VENTAS}/messages"
    for headers in (
        {},
        {"authorization": "Bearer EAAGrealMetaToken"},
        {"authorization": "Basic x"},
    ):
        answer = house.gateway.http.post(url, json=text(), headers=headers)
        assert error_of(answer) == (401, 190, None, "key_malformed")
        assert answer.headers["www-authenticate"].startswith("OAuth")
    genuine = house.workspace.key(SEND).text
    for mistyped in (genuine[:-9], genuine[:-1] + ("a" if genuine[-1] != "a" else "b")):
        answer = house.gateway.http.post(
            url, json=text(), headers={"authorization": f"Bearer {mistyped}"}
        )
        assert error_of(answer) == (401, 190, None, "key_malformed")
        assert "cut short or mistyped" in details(answer)
    unknown = keys.generate(keys.KeyKind.SERVICE)
    answer = house.gateway.http.post(
        url, json=text(), headers={"authorization": f"Bearer {unknown}"}
    )
    assert error_of(answer) == (401, 190, None, "key_unknown")
    assert nothing_arrived(house)


def test_an_expired_and_a_revoked_key(house: House, workspace: Workspace) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    expired = workspace.key(SEND, expires_at=yesterday)
    revoked = workspace.key(SEND, revoked_at=yesterday)

    assert error_of(house.send(expired, text())) == (401, 190, 463, "key_expired")
    assert error_of(house.send(revoked, text())) == (401, 190, None, "key_revoked")
    assert nothing_arrived(house)


def test_a_missing_permission_names_it(house: House, workspace: Workspace) -> None:
    key = workspace.key({"send:image": "all"})

    answer = house.send(key, text())

    assert error_of(answer) == (403, 200, None, "permission_missing")
    assert "send:text" in details(answer)
    assert nothing_arrived(house)


def test_outside_the_number_template_or_country(house: House, workspace: Workspace) -> None:
    number = workspace.key(SEND, scope={"numbers": [SOPORTE]})
    country = workspace.key(SEND, scope={"countries": ["MX"]})
    only = workspace.template_set("order_update")
    sets = workspace.key(SEND, scope={"template_sets": [only]})

    for answer, wanted, actual in (
        (house.send(number, text()), SOPORTE, VENTAS),
        (house.send(country, text(PEDRO)), "MX", "ES"),
        (house.send(sets, template("hello_world", "en_US")), "“order_update”", "none"),
    ):
        assert error_of(answer) == (403, 10, None, "outside_scope")
        assert wanted in details(answer)
        assert actual in details(answer)
    assert nothing_arrived(house)
    assert house.send(sets, template()).status_code == 200
    assert house.send(country, text(LUCIA)).status_code == 200


def test_outside_its_hours(house: House, workspace: Workspace) -> None:
    local = datetime.now(ZoneInfo("America/Mexico_City"))
    opens = (local.hour * 60 + local.minute + 120) % 1440
    window = {"days": list(range(7)), "start": opens, "end": (opens + 60) % 1440}
    key = workspace.key(SEND, conditions={"hours": [window]})

    answer = house.send(key, text())

    assert error_of(answer) == (403, 10, None, "outside_hours")
    assert f"{opens // 60:02}:{opens % 60:02}" in details(answer)
    assert nothing_arrived(house)


def test_from_another_network(house: House, workspace: Workspace) -> None:
    elsewhere = workspace.key(SEND, conditions={"networks": ["10.20.0.0/16"]})
    here = workspace.key(SEND, key_conditions={"networks": ["127.0.0.0/8"]})

    answer = house.send(elsewhere, text())

    assert error_of(answer) == (403, 10, None, "outside_network")
    assert "10.20.0.0/16" in details(answer)
    assert "127.0.0.1" in details(answer)
    assert nothing_arrived(house)
    assert house.send(here, text()).status_code == 200


def test_what_needs_a_fresh_factor_no_key_can_do(house: House, workspace: Workspace) -> None:
    key = workspace.key(SEND, conditions={"fresh_factor_s": 300})

    assert error_of(house.send(key, text())) == (403, 10, None, "factor_needed")


def test_a_binding_that_has_ended(house: House, workspace: Workspace) -> None:
    key = workspace.key(SEND, until=datetime.now(UTC) - timedelta(minutes=1))

    assert error_of(house.send(key, text())) == (403, 10, None, "binding_expired")


def test_over_its_rate(house: House, workspace: Workspace) -> None:
    key = workspace.key(SEND)
    workspace.limit("requests", "second", 1, holder_kind="key", holder=key.id)

    first, second = house.send(key, text()), house.send(key, text())

    assert first.status_code == 200
    assert error_of(second) == (429, 130429, None, "rate_limited")
    assert "1 requests a second of this key" in details(second)
    assert second.headers["retry-after"] == "1"
    assert len(house.sandbox.ledger()) == 1


def test_over_its_day(house: House, workspace: Workspace) -> None:
    key = workspace.key(SEND)
    workspace.limit("messages", "day", 2, holder_kind="key", holder=key.id)

    answers = [house.send(key, text()) for _ in range(3)]

    assert [a.status_code for a in answers] == [200, 200, 429]
    assert error_of(answers[2]) == (429, 80007, None, "day_limit")
    assert "2 messages a day of this key" in details(answers[2])
    assert len(house.sandbox.ledger()) == 2


def test_over_its_distinct_recipients(house: House, workspace: Workspace) -> None:
    key = workspace.key(SEND)
    workspace.limit("recipients", "day", 1, holder_kind="principal", holder=key.account)

    assert house.send(key, text("525512345678")).status_code == 200
    # The same customer under the twin of the number, then somebody else.
    assert house.send(key, text("+52 1 55 1234 5678")).status_code == 200
    refused = house.send(key, text(PEDRO))

    assert error_of(refused) == (429, 80007, None, "day_limit")
    assert "1 distinct recipients a day of this service account" in details(refused)


def test_an_id_of_nobody_of_another_kind_or_in_no_place(house: House, workspace: Workspace) -> None:
    key = workspace.key()
    http = house.gateway.http

    for method, path in (
        ("GET", "/v23.0/999999999999999"),
        ("GET", f"/v23.0/{VENTAS}/message_templates"),
        ("POST", f"/v23.0/{WABA}/messages"),
        ("DELETE", f"/v23.0/{VENTAS}"),
    ):
        answer = http.request(method, path, headers=key.headers)
        status, code, _, reason = error_of(answer)
        assert (status, code) == (400, 100), path
        assert reason in {"id_unknown", "never_offered"}, path
    image = {
        "messaging_product": "whatsapp",
        "to": LUCIA,
        "type": "image",
        "image": {"id": "123456"},
    }
    assert error_of(house.send(key, image)) == (400, 100, 33, "id_unknown")
    assert nothing_arrived(house)


def test_malformed_and_never_offered(house: House, workspace: Workspace) -> None:
    key = workspace.key()
    both = {**text(), "status": "read", "message_id": "wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI5"}

    assert error_of(house.send(key, {"to": LUCIA})) == (400, 100, None, "malformed")
    assert error_of(house.send(key, both)) == (400, 100, None, "malformed")
    batch = house.gateway.http.post("/", data={"batch": "[]"}, headers=key.headers)
    assert error_of(batch) == (400, 100, None, "never_offered")
    assert nothing_arrived(house)


def test_a_guardrail_takes_away_whoever_asks(house: House, workspace: Workspace) -> None:
    key = workspace.key(SEND)
    rule = {"permissions": ["send:*"], "principals": [str(key.account)]}
    workspace.guardrail("templates_only", rule, name="Only approved content")

    refused = house.send(key, text())

    assert error_of(refused) == (403, 368, None, "blocked_by_guardrail")
    assert "Only approved content" in details(refused)
    assert nothing_arrived(house)
    assert house.send(key, template()).status_code == 200


def test_what_nothing_can_show_yet_is_not_met(house: House, workspace: Workspace) -> None:
    key = workspace.key(SEND)
    rule = {"permissions": ["send:text"], "principals": [str(key.account)]}
    workspace.guardrail("require_consent", rule)

    assert error_of(house.send(key, text())) == (403, 368, None, "requirement_consent")
    assert nothing_arrived(house)


CATEGORIES = {
    "UTILITY": "template:use_utility",
    "MARKETING": "template:use_marketing",
    "AUTHENTICATION": "template:use_authentication",
}


def set_category(house: House, template: str, category: str) -> None:
    with psycopg.connect(house.database.dsn("superuser")) as db:
        db.execute(
            "UPDATE resource SET attributes = attributes || jsonb_build_object('category', %s::text)"
            " WHERE attributes->>'name' = %s",
            [category, template],
        )


@pytest.fixture
def category(house: House, request: pytest.FixtureRequest) -> Iterator[str]:
    """What the registry says of `hello_world` for one test."""
    set_category(house, "hello_world", request.param)
    yield request.param
    set_category(house, "hello_world", "UTILITY")


@pytest.mark.parametrize("category", CATEGORIES, indirect=True)
def test_each_category_of_template_needs_its_own_permission(
    house: House, workspace: Workspace, category: str
) -> None:
    others = set(CATEGORIES.values()) - {CATEGORIES[category]}
    without = workspace.key({"send:template": "all", **dict.fromkeys(others, "all")})
    having = workspace.key({"send:template": "all", CATEGORIES[category]: "all"})

    refused = house.send(without, template("hello_world", "en_US"))

    assert error_of(refused) == (403, 200, None, "permission_missing")
    assert CATEGORIES[category] in details(refused)
    assert nothing_arrived(house)
    assert house.send(having, template("hello_world", "en_US")).status_code == 200


@pytest.mark.parametrize("category", ["SERVICE"], indirect=True)
@pytest.mark.parametrize("missing", CATEGORIES.values())
def test_a_category_that_nobody_knows_may_be_any_of_them(
    house: House, workspace: Workspace, category: str, missing: str
) -> None:
    others = dict.fromkeys(set(CATEGORIES.values()) - {missing}, "all")
    without = workspace.key({"send:template": "all", **others})
    having = workspace.key({"send:template": "all", **others, missing: "all"})

    refused = house.send(without, template("hello_world", "en_US"))

    assert error_of(refused) == (403, 200, None, "permission_missing")
    assert nothing_arrived(house)
    assert house.send(having, template("hello_world", "en_US")).status_code == 200


def test_high_risk_operations_are_not_for_keys(house: House, workspace: Workspace) -> None:
    key = workspace.key()

    answer = house.gateway.http.post(
        f"/v23.0/{VENTAS}/register",
        json={"messaging_product": "whatsapp", "pin": "123456"},
        headers=key.headers,
    )

    assert error_of(answer) == (403, 368, None, "requirement_second_person")
    assert nothing_arrived(house)


def test_a_template_made_elsewhere_is_learned_before_it_is_sent(
    house: House, workspace: Workspace
) -> None:
    key = workspace.key(SEND)
    house.sandbox.http.post(
        f"/v23.0/{WABA}/message_templates",
        json={
            "name": "made_elsewhere",
            "language": "es_MX",
            "category": "UTILITY",
            "components": [{"type": "BODY", "text": "Hola, gracias por su compra."}],
        },
        headers={"authorization": "Bearer EAAGsandboxtokenCANARY7d1f0c9ab2e4"},
    )

    assert house.send(key, template("made_elsewhere")).status_code == 200
    missing = house.send(key, template("never_made"))
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, 132001)


def test_every_refusal_with_a_key_is_on_record(house: House, workspace: Workspace) -> None:
    key = workspace.key({"send:image": "all"})
    call = house.send(key, text()).json()["error"]["fbtrace_id"]

    [record] = [r for r in workspace.records() if str(r["call_id"]) == call]

    assert (record["effect"], record["reason"]) == ("deny", "permission_missing")
    assert record["credential"] == str(key.id)
    assert "send:text" in record["body"]["sentence"]


def test_errors_have_metas_shape_and_nothing_is_cached(house: House, workspace: Workspace) -> None:
    answer = house.send(workspace.key({}), text())
    error = answer.json()["error"]

    assert set(error) == {"message", "type", "code", "error_data", "fbtrace_id"}
    assert answer.headers["cache-control"] == "no-store"
    assert len(error["fbtrace_id"]) == 36


def test_g35_an_id_that_is_known_as_two_things_is_neither(
    house: House, workspace: Workspace
) -> None:
    key = workspace.key()
    with psycopg.connect(house.database.dsn("superuser")) as db:
        for kind in ("media", "flow"):
            workspace.register(db, kind, "100000000000777", parent=WABA, number=VENTAS)

    for method in ("GET", "DELETE"):
        answer = house.gateway.http.request(method, "/v23.0/100000000000777", headers=key.headers)
        assert error_of(answer) == (400, 100, 33, "id_unknown")
    assert nothing_arrived(house)
