"""G07: what `fields=` reaches is decided, and shown, as if it had been asked for on its own path."""

from __future__ import annotations

import random
from collections.abc import Mapping
from importlib import import_module
from typing import Any
from urllib.parse import quote

import pytest

from abuse.bindings import bind
from abuse.door import Answer, Door
from abuse.neighbour import CANARIES, NEIGHBOUR_NUMBER, NEIGHBOUR_WABA, Neighbour
from abuse.watch import Watch
from gateway.house import BUSINESS, SOPORTE, VENTAS, WABA, House, Key, text
from portero.graphapi.nodes import NODES
from portero.graphapi.operations import BY_NAME
from portero.graphapi.refusals import REASONS

_RANGE = {"start": "1790000000", "end": "1790086400"}
# What an edge must be told, whichever way it is asked for.
_NEEDED: Mapping[str, Mapping[str, str]] = {
    "conversation_analytics": {**_RANGE, "granularity": "DAILY"},
    "pricing_analytics": {**_RANGE, "granularity": "DAILY"},
    "call_analytics": {**_RANGE, "granularity": "DAILY"},
    "group_analytics": {**_RANGE, "granularity": "DAILY"},
    "template_analytics": {**_RANGE, "granularity": "daily", "template_ids": "[100000000000201]"},
    "template_group_analytics": {**_RANGE, "granularity": "daily", "template_group_ids": "[1]"},
    "assigned_users": {"business": BUSINESS},
}
_NODES = {"waba": WABA, "number": VENTAS, "business": BUSINESS}


def plainly(door: Door, key: Key, node: str, edge: str, said: Mapping[str, str]) -> Answer:
    query = "&".join(f"{name}={quote(value)}" for name, value in said.items())
    segment = BY_NAME[NODES[node].edges[edge]].segments[-1]
    return door.call("GET", f"/v23.0/{_NODES[node]}/{segment}?{query}", key=key)


def expanded(door: Door, key: Key, node: str, edge: str, said: Mapping[str, str]) -> Answer:
    modifiers = "".join(f".{name}({value})" for name, value in said.items())
    return door.call("GET", f"/v23.0/{_NODES[node]}?fields={quote(f'{edge}{modifiers}')}", key=key)


def allows(answer: Answer) -> bool:
    """Whether we let it through; what Meta then says of it is Meta's business."""
    return answer.status == 200 or answer.reason not in REASONS


def needs_of(node: str, edge: str) -> list[str]:
    return [*BY_NAME[NODES[node].edges[edge]].permissions]


EDGES = [(node, edge) for node in _NODES for edge in NODES[node].edges]


@pytest.mark.parametrize(("node", "edge"), EDGES)
def test_g07_an_edge_is_decided_as_on_its_own_path(
    door: Door, house: House, node: str, edge: str
) -> None:
    own = f"{node}:read"
    needs = needs_of(node, edge)
    cast = [
        house.workspace.key({own: "all"}),
        house.workspace.key(dict.fromkeys(needs, "all")),
        house.workspace.key({own: "all", **dict.fromkeys(needs, "all")}),
        house.workspace.key({own: "all", **dict.fromkeys(needs, "all")}, scope={"numbers": [VENTAS]}),
        house.workspace.key({own: "all", **dict.fromkeys(needs, "all")}, scope={"wabas": [WABA]}),
        house.workspace.key({own: "all", **dict.fromkeys(needs, "all")}, scope={"wabas": ["1"]}),
    ]  # fmt: skip
    said = _NEEDED.get(edge, {})
    for number, key in enumerate(cast):
        alone = allows(door.call("GET", f"/v23.0/{_NODES[node]}", key=key))
        on_its_path = allows(plainly(door, key, node, edge, said))

        through_the_node = allows(expanded(door, key, node, edge, said))

        assert through_the_node == (alone and on_its_path), (number, needs)


def test_g07_the_cost_behind_a_modifier_needs_its_permission(door: Door, house: House) -> None:
    reporter = house.workspace.key(
        {"waba:read": "all", "report:read_delivery": "all", "template:read_analytics": "all"}
    )
    said = _NEEDED["call_analytics"]
    for metrics, wanted in (
        ("[COUNT]", True),
        ("[COST]", False),
        ("[cost]", False),
        ("[]", False),
        (None, False),
    ):
        told = {**said, **({"metric_types": metrics} if metrics else {})}
        assert allows(plainly(door, reporter, "waba", "call_analytics", told)) is wanted
        assert allows(expanded(door, reporter, "waba", "call_analytics", told)) is wanted


_ROWS = {"phone_numbers": "id", "message_templates": "id"}


@pytest.mark.parametrize("edge", _ROWS)
def test_g07_an_edge_shows_no_row_that_its_own_path_hides(
    door: Door, house: House, watch: Watch, edge: str
) -> None:
    sets = [house.workspace.template_set("order_update")]
    [need] = needs_of("waba", edge)
    for scope in ({}, {"numbers": [VENTAS]}, {"template_sets": sets}, {"numbers": []}):
        key = house.workspace.key({"waba:read": "all"})
        bind(house.workspace, key, {need: "all"}, scope=scope)

        alone = _ids(plainly(door, key, "waba", edge, {}).json.get("data"))
        inside = expanded(door, key, "waba", edge, {}).json.get(edge, {}).get("data")

        assert _ids(inside) <= alone
        assert not scope or alone < {VENTAS, SOPORTE, *_template_ids()}
        assert scope or _ids(inside) == alone != set()


def _template_ids() -> set[str]:
    return {f"10000000000020{n}" for n in range(1, 6)}


def _ids(rows: Any) -> set[str]:
    return {row["id"] for row in rows or ()}


_OWNED = "owned_whatsapp_business_accounts"
_NUMBERS = "phone_numbers{id,verified_name,display_phone_number}"
_THROUGH_THE_PORTFOLIO = (
    f"?fields={_OWNED}{{id,name,{_NUMBERS},message_templates{{id,name}}}}",
    f"?fields={_OWNED}.limit(100){{{_NUMBERS}}}",
    f"?fields={_OWNED}",
    f"/{_OWNED}?fields=id,name,{_NUMBERS}",
    f"/{_OWNED}?fields=message_templates{{name}}",
    f"/{_OWNED}",
)


@pytest.mark.parametrize("target", _THROUGH_THE_PORTFOLIO)
def test_g07_the_way_round_through_the_portfolio_shows_no_account_of_others(
    door: Door, watch: Watch, everything: Key, neighbour: Neighbour, target: str
) -> None:
    watch.workspaces.append(neighbour.workspace)
    watch.foreign += CANARIES
    straight = door.call("GET", f"/v23.0/{NEIGHBOUR_WABA}/phone_numbers", key=everything)
    assert straight.reason == "id_unknown"

    answer = door.call("GET", f"/v23.0/{BUSINESS}{target}", key=everything)

    assert answer.status == 200, answer.body
    assert NEIGHBOUR_WABA not in answer.body.decode()
    assert WABA in answer.body.decode()
    # Nor has the look made the neighbour's number one of ours.
    assert door.send(everything, text(), NEIGHBOUR_NUMBER).reason == "id_unknown"


_MALFORMED = (
    ",", "id,", ",id", "id,,name", "id name", "id;name", "id{", "id}", "id{}", "phone_numbers{",
    "phone_numbers{}", "phone_numbers{id", "phone_numbers{id}}", "phone_numbers{{id}}",
    "phone_numbers.limit", "phone_numbers.limit(", "phone_numbers.limit(1", "phone_numbers.limit()",
    "phone_numbers.limit(1).limit(2)", "phone_numbers.limit(-1)", "phone_numbers.limit(99999)",
    "phone_numbers.nope(1)", "phone_numbers.limit(1)limit(2)", "phone_numbers..limit(1)",
    "phone_numbers.as(x)", "phone_numbers.access_token(x)", "phone_numbers.method(delete)",
    "phone_numbers.fields(access_token)", "phone_numbers{id,access_token}", "access_token", "*",
    "phone_numbers.limit(1){id}{name}", "phone_numbers{id},phone_numbers{id,username}", "name as x",
    "phone_numbers{whatsapp_business_profile{about}{x}}", "Id", "ID", "PHONE_NUMBERS", "\tid,",
    "phone_numbers{messages}", "messages", "subscribed_apps{access_token}", "id%00", "id'", 'id"',
    "phone_numbers.limit(1)){id}", "phone_numbers.limit((1)", "phone_numbers.after({})",
    "phone_numbers.after(a&access_token=b)", "phone_numbers.after(a)&b", "owner_business{access_token}",
    "phone_numbers{" * 6 + "id" + "}" * 6, ",".join(["id"] * 300), "x" * 5000, "id,\u0456d", "\uff49d",
    "phone_numbers{id.limit(1)}", "name.limit(1)", "name{id}", "phone_numbers@", "phone_numbers:limit(1)",
    "assigned_users.business(100000000000900)", "message_templates.hsm_id(1)",
)  # fmt: skip


@pytest.mark.parametrize("spelling", range(len(_MALFORMED)))
def test_g07_what_the_grammar_does_not_know_is_refused(
    door: Door, watch: Watch, everything: Key, spelling: int
) -> None:
    said = quote(_MALFORMED[spelling], safe="")

    answer = door.call("GET", f"/v23.0/{WABA}?fields={said}", key=everything)

    assert answer.status == 400, answer.body
    assert answer.reason in {"malformed", "id_unknown"}
    assert watch.ledger() == []


def test_g07_random_selections_reach_meta_only_as_we_write_them(
    door: Door, watch: Watch, everything: Key, dice: random.Random
) -> None:
    words = [*NODES["waba"].edges, *list(NODES["waba"].fields)[:8], "id", "access_token", "owner"]
    marks = ["", "", "", "{", "}", ",", ".", "(", ")", ".limit(2)", "{id}", "{id,name}", " ", "\n"]
    for _ in range(150):
        said = "".join(dice.choice(words) + dice.choice(marks) for _ in range(dice.randint(1, 4)))
        door.call("GET", f"/v23.0/{WABA}?fields={quote(said, safe='')}", key=everything)

    for arrived in watch.ledger():
        query = arrived["query"]
        assert "access_token" not in query
        assert "%20" not in query
        assert "%0A" not in query


def test_g07_control_edges_that_need_nothing_are_seen_to_open(
    door: Door, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = house.workspace.key({"waba:read": "all"})
    assert not allows(expanded(door, key, "waba", "message_templates", {}))

    monkeypatch.setattr(import_module("portero.graphapi.parse"), "permissions_of", lambda *_: ())

    assert allows(expanded(door, key, "waba", "message_templates", {}))
