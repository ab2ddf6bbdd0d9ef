"""A further role at a further scope for somebody who has a key already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from databases import insert
from gateway.house import Key, Workspace
from portero.store.ids import uuid7


def bind(
    workspace: Workspace,
    key: Key,
    cells: Mapping[str, str],
    *,
    scope: Mapping[str, Sequence[str]] | None = None,
) -> None:
    here = {"workspace_id": workspace.id}
    role = uuid7()
    with workspace.change() as db:
        ruled = {
            **here, "valid_from": workspace.next_version, "reason": "", "managed_by": "",
        }  # fmt: skip
        insert(db, "role", {**here, "id": role, "name": f"role {role}", "builtin": False})
        insert(db, "role_version", {**ruled, "id": uuid7(), "role_id": role, "cells": dict(cells)})
        insert(
            db,
            "binding",
            {
                **ruled,
                "id": uuid7(),
                "principal_id": key.account,
                "role_id": role,
                "scope": dict(scope or {}),
                "conditions": {},
            },
        )
