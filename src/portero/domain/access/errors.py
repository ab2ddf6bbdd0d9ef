"""What can go wrong in ways a caller should expect. Each has a stable code."""

from __future__ import annotations

from collections.abc import Sequence

from portero.engine import Decision, Reason


class AccessError(Exception):
    code = "access_error"


class AccessDenied(AccessError):
    """The decision said no, or a rule about giving did. `reason` is the stable code of why."""

    code = "access_denied"

    def __init__(
        self, sentence: str, *, reason: str, checks: Sequence[str], because: Sequence[str] = ()
    ):
        super().__init__(sentence)
        self.sentence = sentence
        self.reason = reason
        self.checks = tuple(checks)
        self.because = tuple(because)

    @classmethod
    def by(cls, decision: Decision, checks: Sequence[str]) -> AccessDenied:
        sentence = f"{' and '.join(sorted(set(checks)))}: {decision.reason}"
        return cls(sentence, reason=decision.reason, checks=checks, because=decision.because)


class BeyondOwnRights(AccessDenied):
    """Nobody gives what they do not hold (B3.3)."""

    code = "beyond_own_rights"

    def __init__(self, permissions: Sequence[str]):
        sentence = f"You do not hold, at that scope and as freely: {', '.join(permissions)}"
        super().__init__(sentence, reason=self.code, checks=permissions)
        self.permissions = tuple(permissions)


class OwnAccess(AccessDenied):
    """Nobody gives to themselves: not directly, not by a team, not by a service account of theirs."""

    code = "own_access"

    def __init__(self) -> None:
        super().__init__("This would give you access yourself", reason=self.code, checks=())


class OwnerNeeded(AccessDenied):
    """Only an owner can do this to an owner."""

    code = "owner_needed"

    def __init__(self) -> None:
        super().__init__("Only an owner can do this", reason=self.code, checks=())


class OnlyLooking(AccessDenied):
    """Through a lens one looks; nothing can be changed, whatever either of both may do."""

    code = "only_looking"

    def __init__(self, checks: Sequence[str] = ()) -> None:
        super().__init__("Nothing can be changed through a lens", reason=self.code, checks=checks)


class ConditionUnmet(AccessDenied):
    """Allowed, but a guardrail demands what this door cannot show, a second person for example."""

    code = "condition_unmet"

    def __init__(
        self, checks: Sequence[str], requirements: Sequence[str], guardrails: Sequence[str]
    ):
        sentence = f"A guardrail demands: {', '.join(requirements)}"
        super().__init__(
            sentence, reason=Reason.BLOCKED_BY_GUARDRAIL, checks=checks, because=guardrails
        )


class NotFound(AccessError):
    """There is no such thing in this workspace; said the same of what is another workspace's."""

    code = "not_found"


class NotOneself(AccessError):
    """This cannot be asked of oneself; there is nothing to it."""

    code = "not_oneself"


class NameTaken(AccessError):
    """Another one of the kind is called that here, whatever case it is written in."""

    code = "name_taken"


class NobodyAnswers(AccessError):
    """Whoever answered for the service account has left; somebody else has to be named first."""

    code = "nobody_answers"


class RoleIsBuiltIn(AccessError):
    """Built-in roles are immutable; copies are not."""

    code = "role_is_built_in"


class RequestClosed(AccessError):
    """The request was decided, withdrawn, or waited for too long."""

    code = "request_closed"


class RequestChanged(AccessError):
    """What was asked is not any more what would be given: the role is another by now (B3.4)."""

    code = "request_changed"


class TooManyRequests(AccessError):
    """Somebody asks for more at once than anybody could look at."""

    code = "too_many_requests"


class AskedTooOften(TooManyRequests):
    """Somebody asked, withdrew and asked again, and each time a mail went to all who decide."""

    code = "asked_too_often"


class StaleRole(AccessError):
    """Somebody else has changed the role since it was read."""

    code = "stale_role"


class InvalidRule(AccessError):
    """The rule cannot mean anything; the message says what is wrong with it."""

    code = "invalid_rule"


class LocksItselfIn(InvalidRule):
    """No owner could lift the guardrail again."""

    code = "locks_itself_in"


class ShutsYouOut(LocksItselfIn):
    """Whoever makes the guardrail could not come in under it."""

    code = "shuts_you_out"


class LastOwner(AccessError):
    """A workspace has at least one active owner."""

    code = "last_owner"


class NotConfirmed(AccessError):
    """The change is saved, but a live gateway process has not confirmed it within the time.

    Until it does, calls under the old policy may still leave through that process.
    """

    code = "not_confirmed"
