from __future__ import annotations


class AccountsError(Exception):
    code = "accounts_error"


class InvalidEmail(AccountsError):
    code = "invalid_email"


class AlreadyMember(AccountsError):
    """The person is in this workspace already."""

    code = "already_member"


class AlreadyIn(AccountsError):
    """The person has come in here before, so there is nobody to invite."""

    code = "already_in"


class InvitedTooOften(AccountsError):
    """So many mails went to one address within an hour that one more would only annoy."""

    code = "invited_too_often"


class AtHomeElsewhere(AccountsError):
    """A member of another workspace too, be it suspended: no one workspace changes how they sign in."""

    code = "at_home_elsewhere"


class InvalidLifetime(AccountsError):
    """A key lives at least a moment and at most a year."""

    code = "invalid_lifetime"


class LinkNotValid(AccountsError):
    """The link was used, has expired, or never was one."""

    code = "link_not_valid"
