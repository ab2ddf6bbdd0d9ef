"""Lists show exactly what a caller may read one by one, and count nothing else."""

from typing import Any

from gateway.house import SOPORTE, VENTAS, WABA, House, Key, error_of


def listed(house: House, key: Key, path: str, **params: Any) -> dict[str, Any]:
    answer = house.gateway.http.get(f"/v23.0/{path}", params=params, headers=key.headers)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_key_for_one_number_lists_that_number(house: House) -> None:
    key = house.workspace.key({"number:read": "all"}, scope={"numbers": [SOPORTE]})

    rows = listed(house, key, f"{WABA}/phone_numbers")["data"]

    assert [row["id"] for row in rows] == [SOPORTE]
    one_by_one = [
        number
        for number in (VENTAS, SOPORTE)
        if house.gateway.http.get(f"/v23.0/{number}", headers=key.headers).status_code == 200
    ]
    assert one_by_one == [SOPORTE]


def test_a_key_for_a_template_set_lists_and_counts_that_set(house: House) -> None:
    only = house.workspace.template_set("order_update", "hello_world")
    key = house.workspace.key({"template:read": "all"}, scope={"template_sets": [only]})

    answer = listed(house, key, f"{WABA}/message_templates", summary="total_count", limit=3)

    assert {row["name"] for row in answer["data"]} <= {"order_update", "hello_world"}
    assert answer["summary"]["total_count"] == 2


def test_a_key_that_sees_all_is_shown_metas_counts(house: House) -> None:
    key = house.workspace.key({"template:read": "all"})

    answer = listed(house, key, f"{WABA}/message_templates", summary="total_count", limit=2)

    assert len(answer["data"]) == 2
    assert answer["summary"]["total_count"] == 5
    assert house.gateway.url in answer["paging"]["next"]
    assert "access_token" not in answer["paging"]["next"]


def test_a_key_that_sees_nothing_is_refused(house: House) -> None:
    key = house.workspace.key({"number:read": "all"}, scope={"numbers": []})

    answer = house.gateway.http.get(f"/v23.0/{WABA}/phone_numbers", headers=key.headers)

    assert error_of(answer) == (403, 10, None, "outside_scope")
    assert house.sandbox.ledger() == []


def test_the_next_link_leads_to_the_next_page_with_the_same_key(house: House) -> None:
    key = house.workspace.key({"template:read": "all"})
    page = listed(house, key, f"{WABA}/message_templates", limit=2)
    names = [row["name"] for row in page["data"]]

    while "next" in page.get("paging", {}):
        page = house.gateway.http.get(page["paging"]["next"], headers=key.headers).json()
        names += [row["name"] for row in page["data"]]

    assert len(names) == len(set(names)) == 5
