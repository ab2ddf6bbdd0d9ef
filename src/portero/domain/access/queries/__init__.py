"""What pages ask of the policy before they show anything, and before anything is changed."""

from portero.domain.access.queries.asking import (
    Access,
    Given,
    RoleInUse,
    access_of,
    allowed,
    holders_of,
    require,
    roles,
    who_can_give,
)
from portero.domain.access.queries.comparing import (
    Concerned,
    Consequences,
    binding,
    if_ended,
    if_given,
    if_role_had,
)
from portero.domain.access.queries.history import (
    RoleEdition,
    may_put_into_roles,
    role_editions,
    roles_of,
)

__all__ = [
    "Access",
    "Concerned",
    "Consequences",
    "Given",
    "RoleEdition",
    "RoleInUse",
    "access_of",
    "allowed",
    "binding",
    "holders_of",
    "if_ended",
    "if_given",
    "if_role_had",
    "may_put_into_roles",
    "require",
    "role_editions",
    "roles",
    "roles_of",
    "who_can_give",
]
