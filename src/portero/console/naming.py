"""People, teams, service accounts, keys and roles as they are typed into a form: by name or address."""

from __future__ import annotations

from collections.abc import Collection, Iterator
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


def called(workspace: UUID, text: str) -> Asker:
    """The one that is called so; an account before a key of its name.

    Raises ValidationError for nobody, and for several.
    """
    found = accounts.askers(workspace, text)
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


def named_in_a_rule(actor: Actor, lines: str) -> Iterator[Named]:
    """One for each line. Raises ValidationError, also for a key: rules hold whoever has it."""
    roles = access.role_names(actor=actor)
    for line in filter(None, map(str.strip, lines.splitlines())):
        found = [one.id for one in roles if line.casefold() in _names_of(one)]
        if not found:
            yield Named(_principal(actor.workspace, line))
        elif len(found) == 1 and not _is_somebody(actor.workspace, line):
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


def _is_somebody(workspace: UUID, name: str) -> bool:
    found = accounts.askers(workspace, name)
    return any(one.key is None and one.name.casefold() == name.casefold() for one in found)


def _principal(workspace: UUID, line: str) -> UUID:
    one = called(workspace, line)
    if one.key is not None:
        raise forms.ValidationError(
            _("“%(name)s” is a key. Name the service account that has it.") % {"name": line}
        )
    return one.principal
