"""G21, G35: an id is what our registry says it is, where it says, and in whose workspace."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from abuse.door import Door
from abuse.neighbour import (
    NEIGHBOUR_NUMBER,
    NEIGHBOUR_TEMPLATE,
    NEIGHBOUR_WABA,
    Neighbour,
    forget,
    register,
)
from abuse.watch import Watch
from gateway.house import (
    APP_ID,
    BUSINESS,
    LUCIA,
    SOPORTE,
    VENTAS,
    WABA,
    House,
    Key,
    Workspace,
    template,
    text,
)
from portero.gateway import understanding
from portero.graphapi.kinds import Kind, has_shape
from portero.graphapi.operation import Operation, RiskClass
from portero.graphapi.operations import OPERATIONS

MESSAGE = "wamid.HBgMNTI1NTEyMzQ1Njc4FQIAEhgUM0E"
SECOND_WABA = "100000000000500"
OF_KIND: dict[Kind, str] = {
    Kind.NUMBER: VENTAS,
    Kind.WABA: WABA,
    Kind.BUSINESS: BUSINESS,
    Kind.APP: APP_ID,
    Kind.TEMPLATE: "100000000000201",
    Kind.MEDIA: "100000000000511",
    Kind.FLOW: "100000000000512",
    Kind.USER: "100000000000513",
    Kind.SOLUTION: "100000000000514",
    Kind.PREVERIFIED_NUMBER: "100000000000515",
    Kind.HISTORY: "100000000000516",
    Kind.INTENT: "100000000000517",
    Kind.BOT: "100000000000518",
    Kind.PROFILE: "100000000000519",
    Kind.TEMPLATE_GROUP: "100000000000520",
    Kind.CATALOG: "100000000000521",
    Kind.SIGNUP: "100000000000522",
    Kind.GROUP: "Y2FwaV9ncm91cDoxMjM0",
    Kind.UPLOAD: "upload:MTphdHRhY2htZW50",
    Kind.MESSAGE: MESSAGE,
}
_HAS_ROWS = {Kind.NUMBER, Kind.WABA, Kind.BUSINESS, Kind.APP, Kind.TEMPLATE}
NODE_OPERATIONS = [
    o for o in OPERATIONS if len(o.segments) == 1 and o.segments[0].startswith("{")
]  # fmt: skip
BY_METHOD = sorted({o.method for o in NODE_OPERATIONS})


@pytest.fixture(scope="module")
def furnished(house: House) -> Workspace:
    """A workspace that has one thing of every kind."""
    made = Workspace(house.database, house.kek, house.pepper).create()
    for kind in OF_KIND.keys() - _HAS_ROWS:
        number = VENTAS if kind in {Kind.MEDIA, Kind.MESSAGE, Kind.GROUP} else None
        register(made, kind.value, OF_KIND[kind], parent=WABA, number=number)
    return made


@pytest.fixture
def owner(furnished: Workspace, watch: Watch) -> Key:
    watch.workspaces.append(furnished)
    return furnished.key()


def offered(method: str, kind: Kind) -> list[Operation]:
    return [o for o in NODE_OPERATIONS if o.method == method and o.slots[0][1] is kind]


_BODIES: tuple[dict[str, Any] | None, ...] = (
    None,
    {"messaging_product": "whatsapp"},
    {"name": "x"},
    {"category": "UTILITY"},
    {"pin": "123456"},
    {"about": "x", "messaging_product": "whatsapp"},
)


@pytest.mark.parametrize("kind", OF_KIND, ids=lambda kind: kind.value)
def test_g35_a_bare_id_does_only_what_its_own_kind_does(
    door: Door, watch: Watch, owner: Key, kind: Kind
) -> None:
    for method, body in product(BY_METHOD, _BODIES):
        answer = door.call(method, f"/v23.0/{OF_KIND[kind]}", key=owner, json=body)
        if not offered(method, kind):
            assert answer.status == 400, (method, answer.body)
            assert answer.reason in {"id_unknown", "malformed", "never_offered"}

    by_name = {o.name: o for o in OPERATIONS}
    for record in watch.records():
        if (record["kind"], record["effect"]) == ("intent", "allow"):
            assert by_name[record["operation"]].slots[0][1] is kind


EDGES = sorted({(o.method, o.segments[1]) for o in OPERATIONS
                if len(o.segments) == 2 and o.segments[0].startswith("{") and o.segments[1][0] != "{"})  # fmt: skip


@pytest.mark.parametrize("kind", OF_KIND, ids=lambda kind: kind.value)
def test_g35_an_edge_hangs_on_its_own_kind_only(
    door: Door, watch: Watch, owner: Key, kind: Kind
) -> None:
    mine = {(o.method, o.segments[1]) for o in OPERATIONS
            if len(o.segments) == 2 and o.slots and o.slots[0] == (0, kind)}  # fmt: skip

    for method, edge in EDGES:
        if (method, edge) not in mine:
            answer = door.call(method, f"/v23.0/{OF_KIND[kind]}/{edge}", key=owner)
            assert answer.status == 400, (method, edge, answer.body)
            assert answer.reason in {"id_unknown", "malformed", "never_offered"}

    assert watch.ledger() == []


def _naming(media: str, message: str) -> list[tuple[str, str, dict[str, Any] | None]]:
    """Requests that name a media or a message somewhere other than first."""

    def of(kind: str, content: dict[str, Any]) -> dict[str, Any]:
        return {"messaging_product": "whatsapp", "to": LUCIA, "type": kind, kind: content}

    header = {"type": "header", "parameters": [{"type": "image", "image": {"id": media}}]}
    cards = [{"card_index": 0, "components": [header]}]
    carousel = {"type": "carousel", "cards": cards}
    interactive = {
        "type": "button",
        "header": {"type": "image", "image": {"id": media}},
        "body": {"text": "x"},
        "action": {"buttons": [{"type": "reply", "reply": {"id": "1", "title": "Sí"}}]},
    }
    to = f"/v23.0/{VENTAS}/messages"
    read = {"messaging_product": "whatsapp", "status": "read", "message_id": message}
    named = template()["template"]
    return [
        ("GET", f"/v23.0/{media}", None),
        ("DELETE", f"/v23.0/{media}", None),
        ("GET", f"/v23.0/{media}?phone_number_id={VENTAS}", None),
        ("POST", to, of("image", {"id": media})),
        ("POST", to, of("video", {"id": media})),
        ("POST", to, of("audio", {"id": media})),
        ("POST", to, of("document", {"id": media})),
        ("POST", to, of("sticker", {"id": media})),
        ("POST", to, of("interactive", interactive)),
        ("POST", to, of("template", {**named, "components": [header]})),
        ("POST", to, of("template", {**named, "components": [carousel]})),
        ("POST", to, {**text(), "context": {"message_id": message}}),
        ("POST", to, of("reaction", {"message_id": message, "emoji": "👍"})),
        ("POST", to, read),
        ("POST", to, {**read, "typing_indicator": {"type": "text"}}),
    ]


THEIR_MEDIA, THEIR_MESSAGE = "100000000000951", "wamid.VECINAVECINAVECINA"
SOPORTES_MEDIA, SOPORTES_MESSAGE = "100000000000952", "wamid.SOPORTESOPORTE"


def test_g21_what_another_workspace_has_is_nothing_here(
    door: Door, watch: Watch, everything: Key, neighbour: Neighbour
) -> None:
    watch.workspaces.append(neighbour.workspace)
    register(
        neighbour.workspace, "media", THEIR_MEDIA, parent=NEIGHBOUR_WABA, number=NEIGHBOUR_NUMBER
    )
    register(neighbour.workspace, "message", THEIR_MESSAGE, number=NEIGHBOUR_NUMBER)
    random_media, random_message = "100000000000999", "wamid.NOBODYNOBODY"

    theirs = _naming(THEIR_MEDIA, THEIR_MESSAGE)
    nobodys = _naming(random_media, random_message)
    for (method, path, body), (_, other_path, other_body) in zip(theirs, nobodys, strict=True):
        answer = door.call(method, path, key=everything, json=body)
        control = door.call(method, other_path, key=everything, json=other_body)
        assert answer.reason == "id_unknown", (path, body)
        # Nothing tells a thing of somebody else's from a thing that is not there.
        assert _unnumbered(answer.body, THEIR_MEDIA, THEIR_MESSAGE) == _unnumbered(
            control.body, random_media, random_message
        )

    assert watch.ledger() == []


def _unnumbered(body: bytes, *ids: str) -> bytes:
    for one in ids:
        body = body.replace(one.encode(), b"<id>")
    return body.partition(b'"fbtrace_id"')[0]


_THEIRS = (
    ("GET", f"/{NEIGHBOUR_NUMBER}", None),
    ("GET", f"/{NEIGHBOUR_NUMBER}/settings", None),
    ("POST", f"/{NEIGHBOUR_NUMBER}/messages", text()),
    ("POST", f"/{NEIGHBOUR_NUMBER}/media", {"messaging_product": "whatsapp"}),
    ("GET", f"/{NEIGHBOUR_WABA}", None),
    ("GET", f"/{NEIGHBOUR_WABA}/phone_numbers", None),
    ("GET", f"/{NEIGHBOUR_WABA}/message_templates", None),
    ("POST", f"/{NEIGHBOUR_WABA}/message_templates", {"name": "x"}),
    ("DELETE", f"/{NEIGHBOUR_WABA}/message_templates?name=x", None),
    ("GET", f"/{NEIGHBOUR_TEMPLATE}", None),
    ("POST", f"/{NEIGHBOUR_TEMPLATE}", {"category": "UTILITY"}),
    ("GET", f"/{WABA}/message_templates?hsm_id={NEIGHBOUR_TEMPLATE}", None),
    ("DELETE", f"/{WABA}/message_templates?name=order_update&hsm_id={NEIGHBOUR_TEMPLATE}", None),
    ("DELETE", f"/{WABA}/message_templates?hsm_ids=[{NEIGHBOUR_TEMPLATE}]", None),
    ("POST", f"/{WABA}/message_templates/archive", {"hsm_ids": [NEIGHBOUR_TEMPLATE]}),
    ("POST", f"/{WABA}/migrate_flows?source_waba_id={NEIGHBOUR_WABA}", None),
    ("POST", f"/{WABA}/migrate_message_templates?source_waba_id={NEIGHBOUR_WABA}", None),
    ("GET", f"/100000000000201/compare?template_ids=[{NEIGHBOUR_TEMPLATE}]&start=1&end=2", None),
    ("GET", f"/{WABA}/template_analytics?start=1&end=2&granularity=daily"
            f"&template_ids=[{NEIGHBOUR_TEMPLATE}]", None),
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(_THEIRS)))
def test_g21_every_id_of_a_request_is_looked_up_not_the_first_one(
    door: Door, watch: Watch, everything: Key, neighbour: Neighbour, number: int
) -> None:
    watch.workspaces.append(neighbour.workspace)
    method, path, body = _THEIRS[number]

    answer = door.call(method, f"/v23.0{path}", key=everything, json=body)

    assert answer.status == 400
    assert answer.reason in {"id_unknown", "malformed"}, answer.body
    assert watch.ledger() == []


def test_g21_media_and_messages_stay_on_their_number(
    door: Door, furnished: Workspace, watch: Watch
) -> None:
    watch.workspaces.append(furnished)
    everyone = furnished.key()
    ventas = furnished.key(scope={"numbers": [VENTAS]})
    register(furnished, "media", SOPORTES_MEDIA, parent=WABA, number=SOPORTE)
    register(furnished, "message", SOPORTES_MESSAGE, parent=WABA, number=SOPORTE)
    requests = _naming(SOPORTES_MEDIA, SOPORTES_MESSAGE)

    for method, path, body in requests:
        narrow = door.call(method, path, key=ventas, json=body)
        assert narrow.reason in {"id_unknown", "outside_scope"}, (path, narrow.body)
        if body is not None or "phone_number_id" in path:
            assert door.call(method, path, key=everyone, json=body).reason == "id_unknown", path

    assert [one["method"] for one in watch.ledger()] == []


@pytest.fixture
def two_accounts(furnished: Workspace) -> None:
    """The workspace has a second account, with a flow and a template of its own."""
    import psycopg

    from databases import insert
    from portero.store.ids import uuid7

    here = {"workspace_id": furnished.id}
    with psycopg.connect(furnished.database.dsn("superuser")) as db:
        if db.execute("SELECT 1 FROM waba WHERE meta_id = %s", [SECOND_WABA]).fetchone():
            return
        insert(db, "waba", {**here, "id": uuid7(), "meta_id": SECOND_WABA, "name": "segunda"})
        furnished.register(db, "waba", SECOND_WABA)
        furnished.register(db, "flow", "100000000000501", parent=SECOND_WABA)
        furnished.register(
            db,
            "template",
            "100000000000502",
            parent=SECOND_WABA,
            attributes={"name": "order_update"},
        )


_FROM_THE_SECOND: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
    ("POST", f"/{WABA}/migrate_flows?source_waba_id={SECOND_WABA}", None),
    ("POST", f"/{WABA}/migrate_flows", {"source_waba_id": SECOND_WABA}),
    ("POST", f"/{WABA}/migrate_message_templates", {"source_waba_id": SECOND_WABA}),
    ("POST", f"/{WABA}/flows", {"name": "x", "categories": ["OTHER"], "clone_flow_id": "100000000000501"}),
    ("POST", f"/{WABA}/message_templates/archive", {"hsm_ids": ["100000000000502"]}),
    ("DELETE", f"/{WABA}/message_templates?hsm_ids=[100000000000502]", None),
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(_FROM_THE_SECOND)))
@pytest.mark.usefixtures("two_accounts")
def test_g21_a_key_of_one_account_takes_nothing_out_of_another(
    door: Door, furnished: Workspace, watch: Watch, number: int
) -> None:
    watch.workspaces.append(furnished)
    narrow = furnished.key(scope={"wabas": [WABA]})
    method, path, body = _FROM_THE_SECOND[number]

    answer = door.call(method, f"/v23.0{path}", key=narrow, json=body)

    assert answer.status in {400, 403}, answer.body
    assert answer.reason in {"outside_scope", "id_unknown"}, answer.body
    assert watch.ledger() == []


def test_the_ids_that_are_tried_have_the_right_shape_and_cover_every_kind() -> None:
    assert all(has_shape(kind, value) for kind, value in OF_KIND.items())
    assert {o.slots[0][1] for o in NODE_OPERATIONS} <= OF_KIND.keys()
    assert any(o.risk is RiskClass.HIGH_RISK for o in NODE_OPERATIONS)


def test_g21_control_without_the_registry_a_neighbours_number_answers(
    door: Door,
    house: House,
    watch: Watch,
    everything: Key,
    neighbour: Neighbour,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch.foreign += ["Vecina Canario"]
    monkeypatch.setattr(understanding, "known_ids", lambda *_: None)
    monkeypatch.setattr(understanding, "Kind", lambda _: Kind.NUMBER)
    monkeypatch.setattr(understanding.Understanding, "_templates", _none)

    from portero.gateway.resources import Registry
    from portero.store.registry import Resource

    async def look_up(self: Registry, state: Any, ids: Any) -> dict[str, Resource]:
        return {i: Resource(state.id, "number", i, parent=WABA, number=i) for i in ids}

    monkeypatch.setattr(Registry, "look_up", look_up)

    door.call("GET", f"/v23.0/{NEIGHBOUR_NUMBER}", key=everything)

    # What was shown was learned as well; the house must not keep it for other tests.
    forget(house.workspace, NEIGHBOUR_NUMBER)
    assert any("answer shows Vecina" in seen for seen in watch.expect_violations())


async def _none(*_: object) -> tuple[()]:
    return ()
