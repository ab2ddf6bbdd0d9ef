"""What exactly somebody asks for: an approval is bound to its digest (B3.4)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from portero.domain.access.models import AccessRequest
from portero.engine import Reach, Scope
from portero.store.rules import write_scope


def digest_of(
    principal: UUID, role: UUID, cells: Mapping[str, Reach], scope: Scope, lasts: timedelta
) -> bytes:
    """Of exactly what is asked: for whom, which cells of which role, where, and how long."""
    told = {
        "principal": str(principal),
        "role": str(role),
        "cells": {key: reach.name for key, reach in sorted(cells.items())},
        "scope": write_scope(scope),
        "lasts_s": int(lasts.total_seconds()),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).digest()


def scope_of(asked: AccessRequest) -> Scope:
    """Where it was asked for."""
    return Scope(**{name: frozenset(values) for name, values in asked.scope.items()})
