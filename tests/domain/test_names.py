"""What is called by its name is called so alone: teams, service accounts and keys that live."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connections

from cast import Cast
from portero.domain.access import services as access
from portero.domain.access.errors import InvalidRule, NameTaken
from portero.domain.access.models import Principal
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import ApiKey
from portero.domain.audit.models import in_workspace
from portero.engine import Reach, Scope
from portero.store import keys
from portero.store.keys import KeyKind

Make = Callable[[Cast, str], UUID]


def team(cast: Cast, name: str) -> UUID:
    return access.create_team(actor=cast.ana, name=name)


def service_account(cast: Cast, name: str) -> UUID:
    return accounts.create_service_account(
        actor=cast.ana, name=name, accountable=cast.ana.principal
    )


def key(cast: Cast, name: str) -> UUID:
    with in_workspace(cast.workspace):
        holder = Principal.objects.filter(kind="service_account").first()
    account = holder.id if holder is not None else service_account(cast, "holder")
    return accounts.create_key(actor=cast.ana, service_account=account, name=name).id


@pytest.mark.parametrize("make", [team, service_account, key])
@pytest.mark.parametrize("again", ["Ñandú", "ñANDÚ", "  ñandú "])
def test_a_living_namesake_is_refused_however_it_is_written(
    cast: Cast, make: Make, again: str
) -> None:
    make(cast, "Ñandú")

    with pytest.raises(NameTaken):
        make(cast, again)


def test_another_kind_may_have_the_name(cast: Cast) -> None:
    assert len({make(cast, "Reparto") for make in (team, service_account, key)}) == 3


def test_what_was_stopped_gives_its_name_free_and_does_not_take_it_back(cast: Cast) -> None:
    for make in (team, service_account):
        stopped = make(cast, "Reparto")
        access.disable_principal(actor=cast.ana, principal=stopped)
        make(cast, "reparto")

        with pytest.raises(NameTaken):
            access.enable_principal(actor=cast.ana, principal=stopped)


def test_a_key_that_was_revoked_or_expired_gives_its_name_free(cast: Cast) -> None:
    accounts.revoke_key(actor=cast.ana, key=key(cast, "probe"))
    account = service_account(cast, "orders")
    accounts.create_key(
        actor=cast.ana, service_account=account, name="probe", lifetime=timedelta(minutes=1)
    )
    later = replace(cast.ana, at=cast.ana.at + timedelta(minutes=2))

    accounts.create_key(actor=later, service_account=account, name="probe")


def test_a_team_is_renamed_to_no_other_ones_name_but_may_be_spelled_anew(cast: Cast) -> None:
    mine = team(cast, "reparto")
    team(cast, "Ventas")

    with pytest.raises(NameTaken):
        access.rename_team(actor=cast.ana, team=mine, name="VENTAS")
    access.rename_team(actor=cast.ana, team=mine, name="Reparto")


@pytest.mark.parametrize("make", [team, service_account, key])
def test_of_two_who_take_a_name_at_once_one_gets_it(cast: Cast, make: Make) -> None:
    make(cast, "before")

    def attempt(_turn: int) -> bool:
        try:
            make(cast, "at once")
        except NameTaken:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(4))) == 1


def test_a_secret_is_nobodys_name(cast: Cast) -> None:
    secret = keys.generate(KeyKind.SERVICE)

    for make in (team, service_account, key):
        with pytest.raises(InvalidRule):
            make(cast, f"Bearer {secret}")
    with in_workspace(cast.workspace):
        assert not ApiKey.objects.exists()


def test_a_key_says_whether_it_can_do_anything(cast: Cast) -> None:
    account = service_account(cast, "orders")
    sends = access.create_role(actor=cast.ana, name="Sends", cells={"send:text": Reach.ALL})
    reads = access.create_role(actor=cast.ana, name="Reads", cells={"number:read": Reach.ALL})

    def made(name: str, role: UUID | None = None, scope: Scope | None = None) -> bool:
        new = accounts.create_key(
            actor=cast.ana, service_account=account, name=name, role=role, scope=scope
        )
        return new.can_nothing

    assert made("before any role")
    access.create_binding(
        actor=cast.ana, principal=account, role=sends, scope=Scope(numbers=frozenset({"1"}))
    )
    assert not made("with one")
    assert made("of another role", role=reads)
    assert made("for another number", scope=Scope(numbers=frozenset({"2"})))
