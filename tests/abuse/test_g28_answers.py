"""G28, G37: what Meta's answers tell too much, what they did all the same, what they claim falsely."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from abuse.door import Answer, Door
from abuse.watch import Watch
from gateway.house import (
    APP_ID,
    APP_SECRET,
    LUCIA,
    META_TOKEN,
    PEDRO,
    VENTAS,
    WABA,
    House,
    Key,
    text,
)
from portero.gateway import answering
from portero.graphapi.errors import GraphError

USER_ID = "122100000000777"

Dress = Callable[[str], str]
DRESSES: dict[str, Dress] = {
    "plain": lambda s: s,
    "in a sentence": lambda s: f"Error validating access token {s}.",
    "in a link": lambda s: f"see https://graph.facebook.com/v23.0/me?access_token={s}&x=1",
    "in an escaped link": lambda s: quote(f"https://graph.facebook.com/me?access_token={s}", safe=""),
    "escaped": lambda s: "".join(f"%{b:02x}" for b in s.encode()),
    "escaped twice": lambda s: quote(quote(s, safe="").replace("-", "%2D"), safe=""),
    "in base64": lambda s: base64.b64encode(f"token={s}".encode()).decode(),
    "in base64 for links": lambda s: base64.urlsafe_b64encode(f"{{{s}}}".encode()).decode(),
    "in hex": lambda s: s.encode().hex(),
    "in capital hex": lambda s: s.encode().hex().upper(),
    "in JSON": lambda s: json.dumps({"token": s}),
    "in JSON in JSON": lambda s: json.dumps(json.dumps({"t": "".join(f"\\u{ord(c):04x}" for c in s)})),
    "as code points": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "as an app token": lambda s: f"{APP_ID}|{s}",
    "glued": lambda s: f"x{s}x",
    "in a header's words": lambda s: f"Bearer {s}",
}  # fmt: skip
SECRETS = {"the token": META_TOKEN, "the app secret": APP_SECRET}

# Where an error has room for text.
PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "message": lambda t: {"message": t, "code": 100},
    "details": lambda t: {"message": "x", "code": 131000, "error_data": {"details": t}},
    "data as text": lambda t: {"message": "x", "code": 100, "error_data": t},
    "title": lambda t: {"message": "x", "code": 100, "error_user_title": t},
    "advice": lambda t: {"message": "x", "code": 100, "error_user_msg": t},
    "type": lambda t: {"message": "x", "code": 100, "type": t},
    "trace": lambda t: {"message": "x", "code": 100, "fbtrace_id": t},
    "elsewhere": lambda t: {"message": "x", "code": 100, "debug": {"a": [t]}, t: t, "www": t},
    "code": lambda t: {"message": "x", "code": t, "error_subcode": t},
}


@pytest.mark.parametrize("place", PLACES)
def test_g28_no_error_of_metas_shows_a_secret_in_any_dress(
    door: Door, house: House, watch: Watch, everything: Key, place: str
) -> None:
    watch.may_fail = True  # what cannot be cleaned is withheld
    for dress in DRESSES.values():
        for secret in SECRETS.values():
            error = PLACES[place](dress(secret))
            house.sandbox.control("faults", {"status": 400, "body": {"error": error}})
            assert door.send(everything, text(), VENTAS).status >= 400

    assert all(r["outcome"] for r in watch.records() if r["kind"] == "outcome")


_INTERNALS = (
    (f"Application {APP_ID} has no access", APP_ID),
    (f"(#200) App_id: {APP_ID} needs the permission", APP_ID),
    (f"app ID '{APP_ID}'", APP_ID),
    (json.dumps({"app_id": APP_ID}), APP_ID),
    (json.dumps(json.dumps({"appId": APP_ID})), APP_ID),
    (f"The app (id {APP_ID}) is in development mode", APP_ID),
    (f"Application with ID {APP_ID} does not exist", APP_ID),
    (f"User {USER_ID} has not authorized application {APP_ID}", APP_ID),
    (f"User {USER_ID} does not have permission", USER_ID),
    (f"The system user with id {USER_ID} has no task", USER_ID),
    (json.dumps({"system_user_id": USER_ID}), USER_ID),
    ("see http://10.1.2.3:8080/trace?x=1", "10.1.2.3"),
    ("at https://internal.facebook.com/intern/bug", "intern"),
)


@pytest.mark.parametrize("number", range(len(_INTERNALS)))
def test_g28_the_identity_that_calls_meta_is_not_told_by_its_errors(
    door: Door, house: House, watch: Watch, everything: Key, number: int
) -> None:
    said, hidden = _INTERNALS[number]
    for place in ("message", "details", "title", "advice"):
        house.sandbox.control("faults", {"status": 400, "body": {"error": PLACES[place](said)}})
        answer = door.send(everything, text(), VENTAS)
        assert hidden not in answer.body.decode(), place
        assert hidden not in repr(answer.headers), place

    assert all(hidden not in str(r["body"]) for r in watch.records())


def test_g28_what_a_caller_needs_of_an_error_is_left(
    door: Door, house: House, everything: Key
) -> None:
    error = {
        "message": f"(#131009) Parameter value is not valid: to {LUCIA}",
        "type": "OAuthException",
        "code": 131009,
        "error_subcode": 2494010,
        "error_data": {"messaging_product": "whatsapp", "details": f"number {VENTAS}, 24 hours"},
        "fbtrace_id": "Az8or2yhqkZfEZ",
    }
    house.sandbox.control("faults", {"status": 400, "body": {"error": error}})

    told = door.send(everything, text(), VENTAS).error

    assert (told["message"], told["code"], told["error_subcode"]) == (
        error["message"], 131009, 2494010,
    )  # fmt: skip
    assert told["error_data"]["details"] == f"number {VENTAS}, 24 hours"
    assert told["fbtrace_id"] != "Az8or2yhqkZfEZ"


_SHAPES: tuple[Any, ...] = (
    "", "x", "<html>EAAG</html>", [], {}, {"error": None}, {"error": "x"}, {"error": []}, {"error": {}},
    {"error": {"code": None}}, {"error": {"code": True}}, {"error": {"code": "190"}},
    {"error": {"code": 10**30}}, {"error": {"code": 100, "message": {"a": 1}}},
    {"error": {"code": 100, "error_data": [1]}}, {"error": {"code": 100, "message": "x" * 100_000}},
    {"error": {"code": -1, "message": "\r\nSet-Cookie: a=b"}}, {"errors": [{"code": 1}]},
    {"error": {"code": 100, "message": "é\u202e👍"}}, [{"error": {"code": 1}}], 7, None, True,
)  # fmt: skip


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500, 503, 599])
def test_g28_an_error_of_any_shape_becomes_one_of_ours(
    door: Door, house: House, watch: Watch, everything: Key, status: int
) -> None:
    watch.may_fail = True
    for shape in _SHAPES:
        for ask in (_send, _read):
            house.sandbox.control("faults", {"status": status, "body": shape})
            answer = ask(door, everything)
            assert isinstance(answer.json, dict)
            assert answer.header("set-cookie") is None
            if status >= 400:
                assert answer.status >= 400
                assert len(answer.body) < 5000


def _send(door: Door, key: Key) -> Answer:
    return door.send(key, text(), VENTAS)


def _read(door: Door, key: Key) -> Answer:
    return door.call("GET", f"/v23.0/{WABA}/phone_numbers", key=key)


def test_g28_a_broken_credential_is_ours_to_mend_and_nobody_elses_to_see(
    door: Door, house: House, watch: Watch, everything: Key
) -> None:
    watch.may_fail = True
    for code, subcode in ((190, None), (190, 463), (102, None), (104, None), (1, None)):
        error = {"message": "Error validating access token", "code": code, "error_subcode": subcode}
        house.sandbox.control("faults", {"status": 401, "body": {"error": error}})
        answer = _send(door, everything)
        # A client must not throw its good key away because ours at Meta is broken.
        assert answer.verdict == (503, 2, None, "unavailable")


_CLAIMS = (
    {"error": {"message": "(#131047) Re-engagement message", "code": 131047}},
    {"error": {"message": "x", "code": 1}, "messages": [{"id": "wamid.AAAAAAAA"}]},
    {"success": False, "error": {"code": 100, "message": "no"}},
)


@pytest.mark.parametrize("number", range(len(_CLAIMS)))
def test_g28_an_error_under_a_good_status_is_no_success(
    door: Door, house: House, watch: Watch, everything: Key, number: int
) -> None:
    watch.may_fail = True
    house.sandbox.control("faults", {"status": 200, "body": _CLAIMS[number]})

    answer = _send(door, everything)

    assert answer.status >= 400
    assert [r["outcome"] for r in watch.records() if r["kind"] == "outcome"] == ["failed"]


@pytest.mark.parametrize("status", [200, 400])
def test_g28_what_was_withheld_is_not_had_by_asking_again(
    door: Door, house: House, watch: Watch, everything: Key, status: int
) -> None:
    watch.may_fail = True
    again = [("Idempotency-Key", f"again-{status}")]
    body = {"name": "clean", "language": "es_MX", "category": "UTILITY", "components": []}
    done = {"id": "100000000000777", "status": APP_SECRET, "category": "UTILITY"}
    told = done if status == 200 else {"error": {"message": APP_SECRET, "code": 100}}
    target = f"/v23.0/{WABA}/message_templates"
    house.sandbox.control("faults", {"status": status, "body": told, "count": 2})

    answers = [
        door.call("POST", target, key=everything, json=body, headers=again) for _ in range(2)
    ]

    assert [a.reason for a in answers] == ["answer_withheld", "answer_withheld"]
    # What was done is not done again; what Meta refused may be tried once more.
    assert len(watch.ledger()) == (1 if status == 200 else 2)


def _blocking(*users: str) -> dict[str, Any]:
    return {"messaging_product": "whatsapp", "block_users": [{"user": f"+{u}"} for u in users]}


_STRANGER = "5491155556666"


@pytest.mark.parametrize(
    ("method", "users", "outcome"),
    [
        ("POST", (LUCIA, PEDRO), "done"),
        ("POST", (LUCIA, _STRANGER), "partial"),
        ("POST", (_STRANGER,), "failed"),
        ("DELETE", (_STRANGER,), "failed"),
    ],
)
def test_g37_who_was_served_and_who_was_not_is_told_and_recorded(
    door: Door,
    house: House,
    watch: Watch,
    everything: Key,
    method: str,
    users: tuple[str, ...],
    outcome: str,
) -> None:
    answer = door.call(
        method, f"/v23.0/{VENTAS}/block_users", key=everything, json=_blocking(*users)
    )

    [recorded] = [r for r in watch.records() if r["kind"] == "outcome"]
    assert recorded["outcome"] == outcome
    told = answer.json["block_users"]
    done = told.get("added_users", []) + told.get("removed_users", [])
    assert {one["input"] for one in done + told.get("failed_users", [])} == {f"+{u}" for u in users}
    assert len(done) == {"done": 2, "partial": 1, "failed": 0}[outcome]
    if outcome != "done":
        assert (answer.status, answer.error["code"]) == (400, 139100)
        assert recorded["body"]["effects"]["block_users"] == told


def test_g37_what_was_done_in_part_is_not_done_again(
    door: Door, watch: Watch, everything: Key
) -> None:
    again = [("Idempotency-Key", "in-part")]
    target, body = f"/v23.0/{VENTAS}/block_users", _blocking(LUCIA, _STRANGER)

    first, second = (
        door.call("POST", target, key=everything, json=body, headers=again) for _ in range(2)
    )

    assert second.json["block_users"] == first.json["block_users"]
    assert len(watch.ledger()) == 1


def test_g37_an_error_has_no_second_half_where_none_belongs(
    door: Door, house: House, watch: Watch, everything: Key
) -> None:
    error = {"error": {"message": "x", "code": 100}}
    house.sandbox.control(
        "faults", {"status": 400, "body": {**error, "data": [{"id": VENTAS, "verified_name": "x"}]}}
    )
    listed = _read(door, everything)
    house.sandbox.control(
        "faults", {"status": 400, "body": {**error, "success": True, "messages": [1]}}
    )
    sent = _send(door, everything)

    assert set(listed.json) == set(sent.json) == {"error"}
    assert [r["outcome"] for r in watch.records() if r["kind"] == "outcome"] == ["failed", "failed"]


def test_g28_control_an_error_passed_on_is_seen_to_show_the_token(
    door: Door, house: House, watch: Watch, everything: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "find_secret", lambda *_: False)
    monkeypatch.setattr(
        answering,
        "rebuild_error",
        lambda status, payload: GraphError(
            http=status, code=1, message=payload["error"]["message"]
        ),
    )
    error = {"message": f"bad {META_TOKEN}", "code": 100}
    house.sandbox.control("faults", {"status": 400, "body": {"error": error}})

    _send(door, everything)

    assert any("answer shows EAAG" in seen for seen in watch.expect_violations())


def test_g37_control_an_outcome_by_status_alone_is_seen_to_hide_the_effect(
    door: Door, watch: Watch, everything: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "_IN_PARTS", frozenset())

    answer = door.call(
        "POST", f"/v23.0/{VENTAS}/block_users", key=everything, json=_blocking(LUCIA, _STRANGER)
    )

    assert set(answer.json) == {"error"}
    assert [r["outcome"] for r in watch.records() if r["kind"] == "outcome"] == ["failed"]
