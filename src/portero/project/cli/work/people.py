"""What `portero person` puts on record."""

from __future__ import annotations

from uuid import UUID

from portero.domain.accounts import services as accounts
from portero.domain.accounts.queries import places_of
from portero.project.cli.problems import ExitCode, Problem
from portero.project.cli.work.directory import directory


def record_link(person: UUID, *, new_factors: bool, acting: str | None) -> None:
    """Record in every workspace of a person that a link to a password of theirs is made.

    Whoever acts need not be in all of them; where they are not, the only owner stands for them, who
    runs the server or has it run. Raises Problem.
    """
    places = [directory(one) for one in places_of(person)]
    inside = [
        known
        for known in places
        if acting is not None
        and acting.casefold() in {address.casefold() for address in known.emails.values()}
    ]
    if places and acting is not None and not inside:
        raise Problem(f"{acting} is in no workspace of that person", ExitCode.USAGE)
    actors = [known.actor(acting if known in inside else None) for known in places]
    for actor in actors:
        accounts.record_sign_in_link(actor=actor, person=person, new_factors=new_factors)
