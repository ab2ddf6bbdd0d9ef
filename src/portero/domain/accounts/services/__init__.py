"""People, service accounts and their keys."""

from portero.domain.accounts.services.factors import (
    NEVER,
    begin_again,
    change_of,
    factors_of,
    has_factor,
    is_undone,
    remember,
    stays_until,
    undo,
    undo_token,
)
from portero.domain.accounts.services.invitations import (
    Guest,
    accept,
    arrive,
    invitation_link,
    invite,
    invite_again,
)
from portero.domain.accounts.services.keys import (
    LONGEST_OVERLAP,
    NewKey,
    create_key,
    revoke_key,
    roll_key,
)
from portero.domain.accounts.services.links import (
    Bearer,
    bearer_of,
    choose_password,
    make_sign_in_link,
    void_links,
)
from portero.domain.accounts.services.membership import (
    end_sessions_of,
    record_sign_in_link,
    remove,
    reset_factors,
    suspend,
)
from portero.domain.accounts.services.people import (
    add_person,
    create_service_account,
    register_person,
)
from portero.domain.accounts.services.preferences import THEMES, prefer
from portero.domain.accounts.services.streams import open_stream_ticket

__all__ = [
    "LONGEST_OVERLAP",
    "NEVER",
    "THEMES",
    "Bearer",
    "Guest",
    "NewKey",
    "accept",
    "add_person",
    "arrive",
    "bearer_of",
    "begin_again",
    "change_of",
    "choose_password",
    "create_key",
    "create_service_account",
    "end_sessions_of",
    "factors_of",
    "has_factor",
    "invitation_link",
    "invite",
    "invite_again",
    "is_undone",
    "make_sign_in_link",
    "open_stream_ticket",
    "prefer",
    "record_sign_in_link",
    "register_person",
    "remember",
    "remove",
    "reset_factors",
    "revoke_key",
    "roll_key",
    "stays_until",
    "suspend",
    "undo",
    "undo_token",
    "void_links",
]
