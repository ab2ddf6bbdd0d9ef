"""People, service accounts and their keys."""

from portero.domain.accounts.services.keys import NewKey, create_key, revoke_key
from portero.domain.accounts.services.links import (
    choose_password,
    make_sign_in_link,
    person_of_link,
)
from portero.domain.accounts.services.people import (
    add_person,
    create_service_account,
    register_person,
)
from portero.domain.accounts.services.preferences import THEMES, prefer

__all__ = [
    "THEMES",
    "NewKey",
    "add_person",
    "choose_password",
    "create_key",
    "create_service_account",
    "make_sign_in_link",
    "person_of_link",
    "prefer",
    "register_person",
    "revoke_key",
]
