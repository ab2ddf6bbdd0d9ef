"""What a refused call lacked, told in the reader's language from what its record kept.

What things are called is told to those who may see the things; to others, only of which kind they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from portero.console import labels, saying
from portero.console.saying import Names
from portero.domain.access.models import Guardrail
from portero.domain.audit.models import Record, in_workspace
from portero.engine import PERMISSIONS, Reach, Reason, Scope

SEEN_WITH: Mapping[str, str] = {
    "waba": "waba:read",
    "number": "number:read",
    "team": "member:read",
    "template_set": "template:read",
    "guardrail": "role:read",
}
"""With which permission one sees what things of a kind are called. Of other kinds the name says all."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads it: what they may see, and what people call it here."""

    sees: Collection[str]
    names: Names
    guardrails: Mapping[str, str]
    """Every one there is or was, by id."""

    @classmethod
    def of(cls, workspace: UUID, sees: Collection[str]) -> Reader:
        """`sees` holds those of SEEN_WITH that the reader has."""
        names = Names.of(workspace)
        with in_workspace(workspace):
            guardrails = {str(i): name for i, name in Guardrail.objects.values_list("id", "name")}
        return cls(sees, names, guardrails)

    def knows(self, kind: str) -> bool:
        return kind not in SEEN_WITH or SEEN_WITH[kind] in self.sees


def lacking(record: Record, body: Mapping[str, Any], reader: Reader) -> Iterator[str]:
    """A sentence for the check that failed, and one for each part that did not hold."""
    kept: Mapping[str, Any] = body.get("refused") or {}
    needed = [kept["permission"]] if kept else record.checks
    known = [_(PERMISSIONS[key].sentence) for key in needed if key in PERMISSIONS]
    if known:
        yield _("Needed: %(what)s.") % {"what": ", ".join(known)}
    for dimension, wanted, actual in kept.get("failing", ()):
        yield from _part(dimension, wanted, actual, reader)
    if _is_of_a_guardrail(record.reason) and reader.knows("guardrail"):
        found = [reader.guardrails[one] for one in record.because if one in reader.guardrails]
        if found:
            yield _("Guardrail: %(names)s.") % {"names": ", ".join(found)}


def _is_of_a_guardrail(reason: str) -> bool:
    return reason == Reason.BLOCKED_BY_GUARDRAIL or reason.startswith("requirement_")


def _part(dimension: str, wanted: object, actual: object, reader: Reader) -> Iterator[str]:
    if dimension == "reach":
        yield _("The role gives it with the reach “%(reach)s”.") % {"reach": _reach(wanted)}
        yield _("This needs “%(reach)s”.") % {"reach": _reach(actual)}
        return
    field = next((name for name, one in saying.DIMENSIONS.items() if one == dimension), None)
    if field is None:
        return  # an hour, a network or a factor: the reason says it
    if not reader.knows(dimension):
        yield _("Outside what was given: %(dimension)s.") % {
            "dimension": saying.dimension_word(dimension)
        }
        return
    [where] = saying.where(Scope(**{field: frozenset(_several(wanted))}), reader.names)
    yield _("Given for %(where)s.") % {"where": where}
    asked = ", ".join(sorted(reader.names[one] for one in _several(actual)))
    yield _("Asked: %(what)s.") % {"what": asked} if asked else _("What was asked names none.")


def _reach(text: object) -> str:
    return labels.of_reach(Reach[str(text).upper()])


def _several(value: object) -> Sequence[str]:
    if value is None:
        return ()
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
