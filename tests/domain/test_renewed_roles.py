"""A release that knows more permissions gives them to the built-in roles of workspaces from before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cast import Cast, playing
from databases import Database
from portero.domain.access import services as access
from portero.domain.access.errors import AccessDenied
from portero.domain.access.models import PolicyHead, Role, RoleVersion
from portero.domain.access.queries import require
from portero.domain.audit.models import Record, in_workspace
from portero.engine import PERMISSIONS
from portero.store.ids import uuid7


@pytest.fixture(scope="module")
def cast(shared_database: Database) -> Iterator[Cast]:
    with playing(shared_database) as made:
        yield made


def as_an_older_release_had_it(cast: Cast) -> None:
    with in_workspace(cast.workspace):
        role = Role.objects.get(name="Administrator")
        head = PolicyHead.objects.get()
        older = {p: "all" for p in PERMISSIONS if p != "audit:read"}
        RoleVersion.objects.filter(role_id=role.id, valid_to=None).update(valid_to=head.version + 1)
        RoleVersion.objects.create(
            id=uuid7(), role_id=role.id, cells=older, valid_from=head.version + 1
        )
        PolicyHead.objects.update(version=head.version + 1)


def version(cast: Cast) -> int:
    with in_workspace(cast.workspace):
        return PolicyHead.objects.get().version


def test_an_administrator_of_before_may_do_what_is_new_and_it_is_on_record(cast: Cast) -> None:
    as_an_older_release_had_it(cast)
    with pytest.raises(AccessDenied):
        require(actor=cast.beto, permission="audit:read", event="page.opened")
    before = version(cast)

    access.renew_builtin_roles(cast.workspace)

    require(actor=cast.beto, permission="audit:read", event="page.opened")
    assert version(cast) == before + 1
    with in_workspace(cast.workspace):
        [record] = Record.objects.filter(operation="renew_builtin_roles")
    assert (record.actor, record.event, record.effect) == ("portero", "role.updated", "allow")


def test_what_is_of_this_release_is_left_as_it_is(cast: Cast) -> None:
    access.renew_builtin_roles(cast.workspace)
    before = version(cast)

    access.renew_builtin_roles(cast.workspace)

    assert version(cast) == before
