"""A permission exists because a door enforces it: one that nothing checks is decoration."""

import re
from pathlib import Path

from portero.engine import PERMISSIONS
from portero.graphapi.operations import OPERATIONS, TEMPLATE_CATEGORY_PERMISSIONS

SRC = Path(__file__).parent.parent / "src" / "portero"
# What a service or a page asks for by name: `change.authorize("role:update")`.
_ASKED = re.compile(r'"([a-z_]+:[a-z_]+)"')


def enforced() -> set[str]:
    found = {p for o in OPERATIONS for p in (*o.permissions, *o.adds.values())}
    found |= set(TEMPLATE_CATEGORY_PERMISSIONS.values())
    for folder in ("domain", "gateway", "console", "graphapi/messages"):
        for file in (SRC / folder).rglob("*.py"):
            found |= set(_ASKED.findall(file.read_text()))
    return found


def test_every_permission_is_enforced_by_a_door() -> None:
    assert sorted(PERMISSIONS.keys() - enforced()) == []


def test_every_operation_that_is_offered_has_a_permission() -> None:
    for operation in OPERATIONS:
        takes_them_from_its_body = operation.template.endswith("messages")
        if operation.risk != "never" and not takes_them_from_its_body:
            assert operation.permissions, operation.name
