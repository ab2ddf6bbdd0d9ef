"""How the console speaks to somebody and how it looks: theirs alone, in every workspace."""

from __future__ import annotations

from collections.abc import Set
from uuid import UUID

from portero.domain.accounts.models import Person

THEMES = ("", "light", "dark")
"""Empty: as the system is."""


def prefer(*, person: UUID, language: str, theme: str, languages: Set[str]) -> None:
    """Keep what somebody chose for themselves. `languages` are those the product speaks.

    Gives nobody any right and concerns nobody else, so it belongs to no workspace's log. Raises
    ValueError for what there is not.
    """
    if theme not in THEMES or (language and language not in languages):
        raise ValueError(f"neither a theme nor a language of ours: {theme!r}, {language!r}")
    Person.objects.filter(id=person).update(language=language, theme=theme)
