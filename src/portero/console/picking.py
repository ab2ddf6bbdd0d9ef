"""Permissions to be picked in a form, in the groups of the catalogue."""

from __future__ import annotations

from itertools import groupby

from django import forms
from django.utils.translation import gettext as _

from portero.engine import PERMISSIONS

Groups = list[tuple[str, list[tuple[str, str]]]]
"""Names of groups, each with keys and sentences of permissions."""


def grouped_permissions() -> Groups:
    """Every permission as a choice, in the catalogue's groups."""
    return [
        (_(group), [(spec.key, _(spec.sentence)) for spec in specs])
        for group, specs in groupby(PERMISSIONS.values(), key=lambda spec: spec.group)
    ]


def picked(
    field: forms.BoundField, offered: Groups | None = None
) -> list[tuple[str, list[tuple[str, str, bool]], int]]:
    """Groups of permissions with what is chosen in each."""
    chosen = set(field.value() or ())
    groups = [
        (group, [(key, sentence, key in chosen) for key, sentence in some])
        for group, some in (grouped_permissions() if offered is None else offered)
    ]
    return [(group, some, sum(is_chosen for *_one, is_chosen in some)) for group, some in groups]
