"""Keys of service accounts: shown once, kept as an HMAC, never wider than who made them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.conf import settings

from cast import NOW, Cast
from portero.domain.access import services as access
from portero.domain.access.authorize import Actor
from portero.domain.access.errors import AccessDenied, BeyondOwnRights, InvalidRule, NotFound
from portero.domain.access.snapshot import current_state, lock_policy
from portero.domain.accounts import services as accounts
from portero.domain.accounts.errors import InvalidLifetime
from portero.domain.accounts.models import ApiKey
from portero.domain.audit.models import RecordOpen, in_workspace
from portero.engine import Check, Conditions, Context, Decision, Reach, Resource, Scope
from portero.store import keys
from portero.store.ids import uuid7

ON_ONE = Scope(numbers=frozenset({"1"}))
SENDS = {"send:text": Reach.ALL, "send:image": Reach.ALL}


@pytest.fixture
def account(cast: Cast) -> UUID:
    """A service account that may send from everywhere."""
    account = accounts.create_service_account(
        actor=cast.ana, name="orders-bot", accountable=cast.ana.principal
    )
    role = access.create_role(actor=cast.ana, name="Sends", cells=SENDS)
    access.create_binding(actor=cast.ana, principal=account, role=role)
    return account


@pytest.fixture
def keymaker(cast: Cast) -> Actor:
    """Makes keys, and sends text from number 1."""
    role = access.create_role(actor=cast.ana, name="Keymaker", cells={"api_key:create": Reach.ALL})
    text = access.create_role(actor=cast.ana, name="Text", cells={"send:text": Reach.ALL})
    principal = accounts.add_person(actor=cast.ana, email="kim@example.com", name="Kim")
    access.create_binding(actor=cast.ana, principal=principal, role=role)
    access.create_binding(actor=cast.ana, principal=principal, role=text, scope=ON_ONE)
    return Actor(cast.workspace, principal, NOW)


def decide(cast: Cast, account: UUID, key: UUID, permission: str, number: str) -> Decision:
    with in_workspace(cast.workspace):
        lock_policy(exclusive=False)
        snapshot = current_state().snapshot
    check = Check(permission, Resource("number", number=number))
    context = Context(now=NOW.timestamp(), weekday=2, minute=600)
    return snapshot.decide(str(account), [check], context, credential=str(key))


def test_b5_2_only_an_hmac_of_the_key_is_kept(cast: Cast, account: UUID) -> None:
    new = accounts.create_key(actor=cast.ana, service_account=account, name="k")
    text = new.text.reveal().decode()

    with in_workspace(cast.workspace):
        row = ApiKey.objects.get(id=new.id)
    pepper = settings.PORTERO_PEPPER
    assert bytes(row.digest) == keys.digest(pepper.current.reveal(), text)
    assert row.pepper_version == pepper.version
    assert (row.public_id, row.kind) == (text.split("_")[2], "svc")
    assert row.expires_at == NOW + timedelta(days=90)


def test_the_record_calls_a_key_what_its_row_does(cast: Cast, account: UUID) -> None:
    new = accounts.create_key(actor=cast.ana, service_account=account, name="  orders ")

    with in_workspace(cast.workspace):
        row = ApiKey.objects.get(id=new.id)
        bodies = RecordOpen.objects.filter(body__public_id=new.public_id)
        assert [body["name"] for body in bodies.values_list("body", flat=True)] == [row.name]
    assert row.name == "orders"


def test_k12_the_secret_is_in_no_record_and_in_no_text(cast: Cast, account: UUID) -> None:
    new = accounts.create_key(actor=cast.ana, service_account=account, name="k")
    secret = new.text.reveal().decode().split("_")[3]

    assert secret not in f"{new!r} {new} {new.text}"
    with in_workspace(cast.workspace):
        for body in RecordOpen.objects.values_list("body", flat=True):
            assert secret not in str(body)


def test_a_key_only_narrows_what_its_account_may(cast: Cast, account: UUID) -> None:
    role = access.create_role(
        actor=cast.ana,
        name="Wide",
        cells={"send:text": Reach.ALL, "send:video": Reach.ALL},
    )
    new = accounts.create_key(
        actor=cast.ana, service_account=account, name="k", role=role, scope=ON_ONE
    )

    assert decide(cast, account, new.id, "send:text", "1").allowed
    assert not decide(cast, account, new.id, "send:text", "2").allowed
    assert not decide(cast, account, new.id, "send:image", "1").allowed
    assert not decide(cast, account, new.id, "send:video", "1").allowed


def test_i5_a_revoked_key_is_dead_once_the_service_has_returned(cast: Cast, account: UUID) -> None:
    new = accounts.create_key(actor=cast.ana, service_account=account, name="k")
    assert decide(cast, account, new.id, "send:text", "1").allowed

    accounts.revoke_key(actor=cast.ana, key=new.id, reason="found in a log file")

    assert decide(cast, account, new.id, "send:text", "1").reason == "credential_inactive"
    with pytest.raises(NotFound):
        accounts.revoke_key(actor=cast.ana, key=new.id)


def test_k04_b5_3_a_key_is_not_wider_than_who_makes_it(
    cast: Cast, account: UUID, keymaker: Actor
) -> None:
    with pytest.raises(BeyondOwnRights) as refusal:
        accounts.create_key(actor=keymaker, service_account=account, name="k")

    assert refusal.value.permissions == ("send:image", "send:text")


@pytest.mark.parametrize(
    "scope", [None, Scope(numbers=frozenset({"1", "2"})), Scope(numbers=frozenset({"2"}))]
)
def test_k04_the_scope_of_a_key_lies_within_its_makers(
    cast: Cast, account: UUID, keymaker: Actor, scope: Scope | None
) -> None:
    role = access.create_role(actor=cast.ana, name="T", cells={"send:text": Reach.ALL})

    with pytest.raises(BeyondOwnRights):
        accounts.create_key(
            actor=keymaker, service_account=account, name="k", role=role, scope=scope
        )


def test_k04_what_the_key_leaves_of_its_account_is_what_counts(
    cast: Cast, account: UUID, keymaker: Actor
) -> None:
    role = access.create_role(actor=cast.ana, name="T", cells={"send:text": Reach.ALL})

    new = accounts.create_key(
        actor=keymaker, service_account=account, name="k", role=role, scope=ON_ONE
    )

    assert decide(cast, account, new.id, "send:text", "1").allowed


def test_k04_a_key_ends_with_the_right_of_its_maker_at_the_latest(
    cast: Cast, account: UUID
) -> None:
    role = access.create_role(
        actor=cast.ana, name="Temp", cells={**SENDS, "api_key:create": Reach.ALL}
    )
    access.create_binding(
        actor=cast.ana,
        principal=cast.dora.principal,
        role=role,
        until=NOW + timedelta(days=10),
    )

    with pytest.raises(BeyondOwnRights):
        accounts.create_key(actor=cast.dora, service_account=account, name="k")
    accounts.create_key(
        actor=cast.dora, service_account=account, name="k", lifetime=timedelta(days=10)
    )


def test_k04_a_key_for_the_team_rights_of_its_account_is_bounded_too(
    cast: Cast, keymaker: Actor
) -> None:
    member = accounts.create_service_account(
        actor=cast.ana, name="video-bot", accountable=cast.ana.principal
    )
    team = access.create_team(actor=cast.ana, name="Bots")
    access.set_team_members(actor=cast.ana, team=team, members=[member])
    role = access.create_role(actor=cast.ana, name="Video", cells={"send:video": Reach.ALL})
    access.create_binding(actor=cast.ana, principal=team, role=role, scope=ON_ONE)

    with pytest.raises(BeyondOwnRights) as refusal:
        accounts.create_key(actor=keymaker, service_account=member, name="k", scope=ON_ONE)

    assert refusal.value.permissions == ("send:video",)


@pytest.mark.parametrize("days", [0, -1, 366])
def test_b5_2_a_key_lives_a_year_at_most(cast: Cast, account: UUID, days: int) -> None:
    with pytest.raises(InvalidLifetime):
        accounts.create_key(
            actor=cast.ana, service_account=account, name="k", lifetime=timedelta(days=days)
        )


def test_a_key_belongs_to_a_service_account_and_never_to_a_person(cast: Cast) -> None:
    for principal in (cast.dora.principal, cast.carla.principal, uuid7()):
        with pytest.raises(NotFound):
            accounts.create_key(actor=cast.ana, service_account=principal, name="k")


def test_t01_keys_accounts_and_roles_of_another_workspace_are_not_there(
    cast: Cast, account: UUID
) -> None:
    new = accounts.create_key(actor=cast.ana, service_account=account, name="k")
    own = accounts.create_service_account(
        actor=cast.carla, name="own", accountable=cast.carla.principal
    )

    with pytest.raises(NotFound):
        accounts.create_key(actor=cast.carla, service_account=account, name="k")
    with pytest.raises(NotFound):
        accounts.create_key(
            actor=cast.carla, service_account=own, name="k", role=cast.role("Agent")
        )
    with pytest.raises(NotFound):
        accounts.revoke_key(actor=cast.carla, key=new.id)


def test_who_may_not_make_or_end_keys_is_refused(cast: Cast, account: UUID) -> None:
    new = accounts.create_key(actor=cast.ana, service_account=account, name="k")

    with pytest.raises(AccessDenied):
        accounts.create_key(actor=cast.dora, service_account=account, name="k")
    with pytest.raises(AccessDenied):
        accounts.revoke_key(actor=cast.dora, key=new.id)


@pytest.mark.parametrize(
    ("scope", "conditions"),
    [(Scope(numbers=frozenset()), None), (None, Conditions(networks=("nowhere",)))],
)
def test_a_key_that_can_mean_nothing_is_refused(
    cast: Cast, account: UUID, scope: Scope | None, conditions: Conditions | None
) -> None:
    with pytest.raises(InvalidRule):
        accounts.create_key(
            actor=cast.ana, service_account=account, name="k", scope=scope, conditions=conditions
        )
