"""Whoever holds a leaked key may end it, and learns nothing else."""

import pytest

from gateway.house import House, error_of, text
from portero.gateway import revocation
from portero.store import keys


@pytest.fixture(autouse=True)
def _asks_start_anew(house: House) -> None:
    house.gateway.parts.public._revocation._asks = revocation._Asks()


def test_k09_the_holder_of_a_key_ends_it(house: House) -> None:
    key = house.workspace.key({"send:text": "all"})
    assert house.send(key, text()).status_code == 200

    answer = house.gateway.http.post("/-/keys/revoke", json={"key": key.text})

    assert answer.json() == {"accepted": True}
    assert error_of(house.send(key, text())) == (401, 190, None, "key_revoked")
    [record] = [r for r in house.workspace.records() if r["event"] == "api_key.revoked"]
    assert record["credential"] == str(key.id)


def test_k09_other_keys_get_the_same_answer(house: House) -> None:
    unknown = keys.generate(keys.KeyKind.SERVICE)
    answers = [
        house.gateway.http.post("/-/keys/revoke", json={"key": text})
        for text in (unknown, "ptr_svc_nonsense", "EAAGwhatever", "")
    ]

    assert {a.status_code for a in answers} == {200}
    assert {a.content for a in answers} == {b'{"accepted":true}'}


def test_k09_asking_is_limited_by_address(house: House) -> None:
    body = {"key": "ptr_svc_nonsense"}
    for _ in range(revocation.ASKS_A_MINUTE):
        assert house.gateway.http.post("/-/keys/revoke", json=body).status_code == 200

    refused = house.gateway.http.post("/-/keys/revoke", json=body)
    assert error_of(refused) == (429, 130429, None, "rate_limited")
