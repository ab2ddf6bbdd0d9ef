"""How often somebody may try a password (B1.8): fewer and fewer, and never a lock.

Who tries from a device on which the person signed in before has a budget of that device's own; so whoever
fails a thousand times at an address keeps nobody out but those on strange devices, and a passkey asks
for no password at all. A person's devices share a budget, too, for whoever has several of their
cookies; one on which nothing failed for a while does not wait for the others. All strange devices together have a budget, too, for whoever tries one password at
many accounts from many networks. Accounts that do not exist are counted as those that do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, ip_address
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from portero.domain.accounts.models import SignInBudget, one_spelling


class Kind(StrEnum):
    """What has a budget."""

    ACCOUNT = "account"
    DEVICE = "device"
    DEVICES = "devices"
    """All on which a person has signed in."""
    NETWORK = "network"
    FACTOR = "factor"
    FACTORS = "factors"
    """The codes of a person, from all such devices."""
    INSTALLATION = "installation"
    """Every device on which nobody has signed in, by the hour."""


LONGEST = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Terms:
    """So many failures cost nothing; each further one doubles the wait, up to `longest`.

    `forgets`: after so long nothing counts any more; None = only a success undoes it.
    """

    free: int
    forgets: timedelta | None
    longest: timedelta = LONGEST


TERMS = {
    Kind.ACCOUNT: Terms(5, None),
    Kind.DEVICE: Terms(5, None),
    Kind.NETWORK: Terms(20, timedelta(hours=1)),
    Kind.FACTOR: Terms(5, None),
    Kind.DEVICES: Terms(10, timedelta(hours=1), timedelta(minutes=5)),
    Kind.FACTORS: Terms(10, timedelta(hours=1), timedelta(minutes=5)),
    # Beyond it strange devices wait for each other, and not for long: they are many people.
    Kind.INSTALLATION: Terms(500, timedelta(hours=1), timedelta(seconds=5)),
}
_OF_ALL_DEVICES = frozenset({Kind.DEVICES, Kind.FACTORS})
_SHARED = _OF_ALL_DEVICES | {Kind.NETWORK, Kind.INSTALLATION}
MOST = 100
"""Failures in a row of an account or a device; then one a day."""
_KEPT = timedelta(days=60)
_V6_PREFIX = 64


@dataclass(frozen=True, slots=True)
class Try:
    """One try at one account. `device`: what its cookie names, where it is one of the person's own."""

    email: str
    address: str
    device: str | None

    def budgets(self) -> list[tuple[Kind, bytes]]:
        """Whose budgets it takes from, in one order for everybody."""
        if self.device is not None:
            found = [
                (Kind.DEVICE, _key(Kind.DEVICE, self.device)),
                (Kind.DEVICES, _key(Kind.DEVICES, one_spelling(self.email))),
            ]
        else:
            found = [
                (Kind.ACCOUNT, _key(Kind.ACCOUNT, one_spelling(self.email))),
                (Kind.NETWORK, _key(Kind.NETWORK, _network(self.address))),
                (Kind.INSTALLATION, _key(Kind.INSTALLATION, f"{timezone.now():%Y-%m-%d %H}")),
            ]
        return sorted(found, key=lambda one: one[1])


@dataclass(frozen=True, slots=True)
class FactorTry:
    """One try at the code of a person, by whoever has their password. `device`: as of a `Try`."""

    person: UUID
    device: str | None

    def budgets(self) -> list[tuple[Kind, bytes]]:
        own = (Kind.FACTOR, _key(Kind.FACTOR, f"{self.person} {self.device or ''}"))
        if self.device is None:
            return [own]
        return [own, (Kind.FACTORS, _key(Kind.FACTORS, str(self.person)))]


def begin(tried: Try | FactorTry) -> timedelta | None:
    """Count a try as failed, before it is looked at: of many at once none is free.

    Returns how long to wait instead, when it may not be made.
    """
    budgets = tried.budgets()
    with transaction.atomic():
        now, rows = _locked([key for _kind, key in budgets])
        # The owner's own device waits for no thief who has the cookie of another.
        rested = all(_is_rested(rows[key], now) for kind, key in budgets if kind not in _SHARED)
        waits = [
            _wait(kind, rows[key], now)
            for kind, key in budgets
            if not (rested and kind in _OF_ALL_DEVICES)
        ]
        if longest := max((wait for wait in waits if wait is not None), default=None):
            return longest
        for kind, key in budgets:
            failures = 0 if _is_forgotten(kind, rows[key], now) else rows[key].failures
            SignInBudget.objects.filter(key=key).update(failures=failures + 1, last_at=now)
    return None


def succeeded(tried: Try | FactorTry) -> None:
    """Undo what `begin` counted: all of the account's and device's, and one of what others share."""
    for kind, key in tried.budgets():
        rows = SignInBudget.objects.filter(key=key)
        if kind in _SHARED:
            rows.filter(failures__gt=0).update(failures=F("failures") - 1)
        else:
            rows.update(failures=0)
    SignInBudget.objects.filter(last_at__lt=Now() - _KEPT).delete()


def delay(failures: int, terms: Terms) -> timedelta:
    """How long after so many failures the next try may be made."""
    if failures < terms.free:
        return timedelta()
    if terms.forgets is None and failures >= MOST:
        return timedelta(days=1)
    return min(terms.longest, timedelta(seconds=2 ** min(failures - terms.free + 1, 16)))


def _locked(keys: Sequence[bytes]) -> tuple[datetime, dict[bytes, SignInBudget]]:
    """The rows, which nobody else changes until this transaction ends; by the database's clock."""
    SignInBudget.objects.bulk_create([SignInBudget(key=key) for key in keys], ignore_conflicts=True)
    rows = SignInBudget.objects.filter(key__in=keys).order_by("key").select_for_update()
    found = {bytes(row.key): row for row in rows}
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [now] = cursor.fetchone()
    return now, found


def _wait(kind: Kind, row: SignInBudget, now: datetime) -> timedelta | None:
    if row.last_at is None or _is_forgotten(kind, row, now):
        return None
    left = row.last_at + delay(row.failures, TERMS[kind]) - now
    return left if left > timedelta() else None


def _is_rested(row: SignInBudget, now: datetime) -> bool:
    """Whether nothing of a row's failed lately."""
    return row.last_at is None or not row.failures or now - row.last_at > LONGEST


def _is_forgotten(kind: Kind, row: SignInBudget, now: datetime) -> bool:
    forgets = TERMS[kind].forgets
    return forgets is not None and row.last_at is not None and now - row.last_at > forgets


def _network(address: str) -> str:
    """An IPv4 address, or the network that one subscriber has of IPv6."""
    found = ip_address(address)
    mapped = getattr(found, "ipv4_mapped", None) or found
    if isinstance(mapped, IPv4Address):
        return str(mapped)
    return str(int(mapped) >> (128 - _V6_PREFIX))


def _key(kind: Kind, name: str) -> bytes:
    return hashlib.sha256(f"{kind}\0{name}".encode()).digest()
