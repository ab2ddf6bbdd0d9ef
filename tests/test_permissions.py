"""A permission exists because a door enforces it: one that nothing checks is decoration."""

import re
from pathlib import Path

from graphapi.message_bodies import CASES
from portero.engine import PERMISSIONS
from portero.graphapi.messages import parse_message
from portero.graphapi.operations import OPERATIONS, category_permissions

SRC = Path(__file__).parent.parent / "src" / "portero"
# What a service or the gateway asks for by name: `change.authorize("role:update")`.
_NAMED = re.compile(r'"([a-z_]+:[a-z_]+)"')
# Lists of permissions that somebody is given or shown. Nothing is asked there.
_ASK_NOTHING = {"domain/access/services/builtin_roles.py"}


def enforced() -> set[str]:
    found = {p for o in OPERATIONS for p in (*o.permissions, *o.adds.values())}
    found |= {
        p for c in ("UTILITY", "MARKETING", "AUTHENTICATION") for p in category_permissions([c])
    }
    found |= {p for case in CASES for p in parse_message(case.body).permissions}
    for folder in ("domain", "gateway", "console"):
        for file in (SRC / folder).rglob("*.py"):
            if str(file.relative_to(SRC)) not in _ASK_NOTHING:
                found |= set(_NAMED.findall(file.read_text()))
    return found


def test_every_permission_is_enforced_by_a_door() -> None:
    assert sorted(PERMISSIONS.keys() - enforced()) == []


def test_every_operation_that_is_offered_has_a_permission() -> None:
    for operation in OPERATIONS:
        takes_them_from_its_body = operation.template.endswith("messages")
        if operation.risk != "never" and not takes_them_from_its_body:
            assert operation.permissions, operation.name
