"""A permission exists because a door enforces it: one that nothing checks is decoration."""

import re
from pathlib import Path

import pytest

from carried import carried
from graphapi.message_bodies import CASES
from portero.engine import PERMISSIONS, Scope
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


# What doors and services ask for without saying where: `of_workspace`, `change.authorize`.
_AT_A_SCOPE = re.compile(r'authorize\("([a-z_:]+)", at=')
CARRIED = carried()


def test_the_catalogue_knows_where_the_requests_of_every_operation_can_be() -> None:
    """What no request carries, a scope cannot ask for: pages say so by the catalogue."""
    assert {key: {PERMISSIONS[key].places - _of_owners(key)} for key in CARRIED} == CARRIED


def _of_owners(key: str) -> frozenset[str]:
    return frozenset({"teams"} if PERMISSIONS[key].ownable else ())


def test_what_services_ask_for_at_a_scope_can_be_at_every_one() -> None:
    asked = {
        permission
        for file in (SRC / "domain").rglob("*.py")
        for permission in _AT_A_SCOPE.findall(file.read_text())
    }

    assert asked == {"role:assign"}
    assert PERMISSIONS["role:assign"].places == Scope(*[frozenset()] * 8).narrowed


@pytest.mark.parametrize("key", sorted(PERMISSIONS.keys() - CARRIED.keys() - {"role:assign"}))
def test_what_no_operation_needs_is_asked_of_the_workspace_itself(key: str) -> None:
    assert PERMISSIONS[key].places == frozenset()
