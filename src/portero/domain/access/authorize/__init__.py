"""The one door: who asks, and whether they may."""

from portero.domain.access.authorize.asking import digest_of, scope_of
from portero.domain.access.authorize.deciding import (
    Actor,
    Lens,
    authorize,
    context_of,
    decide,
    of_workspace,
    visible,
)
from portero.domain.access.authorize.giving import (
    OF_TEAMS,
    Gift,
    Holding,
    exceeding,
    gifts_by_template_set,
    gifts_of,
    gifts_of_key,
    narrowed,
    require_held,
    require_held_somewhere,
    resources_in,
    stricter,
    teams_reached,
)
from portero.domain.access.authorize.recording import record_act, record_refusal

__all__ = [
    "OF_TEAMS",
    "Actor",
    "Gift",
    "Holding",
    "Lens",
    "authorize",
    "context_of",
    "decide",
    "digest_of",
    "exceeding",
    "gifts_by_template_set",
    "gifts_of",
    "gifts_of_key",
    "narrowed",
    "of_workspace",
    "record_act",
    "record_refusal",
    "require_held",
    "require_held_somewhere",
    "resources_in",
    "scope_of",
    "stricter",
    "teams_reached",
    "visible",
]
