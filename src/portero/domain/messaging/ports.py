"""What the domain needs of the outside: somebody who performs an operation at Meta.

Only the gateway speaks to Meta. Whoever acts for a person, console, worker, campaign or bot, states
the need here; the gateway decides again for that principal, records, sends and answers.
`project.wiring` plugs in the client of its internal listener.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One operation, wanted for one principal.

    Attributes:
        operation: its name in the table of `graphapi`, "send_message".
        ids: the ids of its path, in order.
        params, body: its query and its body, as a client would write them.
        on_behalf: whom the principal acts for, where that is somebody else.
        address, factor_at, passkey_at: the circumstances of the person whose click it is.
        idempotency_id: the same need stated twice with the same id happens once.
    """

    workspace: UUID
    principal: UUID
    operation: str
    ids: tuple[str, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    on_behalf: UUID | None = None
    address: str | None = None
    factor_at: datetime | None = None
    passkey_at: datetime | None = None
    idempotency_id: str | None = None


@dataclass(frozen=True, slots=True)
class Performed:
    """How it ended, as a client would have been told: a refusal has Graph's error shape.

    `call` is the id of the call's records.
    """

    call: UUID
    status: int
    body: Mapping[str, Any]


class NotPerformed(Exception):
    """No gateway process took the need: nothing was sent, and it may be stated again."""

    code = "not_performed"


class OutcomeUnknown(Exception):
    """The gateway took the need and did not answer: it may have been sent.

    Stated again with its idempotency id it happens once at most.
    """

    code = "outcome_unknown"


class Perform(Protocol):
    """The port. Raises NotPerformed, OutcomeUnknown."""

    def __call__(self, need: Need) -> Performed: ...
