"""G08: Graph's paging links carry the real token; ours carry nothing, and are decided like any call."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from abuse.bindings import bind
from abuse.door import Answer, Door
from abuse.watch import Watch
from gateway.house import META_TOKEN, SOPORTE, VENTAS, WABA, House, Key
from portero.graphapi import answers

TEMPLATES = f"/v23.0/{WABA}/message_templates"


def follow(door: Door, house: House, link: str, key: Key) -> Answer:
    """The link as a client follows it: to its host, verbatim, with the client's key in the header."""
    assert link.startswith(house.settings.public_url + "/")
    return door.call("GET", link.removeprefix(house.settings.public_url), key=key)


def pages(door: Door, house: House, key: Key, start: str, direction: str) -> list[Answer]:
    """From a page to the end of the list."""
    found = [door.call("GET", start, key=key)]
    while (link := found[-1].json["paging"].get(direction)) and len(found) < 20:
        found.append(follow(door, house, link, key))
    return found


def names(answer: Answer) -> list[str]:
    return [row["name"] for row in answer.json["data"]]


def test_g08_control_what_comes_from_meta_has_the_token_in_it(house: House, watch: Watch) -> None:
    watch.is_over = True  # asked straight, so of course without a record
    answer = house.sandbox.http.get(
        f"{TEMPLATES}?limit=1", headers={"authorization": f"Bearer {META_TOKEN}"}
    )

    assert f"access_token={META_TOKEN}" in answer.json()["paging"]["next"]


@pytest.mark.parametrize("version", ["", "/v14.0", "/v23.0"])
def test_g08_our_links_lead_through_the_whole_list_with_the_same_key(
    door: Door, house: House, watch: Watch, version: str
) -> None:
    reader = house.workspace.key({"template:read": "all"})
    start = f"{version}/{WABA}/message_templates?limit=2&fields=name,language&status=APPROVED"

    forth = pages(door, house, reader, start, "next")
    last = forth[-1].json["paging"]["previous"]
    back = follow(door, house, last, reader)

    assert [len(names(page)) for page in forth] == [2, 1]
    assert [n for page in forth for n in names(page)] == [
        "order_update",
        "hello_world",
        "summer_sale",
    ]
    assert names(back) == names(forth[0])
    for link in (forth[0].json["paging"]["next"], last):
        parts = urlsplit(link)
        assert parts.path == f"{version}/{WABA}/message_templates"
        assert set(parse_qs(parts.query)) <= {"limit", "fields", "status", "after", "before"}


def test_g08_another_keys_link_opens_nothing_more(door: Door, house: House, watch: Watch) -> None:
    reader = house.workspace.key({"template:read": "all"})
    sets = [house.workspace.template_set("hello_world")]
    narrow = house.workspace.key({"template:read": "all"}, scope={"template_sets": sets})
    stranger = house.workspace.key({"send:text": "all"})
    link = door.call("GET", f"{TEMPLATES}?limit=1", key=reader).json["paging"]["next"]
    before = len(watch.ledger())

    assert names(follow(door, house, link, reader)) == ["hello_world"]
    assert names(follow(door, house, link, narrow)) == ["hello_world"]
    assert follow(door, house, link, stranger).verdict == (403, 200, None, "permission_missing")
    nobody = door.call("GET", link.removeprefix(house.settings.public_url))
    assert nobody.verdict == (401, 190, None, "key_malformed")
    assert len(watch.ledger()) == before + 2


@pytest.mark.parametrize("edge", ["phone_numbers", "message_templates"])
def test_g08_a_key_that_sees_some_rows_sees_those_on_every_page(
    door: Door, house: House, edge: str
) -> None:
    sets = [house.workspace.template_set("summer_sale", "too_loud")]
    cells = {"number:read": "all", "template:read": "all"}
    narrow = house.workspace.key({"number:read": "all"}, scope={"numbers": [SOPORTE]})
    bind(house.workspace, narrow, {"template:read": "all"}, scope={"template_sets": sets})
    everyone = house.workspace.key(cells)
    start = f"/v23.0/{WABA}/{edge}?limit=1"

    seen = [r["id"] for p in pages(door, house, narrow, start, "next") for r in p.json["data"]]
    whole = [r["id"] for p in pages(door, house, everyone, start, "next") for r in p.json["data"]]

    wanted = {
        "phone_numbers": [SOPORTE],
        "message_templates": ["100000000000203", "100000000000205"],
    }[edge]
    assert seen == wanted
    assert len(whole) == {"phone_numbers": 2, "message_templates": 5}[edge]
    assert VENTAS not in seen


def test_g08_links_inside_an_expanded_edge_are_gone(door: Door, everything: Key) -> None:
    answer = door.call(
        "GET",
        f"/v23.0/{WABA}?fields=message_templates.limit(1),phone_numbers.limit(1)",
        key=everything,
    )

    for edge in ("message_templates", "phone_numbers"):
        assert set(answer.json[edge]["paging"]) == {"cursors"}


_CURSORS = (
    "", "%00", "a b", "a%26access_token%3Dx", "..%2f..", "%0d%0aX:1", "<x>", "a" * 5000, "{}", "é",
    "https://evil.test/", "a%2526b",
)  # fmt: skip


@pytest.mark.parametrize("cursor", _CURSORS)
def test_g08_a_forged_cursor_adds_nothing_to_the_question(
    door: Door, watch: Watch, everything: Key, cursor: str
) -> None:
    target = f"{TEMPLATES}?limit=1&after=".encode() + cursor.encode()

    answer = door.call("GET", target, key=everything)

    assert answer.status == 400
    assert all("access_token" not in arrived["query"] for arrived in watch.ledger())


@pytest.mark.parametrize(
    "paging",
    [
        {"next": "T", "cursors": {"before": "a", "after": "b"}},
        {"next": "T", "previous": "T"},
        {"next": "T", "cursors": {"after": "T"}},
        {"next": "T", "cursors": {"after": "b", "T": "T"}},
        {"next": ["T"], "cursors": {"after": ["T"]}},
        {"next": {"href": "T"}, "first": "T", "last": "T", "total": "T"},
        "T",
        ["T"],
    ],
)
def test_g08_however_graph_writes_its_links_the_token_stays_behind(
    door: Door, house: House, watch: Watch, everything: Key, paging: object
) -> None:
    token = f"https://graph.facebook.com/v23.0/{WABA}/message_templates?access_token={META_TOKEN}"
    body = {"data": [{"id": "100000000000201", "name": "order_update"}], "paging": paging}
    house.sandbox.control(
        "faults", {"status": 200, "body": json.loads(json.dumps(body).replace('"T"', f'"{token}"'))}
    )
    watch.may_fail = True  # withheld whole, where the token came in the place of a cursor

    answer = door.call("GET", TEMPLATES, key=everything)

    assert answer.status in {200, 502}
    assert (answer.status == 502) == ("T" in str(_cursor(paging)))


def _cursor(paging: object) -> object:
    cursors = paging.get("cursors") if isinstance(paging, dict) else None
    after = cursors.get("after") if isinstance(cursors, dict) else None
    return after if isinstance(after, str) else None


def test_g08_control_links_as_they_came_are_seen_to_carry_the_token(
    door: Door, watch: Watch, everything: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "_paging", lambda call, paging, base_url: paging)
    monkeypatch.setattr("portero.gateway.answering.find_secret", lambda *_: False)

    door.call("GET", f"{TEMPLATES}?limit=1", key=everything)

    assert any("answer shows EAAG" in seen for seen in watch.expect_violations())
