"""Two walls between workspaces at the gateway, each taken down alone: the other one holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from gateway.house import LUCIA, TEMPLATES, VENTAS, WABA, House, Key, Workspace, error_of, text
from portero.engine import Branch, Visible
from portero.store import registry, seen
from portero.store.filters import Given
from portero.store.listed import in_workspace

THEIRS = "100000000000955"
CANARY = "canario_de_la_vecina"


@pytest.fixture(scope="module")
def key(house: House) -> Key:
    return house.workspace.key()


@pytest.fixture(scope="module")
def neighbour(house: House) -> Workspace:
    """Another workspace with ids of every kind that a request can name."""
    made = Workspace(house.database, house.kek, house.pepper).create(
        name="Vecina", waba="100000000000950", numbers=("100000000000951",), templates=()
    )
    attributes = {"name": CANARY, "language": "es_MX", "category": "UTILITY", "status": "APPROVED"}
    with psycopg.connect(house.database.dsn("superuser")) as db:
        made.register(db, "media", THEIRS, parent=WABA, number=VENTAS, attributes={"name": CANARY})
        made.register(db, "template", "100000000000956", parent=WABA, attributes=attributes)
    return made


def reaches(house: House, key: Key) -> list[str]:
    """What of the neighbour's the gateway takes for ours: by id in path and body, and by name."""
    image = {"messaging_product": "whatsapp", "to": LUCIA, "type": "image", "image": {"id": THEIRS}}
    http, found = house.gateway.http, []
    for what, answer in (
        ("path", http.get(f"/v23.0/{THEIRS}", headers=key.headers)),
        ("body", house.send(key, image)),
        ("number", house.send(key, text(), number="100000000000951")),
    ):
        if error_of(answer)[:3] != (400, 100, 33):
            found.append(what)
        assert CANARY.encode() not in answer.content
    return [*found, *by_name(house)]


def without_the_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application forgets to say which workspace it means, wherever it reads the registry."""
    for name in ("_FIND", "_FIND_TEMPLATE"):
        query = getattr(registry, name)
        forgetful = query.replace("workspace_id = $1", "$1::uuid IS NOT NULL")
        assert forgetful != query
        monkeypatch.setattr(registry, name, forgetful)
    monkeypatch.setattr(seen, "Given", _forgetful_given)


def _forgetful_given(condition: str, values: tuple[object, ...]) -> Given:
    forgetful = condition.replace("resource.workspace_id = {}", "{}::uuid IS NOT NULL")
    assert forgetful != condition
    return Given(forgetful, values)


def by_name(house: House) -> list[str]:
    """Whose templates the two other readers of the registry find: by name, and when counting."""

    mine, pool = house.workspace.id, house.gateway.parts.workspaces._pool

    async def read() -> tuple[int, int]:
        async with in_workspace(pool, mine) as db:
            named = await registry.find_template(db, mine, WABA, CANARY, None)
            counted = await seen.count_seen(
                db, mine, kind="template", waba=WABA, visible=Visible((Branch(),))
            )
            return len(named), counted - len(TEMPLATES)

    named, counted = house.loop.run(read())
    return ["name"] * named + ["count"] * counted


@contextmanager
def without_row_level_security(house: House) -> Iterator[None]:
    with psycopg.connect(house.database.dsn("superuser"), autocommit=True) as db:
        db.execute("ALTER TABLE resource DISABLE ROW LEVEL SECURITY")
        try:
            yield
        finally:
            db.execute("ALTER TABLE resource ENABLE ROW LEVEL SECURITY")


def test_t02_with_both_walls(house: House, key: Key, neighbour: Workspace) -> None:
    assert reaches(house, key) == []
    assert house.sandbox.ledger() == []


def test_t02_row_level_security_alone_suffices(
    house: House, key: Key, neighbour: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_the_filter(monkeypatch)

    assert reaches(house, key) == []
    assert house.sandbox.ledger() == []


def test_t02_the_applications_filter_alone_suffices(
    house: House, key: Key, neighbour: Workspace
) -> None:
    with without_row_level_security(house):
        assert reaches(house, key) == []
    assert house.sandbox.ledger() == []


def test_t02_control_without_both_the_neighbours_media_is_taken_for_ours(
    house: House, key: Key, neighbour: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_the_filter(monkeypatch)

    with without_row_level_security(house):
        assert {"body", "name", "count"} <= set(reaches(house, key))


def test_t01_an_id_of_theirs_and_an_id_of_nobody_get_the_same_answer(
    house: House, key: Key, neighbour: Workspace
) -> None:
    def shape(meta_id: str) -> tuple[int, str]:
        answer = house.gateway.http.get(f"/v23.0/{meta_id}", headers=key.headers)
        error = {k: v for k, v in answer.json()["error"].items() if k != "fbtrace_id"}
        return answer.status_code, str(error).replace(meta_id, "ID")

    assert shape(THEIRS) == shape("999999999999999")


def test_t03_the_setting_never_outlives_its_transaction(house: House, neighbour: Workspace) -> None:
    import asyncpg

    from portero.store.listed import in_workspace

    async def interleave() -> list[object]:
        left = []
        async with asyncpg.create_pool(
            house.database.dsn("gateway"), min_size=1, max_size=1
        ) as pool:
            for n in range(1000):
                mine = (house.workspace.id, neighbour.id)[n % 2]
                async with in_workspace(pool, mine) as connection:
                    rows = await connection.fetch("SELECT DISTINCT workspace_id FROM resource")
                    left += [row[0] for row in rows if row[0] != mine]
                left += await pool.fetch("SELECT workspace_id FROM resource LIMIT 1")
        return left

    assert house.loop.run(interleave()) == []
