"""What pages ask of the policy before they show anything, and before anything is changed."""

from portero.domain.access.queries.asking import (
    Access,
    Given,
    RoleInUse,
    RoleName,
    access_of,
    allowed,
    holders_of,
    require,
    role_names,
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
from portero.domain.access.queries.requests import (
    Asked,
    count_to_decide,
    request_in_detail,
    requests_of,
    requests_to_decide,
    who_can_decide,
)

__all__ = [
    "Access",
    "Asked",
    "Concerned",
    "Consequences",
    "Given",
    "RoleEdition",
    "RoleInUse",
    "RoleName",
    "access_of",
    "allowed",
    "binding",
    "count_to_decide",
    "holders_of",
    "if_ended",
    "if_given",
    "if_role_had",
    "may_put_into_roles",
    "request_in_detail",
    "requests_of",
    "requests_to_decide",
    "require",
    "role_editions",
    "role_names",
    "roles",
    "roles_of",
    "who_can_decide",
    "who_can_give",
]
