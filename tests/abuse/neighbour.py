"""A second workspace whose account hangs on the same portfolio, full of words that may never show.

Agencies have this: one portfolio, one app, several customers. Meta would tell either about both; only
the registry and the decision keep them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from gateway.house import (
    BODY_TEXT,
    LUCIA,
    META_TOKEN,
    PEDRO,
    SOPORTE,
    VENTAS,
    WABA,
    House,
    Key,
    Workspace,
    world,
)

NEIGHBOUR_TOKEN = "EAAGneighbourtokenCANARY5b8e2f7a1c9d"
NEIGHBOUR_WABA = "100000000000900"
NEIGHBOUR_NUMBER = "100000000000901"
NEIGHBOUR_TEMPLATE = "100000000000902"
CANARIES = ["Vecina Canario", "canario_de_la_vecina", "+34 900 11 22 33"]


def shared_world() -> dict[str, Any]:
    """What of the sandbox's world is other than usual."""
    account = {
        "id": NEIGHBOUR_WABA,
        "name": CANARIES[0],
        "numbers": [
            {
                "id": NEIGHBOUR_NUMBER,
                "display_phone_number": CANARIES[2],
                "verified_name": CANARIES[0],
                "country": "ES",
            }
        ],
        "templates": [
            {
                "id": NEIGHBOUR_TEMPLATE,
                "name": CANARIES[1],
                "language": "es_ES",
                "category": "UTILITY",
                "status": "APPROVED",
                "components": BODY_TEXT,
            }
        ],
    }
    numbers = (VENTAS, SOPORTE, NEIGHBOUR_NUMBER)
    return {
        "wabas": [*world()["wabas"], account],
        "tokens": [
            {"token": META_TOKEN, "wabas": [WABA, NEIGHBOUR_WABA]},
            {"token": NEIGHBOUR_TOKEN, "wabas": [NEIGHBOUR_WABA]},
        ],
        "windows": [{"number": n, "customer": c} for n in numbers for c in (LUCIA, PEDRO)],
    }


@dataclass(frozen=True)
class Neighbour:
    """The other workspace and a key of it that may do everything there."""

    workspace: Workspace
    key: Key

    @classmethod
    def move_in(cls, house: House) -> Neighbour:
        template = (NEIGHBOUR_TEMPLATE, CANARIES[1], "es_ES", "UTILITY", "APPROVED")
        made = Workspace(house.database, house.kek, house.pepper).create(
            name=CANARIES[0],
            waba=NEIGHBOUR_WABA,
            numbers=(NEIGHBOUR_NUMBER,),
            token=NEIGHBOUR_TOKEN,
            templates=(template,),
        )
        return cls(made, made.key(name="neighbour"))


def register(workspace: Workspace, kind: str, meta_id: str, **more: Any) -> None:
    """Make an id the workspace's, as if it had been learned."""
    with psycopg.connect(workspace.database.dsn("superuser")) as db:
        workspace.register(db, kind, meta_id, **more)


def forget(workspace: Workspace, meta_id: str) -> None:
    """Take an id out of the registry again."""
    with psycopg.connect(workspace.database.dsn("superuser")) as db:
        db.execute(
            "DELETE FROM resource WHERE workspace_id = %s AND meta_id = %s", [workspace.id, meta_id]
        )
