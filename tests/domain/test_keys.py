"""Keys of service accounts: shown once, kept as an HMAC, never wider than who made them."""

from __future__ import annotations

from dataclasses import replace
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
from portero.engine import (
    Check,
    Conditions,
    Context,
    Decision,
    HolderKind,
    Metric,
    Per,
    Reach,
    Resource,
    Scope,
)
from portero.store import keys
from portero.store.ids import uuid7

ON_ONE = Scope(numbers=frozenset({"1"}))
SENDS = {"send:text": Reach.ALL, "send:image": Reach.ALL}
AT_NOON = Context(now=NOW.timestamp(), weekday=2, minute=600)


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


def decide(
    cast: Cast,
    account: UUID,
    key: UUID,
    permission: str,
    number: str,
    context: Context = AT_NOON,
) -> Decision:
    with in_workspace(cast.workspace):
        lock_policy(exclusive=False)
        snapshot = current_state().snapshot
    check = Check(permission, Resource("number", number=number))
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


def test_a_key_keeps_only_the_permissions_it_was_made_with(cast: Cast, account: UUID) -> None:
    new = accounts.create_key(
        actor=cast.ana, service_account=account, name="k", permissions=["send:text", "send:video"]
    )

    assert decide(cast, account, new.id, "send:text", "1").allowed
    refused = decide(cast, account, new.id, "send:image", "1")
    assert (refused.allowed, refused.reason) == (False, "permission_missing")
    assert not decide(cast, account, new.id, "send:video", "1").allowed


@pytest.mark.parametrize("permissions", [[], ["send:nonsense"], ["send:*"]])
def test_what_a_key_is_to_keep_is_named_one_by_one(
    cast: Cast, account: UUID, permissions: list[str]
) -> None:
    with pytest.raises(InvalidRule):
        accounts.create_key(
            actor=cast.ana, service_account=account, name="k", permissions=permissions
        )


def test_b5_3_who_holds_less_makes_a_key_that_keeps_less(
    cast: Cast, account: UUID, keymaker: Actor
) -> None:
    with pytest.raises(BeyondOwnRights):
        accounts.create_key(actor=keymaker, service_account=account, name="k", scope=ON_ONE)

    accounts.create_key(
        actor=keymaker,
        service_account=account,
        name="k",
        scope=ON_ONE,
        permissions=["send:text"],
    )


def test_k06_both_keys_work_until_the_old_one_ends(cast: Cast, account: UUID) -> None:
    old = accounts.create_key(
        actor=cast.ana, service_account=account, name="k", scope=ON_ONE, permissions=["send:text"]
    )

    new = accounts.roll_key(actor=cast.ana, key=old.id, overlap=timedelta(hours=1))

    with in_workspace(cast.workspace):
        before, after = ApiKey.objects.get(id=old.id), ApiKey.objects.get(id=new.id)
    assert before.expires_at == NOW + timedelta(hours=1)
    assert after.expires_at == NOW + timedelta(days=90)
    assert (after.name, after.permissions, after.scope) == ("k", ["send:text"], before.scope)
    assert before.name == f"k ({old.public_id[-4:]})"
    for key in (old, new):
        assert decide(cast, account, key.id, "send:text", "1").allowed
        assert not decide(cast, account, key.id, "send:text", "2").allowed
        assert not decide(cast, account, key.id, "send:image", "1").allowed
    later = replace(AT_NOON, now=NOW.timestamp() + 3600)
    assert not decide(cast, account, old.id, "send:text", "1", later).allowed
    assert decide(cast, account, new.id, "send:text", "1", later).allowed


def test_k06_without_an_overlap_the_old_key_is_revoked_at_once(cast: Cast, account: UUID) -> None:
    old = accounts.create_key(actor=cast.ana, service_account=account, name="k")

    new = accounts.roll_key(actor=cast.ana, key=old.id, overlap=timedelta())

    assert not decide(cast, account, old.id, "send:text", "1").allowed
    assert decide(cast, account, new.id, "send:text", "1").allowed


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=7, seconds=1)])
def test_k06_an_overlap_is_a_week_at_most(cast: Cast, account: UUID, overlap: timedelta) -> None:
    old = accounts.create_key(actor=cast.ana, service_account=account, name="k")

    with pytest.raises(InvalidLifetime):
        accounts.roll_key(actor=cast.ana, key=old.id, overlap=overlap)


def test_k06_an_overlap_lets_no_key_live_longer(cast: Cast, account: UUID) -> None:
    old = accounts.create_key(
        actor=cast.ana, service_account=account, name="k", lifetime=timedelta(hours=1)
    )

    accounts.roll_key(actor=cast.ana, key=old.id, overlap=timedelta(days=7))

    with in_workspace(cast.workspace):
        assert ApiKey.objects.get(id=old.id).expires_at == NOW + timedelta(hours=1)


def test_a_rolled_key_begins_no_new_day_of_its_limits(cast: Cast, account: UUID) -> None:
    first = accounts.create_key(actor=cast.ana, service_account=account, name="k")
    limit = access.create_limit(
        actor=cast.ana,
        holder_kind=HolderKind.KEY,
        holder=first.id,
        metric=Metric.MESSAGES,
        per=Per.DAY,
        amount=5,
    )

    second = accounts.roll_key(actor=cast.ana, key=first.id, overlap=timedelta(hours=1))
    third = accounts.roll_key(actor=cast.ana, key=second.id, overlap=timedelta(hours=1))

    for key in (first, second, third):
        taken = decide(cast, account, key.id, "send:text", "1").obligations
        assert [one.name for one in taken] == [str(limit)]


def test_b5_3_nobody_rolls_a_key_that_may_more_than_they(
    cast: Cast, account: UUID, keymaker: Actor
) -> None:
    wide = accounts.create_key(actor=cast.ana, service_account=account, name="k")
    role = access.create_role(actor=cast.ana, name="Ends", cells={"api_key:revoke": Reach.ALL})
    access.create_binding(actor=cast.ana, principal=keymaker.principal, role=role)

    with pytest.raises(BeyondOwnRights):
        accounts.roll_key(actor=keymaker, key=wide.id, overlap=timedelta(hours=1))

    assert decide(cast, account, wide.id, "send:text", "1").allowed


def test_what_has_ended_is_not_rolled(cast: Cast, account: UUID) -> None:
    old = accounts.create_key(actor=cast.ana, service_account=account, name="k")
    accounts.revoke_key(actor=cast.ana, key=old.id)

    for gone in (old.id, uuid7()):
        with pytest.raises(NotFound):
            accounts.roll_key(actor=cast.ana, key=gone, overlap=timedelta(hours=1))
