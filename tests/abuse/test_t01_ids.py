"""T01: an id of another workspace, anywhere in a request, is answered as one that nobody has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from abuse.door import Answer, Door
from abuse.neighbour import register
from abuse.samples import Place, places, put, sample
from abuse.watch import Watch
from gateway.house import LUCIA, VENTAS, House, Key, Workspace, template
from gateway.media_samples import png
from graphapi.message_bodies import CASES
from portero.gateway import understanding
from portero.graphapi.kinds import CHECKED_BY_PARENT, Kind
from portero.graphapi.operation import RiskClass
from portero.graphapi.operations import OPERATIONS

Ids = Mapping[Kind, str]


def _ids(owner: int) -> Ids:
    """One id of every kind, of the same length for every owner."""
    spelled = {
        Kind.GROUP: "R3J1cG9PwnEr{}",
        Kind.UPLOAD: "upload:T01{}",
        Kind.MESSAGE: "wamid.T01MENSAJE{}",
        Kind.CALL: "wacid.T01LLAMADA{}",
        Kind.QR_CODE: "T01CODIGO{}",
        Kind.JOIN_REQUEST: "T01PETICION{}",
    }
    return {
        kind: spelled.get(kind, f"30000000000{{}}{n:03d}").format(owner)
        for n, kind in enumerate(Kind)
    }


OURS, THEIRS, NOBODYS = _ids(1), _ids(2), _ids(3)
_ON_A_NUMBER = {Kind.MEDIA, Kind.MESSAGE, Kind.GROUP, Kind.CALL}
PLACES = [place for operation in OPERATIONS for place in places(operation)]


def _furnish(house: House, ids: Ids) -> Workspace:
    made = Workspace(house.database, house.kek, house.pepper).create(
        waba=ids[Kind.WABA], numbers=(ids[Kind.NUMBER],), templates=()
    )
    attributes = {"name": f"t01_{ids[Kind.TEMPLATE]}", "language": "es_MX", "category": "UTILITY"}
    for kind in ids.keys() - CHECKED_BY_PARENT - {Kind.WABA, Kind.NUMBER}:
        register(
            made,
            kind.value,
            ids[kind],
            parent=ids[Kind.WABA],
            number=ids[Kind.NUMBER] if kind in _ON_A_NUMBER else None,
            attributes=attributes if kind is Kind.TEMPLATE else {},
        )
    return made


@pytest.fixture(scope="module")
def ours(house: House) -> Workspace:
    """A workspace with one thing of every kind."""
    return _furnish(house, OURS)


@pytest.fixture(scope="module")
def theirs(house: House) -> Workspace:
    return _furnish(house, THEIRS)


@pytest.fixture
def key(ours: Workspace, theirs: Workspace, watch: Watch) -> Key:
    """A key of ours that may do everything."""
    watch.workspaces += [ours, theirs]
    return ours.key()


FILE_OF = {"upload_media": ("image/png", png()), "upload_flow_json": ("application/json", b"{}")}


def ask(door: Door, key: Key, place: Place, ids: Ids) -> Answer:
    made = sample(place, OURS, ids)
    if made.multipart:
        fields = {name: str(value) for name, value in (made.json or {}).items()}
        return door.upload(key, *FILE_OF[place.operation.name], target=made.target, fields=fields)
    return door.call(made.method, made.target, key=key, json=made.json)


def shape(answer: Answer) -> str:
    """All of an answer, but the id that was asked for, the call's own and the time."""
    headers = [header for header in answer.headers if header[0] != "date"]
    whole = f"{answer.status} {headers} {answer.body.decode()}"
    for one in (*THEIRS.values(), *NOBODYS.values()):
        whole = whole.replace(one, "ID")
    return re.sub('"fbtrace_id":"[0-9a-f-]{36}"', "", whole)


# Most of what is never offered is refused for everybody before any id is looked at.
NEVER = {operation.name for operation in OPERATIONS if operation.risk is RiskClass.NEVER}


@pytest.mark.parametrize("where", ["path", "query", "body"])
def test_t01_their_id_gets_the_answer_of_nobodys_in_every_place_of_every_operation(
    door: Door, watch: Watch, key: Key, where: str
) -> None:
    looked_at = set()
    chosen = [place for place in PLACES if place.where == where]
    for place in chosen:
        their, nobody = (ask(door, key, place, ids) for ids in (THEIRS, NOBODYS))
        assert shape(their) == shape(nobody), place
        assert their.status == 400, place
        if their.reason == "id_unknown":
            looked_at.add(str(place))

    not_looked_at = {place.operation.name for place in chosen if str(place) not in looked_at}
    assert not_looked_at <= NEVER
    assert watch.ledger() == []


def _messages(ids: Ids) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every documented message that names a thing, with the chosen id in one place of it."""
    for case in CASES:
        for told in case.ids:
            kind, place = told.partition(":")[0], told.partition(" at body.")[2]
            body, way = case.copy(), re.findall(r"\w+", place)
            put(body, tuple(int(step) if step.isdigit() else step for step in way), ids[Kind(kind)])
            yield f"{case.name}: {place}", body


def test_t01_their_id_gets_the_answer_of_nobodys_in_every_message(
    door: Door, watch: Watch, key: Key
) -> None:
    for (name, their), (_, nobodys) in zip(_messages(THEIRS), _messages(NOBODYS), strict=True):
        answers = [door.send(key, body, OURS[Kind.NUMBER]) for body in (their, nobodys)]
        assert shape(answers[0]) == shape(answers[1]), name
        assert answers[0].reason == "id_unknown", (name, answers[0].body)

    assert watch.ledger() == []


def _through_fields(ids: Ids) -> str:
    fields = f"health_status.phone_number({ids[Kind.NUMBER]})"
    return f"/v23.0/{OURS[Kind.FLOW]}?fields={fields}"


def test_t01_their_id_in_a_modifier_of_fields(door: Door, watch: Watch, key: Key) -> None:
    answers = [door.call("GET", _through_fields(ids), key=key) for ids in (THEIRS, NOBODYS)]

    assert shape(answers[0]) == shape(answers[1])
    assert answers[0].reason == "id_unknown", answers[0].body
    assert watch.ledger() == []


def test_t01_the_name_of_their_template_is_a_name_of_nobodys(
    door: Door, watch: Watch, everything: Key, theirs: Workspace
) -> None:
    watch.workspaces.append(theirs)
    answers = [
        door.send(everything, template(f"t01_{ids[Kind.TEMPLATE]}", to=LUCIA), VENTAS)
        for ids in (THEIRS, NOBODYS)
    ]

    assert shape(answers[0]) == shape(answers[1])
    assert answers[0].status == 404, answers[0].body


def test_t01_every_kind_stands_somewhere() -> None:
    """Or the tests above would look at less than they say."""
    found = {place.kind for place in PLACES}
    found |= {Kind(told.partition(":")[0]) for case in CASES for told in case.ids}

    assert found == set(Kind) - CHECKED_BY_PARENT
    assert len(PLACES) > 200


def test_t01_control_a_hint_in_the_answer_is_seen(
    door: Door, theirs: Workspace, watch: Watch, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the gateway said of a thing of somebody else's that it may not be used."""
    known_ids = understanding.known_ids

    def hinting(call: Any, known: Any, method: str) -> None:
        if any(ref.value in THEIRS.values() for ref in call.ids):
            raise understanding.meta_error(200, details="not yours")
        known_ids(call, known, method)

    monkeypatch.setattr(understanding, "known_ids", hinting)
    [place] = [p for p in PLACES if str(p) == "list_templates:query.hsm_id"]

    their, nobody = (ask(door, key, place, ids) for ids in (THEIRS, NOBODYS))

    assert shape(their) != shape(nobody)
    watch.is_over = True
