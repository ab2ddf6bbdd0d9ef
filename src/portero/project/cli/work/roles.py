"""What `portero role` shows."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from portero.engine import PERMISSIONS, Reach
from portero.project.cli.work.directory import Directory, directory


def listing(workspace: UUID) -> list[dict[str, Any]]:
    known = directory(workspace)
    given = Counter(binding.role for binding in known.state.policy.bindings)
    cells = {role.id: role.cells for role in known.state.policy.roles}
    return [
        {
            "id": str(role.id),
            "name": role.name,
            "builtin": role.builtin,
            "permissions": len(cells[str(role.id)]),
            "given": given[str(role.id)],
        }
        for role in known.roles
    ]


def shown(workspace: UUID, text: str) -> dict[str, Any]:
    known = directory(workspace)
    role = known.role(text)
    return {
        "id": str(role),
        "name": known.name(str(role)),
        "builtin": next(r.builtin for r in known.roles if r.id == role),
        "permissions": _permissions(known, role),
    }


def _permissions(known: Directory, role: UUID) -> list[dict[str, str]]:
    cells = next(r.cells for r in known.state.policy.roles if r.id == str(role))
    return [
        {
            "permission": key,
            "sentence": spec.sentence,
            "group": spec.group,
            "reach": cells[key].name.lower(),
        }
        for key, spec in PERMISSIONS.items()
        if cells.get(key, Reach.NONE) > Reach.NONE
    ]
