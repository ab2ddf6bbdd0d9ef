"""Who there is, what they were given, what is taken away, and the version that holds now."""

from portero.domain.access.models.policy import Binding, Guardrail, Role, RoleVersion, UsageLimit
from portero.domain.access.models.principals import Principal, TeamMember
from portero.domain.access.models.requests import AccessRequest
from portero.domain.access.models.versions import GatewayProcess, PolicyHead

__all__ = [
    "AccessRequest",
    "Binding",
    "GatewayProcess",
    "Guardrail",
    "PolicyHead",
    "Principal",
    "Role",
    "RoleVersion",
    "TeamMember",
    "UsageLimit",
]
