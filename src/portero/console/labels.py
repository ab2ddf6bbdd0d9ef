"""What the engine's own things are called on a page, where no template says it.

The sentence and the group of a permission and the name of a built-in role are English in the code,
and `gettext` finds them in the other languages. Reaches and risks have no English of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext, pgettext

from portero.domain.access.services.builtin_roles import BUILTIN_ROLES
from portero.engine.catalogue import Risk
from portero.engine.policy import Reach

REACHES: Mapping[Reach, str] = {
    Reach.NONE: "No",
    Reach.OWN: "Own",
    Reach.QUEUE: "My queue",
    Reach.TEAM: "Team",
    Reach.ALL: "All",
}
RISKS: Mapping[Risk, str] = {
    Risk.ROUTINE: "Routine",
    Risk.SENSITIVE: "Sensitive",
    Risk.CRITICAL: "Critical",
}

# With a context, because the same English words are others elsewhere: a filter's "All" is "Todos",
# and "Critical" agrees with what it is said of.


def of_reach(reach: Reach) -> str:
    return pgettext("reach", REACHES[reach])


def of_risk(risk: Risk) -> str:
    return pgettext("risk", RISKS[risk])


def of_role(name: str) -> str:
    """The name of a role: of a built-in one in the reader's language."""
    return gettext(name) if name in BUILTIN_ROLES else name
