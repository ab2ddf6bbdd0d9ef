"""Workspaces, and what of Meta's belongs to them."""

from portero.domain.workspaces.services.assets import add_number, add_waba, register_template
from portero.domain.workspaces.services.founding import (
    NewWorkspace,
    found_workspace,
    require_foundable,
)
from portero.domain.workspaces.services.secrets import set_meta_app, store_credential
from portero.domain.workspaces.services.template_sets import (
    create_template_set,
    set_template_set_members,
)

__all__ = [
    "NewWorkspace",
    "add_number",
    "add_waba",
    "create_template_set",
    "found_workspace",
    "register_template",
    "require_foundable",
    "set_meta_app",
    "set_template_set_members",
    "store_credential",
]
