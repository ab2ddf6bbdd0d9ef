"""Changes of who may do what. Every one takes the workspace's lock, moves the head, leaves a record."""

from portero.domain.access.services.bindings import create_binding, replace_binding, revoke_binding
from portero.domain.access.services.changes import (
    Change,
    changes_together,
    policy_change,
    require_now,
)
from portero.domain.access.services.confirmation import await_confirmation
from portero.domain.access.services.guardrails import (
    create_guardrail,
    lift_entry_rules,
    replace_guardrail,
    retire_guardrail,
)
from portero.domain.access.services.left_alone import (
    GRACE,
    stop_left_alone,
)
from portero.domain.access.services.lens import (
    close_lens,
    lens_in_force,
    open_lens,
    record_look,
    record_no_act,
)
from portero.domain.access.services.limits import create_limit, replace_limit, retire_limit
from portero.domain.access.services.operators import OPERATOR, record_command
from portero.domain.access.services.principals import (
    add_to_team,
    create_team,
    disable_principal,
    enable_principal,
    name_accountable,
    remove_person,
    rename_team,
    require_all_held,
    require_all_held_now,
    require_free_name,
    require_person,
    require_service_account,
    set_owner,
    set_team_members,
    take_from_team,
)
from portero.domain.access.services.ready_made import READY_MADE, ReadyMade
from portero.domain.access.services.requests import (
    approve_request,
    refuse_request,
    request_access,
    withdraw_request,
)
from portero.domain.access.services.roles import (
    create_builtin_roles,
    create_role,
    renew_builtin_roles,
    update_role,
)

__all__ = [
    "GRACE",
    "OPERATOR",
    "READY_MADE",
    "Change",
    "ReadyMade",
    "add_to_team",
    "approve_request",
    "await_confirmation",
    "changes_together",
    "close_lens",
    "create_binding",
    "create_builtin_roles",
    "create_guardrail",
    "create_limit",
    "create_role",
    "create_team",
    "disable_principal",
    "enable_principal",
    "lens_in_force",
    "lift_entry_rules",
    "name_accountable",
    "open_lens",
    "policy_change",
    "record_command",
    "record_look",
    "record_no_act",
    "refuse_request",
    "remove_person",
    "rename_team",
    "renew_builtin_roles",
    "replace_binding",
    "replace_guardrail",
    "replace_limit",
    "request_access",
    "require_all_held",
    "require_all_held_now",
    "require_free_name",
    "require_now",
    "require_person",
    "require_service_account",
    "retire_guardrail",
    "retire_limit",
    "revoke_binding",
    "set_owner",
    "set_team_members",
    "stop_left_alone",
    "take_from_team",
    "update_role",
    "withdraw_request",
]
