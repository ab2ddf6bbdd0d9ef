"""People, teams, service accounts, keys and roles as they are typed into a form: by name or address."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _

from portero.domain.access import queries as access
from portero.domain.access.authorize import Actor
from portero.domain.access.queries import RoleName
from portero.domain.accounts import queries as accounts
from portero.domain.accounts.queries import Asker

_OFFERED = 5
LINES_MAX = 50
"""Different lines that a rule may name; each is looked up."""


def called(actor: Actor, text: str) -> Asker:
    """The one that is called so; an account before a key of its name.

    For who may not see people, by the whole name, the address or the id: a part of a name would let
    them leaf through everybody (R24). Raises ValidationError for nobody, and for several.
    """
    sees_people = access.sees_people(actor=actor)
    return _one_of(accounts.askers(actor.workspace, text, partly=sees_people), text)


def _one_of(found: Sequence[Asker], text: str) -> Asker:
    exact = [one for one in found if one.name.casefold() == text.casefold()]
    for fitting in (
        [one for one in exact if one.key is None],
        exact,
        [one for one in found if one.key is None],
        found,
    ):
        if len(fitting) == 1:
            return fitting[0]
    if not found:
        raise forms.ValidationError(
            _("Nobody and no key here is called “%(name)s”.") % {"name": text}
        )
    raise forms.ValidationError(
        _("Several are called something like “%(name)s”: %(names)s. Write one name whole.")
        % {"name": text, "names": ", ".join(one.name for one in found[:_OFFERED])}
    )


@dataclass(frozen=True, slots=True)
class Named:
    """Whom a line of a rule means: a principal, or by a role whoever has it."""

    id: UUID
    is_role: bool = False


def named_in_a_rule(actor: Actor, lines: str, standing: Mapping[str, UUID]) -> Iterator[Named]:
    """One for each different line.

    A line that is among the `standing` ones of the rule that is changed means whom it meant: nobody
    who came to be called so since. Raises ValidationError for more than LINES_MAX, and for a key: rules
    hold whoever has it.
    """
    different = {line.casefold(): line for line in map(str.strip, lines.splitlines()) if line}
    if len(different) > LINES_MAX:
        raise forms.ValidationError(
            _("These are more than %(most)s names. Put people into a team, and name the team.")
            % {"most": LINES_MAX}
        )
    roles, sees_people = access.role_names(actor=actor), access.sees_people(actor=actor)
    ids = {str(role.id) for role in roles}
    meant = {line.casefold(): one for line, one in standing.items()}
    for line in different.values():
        if (one := meant.get(line.casefold())) is not None:
            yield Named(one, is_role=str(one) in ids)
            continue
        found = [one.id for one in roles if line.casefold() in _names_of(one)]
        people = accounts.askers(actor.workspace, line, partly=sees_people)
        if not found:
            yield Named(_principal(people, line))
        elif len(found) == 1 and not _is_somebody(people, line):
            yield Named(found[0], is_role=True)
        else:
            raise forms.ValidationError(
                _("Several here are called “%(name)s”. Write an address, or an id.")
                % {"name": line}
            )


def _names_of(role: RoleName) -> Collection[str]:
    """What a role is called: built-in ones in the reader's language, too."""
    names = {str(role.id), role.name.casefold()}
    return names | {_(role.name).casefold()} if role.builtin else names


def _is_somebody(found: Sequence[Asker], name: str) -> bool:
    return any(one.key is None and one.name.casefold() == name.casefold() for one in found)


def _principal(found: Sequence[Asker], line: str) -> UUID:
    one = _one_of(found, line)
    if one.key is not None:
        raise forms.ValidationError(
            _("“%(name)s” is a key. Name the service account that has it.") % {"name": line}
        )
    return one.principal
