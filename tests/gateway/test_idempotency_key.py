"""`Idempotency-Key`: one effect per key, although Meta offers none."""

from concurrent.futures import ThreadPoolExecutor

from gateway.house import LUCIA, PEDRO, House, error_of, text


def test_the_same_request_gets_the_first_answer(house: House) -> None:
    key = house.workspace.key()
    headers = {"idempotency-key": "order-1"}

    first = house.send(key, text(), headers=headers)
    again = house.send(key, text(), headers=headers)

    assert first.json() == again.json()
    assert again.headers["idempotent-replay"] == "true"
    assert len(house.sandbox.ledger()) == 1


def test_another_request_under_the_same_key_is_refused(house: House) -> None:
    key = house.workspace.key()
    headers = {"idempotency-key": "order-2"}
    house.send(key, text(LUCIA), headers=headers)

    other = house.send(key, text(PEDRO), headers=headers)

    assert error_of(other) == (422, 100, None, "idempotency_key_reused")
    assert len(house.sandbox.ledger()) == 1


def test_twenty_at_once_send_once(house: House) -> None:
    key = house.workspace.key()
    headers = {"idempotency-key": "order-3"}

    with ThreadPoolExecutor(20) as many:
        answers = list(many.map(lambda _: house.send(key, text(), headers=headers), range(20)))

    assert {a.status_code for a in answers} <= {200, 409}
    assert any(a.status_code == 200 for a in answers)
    assert len(house.sandbox.ledger()) == 1


def test_what_meta_refused_may_be_tried_again(house: House) -> None:
    key = house.workspace.key()
    headers = {"idempotency-key": "order-4"}
    error = {
        "error": {"message": "(#130429) Rate limit hit", "type": "OAuthException", "code": 130429}
    }
    house.sandbox.control(
        "faults", {"count": 1, "match": {"method": "POST"}, "status": 400, "body": error}
    )

    first, second = (house.send(key, text(), headers=headers) for _ in range(2))

    assert (first.status_code, second.status_code) == (400, 200)


def test_what_ended_unknown_is_never_sent_again(house: House) -> None:
    key = house.workspace.key()
    headers = {"idempotency-key": "order-5"}
    house.sandbox.control("faults", {"count": 1, "match": {"method": "POST"}, "reset": "after"})

    first, second = (house.send(key, text(), headers=headers) for _ in range(2))

    assert error_of(first) == (504, 2, None, "outcome_unknown")
    assert error_of(second) == (409, 2, None, "idempotency_in_progress")
    assert "may have been sent" in second.json()["error"]["error_data"]["details"]
    house.loop.run(house.gateway.parts.recorder.settled())
    assert len(house.sandbox.ledger()) == 1
    assert house.workspace.records()[-2]["outcome"] == "unknown"


def test_the_caller_gets_its_own_callback_data_back_on_record_only(house: House) -> None:
    key = house.workspace.key()
    sent = house.send(key, text(biz_opaque_callback_data="mine-7"))
    call = next(r for r in reversed(house.workspace.records()) if r["kind"] == "intent")

    [arrived] = house.sandbox.ledger()

    assert sent.status_code == 200
    assert str(call["call_id"]) in arrived["body"]
    assert "mine-7" not in arrived["body"]
    assert call["body"]["callback_data"] == "mine-7"
