"""Keys as a list shows them, and what each may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.utils import timezone

from portero.domain.access.authorize import Actor, Gift, exceeding, gifts_of_key
from portero.domain.access.models import Principal
from portero.domain.access.snapshot import policy_now
from portero.domain.accounts.models import ApiKey
from portero.domain.audit.models import in_workspace
from portero.engine import Credential, PrincipalKind

KEYS_PAGE = 50


class KeyState(StrEnum):
    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret, which nobody has."""

    id: UUID
    public_id: str
    name: str
    account: UUID
    account_name: str
    is_account_active: bool
    state: KeyState
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    url_compatible: bool
    author: UUID | None

    @property
    def works(self) -> bool:
        return self.state is KeyState.ACTIVE and self.is_account_active


@dataclass(frozen=True, slots=True)
class KeyPage:
    keys: tuple[Key, ...]
    following: UUID | None
    """After which key the next page begins; None on the last."""


def keys(workspace: UUID, *, account: UUID | None = None, after: UUID | None = None) -> KeyPage:
    """A page of keys, the newest first: of one account, or of all."""
    with in_workspace(workspace):
        found = ApiKey.objects.order_by("-id")
        if account is not None:
            found = found.filter(principal_id=account)
        if after is not None:
            found = found.filter(id__lt=after)
        rows = list(found[: KEYS_PAGE + 1])
        page = _read(rows[:KEYS_PAGE])
    return KeyPage(page, page[-1].id if len(rows) > KEYS_PAGE else None)


def key(workspace: UUID, key: UUID) -> Key | None:
    with in_workspace(workspace):
        found = _read(ApiKey.objects.filter(id=key))
    return next(iter(found), None)


def key_named(workspace: UUID, name: str) -> Key | None:
    """The key of exactly that name that was made last."""
    with in_workspace(workspace):
        found = _read(ApiKey.objects.filter(name=name).order_by("-id")[:1])
    return next(iter(found), None)


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    id: UUID
    name: str


def service_accounts(workspace: UUID) -> tuple[ServiceAccount, ...]:
    """Those that can be given a key, by name."""
    with in_workspace(workspace):
        found = Principal.objects.filter(kind=PrincipalKind.SERVICE_ACCOUNT, active=True)
        return tuple(
            ServiceAccount(*row)
            for row in found.order_by("sort_name", "id").values_list("id", "name")
        )


def gifts_of(workspace: UUID, key: UUID) -> list[Gift]:
    """What a key may do now, by the roles of its account; guardrails and limits come on top."""
    policy = policy_now(workspace)
    found = next((one for one in policy.credentials if one.id == str(key)), None)
    return [] if found is None else _kept(gifts_of_key(policy, found))


def gifts_of_one_like(workspace: UUID, credential: Credential) -> list[Gift]:
    """What a key would do that nobody has made yet."""
    return _kept(gifts_of_key(policy_now(workspace), credential))


def beyond_maker(actor: Actor, gifts: Iterable[Gift]) -> tuple[str, ...]:
    """Which permissions of what somebody is about to give they do not hold themselves."""
    policy, now = policy_now(actor.workspace), actor.at.timestamp()
    found = {one for gift in gifts for one in exceeding(policy, actor.id, gift, now)}
    return tuple(sorted(found))


def _kept(gifts: Iterable[Gift]) -> list[Gift]:
    return [one for one in gifts if any(one.cells.values())]


def _read(rows: Iterable[ApiKey]) -> tuple[Key, ...]:
    rows = list(rows)
    accounts = {
        one.id: one for one in Principal.objects.filter(id__in={row.principal_id for row in rows})
    }
    return tuple(_key(row, accounts[row.principal_id]) for row in rows)


def _key(row: ApiKey, account: Principal) -> Key:
    return Key(
        id=row.id,
        public_id=row.public_id,
        name=row.name,
        account=account.id,
        account_name=account.name,
        is_account_active=account.active,
        state=_state(row),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        url_compatible=row.url_compatible,
        author=row.author_id,
    )


def _state(row: ApiKey) -> KeyState:
    if row.revoked_at is not None:
        return KeyState.REVOKED
    if row.disabled_reason is not None:
        return KeyState.DISABLED
    return KeyState.EXPIRED if row.expires_at <= timezone.now() else KeyState.ACTIVE
