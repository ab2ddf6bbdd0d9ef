"""Whom a rule on coming in would keep outside, before it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.utils import timezone

from portero.domain.access.authorize import Actor, decide, of_workspace
from portero.domain.access.models import Principal
from portero.domain.access.queries import sees_people
from portero.domain.access.snapshot import state_now
from portero.domain.accounts.models import Session
from portero.domain.audit.models import in_workspace
from portero.engine import ENTER_CONSOLE, Guardrail, GuardrailKind, PrincipalKind

NAMED = 50
"""How many are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class KeptOutside:
    """Members who would not come in as they are now."""

    count: int
    named: tuple[tuple[UUID, str, str], ...]
    """The first by name, with the address they were last seen at; nobody for who may not see people."""


def kept_outside(*, actor: Actor, rule: Guardrail) -> KeptOutside:
    """Ask the engine about everybody whose circumstances are known, as if the rule held already.

    For a passkey that is every member, who has one or has none; for hours and networks whoever is
    signed in, from where they were last seen.
    """
    state = state_now(actor.workspace)
    policy = state.policy
    drawn = replace(rule, id=rule.id or "drawn")
    others = tuple(one for one in policy.guardrails if one.id != drawn.id)
    then = replace(
        state,
        snapshot=state.snapshot.followed_by(replace(policy, guardrails=(*others, drawn))),
    )
    found = [
        (one.name.casefold(), one.principal, one.name, one.address)
        for one in _circumstances(actor.workspace, rule)
        if drawn.id
        in decide(
            actor=Actor(
                actor.workspace,
                one.principal,
                actor.at,
                one.address or None,
                factor_at=actor.at,
                passkey_at=actor.at if one.has_passkey else None,
            ),
            state=then,
            checks=[of_workspace(ENTER_CONSOLE)],
        ).because
    ]
    if not sees_people(actor=actor):
        return KeptOutside(len(found), ())
    found.sort()
    return KeptOutside(len(found), tuple((who, name, at) for _, who, name, at in found[:NAMED]))


@dataclass(frozen=True, slots=True)
class _Circumstances:
    principal: UUID
    name: str
    address: str
    has_passkey: bool


def _circumstances(workspace: UUID, rule: Guardrail) -> Iterator[_Circumstances]:
    with in_workspace(workspace):
        people = Principal.objects.filter(
            kind=PrincipalKind.PERSON, active=True, invited=False, person_id__isnull=False
        )
        rows = list(people.values_list("id", "person_id", "name"))
    by_passkey = rule.kind is GuardrailKind.REQUIRE_PASSKEY
    seen = _last_seen(workspace)
    secured = _with_a_passkey() if by_passkey else set()
    for principal, person, name in rows:
        if by_passkey or seen.get(person):
            yield _Circumstances(principal, name, seen.get(person, ""), person in secured)


def _last_seen(workspace: UUID) -> Mapping[UUID | None, str]:
    """From where everybody who is in the workspace now was last seen."""
    open_now = Session.objects.filter(
        expire_date__gt=timezone.now(), person_id__isnull=False, sits_in=workspace
    )
    latest: dict[UUID | None, tuple[datetime, str]] = {}
    for person, seen, begun, address in open_now.values_list(
        "person_id", "seen_at", "created_at", "address"
    ):
        at = seen or begun
        if person not in latest or at > latest[person][0]:
            latest[person] = at, address
    return {person: address for person, (_, address) in latest.items()}


def _with_a_passkey() -> set[UUID | None]:
    passkeys = Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN)
    return set(passkeys.values_list("user_id", flat=True))
