from __future__ import annotations


class WorkspacesError(Exception):
    code = "workspaces_error"


class InvalidMetaId(WorkspacesError):
    """Not spelled as Meta spells an id of that kind."""

    code = "invalid_meta_id"


class AlreadyRegistered(WorkspacesError):
    """The id is in this workspace already."""

    code = "already_registered"


class UnknownNumber(WorkspacesError):
    """There is no such number in this workspace."""

    code = "unknown_number"


class UnknownTemplate(WorkspacesError):
    """There is no template of that name in this workspace."""

    code = "unknown_template"


class InvalidTimezone(WorkspacesError):
    """Not the name of an IANA time zone."""

    code = "invalid_timezone"


class EmptySecret(WorkspacesError):
    code = "empty_secret"
