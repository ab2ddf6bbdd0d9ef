"""People, teams, service accounts and keys as they are typed into a form: by name or address."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _

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


def principals_called(workspace: UUID, lines: str) -> Iterator[Asker]:
    """One for each line. Raises ValidationError, also for a key: rules hold whoever has it."""
    for line in filter(None, map(str.strip, lines.splitlines())):
        one = called(workspace, line)
        if one.key is not None:
            raise forms.ValidationError(
                _("“%(name)s” is a key. Name the service account that has it.") % {"name": line}
            )
        yield one
