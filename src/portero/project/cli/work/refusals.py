"""Anticipated failures of services, in the words of a command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

from portero.domain.access import queries as access
from portero.domain.access.errors import AccessDenied, AccessError, NotConfirmed
from portero.domain.accounts.errors import AccountsError
from portero.engine import Check, Context, GuardrailKind, Resource
from portero.project.cli.problems import Problem
from portero.project.cli.work.directory import Directory, directory


@contextmanager
def refusals_named(workspace: UUID) -> Iterator[None]:
    """Turn what a service raises into a sentence: what did not happen, and who can change that."""
    try:
        yield
    except AccessDenied as refusal:
        known = directory(workspace)
        way_out = _what_it_cannot_show(known, refusal) or _way_out(known, refusal)
        raise Problem(f"refused: {known.in_words(refusal.sentence)}.{way_out}") from None
    except NotConfirmed:
        raise Problem(
            "saved, but a running gateway process has not confirmed it yet: calls under the old"
            " policy may still leave through that process; see `portero doctor`"
        ) from None
    except (AccessError, AccountsError) as error:
        words = str(error.__doc__ or error.code).partition("\n")[0]
        raise Problem(f"not done: {str(error) or words} ({error.code})") from None


# What a browser has and a command line has not.
_OF_A_BROWSER = {
    GuardrailKind.NETWORKS: "a network to come from",
    GuardrailKind.REQUIRE_PASSKEY: "a passkey",
    GuardrailKind.REQUIRE_FRESH_FACTOR: "a second factor",
}


def _what_it_cannot_show(known: Directory, refusal: AccessDenied) -> str:
    """Which guardrails ask for what is shown in a browser only, and what to do; empty for none."""
    rules = [
        one
        for one in known.state.policy.guardrails
        if one.id in refusal.because and one.kind in _OF_A_BROWSER
    ]
    if not rules:
        return ""
    told = "; ".join(f"“{one.name}” asks for {_OF_A_BROWSER[one.kind]}" for one in rules)
    ways = "do it in the console, or as somebody whom the rule does not hold (--as)"
    if any(access.is_about_entry(one) for one in rules):
        ways += "; when nobody can come in, `portero person let-in` takes rules on coming in away"
    return f" {told}, and a command line has none: {ways}."


def _way_out(known: Directory, refusal: AccessDenied) -> str:
    if not refusal.checks:
        return ""
    permission = refusal.checks[0]
    now = datetime.now(UTC)
    context = Context(now.timestamp(), now.weekday(), now.hour * 60 + now.minute)
    check = Check(permission, Resource(permission.partition(":")[0]))
    grantors = [known.name(i) for i in known.state.snapshot.grantors(check, context)]
    return f" {', '.join(grantors)} can give {permission}." if grantors else ""
