"""Who people are, where they are members, who else is there, and whom a rule would keep out."""

from portero.domain.accounts.queries.admission import KeptOutside, kept_outside
from portero.domain.accounts.queries.members import (
    FACTORS,
    PAGE,
    Asker,
    Inside,
    Invitation,
    Member,
    Membership,
    Page,
    askers,
    ids_of_members,
    invitation,
    member,
    members,
    members_of,
    memberships,
    places_of,
    some_members_of,
)

__all__ = [
    "FACTORS",
    "PAGE",
    "Asker",
    "Inside",
    "Invitation",
    "KeptOutside",
    "Member",
    "Membership",
    "Page",
    "askers",
    "ids_of_members",
    "invitation",
    "kept_outside",
    "member",
    "members",
    "members_of",
    "memberships",
    "places_of",
    "some_members_of",
]
