"""What the gateway says when it refuses, in Meta's shape, so that client libraries show the reason.

`error_data.details` is always "<reason code>: <sentence>".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from portero.graphapi import scrubbing
from portero.graphapi.errors import GraphError


@dataclass(frozen=True, slots=True)
class _Shape:
    http: int
    code: int
    message: str
    subcode: int | None = None
    type: str = "OAuthException"
    transient: bool = False


_UNSUPPORTED = (
    "does not exist, cannot be loaded due to missing permissions, or does not support this"
    " operation. Please read the Graph API documentation at"
    " https://developers.facebook.com/docs/graph-api"
)
_KEY = _Shape(401, 190, "Invalid OAuth access token - Cannot parse access token")
_EXPIRED = _Shape(401, 190, "Error validating access token: Session has expired", 463)
_NO_PERMISSION = _Shape(403, 200, "(#200) You do not have the necessary permissions")
_NO_SCOPE = _Shape(403, 10, "(#10) Application does not have permission for this action")
_NO_OBJECT = _Shape(
    400, 100, f"Unsupported request. Object {_UNSUPPORTED}", 33, "GraphMethodException"
)
_INVALID = _Shape(400, 100, "(#100) Invalid parameter")
_GUARDRAIL = _Shape(403, 368, "(#368) Temporarily blocked for policies violations")
_RATE = _Shape(429, 130429, "(#130429) Rate limit hit", transient=True)
_DAY = _Shape(429, 80007, "(#80007) Rate limit issues")
_REUSED = _Shape(422, 100, "(#100) Invalid parameter")
_RUNNING = _Shape(409, 2, "Service temporarily unavailable", transient=True)
_NO_ANSWER = _Shape(504, 2, "Service temporarily unavailable")
_WITHHELD = _Shape(502, 1, "An unknown error occurred")
_AWAY = _Shape(503, 2, "Service temporarily unavailable", transient=True)

_SHAPES: Mapping[str, _Shape] = MappingProxyType(
    {
        "key_unknown": _KEY,
        "key_malformed": _KEY,
        "key_revoked": _KEY,
        "key_expired": _EXPIRED,
        "credential_inactive": _KEY,
        "credential_expired": _EXPIRED,
        "permission_missing": _NO_PERMISSION,
        "unknown_permission": _NO_PERMISSION,
        "unknown_principal": _NO_PERMISSION,
        "principal_inactive": _NO_PERMISSION,
        "outside_scope": _NO_SCOPE,
        "outside_reach": _NO_SCOPE,
        "outside_hours": _NO_SCOPE,
        "outside_network": _NO_SCOPE,
        "factor_needed": _NO_SCOPE,
        "binding_expired": _NO_SCOPE,
        "id_unknown": _NO_OBJECT,
        "malformed": _INVALID,
        "never_offered": _INVALID,
        "rate_limited": _RATE,
        "day_limit": _DAY,
        "blocked_by_guardrail": _GUARDRAIL,
        "requirement_window": _GUARDRAIL,
        "requirement_consent": _GUARDRAIL,
        "requirement_second_person": _GUARDRAIL,
        "idempotency_key_reused": _REUSED,
        "idempotency_in_progress": _RUNNING,
        "outcome_unknown": _NO_ANSWER,
        "answer_withheld": _WITHHELD,
        "unavailable": _AWAY,
    }
)
REASONS: frozenset[str] = frozenset(_SHAPES)


def refusal_for(reason: str, sentence: str) -> GraphError:
    """The refusal for a reason code of the engine or of the gateway.

    Raises:
        KeyError: no shape is declared for the reason (a test keeps every engine reason declared).
    """
    shape = _SHAPES[reason]
    return GraphError(
        http=shape.http,
        code=shape.code,
        message=shape.message,
        type=shape.type,
        subcode=shape.subcode,
        # Whoever puts a credential where something else belongs must not read it in a log.
        details=f"{reason}: {scrubbing.clean_text(sentence)}",
        reason=reason,
        transient=shape.transient,
    )


def malformed(sentence: str) -> GraphError:
    """The request cannot be read in exactly one way."""
    return refusal_for("malformed", sentence)


def never_offered(sentence: str) -> GraphError:
    """The operation is not one this gateway performs for anybody."""
    return refusal_for("never_offered", sentence)


def id_unknown(value: str, *, method: str = "get") -> GraphError:
    """Meta's own text for an object that is not there, is another kind of thing, or is not yours.

    `value` is the id as the caller wrote it, `method` the HTTP method.
    """
    error = refusal_for("id_unknown", "No object of this workspace fits this id and operation.")
    shown = scrubbing.clean_text(value) if value.isascii() and value.isprintable() else "?"
    error.message = (
        f"Unsupported {method.lower()} request. Object with ID '{shown[:80]}' {_UNSUPPORTED}"
    )
    return error
