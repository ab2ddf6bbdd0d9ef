"""Anticipated failures of services, in the words of a command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

from portero.domain.access.errors import AccessDenied, AccessError, NotConfirmed
from portero.domain.accounts.errors import AccountsError
from portero.engine import Check, Context, Resource
from portero.project.cli.problems import Problem
from portero.project.cli.work.directory import Directory, directory


@contextmanager
def refusals_named(workspace: UUID) -> Iterator[None]:
    """Turn what a service raises into a sentence: what did not happen, and who can change that."""
    try:
        yield
    except AccessDenied as refusal:
        known = directory(workspace)
        way_out = _way_out(known, refusal)
        raise Problem(f"refused: {known.in_words(refusal.sentence)}.{way_out}") from None
    except NotConfirmed:
        raise Problem(
            "saved, but a running gateway process has not confirmed it yet: calls under the old"
            " policy may still leave through that process; see `portero doctor`"
        ) from None
    except (AccessError, AccountsError) as error:
        words = str(error.__doc__ or error.code).partition("\n")[0]
        raise Problem(f"not done: {str(error) or words} ({error.code})") from None


def _way_out(known: Directory, refusal: AccessDenied) -> str:
    if not refusal.checks:
        return ""
    permission = refusal.checks[0]
    now = datetime.now(UTC)
    context = Context(now.timestamp(), now.weekday(), now.hour * 60 + now.minute)
    check = Check(permission, Resource(permission.partition(":")[0]))
    grantors = [known.name(i) for i in known.state.snapshot.grantors(check, context)]
    return f" {', '.join(grantors)} can give {permission}." if grantors else ""
