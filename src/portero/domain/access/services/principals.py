"""Teams and their members; putting a principal out of action."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from uuid import UUID

from django.db.models import Value
from django.db.models.functions import Lower

from portero.domain.access.authorize import OF_TEAMS, Actor, gifts_of
from portero.domain.access.errors import (
    InvalidRule,
    LastOwner,
    NameTaken,
    NobodyAnswers,
    NotFound,
    OwnerNeeded,
)
from portero.domain.access.models import AccessRequest, Binding, Principal, TeamMember, UsageLimit
from portero.domain.access.services.changes import Change, policy_change
from portero.domain.access.services.left_alone import leave_alone
from portero.domain.access.services.validation import require_name
from portero.domain.access.services.way_back import owners_here, require_a_way_back
from portero.domain.access.snapshot import current_state
from portero.domain.audit.services import Touched
from portero.engine import Bindings, PrincipalKind
from portero.store.ids import uuid7


def create_team(*, actor: Actor, name: str) -> UUID:
    """Raises AccessDenied, InvalidRule, NameTaken."""
    with policy_change(actor=actor, operation="create_team", event="team.created") as change:
        change.authorize("team:manage_members")
        called = require_free_name(kind=PrincipalKind.TEAM, name=name)
        team = Principal.objects.create(id=uuid7(), kind=PrincipalKind.TEAM, name=called)
        change.note(Touched("principal", team.id), name=team.name)
    return team.id


def set_team_members(*, actor: Actor, team: UUID, members: Iterable[UUID]) -> None:
    """Make these the members of a team. Whoever joins gets what the team has.

    Raises AccessDenied (BeyondOwnRights, OwnAccess, OwnerNeeded), InvalidRule, LocksItselfIn, NotFound.
    """
    wanted = set(members)
    with policy_change(
        actor=actor, operation="set_team_members", event="team.members_changed"
    ) as change:
        change.authorize("team:manage_members")
        _change_members(change, team, lambda _now: wanted)


def add_to_team(*, actor: Actor, team: UUID, member: UUID) -> None:
    """Take one more in, whoever comes and goes meanwhile. Raises as `set_team_members`."""
    with policy_change(
        actor=actor, operation="add_to_team", event="team.members_changed"
    ) as change:
        change.authorize("team:manage_members")
        _change_members(change, team, lambda now: now | {member})


def take_from_team(*, actor: Actor, team: UUID, member: UUID) -> None:
    """Let one go, whoever comes and goes meanwhile. Raises as `set_team_members`."""
    with policy_change(
        actor=actor, operation="take_from_team", event="team.members_changed"
    ) as change:
        change.authorize("team:manage_members")
        _change_members(change, team, lambda now: now - {member})


def _change_members(change: Change, team: UUID, to: Callable[[set[UUID]], set[UUID]]) -> None:
    _require_team(team)
    current = set(TeamMember.objects.filter(team_id=team).values_list("principal_id", flat=True))
    wanted = to(current)
    joining, leaving = wanted - current, current - wanted
    _require_members(joining)
    if joining:
        _require_team_may_be_given(change, team, joining)
        require_a_way_back(change, gained=_called_by(change, team, joining))
    if leaving:
        _require_team_may_be_left(change, team, leaving)
    TeamMember.objects.filter(team_id=team, principal_id__in=leaving).delete()
    for member in sorted(joining):
        TeamMember.objects.create(team_id=team, principal_id=member)
    change.note(
        Touched("principal", team),
        *(Touched("principal", member) for member in sorted(joining | leaving)),
        joined=sorted(map(str, joining)),
        left=sorted(map(str, leaving)),
    )


def disable_principal(*, actor: Actor, principal: UUID, reason: str = "") -> None:
    """Put a person, service account or team out of action, with every key and binding it has.

    Raises AccessDenied (OwnAccess), LastOwner, NotFound.
    """
    with policy_change(
        actor=actor, operation="disable_principal", event="principal.disabled"
    ) as change:
        found = Principal.objects.filter(id=principal).first()
        change.authorize(_stopping(found))
        if found is None or not _is_here(found):
            raise NotFound(str(principal))
        if found.owner:
            _require_another_owner(change, principal)
        if found.kind == PrincipalKind.TEAM:
            _require_team_may_be_left(change, principal, {principal})
        Principal.objects.filter(id=principal).update(active=False)
        change.note(Touched("principal", principal), kind=found.kind, reason=reason)


def enable_principal(*, actor: Actor, principal: UUID) -> None:
    """Let a person, service account or team act again, with what it had.

    Nobody lets back what they do not hold themselves, nor a service account for which nobody
    answers, nor two of a kind with one name, nor a team of their own. Raises AccessDenied
    (BeyondOwnRights, OwnAccess, OwnerNeeded), LocksItselfIn, NameTaken, NobodyAnswers, NotFound.
    """
    with policy_change(
        actor=actor, operation="enable_principal", event="principal.enabled"
    ) as change:
        found = Principal.objects.filter(id=principal).first()
        change.authorize(_stopping(found))
        if found is None or not _is_here(found):
            raise NotFound(str(principal))
        change.require_not_for_self({str(principal)})
        require_all_held(change=change, principal=str(principal))
        if found.kind == PrincipalKind.TEAM:
            _require_team_may_come_back(change, principal)
        if found.alone_since is not None:
            raise NobodyAnswers(str(principal))
        if found.kind != PrincipalKind.PERSON:
            require_free_name(kind=PrincipalKind(found.kind), name=found.name, but=principal)
        Principal.objects.filter(id=principal).update(active=True)
        change.note(Touched("principal", principal), kind=found.kind)


def remove_person(*, actor: Actor, principal: UUID, reason: str = "") -> UUID:
    """End a membership with everything derived from it (B3.6); returns whose it was.

    The name stays, for the log; whoever comes again begins from nothing, so guardrails and limits
    on them take who may lift those. Service accounts they answered for go on for `GRACE`. Raises
    AccessDenied (OwnAccess), LastOwner, NotFound, OwnerNeeded.
    """
    with policy_change(actor=actor, operation="remove_person", event="person.removed") as change:
        change.authorize("member:suspend")
        found = Principal.objects.filter(id=principal, kind=PrincipalKind.PERSON).first()
        if found is None or found.person_id is None:
            raise NotFound(str(principal))
        if found.owner:
            _require_another_owner(change, principal)
        change.require_not_for_self({str(principal)})
        _require_person_may_be_removed(change, principal)
        person: UUID = found.person_id
        Binding.objects.filter(principal_id=principal, valid_to=None).update(
            valid_to=change.version
        )
        TeamMember.objects.filter(principal_id=principal).delete()
        UsageLimit.objects.filter(holder_id=principal, valid_to=None).update(
            valid_to=change.version
        )
        AccessRequest.objects.filter(principal_id=principal, state="open").update(
            state="withdrawn", decided_at=actor.at
        )
        Principal.objects.filter(id=principal).update(active=False, owner=False, person_id=None)
        answered = leave_alone(change, principal)
        change.note(
            Touched("principal", principal),
            *(Touched("principal", account) for account in answered),
            name=found.name,
            answered_for=sorted(map(str, answered)),
            reason=reason,
        )
    return person


def name_accountable(*, actor: Actor, account: UUID, person: UUID, reason: str = "") -> None:
    """Say who answers for a service account from now on.

    Whoever names holds what the account holds. Nobody hands on their own: it would be somebody
    else's at once, and theirs to decide about (B3.3). Raises AccessDenied (BeyondOwnRights,
    OwnAccess), NotFound.
    """
    with policy_change(
        actor=actor, operation="name_accountable", event="service_account.handed_over"
    ) as change:
        change.authorize("service_account:create")
        found = Principal.objects.filter(id=account, kind=PrincipalKind.SERVICE_ACCOUNT).first()
        if found is None:
            raise NotFound(str(account))
        require_person(person)
        change.require_not_for_self({str(account)})
        require_all_held(change=change, principal=str(account))
        Principal.objects.filter(id=account).update(accountable_id=person, alone_since=None)
        change.note(
            Touched("principal", account),
            Touched("principal", person),
            name=found.name,
            accountable=str(person),
            before=str(found.accountable_id),
            reason=reason,
        )


def require_person(principal: UUID) -> None:
    """Demand somebody who can answer for others: an active person who has come. Raises NotFound."""
    people = Principal.objects.filter(kind=PrincipalKind.PERSON, active=True, invited=False)
    if not people.filter(id=principal).exists():
        raise NotFound(str(principal))


def set_owner(*, actor: Actor, principal: UUID, owner: bool, reason: str = "") -> None:
    """Make a person an owner, or one no longer. Owners do, and one always stays (B3.5).

    Raises AccessDenied (OwnerNeeded), LastOwner, NotFound.
    """
    with policy_change(actor=actor, operation="set_owner", event="owner.changed") as change:
        change.authorize("role:assign")
        found = Principal.objects.filter(
            id=principal, kind=PrincipalKind.PERSON, active=True, invited=False
        ).first()
        if found is None:
            raise NotFound(str(principal))
        if owner:
            _require_owner(change)
        else:
            _require_another_owner(change, principal)
        Principal.objects.filter(id=principal).update(owner=owner)
        change.note(Touched("principal", principal), owner=owner, reason=reason)


def rename_team(*, actor: Actor, team: UUID, name: str) -> None:
    """Raises AccessDenied, InvalidRule, NameTaken, NotFound."""
    with policy_change(actor=actor, operation="rename_team", event="team.renamed") as change:
        change.authorize("team:manage_members")
        _require_team(team)
        called = require_free_name(kind=PrincipalKind.TEAM, name=name, but=team)
        Principal.objects.filter(id=team).update(name=called)
        change.note(Touched("principal", team), name=called)


def require_all_held_now(*, actor: Actor, principal: UUID) -> None:
    """As `require_all_held`, inside `changes_together`. Raises BeyondOwnRights, OwnerNeeded."""
    state = current_state()
    change = Change(actor=actor, state=state, version=state.policy.version)
    require_all_held(change=change, principal=str(principal))


def require_free_name(*, kind: PrincipalKind, name: str, but: UUID | None = None) -> str:
    """The name as it is spelled, where no other active team or service account has it.

    What is called by its name (a command, a rule that is read) must mean one. Only inside a change of
    policy: its lock is what keeps two from taking one name at once. Raises InvalidRule, NameTaken.
    """
    called = require_name(name)
    namesakes = Principal.objects.filter(
        kind=kind, active=True, sort_name=Lower(Value(called))
    ).values_list("id", flat=True)
    if any(one != but for one in namesakes):
        what = "team" if kind is PrincipalKind.TEAM else "service account"
        raise NameTaken(f"there is a {what} called “{called}” already")
    return called


def require_service_account(principal: UUID) -> Principal:
    """The active service account of that id. Raises NotFound."""
    found = Principal.objects.filter(
        id=principal, kind=PrincipalKind.SERVICE_ACCOUNT, active=True
    ).first()
    if found is None:
        raise NotFound(str(principal))
    return found


def require_all_held(*, change: Change, principal: str) -> None:
    """Demand that the actor holds all that a principal has, or would have again.

    Raises BeyondOwnRights, OwnerNeeded.
    """
    policy = change.state.policy
    [known] = [one for one in policy.principals if one.id == principal]
    if known.owner:
        _require_owner(change)
    for gift in gifts_of(policy, principal):
        change.require_held(gift)


def _require_team(team: UUID) -> None:
    if not Principal.objects.filter(id=team, kind=PrincipalKind.TEAM).exists():
        raise NotFound(str(team))


def _require_members(members: set[UUID]) -> None:
    found = Principal.objects.filter(id__in=members)
    if found.count() != len(members):
        raise NotFound("members")
    if found.filter(kind=PrincipalKind.TEAM).exists():
        raise InvalidRule("a team has no teams as members")


def _require_team_may_be_given(change: Change, team: UUID, joining: set[UUID]) -> None:
    policy = change.state.policy
    change.require_not_for_self({str(member) for member in joining})
    known = {one.id: one for one in policy.principals}
    of_team = list(gifts_of(policy, str(team)))
    for joiner in map(str, joining):
        # What the team has reaches whichever teams the joiner is in.
        for gift in of_team:
            change.require_held(replace(gift, teams=known[joiner].teams | {str(team)}))
        # What the joiner holds as far as their teams reaches this one from now on.
        for gift in gifts_of(policy, joiner):
            in_teams = {one: reach for one, reach in gift.cells.items() if reach in OF_TEAMS}
            change.require_held(replace(gift, cells=in_teams, teams=frozenset({str(team)})))


def _require_team_may_come_back(change: Change, team: UUID) -> None:
    """Its members get what it has, and come under its guardrails, as if they joined it (B3.3, B3.5)."""
    members = TeamMember.objects.filter(team_id=team).values_list("principal_id", flat=True)
    _require_team_may_be_given(change, team, set(members))
    require_a_way_back(change, gained=_called_by(change, team, members))


def _called_by(change: Change, team: UUID, members: Iterable[UUID]) -> dict[str, set[str]]:
    """What guardrails call members of a team by: the team, and the roles it has."""
    roles = {b.role for b in Bindings.among(change.state.policy.bindings).of(str(team))}
    return {str(one): {str(team), *roles} for one in members}


def _require_team_may_be_left(change: Change, team: UUID, leaving: set[UUID]) -> None:
    """Whoever leaves a team leaves its guardrails and limits, and that is for those who set them.

    `leaving` holds the team itself when everybody leaves it.
    """
    roles = {b.role for b in Bindings.among(change.state.policy.bindings).of(str(team))}
    change.require_may_shed({str(team), *roles}, whose=set(map(str, leaving)))


def _require_person_may_be_removed(change: Change, principal: UUID) -> None:
    """Whoever is taken in anew is somebody else to every guardrail and limit there is."""
    policy = change.state.policy
    [known] = [one for one in policy.principals if one.id == str(principal)]
    bindings = Bindings.among(policy.bindings)
    names = {known.id, *known.teams}
    for holder in (known.id, *known.teams):
        names.update(binding.role for binding in bindings.of(holder))
    names.update(binding.id for binding in bindings.of(known.id))
    change.require_may_shed(names, whose={known.id})


def _stopping(found: Principal | None) -> str:
    """Which permission it takes to put something out of action, or back into it."""
    if found is not None and found.kind == PrincipalKind.SERVICE_ACCOUNT:
        return "service_account:disable"
    if found is not None and found.kind == PrincipalKind.TEAM:
        return "role:assign"
    return "member:suspend"


def _is_here(found: Principal) -> bool:
    """Whether it is not a person who was removed."""
    return found.kind != PrincipalKind.PERSON or found.person_id is not None


def _require_owner(change: Change) -> None:
    owners = {p.id for p in change.state.policy.principals if p.owner and p.active}
    if change.actor.id not in owners:
        raise OwnerNeeded


def _require_another_owner(change: Change, leaving: UUID) -> None:
    # The lock is held: no second owner can leave between this look and the commit (B3.5). An owner
    # is put out of action by an owner only.
    _require_owner(change)
    if not owners_here(but={str(leaving)}):
        raise LastOwner(str(leaving))
    require_a_way_back(change, leaving={str(leaving)})
